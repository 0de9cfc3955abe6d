//! The server: one address on loopback, a record of what was asked.
//!
//! Invariants: it ends with its value, and with it every answer that hangs; nothing is kept of a request but
//! what [`Recorded`] shows, and of a key only whether it was the right one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::ask::Ask;
use super::fault::{FaultKind, Refusal};
use super::protocol::Protocol;
use super::script::{Script, Step};

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    desk: Arc<Desk>,
    _serving: AbortOnDropHandle<()>,
}

/// One request, as it was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The scenario that answered; `None` when none fits.
    pub scenario: Option<String>,
    /// The number of the step, from 0.
    pub step: usize,
    /// Whether an API key came with it.
    pub has_key: bool,
    /// The headers but the key, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Value,
}

#[derive(Debug)]
struct Desk {
    script: Script,
    record: Mutex<Vec<Recorded>>,
    release: CancellationToken,
    closed: CancellationToken,
}

impl Server {
    /// Listens on a free port of 127.0.0.1; needs a tokio runtime.
    pub async fn start(script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk {
            script,
            record: Mutex::default(),
            release: CancellationToken::new(),
            closed: CancellationToken::new(),
        });
        let router = Router::new()
            .route("/v1/messages", post(messages))
            .route("/v1/responses", post(responses))
            .with_state(desk.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "its handle is kept, and aborted when the server is dropped"
        )]
        let serving = tokio::spawn(async move {
            // It ends when the task is aborted; it cannot fail before that.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            desk,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// Where it listens, without a path.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.desk
            .record
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Lets every answer that hangs, now or later, go on.
    pub fn release(&self) {
        self.desk.release.cancel();
    }

    /// What is scripted, in words.
    pub fn describe(&self) -> Vec<String> {
        self.desk.script.describe()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.desk.closed.cancel();
    }
}

impl Desk {
    fn record(&self, headers: &HeaderMap, body: &Value, found: Option<(&str, usize)>) {
        let plain = headers
            .iter()
            .filter(|(name, _)| *name != "x-api-key" && *name != "authorization");
        let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let recorded = Recorded {
            scenario: found.map(|(name, _)| name.to_owned()),
            step: found.map_or(0, |(_, step)| step),
            has_key: headers.contains_key("x-api-key") || headers.contains_key("authorization"),
            headers: plain
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: body.clone(),
        };
        self.record
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(recorded);
    }

    /// Waits until the hanging answers may go on; false when the server is gone.
    async fn released(&self) -> bool {
        tokio::select! {
            () = self.release.cancelled() => true,
            () = self.closed.cancelled() => false,
        }
    }
}

async fn messages(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    Exchange::new(desk, Protocol::Messages)
        .answer(&headers, &body)
        .await
}

async fn responses(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    Exchange::new(desk, Protocol::Responses)
        .answer(&headers, &body)
        .await
}

/// One request and its answer.
struct Exchange {
    desk: Arc<Desk>,
    protocol: Protocol,
}

impl Exchange {
    fn new(desk: Arc<Desk>, protocol: Protocol) -> Self {
        Self { desk, protocol }
    }

    async fn answer(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let ask = self.protocol.read(&body);
        let script = &self.desk.script;
        let found = ask
            .as_ref()
            .ok()
            .and_then(|ask| script.find(ask).map(|(scenario, step)| (ask, scenario, step)));
        self.desk.record(
            headers,
            &body,
            found.map(|(ask, scenario, _)| (scenario.name(), ask.turns)),
        );
        if !script.accepts_key(self.protocol.key(headers)) {
            return self.refuse(&self.protocol.wrong_key());
        }
        match (&ask, found) {
            (Err(fault), _) => self.refuse(&Refusal::new(400, "invalid_request_error", fault)),
            (_, None) => self.refuse(&Refusal::new(
                404,
                "not_found_error",
                "no scenario of the script fits this conversation",
            )),
            (_, Some((ask, _, step))) => self.play(ask, step).await,
        }
    }

    async fn play(&self, ask: &Ask, step: &Step) -> Response {
        match step.strike().map(|fault| fault.kind().clone()) {
            None => reply(step, ask, self.plain(step, ask)),
            Some(FaultKind::Error(refusal)) => self.refuse(&refusal),
            Some(FaultKind::Hang { after: None }) => {
                if self.desk.released().await {
                    reply(step, ask, self.plain(step, ask))
                } else {
                    self.refuse(&Refusal::new(503, "api_error", "the scripted model is gone"))
                }
            }
            Some(FaultKind::Hang { after: Some(events) }) => {
                reply(step, ask, self.standing(step, ask, events))
            }
            Some(FaultKind::Cut { after }) => {
                let cut = stream::once(async {
                    // Only a pause makes the server send what came before; an error at once would swallow it.
                    tokio::task::yield_now().await;
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
                });
                let before = self.paced(step, ask).take(after).map(Ok);
                reply(step, ask, Body::from_stream(before.chain(cut)))
            }
            Some(FaultKind::ErrorEvent { after, word }) => {
                let event = frame(&self.protocol.error_event(&word, "the script says so"));
                let before = self.paced(step, ask).take(after);
                let whole = before.chain(stream::iter([event])).map(Ok::<_, Infallible>);
                reply(step, ask, Body::from_stream(whole))
            }
        }
    }

    fn plain(&self, step: &Step, ask: &Ask) -> Body {
        if ask.streams {
            Body::from_stream(self.paced(step, ask).map(Ok::<_, Infallible>))
        } else {
            Body::from(self.protocol.whole(step, ask).to_string())
        }
    }

    /// A stream that stands still after some events.
    fn standing(&self, step: &Step, ask: &Ask, events: usize) -> Body {
        let desk = self.desk.clone();
        let wait = stream::once(async move { desk.released().await }).filter_map(|released| async move {
            let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
            (!released).then_some(Err(gone))
        });
        let before = self.paced(step, ask).take(events);
        let after = self.paced(step, ask).skip(events);
        Body::from_stream(before.map(Ok).chain(wait).chain(after.map(Ok)))
    }

    fn paced(&self, step: &Step, ask: &Ask) -> impl Stream<Item = String> + Send + use<> {
        let frames: Vec<String> = self.protocol.events(step, ask).iter().map(frame).collect();
        let pace = step.pace;
        stream::iter(frames).then(move |frame| async move {
            if pace > Duration::ZERO {
                tokio::time::sleep(pace).await;
            }
            frame
        })
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Body::from(self.protocol.error(refusal).to_string());
        respond(status, "application/json", &refusal.headers, body)
    }
}

fn frame(event: &Value) -> String {
    let name = event["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {event}\n\n")
}

fn reply(step: &Step, ask: &Ask, body: Body) -> Response {
    let kind = if ask.streams {
        "text/event-stream; charset=utf-8"
    } else {
        "application/json"
    };
    respond(StatusCode::OK, kind, &step.headers, body)
}

fn respond(status: StatusCode, kind: &str, headers: &[(String, String)], body: Body) -> Response {
    let mut response = Response::builder().status(status).header("content-type", kind);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    // A script with a header that HTTP cannot carry is answered with an error that shows in any client.
    response.body(body).unwrap_or_else(|_| {
        let mut failed = Response::new(Body::from("the script names a header that HTTP cannot carry"));
        *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}
