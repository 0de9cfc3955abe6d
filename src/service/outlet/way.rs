//! The way of lines to the database: by the journal where the bus is there, else straight.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Put;
use super::commit::journal;
use super::followed::{Followed, Stretch};
use crate::bus::{Bus, Envelope};
use crate::service::member::Member;
use crate::store::{OutputLine, OutputLog, OutputOf};

/// Bytes of text in one message of the journal, about.
const MESSAGE: usize = 96 * 1024;
/// Bytes of text that go at one time, about.
const BATCH: usize = 512 * 1024;
/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the database.
pub(super) struct Way {
    bus: Option<Arc<dyn Bus>>,
    log: Arc<OutputLog>,
    member: Arc<Member>,
}

/// Lines of one output that are to leave, by its place among all.
struct Leaving {
    place: (usize, usize),
    put: Put,
    straight: bool,
}

impl Way {
    pub(super) fn new(bus: Option<Arc<dyn Bus>>, log: Arc<OutputLog>, member: Arc<Member>) -> Self {
        Self { bus, log, member }
    }

    /// Sends what is new; answers whether there may be more at once.
    pub(super) async fn send(&mut self, all: &mut [Followed]) -> bool {
        self.learn_beginnings(all).await;
        let (mut leaving, mut bytes) = (Vec::new(), 0);
        for (n, followed) in all.iter_mut().enumerate() {
            for (m, output) in followed.outputs.iter_mut().enumerate() {
                if bytes >= BATCH {
                    break;
                }
                let lines = output.next(false);
                bytes += lines.iter().map(|line| line.text.len()).sum::<usize>();
                let (of, straight) = (&output.of, output.straight);
                leaving.extend(cut(lines).into_iter().map(|lines| Leaving {
                    place: (n, m),
                    put: Put {
                        of: of.clone(),
                        lines,
                    },
                    straight,
                }));
            }
        }
        let full = bytes >= BATCH;
        let (straight, by_bus): (Vec<_>, Vec<_>) = leaving.into_iter().partition(|l| l.straight);
        let sent = self.by_bus(&by_bus).await || self.straight(all, &by_bus).await;
        let sent = self.straight(all, &straight).await && sent;
        full && sent
    }

    /// Where attempts that were there before are to be gone on with.
    async fn learn_beginnings(&self, all: &mut [Followed]) {
        let outputs = all.iter_mut().flat_map(|followed| &mut followed.outputs);
        for output in outputs.filter(|output| output.whole.is_none()) {
            match self.whole_to(&output.of, 0).await {
                Some(whole) => output.rewind(whole),
                // The others would wait as long for the same.
                None => return,
            }
        }
    }

    /// By the journal; answers whether it took them.
    async fn by_bus(&self, leaving: &[Leaving]) -> bool {
        let Some(bus) = &self.bus else {
            return leaving.is_empty();
        };
        if leaving.is_empty() {
            return true;
        }
        let sealed = leaving.iter().map(|leaving| Envelope::seal(&leaving.put));
        let Ok(sealed) = sealed.collect::<Result<Vec<Envelope>, _>>() else {
            return false;
        };
        match bus.append(&journal(), &sealed).await {
            Ok(_) => {
                self.member.bypasses_bus(None);
                true
            }
            Err(error) => {
                tracing::debug!(%error, "what workers put out goes straight to the database");
                self.member.bypasses_bus(Some(error.to_string()));
                false
            }
        }
    }

    /// Straight to the database; what it does not take is read again later.
    async fn straight(&self, all: &mut [Followed], leaving: &[Leaving]) -> bool {
        if leaving.is_empty() {
            return true;
        }
        let kept = self.keep(leaving.iter().map(|leaving| &leaving.put), false).await;
        for Leaving {
            place: (n, m), put, ..
        } in leaving
        {
            let output = &mut all[*n].outputs[*m];
            match (kept, put.lines.first(), put.lines.last()) {
                (true, Some(first), Some(last)) if output.whole == Some(first.starts) => {
                    output.whole = Some(last.ends);
                }
                (false, ..) => output.rewind(output.whole.unwrap_or(0)),
                _ => {}
            }
        }
        kept
    }

    async fn keep(&self, puts: impl Iterator<Item = &Put>, durably: bool) -> bool {
        let lines = puts.flat_map(|put| put.lines.iter().map(|line| (put.of.clone(), line.clone())));
        let lines: Vec<(OutputOf, OutputLine)> = lines.collect();
        match timeout(PATIENCE, self.log.keep(&lines, durably)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::debug!(%error, "what workers put out is not kept now");
                false
            }
            Err(_late) => {
                self.log.reconnect();
                false
            }
        }
    }

    async fn whole_to(&self, of: &OutputOf, from: u64) -> Option<u64> {
        match timeout(PATIENCE, self.log.whole_to(of, from)).await {
            Ok(whole) => whole.ok(),
            Err(_late) => {
                self.log.reconnect();
                None
            }
        }
    }

    /// Nothing is under way: there is nothing to say of the way any more.
    pub(super) fn rests(&self) {
        self.member.bypasses_bus(None);
    }

    /// Asks what has arrived, and has sent again what has not.
    pub(super) async fn ask(&self, all: &mut [Followed]) {
        let outputs = all.iter_mut().flat_map(|followed| &mut followed.outputs);
        for output in outputs.filter(|output| output.is_under_way()) {
            let from = output.whole.unwrap_or(0);
            let Some(whole) = self.whole_to(&output.of, from).await else {
                return;
            };
            if output.arrived(whole) {
                output.rewind(whole);
                output.straight = true;
            }
        }
    }

    /// Keeps all of an output that is not kept, to the end of its file; answers whether that is done. It is asked from the
    /// beginning: a crash of the database may have taken what had arrived.
    pub(super) async fn keep_rest(&self, output: &mut Stretch) -> bool {
        let Some(whole) = self.whole_to(&output.of, 0).await else {
            return false;
        };
        output.rewind(whole);
        loop {
            let lines = output.next(true);
            if lines.is_empty() {
                return true;
            }
            let put = Put {
                of: output.of.clone(),
                lines,
            };
            if !self.keep(std::iter::once(&put), true).await {
                return false;
            }
        }
    }
}

/// In pieces that fit into a message.
fn cut(lines: Vec<OutputLine>) -> Vec<Vec<OutputLine>> {
    let mut pieces: Vec<Vec<OutputLine>> = Vec::new();
    let mut bytes = MESSAGE;
    for line in lines {
        if bytes >= MESSAGE {
            pieces.push(Vec::new());
            bytes = 0;
        }
        bytes += line.text.len();
        if let Some(last) = pieces.last_mut() {
            last.push(line);
        }
    }
    pieces
}
