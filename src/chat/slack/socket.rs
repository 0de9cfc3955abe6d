//! Socket Mode: events by a WebSocket that we open, so that no address of ours need be public.
//!
//! Invariants: an envelope is acknowledged after the ear took what is in it, and else not at all, so that Slack delivers it
//! again; what came is handed on in its order, while the socket is read on; a socket on which nothing moves is given up.
//!
//! The HTTP client upgrades the connection, so that there is one way out: one TLS, one set of timeouts.
//! Source: <https://docs.slack.dev/apis/events-api/using-socket-mode>.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use reqwest::{StatusCode, Upgraded, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::Slack;
use super::api::network;
use super::fault::Fault;
use super::take::Parcel;
use crate::chat::ChatError;
use crate::chat::port::{Deaf, Ear};

/// How many times the patience with one answer nothing at all may come; it is asked whether somebody is there four times
/// within that.
const SILENCES: u32 = 2;
/// What waits for the ear at the most; more is not read until it took some.
const QUEUE: usize = 256;
/// The longest frame, in bytes.
const LONGEST: usize = 4 * 1024 * 1024;
/// A connection that did not last so long is made anew at once only so often.
const LASTED: Duration = Duration::from_secs(10);
const QUICK: u32 = 3;

type Socket = WebSocketStream<Upgraded>;
type Hearing<'a> = Pin<Box<dyn Future<Output = (String, Result<(), Deaf>)> + Send + 'a>>;

/// A frame's text.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type", default)]
    kind: String,
    envelope_id: Option<String>,
    #[serde(default)]
    payload: Value,
    reason: Option<String>,
}

/// What a frame means.
enum Frame {
    /// It is open.
    Hello,
    /// It is about to be closed, and why.
    Leave(String),
    /// Something for the ear.
    Parcel(String, Parcel),
    /// Something to be acknowledged, of a kind that is none of ours.
    Foreign(String),
    /// Nothing to do.
    Nothing,
}

/// Why a connection ended.
enum End {
    /// Slack wants it opened anew.
    Renewed,
    /// For good.
    Lost(ChatError),
}

impl Slack {
    pub(super) async fn listen_by_socket(&self, ear: &dyn Ear) -> ChatError {
        let mut quick = 0;
        loop {
            let socket = match self.connect().await {
                Ok(socket) => socket,
                Err(error) => return error,
            };
            let since = Instant::now();
            match self.converse(socket, ear).await {
                End::Renewed if since.elapsed() >= LASTED => quick = 0,
                End::Renewed if quick < QUICK => quick += 1,
                End::Renewed => return away("Slack renews the connection again and again"),
                End::Lost(error) => return error,
            }
        }
    }

    async fn connect(&self) -> Result<Socket, ChatError> {
        self.me().await?;
        let url = self.api.socket().await?;
        let opened = tokio::time::timeout(self.patience, self.upgrade(url)).await;
        let opened =
            opened.unwrap_or_else(|_| Err(Fault::Away("the socket took too long to open".to_owned())));
        Ok(opened?)
    }

    /// By RFC 6455, section 4.1.
    async fn upgrade(&self, mut url: Url) -> Result<Socket, Fault> {
        let scheme = if url.scheme() == "wss" { "https" } else { "http" };
        url.set_scheme(scheme)
            .map_err(|()| Fault::Refused("the socket's address cannot be called".to_owned()))?;
        let key = generate_key();
        let headers = HeaderMap::from_iter([
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
        ]);
        let request = self.api.lasting()?.get(url).headers(headers);
        let request = request.header("sec-websocket-version", "13");
        let answer = request.header("sec-websocket-key", &key).send().await;
        let answer = answer.map_err(network)?;
        let accepted = answer
            .headers()
            .get("sec-websocket-accept")
            .map(HeaderValue::as_bytes);
        let status = answer.status();
        if status != StatusCode::SWITCHING_PROTOCOLS
            || accepted != Some(derive_accept_key(key.as_bytes()).as_bytes())
        {
            return Err(Fault::Away(format!("the socket was not opened: {status}")));
        }
        let stream = answer.upgrade().await.map_err(network)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST));
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await)
    }

    async fn converse(&self, mut socket: Socket, ear: &dyn Ear) -> End {
        let mut queue: VecDeque<(String, Parcel)> = VecDeque::new();
        let mut hearing: Option<Hearing<'_>> = None;
        let mut heard_at = Instant::now();
        let mut leaving = None;
        let silence = self.patience * SILENCES;
        let mut ping = tokio::time::interval(silence / 4);
        loop {
            if hearing.is_none() {
                hearing = queue
                    .pop_front()
                    .map(|(id, parcel)| self.hearing(id, parcel, ear));
            }
            if hearing.is_none() && leaving.is_some() {
                return leaving.unwrap_or(End::Renewed);
            }
            let reading = leaving.is_none() && queue.len() < QUEUE;
            tokio::select! {
                biased;
                Some((id, taken)) = next(&mut hearing) => {
                    hearing = None;
                    if let Err(fault) = self.acknowledge(&mut socket, id, taken).await {
                        return End::Lost(away(fault));
                    }
                }
                frame = socket.next(), if reading => {
                    heard_at = Instant::now();
                    match read(frame) {
                        Ok(Frame::Parcel(id, parcel)) => queue.push_back((id, parcel)),
                        Ok(Frame::Leave(reason)) => leaving = Some(left(&reason)),
                        Ok(Frame::Foreign(id)) => {
                            if let Err(fault) = self.acknowledge(&mut socket, id, Ok(())).await {
                                return End::Lost(away(fault));
                            }
                        }
                        Ok(Frame::Hello | Frame::Nothing) => {}
                        Err(error) => return End::Lost(error),
                    }
                }
                _ = ping.tick() => {
                    if reading && heard_at.elapsed() > silence {
                        return End::Lost(away("nothing came by the socket any more"));
                    }
                    if let Err(fault) = self.send(&mut socket, Message::Ping(Vec::new().into())).await {
                        return End::Lost(away(fault));
                    }
                }
            }
        }
    }

    async fn acknowledge(
        &self,
        socket: &mut Socket,
        id: String,
        taken: Result<(), Deaf>,
    ) -> Result<(), String> {
        if let Err(deaf) = taken {
            tracing::warn!(%deaf, "Slack is to deliver an event again");
            return Ok(());
        }
        let word = json!({ "envelope_id": id }).to_string();
        self.send(socket, Message::Text(word.into())).await
    }

    /// A socket that takes nothing for so long is dead.
    async fn send(&self, socket: &mut Socket, message: Message) -> Result<(), String> {
        match tokio::time::timeout(self.patience, socket.send(message)).await {
            Ok(sent) => sent.map_err(|fault| fault.to_string()),
            Err(_) => Err("the socket takes nothing any more".to_owned()),
        }
    }

    fn hearing<'a>(&'a self, id: String, parcel: Parcel, ear: &'a dyn Ear) -> Hearing<'a> {
        Box::pin(async move {
            let taken = self.take(parcel, ear).await;
            (id, taken)
        })
    }
}

