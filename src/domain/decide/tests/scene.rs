//! Tasks, attempts and reports to decide about.

use crate::domain::decide::*;
use crate::domain::gate::{Category, CheckSource, CheckVerdict, Receipt, Trace};
use crate::domain::id::TaskId;
use crate::domain::outcome::{Evidence, Outcome};
use crate::domain::review::{Independence, NotHad, Opinion, Point, Review, Reviewer};
use crate::domain::stage::Stage;
use crate::domain::task::{Claim, History, Next, StartKind, Try};
use crate::domain::tier::{Route, TierName};

pub(super) fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(super) fn decided(task: &Task, event: Event) -> Result<Ruling, Refused> {
    let policy = Policy::example();
    decide(
        task,
        event,
        &Context {
            now: now(),
            roll: 0.0,
            policy: &policy,
        },
    )
}

pub(super) fn changed(task: &Task, event: Event) -> Decision {
    match decided(task, event) {
        Ok(Ruling::Change(decision)) => *decision,
        other => panic!("no change: {other:?}"),
    }
}

pub(super) fn route() -> Route {
    Route {
        tier: TierName::new("haiku"),
        runtime: "claude".into(),
        model: "m".into(),
        why: "w".into(),
        node: None,
    }
}

pub(super) fn attempt() -> Attempt {
    Attempt {
        n: 3,
        epoch: 7,
        route: route(),
        started_at: now(),
        session: Some("s".into()),
        start: StartKind::First,
    }
}

pub(super) fn next() -> Next {
    let tier = TierName::new("haiku");
    Next {
        tier,
        not_before: None,
        why: "first".into(),
        session: None,
        runtime: None,
        start: StartKind::First,
    }
}

pub(super) fn claim() -> Claim {
    Claim {
        attempt: 3,
        epoch: 7,
        by_hand: None,
        commit: Some("c1".into()),
        no_change: None,
    }
}

pub(super) fn gate_report(verdict: CheckVerdict) -> GateReport {
    let receipt = |category, source, verdict| Receipt {
        name: "tests".into(),
        category,
        source,
        directory: "/w".into(),
        commit: "c1".into(),
        command: "true".into(),
        exit_code: Some(0),
        verdict,
        started_at: now(),
        duration: std::time::Duration::from_secs(1),
        output_tail: String::new(),
        output_sha256: String::new(),
        trace: Trace::default(),
    };
    let receipts = vec![
        receipt(Category::Functionality, CheckSource::Task, verdict),
        receipt(Category::Integration, CheckSource::House, CheckVerdict::Passed),
    ];
    GateReport {
        commit: "c1".into(),
        tree: "t1".into(),
        receipts,
        started_at: now(),
        ended_at: now(),
    }
}

pub(super) fn finished(outcome: Outcome, fingerprint: &str) -> AttemptReport {
    AttemptReport {
        outcome,
        reason: format!("it {}", outcome.as_str()),
        evidence: Evidence {
            commit: Some("c1".into()),
            changed: !fingerprint.is_empty(),
            files_changed: 1,
            progress_entries: 0,
            fingerprint: fingerprint.into(),
        },
        cost_usd: Some(0.1),
        input_tokens: None,
        output_tokens: None,
        session: Some("s2".into()),
        retry_at: None,
        touched: Vec::new(),
    }
}

pub(super) fn task(state: State) -> Task {
    let history = History {
        opened: 3,
        spent: 0,
        tries: vec![Try {
            n: 3,
            tier: TierName::new("haiku"),
            runtime: "claude".into(),
            outcome: Outcome::Done,
            reason: "done".into(),
            fingerprint: "f".into(),
            progressed: true,
            waited: false,
            cost_usd: None,
            session: None,
        }],
        ..History::default()
    };
    Task {
        id: TaskId::parse("t").unwrap(),
        version: 4,
        epoch: 7,
        definition: Definition::default(),
        definition_hash: "h".into(),
        state,
        history,
        created_at: now(),
        updated_at: now(),
    }
}

/// Work on its way carries the receipts that were recorded when it set out.
pub(super) fn recorded(before: &Task) -> Option<GateRecord> {
    let State::Validating {
        claim,
        stage: Stage::Landing { report, .. },
        ..
    } = &before.state
    else {
        return None;
    };
    Some(GateRecord {
        attempt: claim.attempt,
        epoch: claim.epoch,
        verdict: report.verdict(),
        report: (**report).clone(),
    })
}

pub(super) fn review(accepts: bool) -> Review {
    let blocker = Point {
        file: "a.rs".into(),
        line: 3,
        what: "divides by zero".into(),
        why: "empty list".into(),
    };
    Review {
        by: Reviewer {
            runtime: "codex".into(),
            tier: TierName::new("haiku"),
            model: "gpt".into(),
            independence: Independence::OtherVendor,
        },
        commit: "c1".into(),
        shown: "5a".into(),
        opinion: Opinion {
            accepts,
            blockers: if accepts { vec![] } else { vec![blocker] },
            ..Opinion::default()
        },
        started_at: now(),
        duration: std::time::Duration::from_secs(60),
        output_sha256: "0d".into(),
        output_bytes: 9,
        cost_usd: Some(0.5),
    }
}

pub(super) fn reviewed(accepts: bool) -> Event {
    Event::Reviewed {
        epoch: 7,
        review: Box::new(review(accepts)),
    }
}

pub(super) fn not_had(again_at: Option<DateTime<Utc>>) -> NotHad {
    NotHad {
        reason: "codex rests".into(),
        again_at,
        cost_usd: Some(0.25),
    }
}
