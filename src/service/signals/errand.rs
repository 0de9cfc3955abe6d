//! Errands: what one node is told to look at, by its stream of the bus, so that it begins at once.
//!
//! Invariants: the store knew it first, and an errand says no more than where to look: a node that never gets it does the
//! same a little later. It is acknowledged when a whole pass has looked at what it is about, and given back when that
//! could not be done; what nobody can do with is parked by the bus, and reported. What is meant for a node that is gone
//! is taken by the leader, for whom the store decides. Deliberately absent: any decision.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::message::Errand;
use crate::bus::{Bus, BusError, Letter, Seat, Taker};
use crate::domain::decide::LogEntry;
use crate::domain::effect::{Duty, duty};
use crate::domain::node::NodeName;
use crate::domain::task::Task;
use crate::service::engine::{Input, owner};
use crate::service::member::Member;

/// Errands that are taken at one time.
const AT_ONCE: usize = 64;
/// How long one call waits for errands.
const WAIT: Duration = Duration::from_secs(5);
/// The same for whoever leads: it looks at other streams in between.
const TURN: Duration = Duration::from_secs(1);
/// Before another try where the bus is away, and before an errand is given back.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the leader counts what is parked.
const COUNTED: Duration = Duration::from_secs(5);
/// More parked messages of one stream are not counted.
const MOST_COUNTED: usize = 1000;

/// Who an errand is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// This node.
    Node(NodeName),
    /// Whoever leads.
    Leader,
}

impl To {
    /// Its stream.
    pub fn stream(&self) -> String {
        match self {
            Self::Node(name) => format!("node.{name}"),
            Self::Leader => "leader".to_owned(),
        }
    }

    fn seat(&self, consumer: &str) -> Seat {
        let group = match self {
            Self::Node(_) => "node",
            Self::Leader => "leader",
        };
        Seat::new(&self.stream(), group, consumer)
    }
}

/// An errand that the engine has, and what it says of it.
#[derive(Debug)]
pub struct Told {
    /// Where to look.
    pub errand: Errand,
    answer: oneshot::Sender<Answer>,
}

/// What came of an errand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was looked at: what it says is done, or does not matter any more.
    Done,
    /// It cannot be done here now.
    NotNow(&'static str),
}

impl Told {
    /// Says what came of it.
    pub fn answer(self, answer: Answer) {
        // Whoever brought it may have ended; then it is claimed by the next.
        let _gone = self.answer.send(answer);
    }
}

/// Whom a change of a task concerns, where that is not this very process.
pub(in crate::service) fn concerned(task: &Task, member: &Member) -> Option<To> {
    let owed = duty(task).filter(|duty| *duty != Duty::Assess);
    match owner(task).filter(|_| owed.is_some()) {
        Some(node) if member.serves() && node == member.name() => None,
        Some(node) => Some(To::Node(node.clone())),
        None if member.leads().is_some() => None,
        None => Some(To::Leader),
    }
}

/// The errand that a change of a task is.
pub(in crate::service) fn errand(task: &Task, entry: &LogEntry) -> Errand {
    Errand {
        task: Some(task.id.clone()),
        version: task.version,
        epoch: task.epoch,
        kind: entry.kind.clone(),
    }
}

/// Takes errands to the engine, until it is cancelled.
pub(super) async fn take(bus: Arc<dyn Bus>, member: Arc<Member>, inbox: mpsc::Sender<Input>) {
    let consumer = format!("{}/{}", member.name(), Uuid::new_v4().simple());
    tokio::join!(
        own(&bus, &member, &inbox, &consumer),
        leaders(&bus, &member, &inbox, &consumer)
    );
}

async fn own(bus: &Arc<dyn Bus>, member: &Member, inbox: &mpsc::Sender<Input>, consumer: &str) {
    let seat = To::Node(member.name().clone()).seat(consumer);
    loop {
        see_to(bus, &seat, inbox, WAIT).await;
    }
}

/// What is for whoever leads, and what nodes leave behind that are gone.
async fn leaders(bus: &Arc<dyn Bus>, member: &Member, inbox: &mpsc::Sender<Input>, consumer: &str) {
    let mut news = member.news();
    let mut counted: Option<Instant> = None;
    loop {
        if member.leads().is_none() {
            member.found_parked(0);
            tokio::select! { _ = news.changed() => {} () = sleep(TURN) => {} }
            continue;
        }
        let nodes = member.nodes();
        for gone in nodes.iter().filter(|node| !node.is_there()) {
            let seat = To::Node(gone.name().clone()).seat(consumer);
            see_to(bus, &seat, inbox, Duration::ZERO).await;
        }
        see_to(bus, &To::Leader.seat(consumer), inbox, TURN).await;
        if counted.is_none_or(|at| at.elapsed() > COUNTED) {
            counted = Some(Instant::now());
            let names = nodes.iter().map(|node| node.name().clone());
            if let Ok(count) = count_parked(bus, names).await {
                member.found_parked(count);
            }
        }
    }
}

async fn count_parked(bus: &Arc<dyn Bus>, names: impl Iterator<Item = NodeName>) -> Result<u64, BusError> {
    let mut count = 0;
    for to in names.map(To::Node).chain([To::Leader]) {
        count += bus.parked(&to.stream(), MOST_COUNTED).await?.len() as u64;
    }
    Ok(count)
}

/// Takes what is there, and returns when all of it is settled. With the bus away, after a pause.
async fn see_to(bus: &Arc<dyn Bus>, seat: &Seat, inbox: &mpsc::Sender<Input>, wait: Duration) {
    let taker = Taker::<Errand>::new(bus.clone(), seat.clone());
    let letters = match taker.take(AT_ONCE, wait).await {
        Ok(letters) => letters.letters,
        Err(error) => {
            tracing::debug!(%error, "no errands for now");
            return sleep(PAUSE).await;
        }
    };
    let mut under_way = Vec::with_capacity(letters.len());
    for letter in letters {
        let (answer, answered) = oneshot::channel();
        let errand = letter.message.clone();
        // An engine that has ended leaves it to be claimed.
        if inbox.send(Input::Errand(Told { errand, answer })).await.is_ok() {
            under_way.push((letter, answered));
        }
    }
    for (letter, answered) in under_way {
        if let Ok(answer) = answered.await {
            settle(letter, answer).await;
        }
    }
}

async fn settle(letter: Letter<Errand>, answer: Answer) {
    let settled = match answer {
        Answer::Done => letter.ack().await,
        Answer::NotNow(why) => {
            sleep(PAUSE).await;
            letter.nack(why).await
        }
    };
    if let Err(error) = settled {
        tracing::debug!(%error, "an errand that was seen to comes again");
    }
}
