//! Bare jobs: work that is nothing but its steps, made by hand, so that nothing but the store takes time.

use chrono::{DateTime, Utc};
use orchestrator::domain::decide::{AttemptChange, Decision, GateRecord, LogEntry};
use orchestrator::domain::definition::Definition;
use orchestrator::domain::gate::{GateReport, Verdict};
use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::{AttemptReport, Evidence, Outcome};
use orchestrator::domain::stage::Stage;
use orchestrator::domain::task::{Attempt, Claim, End, History, Next, StartKind, State, Task};
use orchestrator::domain::tier::{Route, TierName};
use orchestrator::store::Beat;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The moment of everything.
pub fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

/// A job that waits for a worker.
pub fn ready(id: &str) -> anyhow::Result<Task> {
    let next = Next {
        tier: TierName::new("haiku"),
        not_before: None,
        why: "the lowest tier".to_owned(),
        session: None,
        runtime: None,
        start: StartKind::First,
    };
    Ok(Task {
        id: TaskId::parse(id)?,
        version: 1,
        epoch: 0,
        definition: Definition {
            title: format!("Job {id}"),
            description: "Do nothing.".to_owned(),
            project: "bench".to_owned(),
            ..Definition::default()
        },
        definition_hash: "hash".to_owned(),
        state: State::Ready { since: at(), next },
        history: History::default(),
        created_at: at(),
        updated_at: at(),
    })
}

/// Its entry in the log.
pub fn entry(kind: &str, task: &Task) -> LogEntry {
    LogEntry {
        at: at(),
        kind: kind.to_owned(),
        from: "before".to_owned(),
        to: task.state.name().to_owned(),
        epoch: task.epoch,
        why: "the bench says so".to_owned(),
    }
}

fn decision(kind: &str, from: &Task, epoch: u64, state: State) -> Decision {
    let task = Task {
        version: from.version + 1,
        epoch,
        state,
        ..from.clone()
    };
    Decision {
        entry: entry(kind, &task),
        task,
        attempt: None,
        gate: None,
        durable: Vec::new(),
        led: None,
    }
}

/// Its claim under a new epoch, with the attempt that is its lease.
pub fn claimed(from: &Task) -> Decision {
    let epoch = from.epoch + 1;
    let attempt = Attempt {
        n: 1,
        epoch,
        route: Route {
            tier: TierName::new("haiku"),
            runtime: "none".to_owned(),
            model: "none".to_owned(),
            why: "the lowest tier".to_owned(),
            node: None,
        },
        started_at: at(),
        session: None,
        start: StartKind::First,
    };
    let state = State::Claimed {
        since: at(),
        attempt: attempt.clone(),
    };
    Decision {
        attempt: Some(AttemptChange::Opened(attempt)),
        ..decision("claimed", from, epoch, state)
    }
}

/// A sign of life.
pub fn beat(task: &Task) -> Beat {
    Beat {
        task: task.id.clone(),
        epoch: task.epoch,
        at: at(),
        pct: Some(50),
        phase: None,
    }
}

fn closed(epoch: u64) -> AttemptChange {
    let report = AttemptReport {
        outcome: Outcome::Done,
        reason: "nothing to do".to_owned(),
        evidence: Evidence {
            commit: Some(COMMIT.to_owned()),
            ..Evidence::default()
        },
        cost_usd: None,
        input_tokens: None,
        output_tokens: None,
        session: None,
        retry_at: None,
        touched: Vec::new(),
    };
    AttemptChange::Closed {
        n: 1,
        epoch,
        report: Box::new(report),
    }
}

/// The claim of done, fenced by the epoch.
pub fn finished(from: &Task) -> Decision {
    let claim = Claim {
        attempt: 1,
        epoch: from.epoch,
        by_hand: None,
        commit: Some(COMMIT.to_owned()),
        no_change: None,
    };
    let stage = Stage::Checks;
    let state = State::Validating {
        since: at(),
        claim,
        stage,
    };
    Decision {
        attempt: Some(closed(from.epoch)),
        ..decision("finished", from, from.epoch, state)
    }
}

/// The verdict that archives it.
pub fn judged(from: &Task) -> Decision {
    let end = End::Completed {
        attempt: 1,
        epoch: from.epoch,
        commit: COMMIT.to_owned(),
        landed: None,
    };
    let report = GateReport {
        commit: COMMIT.to_owned(),
        tree: COMMIT.to_owned(),
        receipts: Vec::new(),
        started_at: at(),
        ended_at: at(),
    };
    let gate = GateRecord {
        attempt: 1,
        epoch: from.epoch,
        verdict: Verdict::Passed,
        report,
    };
    Decision {
        gate: Some(gate),
        ..decision("judged", from, from.epoch, State::Ended { since: at(), end })
    }
}

/// Claim of done and verdict in one.
pub fn ended_at_once(from: &Task) -> Decision {
    Decision {
        attempt: Some(closed(from.epoch)),
        ..judged(from)
    }
}
