//! The rows, by runtime: what each of its witnesses says, and what it comes to.

use orchestrator::domain::outcome::{EndKind, Outcome};
use orchestrator::runtime::process::{Cause, Status};

use super::Output::{Agent, Claude, Codex, Messages, Program};
use super::{Row, ended, row, saying};

pub(super) fn programs() -> Vec<Row> {
    let dies = |row: Row| Row {
        stderr: "Traceback\nValueError: x\n",
        ..row
    };
    vec![
        row(Program, 0, true, Outcome::Done),
        row(Program, 0, false, Outcome::Bailed),
        row(Program, 75, true, Outcome::Continue),
        row(Program, 75, false, Outcome::Continue),
        row(Program, 77, true, Outcome::Blocked),
        dies(row(Program, 1, true, Outcome::Failed)),
        row(Program, 143, true, Outcome::Failed),
        saying(r#"{"outcome":"done"}"#, row(Program, 0, true, Outcome::Done)),
        saying(r#"{"outcome":"done"}"#, row(Program, 0, false, Outcome::Bailed)),
        saying(r#"{"outcome":"done"}"#, row(Program, 1, true, Outcome::Failed)),
        saying(
            r#"{"outcome":"no_change_needed"}"#,
            row(Program, 0, false, Outcome::NoChangeNeeded),
        ),
        saying(
            r#"{"outcome":"continue"}"#,
            row(Program, 0, false, Outcome::Continue),
        ),
        saying(
            r#"{"outcome":"blocked"}"#,
            row(Program, 0, true, Outcome::Blocked),
        ),
        saying(
            r#"{"outcome":"needs_stronger_model"}"#,
            row(Program, 0, true, Outcome::NeedsStrongerModel),
        ),
        saying(r#"{"outcome":"failed"}"#, row(Program, 0, true, Outcome::Failed)),
        saying("{\"outcome\":", row(Program, 0, false, Outcome::Bailed)),
        saying(
            r#"{"outcome":"rate_limited","retry_at":"2027-01-15T08:00:00Z"}"#,
            row(Program, 1, true, Outcome::RateLimited),
        ),
        saying(
            r#"{"outcome":"overloaded"}"#,
            row(Program, 75, false, Outcome::Overloaded),
        ),
        saying(r#"{"outcome":"auth"}"#, row(Program, 77, false, Outcome::Auth)),
        saying(
            r#"{"outcome":"network"}"#,
            row(Program, 0, false, Outcome::Network),
        ),
        ended(Cause::Exited, Some(Status::Signal(9)), Program, Outcome::Killed),
        ended(Cause::Vanished, None, Program, Outcome::Lost),
        ended(Cause::OutputLimit { limit: 1 }, None, Program, Outcome::Failed),
    ]
}

pub(super) fn claudes() -> Vec<Row> {
    let unstarted = |stderr, expected| Row {
        stderr,
        ..row(Claude(""), 1, false, expected)
    };
    vec![
        row(Claude("success_tools"), 0, true, Outcome::Done),
        row(Claude("success_text"), 0, false, Outcome::Bailed),
        row(Claude("success_tools"), 1, true, Outcome::Done),
        row(Claude("max_turns"), 1, true, Outcome::MaxTurns),
        row(Claude("max_budget"), 1, true, Outcome::Budget),
        row(Claude("err_e429"), 1, false, Outcome::RateLimited),
        row(Claude("err_e429"), 0, true, Outcome::RateLimited),
        row(Claude("err_e529"), 1, false, Outcome::Overloaded),
        row(Claude("err_e500"), 1, false, Outcome::Overloaded),
        row(Claude("err_midstream"), 1, true, Outcome::Overloaded),
        row(Claude("err_e401"), 1, false, Outcome::Auth),
        row(Claude("err_nokey"), 1, false, Outcome::Auth),
        row(Claude("err_e400credit"), 1, false, Outcome::Auth),
        row(Claude("err_econnrefused"), 1, false, Outcome::Network),
        row(Claude("err_e400ctx"), 1, true, Outcome::Poisoned),
        row(Claude("bad_resume"), 1, false, Outcome::Lost),
        row(Claude("refusal"), 1, false, Outcome::Poisoned),
        row(Claude("max_tokens"), 1, true, Outcome::Failed),
        row(Claude("sigint_tool"), 0, true, Outcome::Killed),
        row(Claude("sigterm_tool"), 143, true, Outcome::Killed),
        row(Claude("sigkill_stream"), 0, false, Outcome::Bailed),
        row(Claude("sigkill_stream"), 0, true, Outcome::Continue),
        row(Claude("sigkill_stream"), 1, true, Outcome::Killed),
        ended(
            Cause::Exited,
            Some(Status::Signal(9)),
            Claude("sigkill_stream"),
            Outcome::Killed,
        ),
        ended(Cause::Vanished, None, Claude("success_tools"), Outcome::Lost),
        unstarted("error: unknown option '--x'", Outcome::Failed),
        unstarted("Invalid API key · Please run /login", Outcome::Auth),
        saying(
            r#"{"outcome":"blocked","reason":"which?"}"#,
            row(Claude("success_text"), 0, false, Outcome::Blocked),
        ),
        // It had said that it was done before the provider broke off its last words.
        saying(
            r#"{"outcome":"done"}"#,
            row(Claude("err_e529"), 1, true, Outcome::Done),
        ),
        saying(
            r#"{"outcome":"needs_stronger_model"}"#,
            row(Claude("success_tools"), 0, true, Outcome::NeedsStrongerModel),
        ),
        saying(
            r#"{"outcome":"continue"}"#,
            row(Claude("success_tools"), 0, true, Outcome::Continue),
        ),
    ]
}

pub(super) fn codexes() -> Vec<Row> {
    let unstarted = |stderr, expected| Row {
        stderr,
        ..row(Codex(""), 1, false, expected)
    };
    vec![
        row(Codex("success_tools"), 0, true, Outcome::Done),
        row(Codex("success_tools"), 1, true, Outcome::Done),
        row(Codex("success_text"), 0, false, Outcome::Bailed),
        row(Codex("silent"), 0, false, Outcome::Bailed),
        row(Codex("sandbox_denied"), 0, false, Outcome::Bailed),
        row(Codex("err_usage_limit"), 1, false, Outcome::RateLimited),
        row(Codex("err_e429"), 1, true, Outcome::RateLimited),
        row(Codex("err_e429"), 0, true, Outcome::RateLimited),
        row(Codex("err_e529"), 1, false, Outcome::Overloaded),
        row(Codex("err_e500"), 1, false, Outcome::Overloaded),
        row(Codex("err_midstream"), 1, true, Outcome::Overloaded),
        row(Codex("err_e401"), 1, false, Outcome::Auth),
        row(Codex("err_quota"), 1, false, Outcome::Auth),
        row(Codex("err_refused"), 1, false, Outcome::Network),
        row(Codex("err_cut"), 1, true, Outcome::Network),
        row(Codex("err_context_window"), 1, true, Outcome::Poisoned),
        row(Codex("max_tokens"), 1, true, Outcome::Failed),
        row(Codex("sigTERM"), 143, true, Outcome::Killed),
        row(Codex("sigINT"), 1, true, Outcome::Killed),
        ended(
            Cause::Exited,
            Some(Status::Signal(9)),
            Codex("sigKILL"),
            Outcome::Killed,
        ),
        ended(Cause::Vanished, None, Codex("success_tools"), Outcome::Lost),
        unstarted("error: unexpected argument '--nope' found", Outcome::Failed),
        unstarted("Not logged in", Outcome::Auth),
        unstarted("no rollout found for thread id 01a1", Outcome::Poisoned),
        saying(
            r#"{"outcome":"blocked","reason":"which?"}"#,
            row(Codex("success_text"), 0, false, Outcome::Blocked),
        ),
        saying(
            r#"{"outcome":"done"}"#,
            row(Codex("err_e529"), 1, true, Outcome::Done),
        ),
        saying(
            r#"{"outcome":"continue"}"#,
            row(Codex("err_e429"), 1, true, Outcome::RateLimited),
        ),
        saying(
            r#"{"outcome":"needs_stronger_model"}"#,
            row(Codex("success_tools"), 0, true, Outcome::NeedsStrongerModel),
        ),
    ]
}

pub(super) fn agents() -> Vec<Row> {
    let closed = |kind, code, evidence, expected| row(Agent(Some(kind)), code, evidence, expected);
    vec![
        closed(EndKind::Claimed, 0, true, Outcome::Done),
        closed(EndKind::Claimed, 0, false, Outcome::Bailed),
        closed(EndKind::Blocked, 77, false, Outcome::Blocked),
        closed(
            EndKind::RateLimited { until: None },
            1,
            true,
            Outcome::RateLimited,
        ),
        closed(EndKind::Overloaded, 1, true, Outcome::Overloaded),
        closed(EndKind::Auth, 1, false, Outcome::Auth),
        closed(EndKind::Network, 1, false, Outcome::Network),
        closed(EndKind::Budget, 1, true, Outcome::Budget),
        closed(EndKind::MaxTurns, 1, true, Outcome::MaxTurns),
        closed(EndKind::Poisoned, 1, true, Outcome::Poisoned),
        closed(EndKind::Failed, 1, true, Outcome::Failed),
        closed(EndKind::Interrupted, 1, true, Outcome::Killed),
        closed(EndKind::Vanished, 1, false, Outcome::Lost),
        row(Agent(None), 0, true, Outcome::Killed),
        row(Agent(None), 101, true, Outcome::Failed),
        saying(
            r#"{"outcome":"blocked","reason":"which?"}"#,
            closed(EndKind::Claimed, 0, false, Outcome::Blocked),
        ),
        saying(
            r#"{"outcome":"no_change_needed"}"#,
            closed(EndKind::Claimed, 0, false, Outcome::NoChangeNeeded),
        ),
        saying(
            r#"{"outcome":"done"}"#,
            closed(EndKind::Overloaded, 1, true, Outcome::Done),
        ),
        saying(
            r#"{"outcome":"continue"}"#,
            closed(EndKind::Overloaded, 1, true, Outcome::Overloaded),
        ),
        ended(
            Cause::Exited,
            Some(Status::Signal(9)),
            Agent(None),
            Outcome::Killed,
        ),
        ended(
            Cause::Vanished,
            None,
            Agent(Some(EndKind::Claimed)),
            Outcome::Lost,
        ),
    ]
}

pub(super) fn messages() -> Vec<Row> {
    let closed = |kind, code, evidence, expected| row(Messages(Some(kind)), code, evidence, expected);
    vec![
        closed(EndKind::Claimed, 0, true, Outcome::Done),
        closed(EndKind::Claimed, 0, false, Outcome::Bailed),
        closed(EndKind::NoChangeNeeded, 0, false, Outcome::NoChangeNeeded),
        closed(EndKind::Continue, 75, true, Outcome::Continue),
        closed(EndKind::Blocked, 77, false, Outcome::Blocked),
        closed(EndKind::NeedsStrongerModel, 1, true, Outcome::NeedsStrongerModel),
        closed(
            EndKind::RateLimited { until: None },
            1,
            true,
            Outcome::RateLimited,
        ),
        closed(EndKind::Overloaded, 1, true, Outcome::Overloaded),
        closed(EndKind::Auth, 1, false, Outcome::Auth),
        closed(EndKind::Network, 1, false, Outcome::Network),
        closed(EndKind::Budget, 1, true, Outcome::Budget),
        closed(EndKind::MaxTurns, 1, true, Outcome::MaxTurns),
        closed(EndKind::Poisoned, 1, true, Outcome::Poisoned),
        closed(EndKind::Failed, 1, true, Outcome::Failed),
        row(Messages(None), 0, false, Outcome::Bailed),
        row(Messages(None), 0, true, Outcome::Continue),
        row(Messages(None), 101, true, Outcome::Failed),
        saying(
            r#"{"outcome":"done"}"#,
            row(Messages(None), 101, true, Outcome::Failed),
        ),
        saying(
            r#"{"outcome":"blocked"}"#,
            closed(EndKind::Claimed, 0, true, Outcome::Blocked),
        ),
        ended(
            Cause::Exited,
            Some(Status::Signal(9)),
            Messages(None),
            Outcome::Killed,
        ),
        ended(
            Cause::Vanished,
            None,
            Messages(Some(EndKind::Claimed)),
            Outcome::Lost,
        ),
    ]
}
