//! Socket Mode: a server of WebSockets to which envelopes are sent, each until it is acknowledged.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::Message;

use super::Shared;

/// What a socket is told to do.
pub enum Order {
    /// Send this.
    Send(String),
    /// Break off.
    Drop,
    /// Neither read nor write any more, and stay open: a dead peer.
    Freeze,
}

pub async fn serve(listener: TcpListener, world: Shared) {
    let mut open = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        open.spawn(one(stream, world.clone()));
    }
}

/// Envelopes that nobody acknowledged in time are sent again.
pub async fn deliver_again(world: Shared) {
    let mut tick = tokio::time::interval(Duration::from_millis(25));
    loop {
        tick.tick().await;
        world.lock().unwrap().push();
    }
}

async fn one(stream: TcpStream, world: Shared) {
    let tickets = world.clone();
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let admit = move |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let query = request.uri().query().unwrap_or_default();
        let ticket = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ticket");
        let good = ticket.is_some_and(|(_, ticket)| tickets.lock().unwrap().tickets.remove(&*ticket));
        match good {
            true => Ok(response),
            false => {
                let mut refusal = ErrorResponse::new(None);
                *refusal.status_mut() = axum::http::StatusCode::FORBIDDEN;
                Err(refusal)
            }
        }
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, admit).await else {
        return;
    };
    let hello = json!({ "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A0APP" } });
    if socket
        .send(Message::Text(hello.to_string().into()))
        .await
        .is_err()
    {
        return;
    }
    let (orders, mut told) = unbounded_channel();
    {
        let mut world = world.lock().unwrap();
        world.opened += 1;
        world.sockets.push(orders);
        world.push();
    }
    loop {
        tokio::select! {
            order = told.recv() => match order {
                Some(Order::Send(text)) => {
                    if socket.send(Message::Text(text.into())).await.is_err() {
                        return;
                    }
                }
                Some(Order::Freeze) => std::future::pending().await,
                Some(Order::Drop) | None => return,
            },
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let word: Value = serde_json::from_str(&text).unwrap();
                    world.lock().unwrap().acknowledge(word["envelope_id"].as_str().unwrap());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