/// What came, or why nothing comes any more.
fn read(frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> Result<Frame, ChatError> {
    match frame {
        None => Err(away("Slack closed the socket")),
        Some(Err(fault)) => Err(away(fault.to_string())),
        Some(Ok(Message::Close(_))) => Err(away("Slack closed the socket")),
        Some(Ok(Message::Text(text))) => Ok(meaning(&text)),
        Some(Ok(_)) => Ok(Frame::Nothing),
    }
}

/// What is being heard; never, where nothing is.
async fn next(hearing: &mut Option<Hearing<'_>>) -> Option<(String, Result<(), Deaf>)> {
    match hearing {
        Some(hearing) => Some(hearing.await),
        None => std::future::pending().await,
    }
}

fn meaning(text: &str) -> Frame {
    let Ok(envelope) = serde_json::from_str::<Envelope>(text) else {
        tracing::warn!("a frame from Slack cannot be read");
        return Frame::Nothing;
    };
    let Some(id) = envelope.envelope_id else {
        return match envelope.kind.as_str() {
            "hello" => Frame::Hello,
            "disconnect" => Frame::Leave(envelope.reason.unwrap_or_default()),
            _ => Frame::Nothing,
        };
    };
    let mut payload = envelope.payload;
    match envelope.kind.as_str() {
        "events_api" => Frame::Parcel(
            id,
            Parcel::Event(payload.get_mut("event").map(Value::take).unwrap_or_default()),
        ),
        "interactive" => Frame::Parcel(id, Parcel::Interaction(payload)),
        "slash_commands" => Frame::Parcel(id, Parcel::Command(payload)),
        _ => Frame::Foreign(id),
    }
}

/// `warning` and `refresh_requested`: it is closed soon; `link_disabled`: Socket Mode was switched off.
fn left(reason: &str) -> End {
    match reason {
        "link_disabled" => End::Lost(ChatError::Refused {
            why: "Socket Mode is switched off in the app's settings; switch it on".to_owned(),
        }),
        _ => End::Renewed,
    }
}

fn away(why: impl Into<String>) -> ChatError {
    ChatError::Away { why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        assert!(matches!(
            meaning(r#"{"type":"hello","num_connections":1}"#),
            Frame::Hello
        ));
        assert!(
            matches!(meaning(r#"{"type":"disconnect","reason":"warning"}"#), Frame::Leave(r) if r == "warning")
        );
        let event = r#"{"type":"events_api","envelope_id":"e1","payload":{"event":{"type":"message"}}}"#;
        assert!(
            matches!(meaning(event), Frame::Parcel(id, Parcel::Event(v)) if id == "e1" && v["type"] == "message")
        );
        let unknown = r#"{"type":"something_new","envelope_id":"e2"}"#;
        assert!(matches!(meaning(unknown), Frame::Foreign(id) if id == "e2"));
        assert!(matches!(meaning("not json"), Frame::Nothing));
        assert!(matches!(
            left("link_disabled"),
            End::Lost(ChatError::Refused { .. })
        ));
        assert!(matches!(left("refresh_requested"), End::Renewed));
    }
}
