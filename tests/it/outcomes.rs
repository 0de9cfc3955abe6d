//! The outcome of an attempt, row by row: for each runtime, what it wrote, how it exited, what it left, what became
//! of its session and who stopped it make one outcome.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to say where")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::{EndKind, Evidence, Outcome, Session, Witnesses, judge};
use orchestrator::domain::task::StopReason;
use orchestrator::domain::tier::TierName;
use orchestrator::runtime::claude_code::{self, ClaudeCode};
use orchestrator::runtime::command::{self, Command};
use orchestrator::runtime::messages::LineReader;
use orchestrator::runtime::messages::line::{Closing, Line};
use orchestrator::runtime::messages::spend::Totals;
use orchestrator::runtime::process::{Cause, Exit, Status};
use orchestrator::runtime::{Brief, OutcomeFile, Reader, Runtime};

/// What the worker wrote on its standard output.
#[derive(Debug, Clone, Copy)]
enum Output {
    /// A plain program: nothing that matters.
    Program,
    /// A recorded transcript of Claude Code.
    Claude(&'static str),
    /// The result line of the `messages` worker, or none.
    Messages(Option<EndKind>),
}

use Output::{Claude, Messages, Program};

/// One row: the witnesses and the outcome.
struct Row {
    output: Output,
    exit: Exit,
    /// The outcome file.
    file: Option<&'static str>,
    /// The last of standard error.
    stderr: &'static str,
    /// Whether the workspace shows anything.
    evidence: bool,
    stopped: Option<StopReason>,
    expected: Outcome,
}

fn exit(cause: Cause, status: Option<Status>) -> Exit {
    Exit {
        cause,
        status,
        ended_at: DateTime::UNIX_EPOCH,
        stragglers_killed: 0,
    }
}

/// It ended by itself with this exit code.
fn row(output: Output, code: i32, evidence: bool, expected: Outcome) -> Row {
    Row {
        output,
        exit: exit(Cause::Exited, Some(Status::Code(code))),
        file: None,
        stderr: "",
        evidence,
        stopped: None,
        expected,
    }
}

fn ended(cause: Cause, status: Option<Status>, output: Output, expected: Outcome) -> Row {
    Row {
        exit: exit(cause, status),
        ..row(output, 0, true, expected)
    }
}

fn saying(file: &'static str, row: Row) -> Row {
    Row {
        file: Some(file),
        ..row
    }
}

fn stopped(reason: StopReason, output: Output, expected: Outcome) -> Row {
    Row {
        stopped: Some(reason),
        ..ended(Cause::Stopped, Some(Status::Signal(15)), output, expected)
    }
}

fn programs() -> Vec<Row> {
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
        ended(Cause::Exited, Some(Status::Signal(9)), Program, Outcome::Killed),
        ended(Cause::Vanished, None, Program, Outcome::Lost),
        ended(Cause::OutputLimit { limit: 1 }, None, Program, Outcome::Failed),
    ]
}

