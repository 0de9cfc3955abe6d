//! Acknowledgements: each on its way at once, beside everything else that a surface does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use super::Open;
use crate::chat::Chat;
use crate::chat::heard::Heard;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Acknowledges what was heard, for as long as the service runs.
pub(super) async fn acknowledge(open: Open, chat: Arc<dyn Chat>) {
    let mut under_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            (heard, since) = open.standing.next_to_acknowledge() => under_way.push(one(&open, chat.as_ref(), heard, since)),
            Some(()) = under_way.next() => {}
        }
    }
}

async fn one(open: &Open, chat: &dyn Chat, heard: Heard, since: Instant) {
    let surface = &open.surface;
    match timeout(PATIENCE, chat.acknowledge(&heard)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%surface, %error, "somebody was not acknowledged"),
        Err(_late) => tracing::warn!(%surface, "somebody was not acknowledged in time"),
    }
    open.standing.acknowledged(since.elapsed());
}
