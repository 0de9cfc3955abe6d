//! Views for the tests of the renderers.

use chrono::{DateTime, TimeDelta, Utc};

use super::Look;
use crate::service::view::*;

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_676_200, 0).unwrap()
}

pub(crate) fn before(seconds: i64) -> DateTime<Utc> {
    now() - TimeDelta::seconds(seconds)
}

pub(crate) fn look(width: usize) -> Look {
    Look {
        color: false,
        width,
        now: now(),
    }
}

pub(crate) fn waiting(what: &str, why: &str) -> WaitingView {
    WaitingView {
        what: what.into(),
        on: Vec::new(),
        since: before(600),
        until: None,
        who: None,
        why: why.into(),
    }
}

pub(crate) fn check(name: &str, verdict: &str) -> CheckView {
    CheckView {
        name: name.into(),
        category: "functionality".into(),
        verdict: verdict.into(),
        exit_code: Some(if verdict == "passed" { 0 } else { 101 }),
        duration_s: 1.24,
        directory: ".orchestrator/worktrees/fix-api".into(),
        command: "cargo test -p audit".into(),
        output_tail: None,
        receipt: None,
    }
}

pub(crate) fn gate(verdict: &str, checks: Vec<CheckView>) -> GateView {
    GateView {
        verdict: verdict.into(),
        commit: Some("4f2a9c1d77aa0b".into()),
        checks,
    }
}

pub(crate) fn attempt(n: u32, tier: &str, outcome: Option<&str>, reason: Option<&str>) -> AttemptView {
    AttemptView {
        n,
        tier: tier.into(),
        runtime: "claude".into(),
        model: format!("claude-{tier}"),
        node: None,
        outcome: outcome.map(Into::into),
        reason: reason.map(Into::into),
        cost_usd: Some(0.21),
        started_at: before(900 - i64::from(n) * 100),
        ended_at: outcome.map(|_| before(600 - i64::from(n) * 100)),
        containment: None,
    }
}

pub(crate) fn task(id: &str, state: &str) -> TaskView {
    TaskView {
        id: id.into(),
        title: format!("Title of {id}"),
        project: "shop".into(),
        state: state.into(),
        archived: false,
        tier: None,
        model: None,
        runtime: None,
        node: None,
        attempt: 0,
        priority: "medium".into(),
        progress_pct: None,
        phase: None,
        heartbeat_age_s: None,
        session: "none".into(),
        cost_usd: 0.0,
        blocked_reason: None,
        waiting: waiting("nothing", ""),
        gate: GateView {
            verdict: "none".into(),
            commit: None,
            checks: Vec::new(),
        },
        attempts: Vec::new(),
        created_at: before(7200),
        updated_at: before(300),
    }
}

pub(crate) fn running(id: &str) -> TaskView {
    TaskView {
        tier: Some("sonnet".into()),
        model: Some("claude-sonnet-4-5".into()),
        runtime: Some("claude".into()),
        attempt: 2,
        progress_pct: Some(45),
        phase: Some("writing tests for the empty account".into()),
        heartbeat_age_s: Some(12.4),
        session: "alive".into(),
        cost_usd: 0.42,
        gate: gate(
            "failed",
            vec![check("tests", "failed"), check("clippy", "passed")],
        ),
        ..task(id, "in-progress")
    }
}

pub(crate) fn problem(
    line: usize,
    column: usize,
    severity: &str,
    message: &str,
    help: Option<&str>,
) -> Problem {
    Problem {
        file: "PROACTIVE-JOBS.md".into(),
        line,
        column,
        severity: severity.into(),
        code: "unreadable-status".into(),
        message: message.into(),
        help: help.map(Into::into),
    }
}

pub(crate) fn status(tasks: Vec<TaskView>) -> Status {
    Status {
        version: VERSION,
        generated_at: now(),
        service: ServiceView {
            running: true,
            pid: Some(4242),
            since: Some(before(10_800)),
            next_tick_at: Some(before(-720)),
            stopped: None,
        },
        bus: None,
        slots: Slots { used: 1, total: 3 },
        nodes: None,
        tasks,
        more_ended: false,
        surfaces: Vec::new(),
        problems: Vec::new(),
    }
}

/// One task of every kind.
pub(crate) fn mixed() -> Status {
    let mut tasks = vec![
        running("add-api"),
        TaskView {
            session: "gone".into(),
            ..running("z-lost")
        },
    ];
    tasks.extend(ended());
    tasks.extend(waiters());
    tasks.push(TaskView {
        state: "validating".into(),
        phase: Some("tests".into()),
        gate: gate("running", Vec::new()),
        ..running("add-search")
    });
    tasks.push(blocked());
    status(tasks)
}

fn blocked() -> TaskView {
    TaskView {
        tier: Some("opus".into()),
        attempt: 4,
        cost_usd: 3.1,
        blocked_reason: Some("no tier left above opus; last: gate: 2 tests fail".into()),
        waiting: WaitingView {
            who: Some("a person".into()),
            ..waiting("person", "no tier left")
        },
        gate: gate("failed", vec![check("tests", "failed")]),
        ..task("fix-smartbudget-api", "blocked")
    }
}

fn waiters() -> [TaskView; 3] {
    let retrying = TaskView {
        tier: Some("haiku".into()),
        attempt: 1,
        cost_usd: 0.004,
        waiting: WaitingView {
            until: Some(before(-200)),
            ..waiting("retry", "again at haiku: exit code 1")
        },
        ..task("tidy-logs", "pending")
    };
    let depends = TaskView {
        waiting: WaitingView {
            on: vec!["add-api".into()],
            ..waiting("dependency", "")
        },
        ..task("write-docs", "pending")
    };
    let paused = TaskView {
        waiting: waiting("person", "paused by ada"),
        ..task("big-move", "paused")
    };
    [retrying, depends, paused]
}

fn ended() -> [TaskView; 2] {
    let done = TaskView {
        tier: Some("haiku".into()),
        attempt: 1,
        cost_usd: 0.08,
        archived: true,
        gate: gate("passed", vec![check("tests", "passed")]),
        ..task("rename-crate", "completed")
    };
    let cancelled = TaskView {
        updated_at: before(90_000),
        ..task("old-idea", "cancelled")
    };
    [done, cancelled]
}
