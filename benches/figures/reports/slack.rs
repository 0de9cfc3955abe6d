//! A server that takes what is posted to Slack's Web API, and writes down when.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::any;
use axum::{Json, Router};
use chrono::Utc;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::block_in_place;

use super::{Arrivals, held_against, scene, work};

/// What came.
#[derive(Default)]
struct Book {
    arrivals: Arrivals,
    posted: u32,
}

/// From the commit of each report to its arrival.
pub(super) async fn times() -> anyhow::Result<Vec<Duration>> {
    let book = Arc::new(Mutex::new(Book::default()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let api = format!("http://{}/api", listener.local_addr()?);
    let app = Router::new()
        .route("/api/{method}", any(take))
        .with_state(book.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let outside = tempfile::tempdir()?;
    let scene = scene(
        outside.path(),
        &format!(
            "kind = \"slack\"\nbot_token = \"xoxb-figures\"\nsigning_secret = \"none\"\nteam = \"T1\"\nchannel = \"C1\"\n\
             api = \"{api}\"\n"
        ),
    )?;
    block_in_place(|| work(&scene))?;
    serving.abort();
    let arrivals = std::mem::take(
        &mut book
            .lock()
            .map_err(|_| anyhow::anyhow!("the server panicked"))?
            .arrivals,
    );
    held_against(&scene, &arrivals).await
}

async fn take(State(book): State<Arc<Mutex<Book>>>, Path(method): Path<String>, body: Bytes) -> Json<Value> {
    let at = Utc::now().timestamp_micros();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Ok(mut book) = book.lock() else {
        return Json(json!({ "ok": false, "error": "fatal_error" }));
    };
    Json(match method.as_str() {
        "auth.test" => json!({ "ok": true, "user_id": "U1", "team_id": "T1", "bot_id": "B1" }),
        "chat.postMessage" => {
            if let Some(key) = body["metadata"]["event_payload"]["key"].as_str() {
                book.arrivals.entry(key.to_owned()).or_insert(at);
            }
            book.posted += 1;
            json!({ "ok": true, "channel": "C1", "ts": format!("{}.{:06}", at / 1_000_000, book.posted) })
        }
        "conversations.history" | "conversations.replies" => {
            json!({ "ok": true, "messages": [], "has_more": false })
        }
        _ => json!({ "ok": true, "channel": "C1", "ts": body["ts"], "text": "" }),
    })
}
