//! Every state and every event.

use super::scene::*;
use crate::domain::assess::Assessment;
use crate::domain::decide::*;
use crate::domain::event::{Command, StartFault};
use crate::domain::gate::CheckVerdict;
use crate::domain::node::NodeName;
use crate::domain::outcome::Outcome;
use crate::domain::stage::{Conflict, Destination, Stage};
use crate::domain::task::Block;

#[expect(clippy::too_many_lines, reason = "one table")]
pub(super) fn states() -> Vec<(&'static str, State)> {
    let since = now();
    let approval = Block::Approval {
        asked: None,
        reason: "nothing to run".into(),
        claim: claim(),
        report: Box::new(gate_report(CheckVerdict::Passed)),
    };
    let stopping = |reason| State::Stopping {
        since,
        attempt: attempt(),
        reason,
    };
    let by = || "jane".to_owned();
    vec![
        ("pending", State::Pending { since }),
        ("assessing", State::Assessing { since }),
        ("ready", State::Ready { since, next: next() }),
        (
            "claimed",
            State::Claimed {
                since,
                attempt: attempt(),
            },
        ),
        (
            "running",
            State::Running {
                since,
                attempt: attempt(),
            },
        ),
        ("stopping:stuck", stopping(StopReason::Stuck)),
        ("stopping:paused", stopping(StopReason::Paused { by: by() })),
        (
            "stopping:cancelled",
            stopping(StopReason::Cancelled {
                by: by(),
                reason: "no".into(),
            }),
        ),
        ("stopping:retried", stopping(StopReason::Retried { by: by() })),
        ("stopping:drained", stopping(StopReason::Drained { by: by() })),
        ("stopping:emergency", stopping(StopReason::EmergencyStop)),
        (
            "validating",
            State::Validating {
                since,
                claim: claim(),
                stage: Stage::Checks,
            },
        ),
        (
            "under review",
            State::Validating {
                since,
                claim: claim(),
                stage: Stage::Review {
                    report: Box::new(gate_report(CheckVerdict::Passed)),
                    waits: None,
                },
            },
        ),
        (
            "landing",
            State::Validating {
                since,
                claim: claim(),
                stage: Stage::Landing {
                    report: Box::new(gate_report(CheckVerdict::Passed)),
                    to: Destination::Base,
                },
            },
        ),
        (
            "blocked:landing",
            State::Blocked {
                since,
                block: Block::Landing {
                    reason: "r".into(),
                    claim: claim(),
                },
            },
        ),
        (
            "blocked:exhausted",
            State::Blocked {
                since,
                block: Block::Exhausted { reason: "r".into() },
            },
        ),
        (
            "blocked:question",
            State::Blocked {
                since,
                block: Block::Question { text: "q?".into() },
            },
        ),
        (
            "blocked:approval",
            State::Blocked {
                since,
                block: approval,
            },
        ),
        (
            "blocked:held",
            State::Blocked {
                since,
                block: Block::Held { by: by() },
            },
        ),
        (
            "paused",
            State::Paused {
                since,
                by: by(),
                next: Some(next()),
            },
        ),
        (
            "completed",
            State::Ended {
                since,
                end: End::Completed {
                    attempt: 3,
                    epoch: 7,
                    commit: "c1".into(),
                    landed: None,
                },
            },
        ),
        (
            "cancelled",
            State::Ended {
                since,
                end: End::Cancelled {
                    by: by(),
                    reason: "no".into(),
                },
            },
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "one table")]
pub(super) fn events() -> Vec<(&'static str, Event)> {
    let person = |command| Event::Person {
        by: "jane".into(),
        command,
    };
    let redefined = Definition {
        title: "new".into(),
        ..Definition::default()
    };
    let report = |outcome| Box::new(finished(outcome, "g"));
    let judged = |verdict| Event::Judged {
        epoch: 7,
        report: Box::new(gate_report(verdict)),
    };
    let rejudged = |verdict| Event::Rejudged {
        epoch: 7,
        report: Box::new(gate_report(verdict)),
    };
    vec![
        (
            "redefined",
            Event::Redefined {
                definition: Box::new(redefined),
                hash: "h2".into(),
            },
        ),
        ("removed", Event::Removed),
        ("eligible", Event::Eligible),
        (
            "assessed",
            Event::Assessed(Assessment {
                difficulty: 0,
                reasons: vec!["small".into()],
            }),
        ),
        ("claimed", Event::Claimed(route())),
        ("started", Event::Started { epoch: 7 }),
        ("started (stale)", Event::Started { epoch: 6 }),
        (
            "not started (workspace)",
            Event::NotStarted {
                epoch: 7,
                fault: StartFault::Workspace,
                reason: "w".into(),
            },
        ),
        (
            "not started (runtime)",
            Event::NotStarted {
                epoch: 7,
                fault: StartFault::Runtime,
                reason: "r".into(),
            },
        ),
        (
            "condemned",
            Event::Condemned {
                epoch: 7,
                reason: StopReason::Stuck,
            },
        ),
        ("restored", Event::Restored { seen: 7 }),
        ("restored (later)", Event::Restored { seen: 9 }),
        (
            "node lost",
            Event::NodeLost {
                epoch: 7,
                node: NodeName::parse("host-1").unwrap(),
            },
        ),
        (
            "finished done",
            Event::Finished {
                epoch: 7,
                report: report(Outcome::Done),
            },
        ),
        (
            "finished continue",
            Event::Finished {
                epoch: 7,
                report: report(Outcome::Continue),
            },
        ),
        (
            "finished failed",
            Event::Finished {
                epoch: 7,
                report: report(Outcome::Failed),
            },
        ),
        (
            "finished blocked",
            Event::Finished {
                epoch: 7,
                report: report(Outcome::Blocked),
            },
        ),
        (
            "finished (stale)",
            Event::Finished {
                epoch: 6,
                report: report(Outcome::Done),
            },
        ),
        (
            "asked",
            Event::Asked {
                epoch: 7,
                text: "which?".into(),
            },
        ),
        (
            "spawned",
            Event::Spawned {
                epoch: 7,
                child: crate::domain::id::TaskId::parse("t.a").unwrap(),
            },
        ),
        ("judged passed", judged(CheckVerdict::Passed)),
        ("judged failed", judged(CheckVerdict::Failed)),
        ("reviewed, accepted", reviewed(true)),
        ("reviewed, rejected", reviewed(false)),
        (
            "not reviewed yet",
            Event::NotReviewed {
                epoch: 7,
                not_had: not_had(Some(now())),
            },
        ),
        (
            "not reviewed",
            Event::NotReviewed {
                epoch: 7,
                not_had: not_had(None),
            },
        ),
        (
            "refreshed",
            Event::Refreshed {
                epoch: 7,
                commit: "c2".into(),
            },
        ),
        ("rejudged passed", rejudged(CheckVerdict::Passed)),
        ("rejudged failed", rejudged(CheckVerdict::Failed)),
        (
            "landed",
            Event::Landed {
                epoch: 7,
                commit: "m1".into(),
            },
        ),
        (
            "landed (stale)",
            Event::Landed {
                epoch: 6,
                commit: "m1".into(),
            },
        ),
        (
            "conflicted",
            Event::Conflicted {
                epoch: 7,
                conflict: Conflict {
                    base: "b2".into(),
                    files: vec!["f".into()],
                },
            },
        ),
        (
            "not landed",
            Event::NotLanded {
                epoch: 7,
                reason: "in the way".into(),
            },
        ),
        (
            "not judged",
            Event::NotJudged {
                epoch: 7,
                fault: StartFault::Workspace,
                reason: "no git".into(),
            },
        ),
        ("pause", person(Command::Pause)),
        ("hold", person(Command::Hold)),
        ("resume", person(Command::Resume)),
        ("cancel", person(Command::Cancel { reason: "no".into() })),
        ("retry", person(Command::Retry)),
        ("claim", person(Command::Claim)),
        ("answer", person(Command::Answer { text: "yes".into() })),
        (
            "say",
            person(Command::Say {
                text: "use port 81".into(),
                files: Vec::new(),
            }),
        ),
        (
            "approve",
            person(Command::Approve {
                comment: "ok".into(),
                seen: None,
            }),
        ),
        ("reject", person(Command::Reject { comment: "no".into() })),
    ]
}