fn claudes() -> Vec<Row> {
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

fn messages() -> Vec<Row> {
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

/// Whoever stopped it is believed, whatever the worker managed to say.
fn stops() -> Vec<Row> {
    let outputs = [Program, Claude("success_tools"), Messages(Some(EndKind::Claimed))];
    let rows = |output| {
        let waits = StopReason::ProviderWait {
            trouble: Outcome::RateLimited,
            until: None,
            what: "waits".into(),
        };
        let standstill = StopReason::Standstill {
            what: "repeats itself".into(),
        };
        [
            stopped(StopReason::Stuck, output, Outcome::Stuck),
            stopped(standstill, output, Outcome::Stuck),
            stopped(waits, output, Outcome::RateLimited),
            stopped(StopReason::Timeout, output, Outcome::Timeout),
            stopped(StopReason::Budget, output, Outcome::Budget),
            stopped(StopReason::Paused { by: "jane".into() }, output, Outcome::Killed),
            stopped(StopReason::EmergencyStop, output, Outcome::Killed),
        ]
    };
    outputs.into_iter().flat_map(rows).collect()
}

fn outcome(row: &Row) -> Outcome {
    let file = row.file.and_then(|text| OutcomeFile::parse(text.as_bytes()).ok());
    let ending = reader(row.output).ending(&row.exit, file.as_ref(), row.stderr);
    assert!(!ending.reason.is_empty());
    let evidence = Evidence {
        changed: row.evidence,
        ..Evidence::default()
    };
    judge(&Witnesses {
        ending: &ending,
        evidence: &evidence,
        session: match row.exit.cause {
            Cause::Vanished => Session::Vanished,
            _ => Session::Ended,
        },
        stopped: row.stopped.as_ref(),
    })
}

fn reader(output: Output) -> Box<dyn Reader> {
    match output {
        Program => Command::new(command::Options::default()).reader(&brief()),
        Claude(name) => {
            let mut reader = ClaudeCode::new(claude_code::Options::default()).reader(&brief());
            let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/claude");
            let text = match name {
                "" => Vec::new(),
                name => fs::read(fixtures.join(format!("{name}.jsonl"))).unwrap(),
            };
            text.split(|b| *b == b'\n')
                .for_each(|line| drop(reader.read(line)));
            reader
        }
        Messages(closing) => {
            let mut reader = LineReader::default();
            if let Some(kind) = closing {
                reader.read(&serde_json::to_vec(&result_line(kind)).unwrap());
            }
            Box::new(reader)
        }
    }
}

fn result_line(kind: EndKind) -> Line {
    Line::Result(Closing {
        kind,
        reason: "said".into(),
        finished: false,
        http_status: None,
        turns: 1,
        usage: Totals::default(),
        session: None,
    })
}

fn brief() -> Brief {
    Brief {
        task: TaskId::parse("t").unwrap(),
        attempt: 1,
        epoch: 1,
        tier: TierName::new("haiku"),
        model: "m".into(),
        workspace: "/w".into(),
        attempt_dir: "/a".into(),
        prompt: "p".into(),
        heartbeat_file: "/h".into(),
        progress_file: "/p".into(),
        outcome_file: "/o".into(),
        token: "the-token".into(),
        url: None,
        timeout: Duration::from_secs(60),
        session: None,
        session_cost_usd_before: None,
        session_tokens_before: None,
        budget_usd: None,
        max_turns: None,
        attachments: Vec::new(),
        mcp: Vec::new(),
        contained: false,
        tools: None,
        inherited: BTreeMap::new(),
    }
}

#[test]
fn every_row_of_every_runtime() {
    for row in [programs(), claudes(), messages(), stops()].iter().flatten() {
        let seen = (row.output, &row.exit, row.file, row.evidence, &row.stopped);
        assert_eq!(outcome(row), row.expected, "{seen:?}");
    }
}

/// No outcome is without a row; only the gate makes the one that is missing here.
#[test]
fn every_outcome_has_a_row() {
    let rows = [programs(), claudes(), messages(), stops()];
    let seen: BTreeSet<&str> = rows.iter().flatten().map(|r| r.expected.as_str()).collect();
    let all = [
        "auth",
        "bailed",
        "blocked",
        "budget",
        "continue",
        "done",
        "failed",
        "killed",
        "lost",
        "max-turns",
        "needs-stronger-model",
        "network",
        "no-change-needed",
        "overloaded",
        "poisoned",
        "rate-limited",
        "stuck",
        "timeout",
    ];
    assert_eq!(seen, all.into_iter().collect());
}

/// A claim is never done without evidence, whichever runtime makes it and however it exits.
#[test]
fn nobody_is_done_without_evidence() {
    for row in [programs(), claudes(), messages()].into_iter().flatten() {
        let nothing = Row {
            evidence: false,
            ..row
        };
        assert_ne!(outcome(&nothing), Outcome::Done, "{:?}", nothing.output);
    }
}
