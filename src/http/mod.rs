//! HTTP: how fleets, containers and monitoring see a service: `/healthz`, `/readyz`, `/metrics` (Prometheus); and what chat
//! services bring (`/chat/NAME`), which the surface of that name proves to come from there.
//!
//! Invariants: it answers in every role of `up`, and from before the service has begun until it has ended; nothing that it
//! tells is a secret. Deliberately absent: what people and programs ask of tasks.

mod metrics;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::port::Request;
use crate::service::instance::Instance;
use crate::service::operations::{self, Trouble};
use crate::service::surface;

/// The type of Prometheus' text.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The longest request of a chat service, in bytes.
const LONGEST: usize = 1 << 20;
/// The type of a refusal (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// A server that answers until it is closed.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    work: TaskTracker,
    end: CancellationToken,
}

impl Server {
    /// Begins to answer at an address; port 0 stands for any that is free.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn open(at: SocketAddr, instance: Arc<Instance>) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let (work, end) = (TaskTracker::new(), CancellationToken::new());
        let serving = axum::serve(listener, routes(instance));
        let told = end.clone();
        work.spawn(async move {
            let served = serving.with_graceful_shutdown(told.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, "HTTP is not answered any more");
            }
        });
        work.close();
        Ok(Self { address, work, end })
    }

    /// Answers what was asked, and ends.
    pub async fn close(self) {
        self.end.cancel();
        self.work.wait().await;
    }
}

fn routes(instance: Arc<Instance>) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .route("/metrics", get(figures))
        .route("/chat/{name}", post(chat).layer(DefaultBodyLimit::max(LONGEST)))
        .with_state(instance)
}

async fn health(State(instance): State<Arc<Instance>>) -> Response {
    answer(operations::health(&instance))
}

async fn readiness(State(instance): State<Arc<Instance>>) -> Response {
    answer(operations::readiness(&instance).await)
}

async fn figures(State(instance): State<Arc<Instance>>) -> Response {
    let page = metrics::page(&operations::figures(&instance).await);
    ([(header::CONTENT_TYPE, PROMETHEUS)], page).into_response()
}

async fn chat(
    State(instance): State<Arc<Instance>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let request = Request {
        headers: headers.collect(),
        body: body.to_vec(),
        at: instance.clock.now(),
    };
    let reply = surface::request(&instance, &name, &request).await;
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match reply.body.is_empty() {
        true => status.into_response(),
        false => (status, [(header::CONTENT_TYPE, "application/json")], reply.body).into_response(),
    }
}

/// Well, or why not.
fn answer(trouble: Vec<Trouble>) -> Response {
    if trouble.is_empty() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let detail: Vec<&str> = trouble.iter().map(|trouble| trouble.why.as_str()).collect();
    let problem = json!({
        "title": "not in order",
        "status": status.as_u16(),
        "detail": detail.join("; "),
        "failed": trouble.iter().map(|trouble| trouble.what).collect::<Vec<_>>(),
    });
    (status, [(header::CONTENT_TYPE, PROBLEM)], problem.to_string()).into_response()
}
