//! The keeper: connects, looks from time to time whether the server is still there and takes writes, and connects again.

use std::sync::Arc;
use std::time::Duration;

use redis::ProtocolVersion;
use tokio::time::{sleep, timeout};

use super::link::{Line, Link};
use crate::bus::error::BusError;

/// The first wait after a failure; it doubles up to [`crate::bus::Rules::probe_every`].
const PAUSE: Duration = Duration::from_millis(50);
/// How long what a probe writes stays.
const PROBE_MS: u64 = 10_000;

/// Keeps the link up until it is dropped.
pub(super) async fn keep(link: Arc<Link>) {
    let mut pause = PAUSE;
    for number in 1_u64.. {
        match connect(&link, number).await {
            Ok(()) => {
                if number > 1 {
                    tracing::info!(server = %link.address, "the bus is up");
                }
                pause = PAUSE;
                watch_over(&link, number).await;
            }
            Err(error) => {
                let why = bare(error);
                // That a line was lost is said where it is lost.
                if number == 1 {
                    tracing::warn!(why, "the bus is away; work goes on without it");
                }
                link.away(&why);
                sleep(pause).await;
                pause = (pause * 2).min(link.rules.probe_every);
            }
        }
    }
}

/// A new line: connected, tried, and subscribed to all that somebody listens to.
async fn connect(link: &Arc<Link>, number: u64) -> Result<(), BusError> {
    let push = Some((Arc::downgrade(link), number));
    let mut connection = link.connect(ProtocolVersion::RESP3, push).await?;
    let patience = link.rules.patience;
    let silent = |_| BusError::away(format!("{} does not answer within {patience:?}", link.address));
    let probe = probe(link);
    let probed = timeout(patience, probe.query_async::<()>(&mut connection)).await;
    usable(
        probed
            .map_err(silent)?
            .map_err(|e| super::fault::of(&e, &link.address)),
    )?;
    let _changing = link.subscribing.lock().await;
    for channel in link.hub.wanted() {
        let subscribed = timeout(patience, connection.subscribe(link.keys.channel(&channel))).await;
        subscribed
            .map_err(silent)?
            .map_err(|e| super::fault::of(&e, &link.address))?;
    }
    link.install(Line { number, connection });
    Ok(())
}

/// Returns once the line is lost.
async fn watch_over(link: &Link, number: u64) {
    while link.line().is_ok_and(|line| line.number == number) {
        tokio::select! { () = link.doubt.notified() => {} () = sleep(link.rules.probe_every) => {} }
        if let Err(error) = usable(link.ask::<()>(&probe(link)).await) {
            link.lose(number, &bare(error));
        }
        link.prune().await;
    }
}

fn probe(link: &Link) -> redis::Cmd {
    let mut command = redis::cmd("SET");
    command.arg(link.keys.probe()).arg(1).arg("PX").arg(PROBE_MS);
    command
}

/// A server that is full still takes acknowledgements and gives what it has.
fn usable(probed: Result<(), BusError>) -> Result<(), BusError> {
    match probed {
        Err(BusError::Full { .. }) => Ok(()),
        other => other,
    }
}

/// The reason alone: that the bus is away is said by whoever tells it.
fn bare(error: BusError) -> String {
    match error {
        BusError::Away { why } | BusError::Refused { why } | BusError::Full { why, .. } => why,
    }
}
