//! Something between the bot and its homeserver: it hands everything on, until a story has it do otherwise.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is handed on, and answered; whoever waits for that is told.
    Pass,
    /// It never reaches the homeserver, and is never answered.
    Swallow,
    /// The homeserver takes it; its answer never comes.
    Keep,
    /// The homeserver takes it; what comes back is a 502.
    Lose,
    /// It is answered here: a status, a Retry-After, a body.
    Answer(u16, Option<&'static str>, Value),
}

impl Fate {
    /// A gateway without its server.
    pub fn bad_gateway() -> Self {
        Self::Answer(502, None, json!("Bad Gateway"))
    }
}

/// What becomes of the next requests with `part` in their method and path, the first `skip` of them left out.
#[derive(Debug)]
struct Rule {
    part: &'static str,
    skip: usize,
    times: usize,
    fate: Fate,
}

struct Book {
    to: String,
    http: reqwest::Client,
    rules: Mutex<Vec<Rule>>,
    struck: Notify,
}

/// The go-between. It ends with its handle.
pub struct Between {
    pub url: String,
    book: Arc<Book>,
    serving: JoinHandle<()>,
}

impl Between {
    /// One before the server at `to`.
    pub fn before(to: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let http = reqwest::Client::builder()
            .tls_certs_only([])
            .timeout(Duration::from_secs(60));
        let book = Arc::new(Book {
            to: to.to_owned(),
            http: http.build().unwrap(),
            rules: Mutex::default(),
            struck: Notify::new(),
        });
        let app = Router::new().fallback(serve).with_state(book.clone());
        let serving = tokio::spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
        Self { url, book, serving }
    }

    /// Another fate for `times` requests with `part` in them, after `skip` of them.
    pub fn strike(&self, part: &'static str, skip: usize, times: usize, fate: Fate) {
        self.book.rules.lock().unwrap().push(Rule {
            part,
            skip,
            times,
            fate,
        });
    }

    /// Nothing is done any more.
    pub fn calm(&self) {
        self.book.rules.lock().unwrap().clear();
    }

    /// A request has met another fate.
    pub async fn struck(&self) {
        self.book.struck.notified().await;
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Book {
    fn fate(&self, request: &str) -> Option<Fate> {
        let mut rules = self.rules.lock().unwrap();
        let rule = { rules.iter_mut() }.find(|rule| request.contains(rule.part) && rule.times > 0)?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times -= 1;
        Some(rule.fate.clone())
    }

    async fn hand_on(&self, method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Response {
        let url = format!("{}{}", self.to, uri.path_and_query().unwrap());
        let mut request = self.http.request(method, url).body(body);
        for name in [header::AUTHORIZATION, header::CONTENT_TYPE] {
            if let Some(value) = headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let Ok(answer) = request.send().await else {
            return StatusCode::BAD_GATEWAY.into_response();
        };
        let mut response = Response::builder().status(answer.status());
        for name in [header::CONTENT_TYPE, header::RETRY_AFTER] {
            if let Some(value) = answer.headers().get(&name) {
                response = response.header(name, value);
            }
        }
        let body = answer.bytes().await.unwrap_or_default();
        response.body(Body::from(body)).unwrap()
    }
}

async fn serve(
    State(book): State<Arc<Book>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fate = book.fate(&format!("{method} {}", uri.path()));
    let is_taken = matches!(fate, None | Some(Fate::Pass | Fate::Keep | Fate::Lose));
    let answer = match is_taken {
        true => Some(book.hand_on(method, &uri, &headers, body).await),
        false => None,
    };
    if fate.is_some() {
        book.struck.notify_one();
    }
    match (fate, answer) {
        (None | Some(Fate::Pass), Some(answer)) => answer,
        (Some(Fate::Answer(status, after, body)), _) => {
            let mut answer = (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
            if let Some(after) = after {
                let after = after.parse().unwrap();
                answer.headers_mut().insert(header::RETRY_AFTER, after);
            }
            answer
        }
        (Some(Fate::Lose), _) => StatusCode::BAD_GATEWAY.into_response(),
        _ => std::future::pending().await,
    }
}
