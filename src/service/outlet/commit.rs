//! From the journal into the database: whoever leads writes down what all nodes sent, and trims the journal after that.
//!
//! Two that lead for a moment write the same rows, and the journal forgets only what was written.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Put;
use crate::bus::{Bus, BusError, Entry, Id, Journal};
use crate::service::member::Member;
use crate::store::{OutputLine, OutputLog, OutputOf};

/// Its only reader.
const READER: &str = "store";
/// Messages of one batch.
const AT_ONCE: usize = 64;
/// How long a batch is waited for.
const WAIT: Duration = Duration::from_secs(1);
/// Before another try.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The journal of what workers put out.
pub(super) fn journal() -> Journal {
    Journal::new("output", &[READER])
}

/// Writes down what is in the journal while this node leads, until it is cancelled.
pub(super) async fn commit(bus: Arc<dyn Bus>, member: Arc<Member>, log: Arc<OutputLog>) {
    let mut news = member.news();
    let mut after = None;
    loop {
        if member.leads().is_none() {
            after = None;
            tokio::select! { _ = news.changed() => {} () = sleep(PAUSE) => {} }
            continue;
        }
        match turn(&bus, &log, after).await {
            Ok(through) => after = through,
            Err(why) => {
                tracing::debug!(why, "what workers put out waits in the journal");
                after = None;
                sleep(PAUSE).await;
            }
        }
    }
}

/// One batch; up to where all is written.
async fn turn(bus: &Arc<dyn Bus>, log: &OutputLog, after: Option<Id>) -> Result<Option<Id>, String> {
    let journal = journal();
    let told = |error: BusError| error.to_string();
    let after = match after {
        None => bus.committed_by(&journal, READER).await.map_err(told)?,
        known => known,
    };
    let entries = bus.read(&journal, after, AT_ONCE, WAIT).await.map_err(told)?;
    let Some(through) = entries.last().map(|entry| entry.id) else {
        return Ok(after);
    };
    let lines: Vec<(OutputOf, OutputLine)> = entries.iter().flat_map(opened).collect();
    match timeout(PATIENCE, log.keep(&lines, false)).await {
        Ok(kept) => kept.map_err(|error| error.to_string())?,
        Err(_late) => {
            log.reconnect();
            return Err("the database does not answer in time".to_owned());
        }
    }
    bus.committed(&journal, READER, through).await.map_err(told)?;
    Ok(Some(through))
}

/// What cannot be read here was sent by a node of another version: it finds out that it has not arrived.
fn opened(entry: &Entry) -> Vec<(OutputOf, OutputLine)> {
    match entry.message.open::<Put>() {
        Ok(put) => { put.lines.into_iter() }
            .map(|line| (put.of.clone(), line))
            .collect(),
        Err(error) => {
            tracing::warn!(%error, "what is in the journal of the workers' output is left out");
            Vec::new()
        }
    }
}
