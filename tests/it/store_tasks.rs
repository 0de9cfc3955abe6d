//! Tasks and decisions made by hand, for the stories of the store.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::domain::decide::{AttemptChange, Decision, GateRecord, LogEntry};
use orchestrator::domain::definition::Definition;
use orchestrator::domain::gate::{Category, CheckSource, CheckVerdict, GateReport, Receipt, Trace, Verdict};
use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::{AttemptReport, Evidence, Outcome};
use orchestrator::domain::stage::Stage;
use orchestrator::domain::task::{Attempt, Claim, End, History, Next, StartKind, State, Task};
use orchestrator::domain::tier::{Route, TierName};
use orchestrator::store::{Beat, ProgressMark};

pub fn at() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_770_000_000_123_456).unwrap()
}

pub fn id(text: &str) -> TaskId {
    TaskId::parse(text).unwrap()
}

pub fn task(name: &str) -> Task {
    Task {
        id: id(name),
        version: 1,
        epoch: 0,
        definition: Definition {
            project: "house".into(),
            description: "words".into(),
            ..Definition::default()
        },
        definition_hash: "h1".into(),
        state: State::Pending { since: at() },
        history: History::default(),
        created_at: at(),
        updated_at: at(),
    }
}

pub fn entry(kind: &str, task: &Task) -> LogEntry {
    LogEntry {
        at: at(),
        kind: kind.into(),
        from: "before".into(),
        to: task.state.name().into(),
        epoch: task.epoch,
        why: "because".into(),
    }
}

fn decision(kind: &str, from: &Task, state: State) -> Decision {
    let mut task = Task {
        version: from.version + 1,
        state,
        ..from.clone()
    };
    if let Some(attempt) = task.state.attempt() {
        task.epoch = attempt.epoch;
    }
    Decision {
        entry: entry(kind, &task),
        task,
        attempt: None,
        gate: None,
        durable: vec![],
        led: None,
    }
}

pub fn live_attempt(n: u32, epoch: u64) -> Attempt {
    let route = Route {
        tier: TierName::new("haiku"),
        runtime: "demo".into(),
        model: "small".into(),
        why: "cheap".into(),
        node: None,
    };
    Attempt {
        n,
        epoch,
        route,
        started_at: at(),
        session: None,
        start: StartKind::First,
    }
}

pub fn claim(from: &Task) -> Decision {
    let attempt = live_attempt(from.epoch as u32 + 1, from.epoch + 1);
    let claimed = decision(
        "claimed",
        from,
        State::Claimed {
            since: at(),
            attempt: attempt.clone(),
        },
    );
    Decision {
        attempt: Some(AttemptChange::Opened(attempt)),
        ..claimed
    }
}

pub fn report(outcome: Outcome) -> AttemptReport {
    AttemptReport {
        outcome,
        reason: "it says so".into(),
        evidence: Evidence {
            commit: Some("c0ffee".into()),
            changed: true,
            ..Evidence::default()
        },
        cost_usd: Some(0.5),
        input_tokens: Some(10),
        output_tokens: Some(20),
        session: Some("s-1".into()),
        retry_at: None,
        touched: Vec::new(),
    }
}

pub fn closed(n: u32, epoch: u64, outcome: Outcome) -> AttemptChange {
    AttemptChange::Closed {
        n,
        epoch,
        report: Box::new(report(outcome)),
    }
}

pub fn finish(from: &Task) -> Decision {
    let claim = Claim {
        attempt: from.epoch as u32,
        epoch: from.epoch,
        by_hand: None,
        commit: Some("c0ffee".into()),
        no_change: None,
    };
    let done = decision(
        "finished",
        from,
        State::Validating {
            since: at(),
            claim,
            stage: Stage::Checks,
        },
    );
    Decision {
        attempt: Some(closed(from.epoch as u32, from.epoch, Outcome::Done)),
        ..done
    }
}

pub fn retry(from: &Task, outcome: Outcome) -> Decision {
    let next = Next {
        tier: TierName::new("haiku"),
        not_before: None,
        why: "again".into(),
        session: None,
        runtime: None,
        start: StartKind::Retry,
    };
    let ready = decision("retried", from, State::Ready { since: at(), next });
    Decision {
        attempt: Some(closed(from.epoch as u32, from.epoch, outcome)),
        ..ready
    }
}

pub fn gate_record(attempt: u32, epoch: u64, verdict: Verdict) -> GateRecord {
    let check = if verdict == Verdict::Failed {
        CheckVerdict::Failed
    } else {
        CheckVerdict::Passed
    };
    let receipt = Receipt {
        name: "tests".into(),
        category: Category::Functionality,
        source: CheckSource::Task,
        directory: "/w".into(),
        commit: "c0ffee".into(),
        command: "cargo test".into(),
        exit_code: Some(0),
        verdict: check,
        started_at: at(),
        duration: Duration::from_millis(1234),
        output_tail: "ok".into(),
        output_sha256: "00".into(),
        trace: Trace::default(),
    };
    let report = GateReport {
        commit: "c0ffee".into(),
        tree: "7ree".into(),
        receipts: vec![receipt],
        started_at: at(),
        ended_at: at(),
    };
    GateRecord {
        attempt,
        epoch,
        verdict,
        report,
    }
}

pub fn complete(from: &Task) -> Decision {
    let (attempt, epoch) = (from.epoch as u32, from.epoch);
    let end = End::Completed {
        attempt,
        epoch,
        commit: "c0ffee".into(),
        landed: None,
    };
    let ended = decision("judged", from, State::Ended { since: at(), end });
    Decision {
        gate: Some(gate_record(attempt, epoch, Verdict::Passed)),
        ..ended
    }
}

pub fn cancel(from: &Task) -> Decision {
    let end = End::Cancelled {
        by: "jane".into(),
        reason: "no more".into(),
    };
    decision("cancelled", from, State::Ended { since: at(), end })
}

pub fn beat(task: &Task, epoch: u64, seconds: i64) -> Beat {
    Beat {
        task: task.id.clone(),
        epoch,
        at: at() + TimeDelta::seconds(seconds),
        pct: Some(seconds as u8),
        phase: Some("testing".into()),
    }
}

pub fn mark(task: &Task, epoch: u64, offset: u64) -> ProgressMark {
    ProgressMark {
        task: task.id.clone(),
        epoch,
        transcript_offset: offset,
        session: Some("s-1".into()),
        cost_usd: Some(0.25),
        input_tokens: None,
        output_tokens: None,
    }
}
