//! The outcome of an attempt, row by row: for each runtime, what it wrote, how it exited, what it left, what became
//! of its session and who stopped it make one outcome.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to say where")]

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use chrono::DateTime;
use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::{EndKind, Evidence, Outcome, Session, Witnesses, judge};
use orchestrator::domain::task::StopReason;
use orchestrator::domain::tier::TierName;
use orchestrator::runtime::acp;
use orchestrator::runtime::claude_code::{self, ClaudeCode};
use orchestrator::runtime::codex;
use orchestrator::runtime::command::{self, Command};
use orchestrator::runtime::messages::LineReader;
use orchestrator::runtime::messages::line::{Closing, Line};
use orchestrator::runtime::messages::spend::Totals;
use orchestrator::runtime::process::{Cause, Exit, Status};
use orchestrator::runtime::{Brief, OutcomeFile, Reader, Runtime};

use rows::{agents, claudes, codexes, messages, programs};

/// What the worker wrote on its standard output.
#[derive(Debug, Clone, Copy)]
enum Output {
    /// A plain program: nothing that matters.
    Program,
    /// A recorded transcript of Claude Code.
    Claude(&'static str),
    /// A recorded transcript of Codex.
    Codex(&'static str),
    /// The result line of the `acp` worker, or none.
    Agent(Option<EndKind>),
    /// The result line of the `messages` worker, or none.
    Messages(Option<EndKind>),
}

use Output::{Agent, Claude, Codex, Messages, Program};

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

/// Whoever stopped it is believed, whatever the worker managed to say.
fn stops() -> Vec<Row> {
    let outputs = [
        Program,
        Claude("success_tools"),
        Codex("success_tools"),
        Agent(Some(EndKind::Claimed)),
        Messages(Some(EndKind::Claimed)),
    ];
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
            let reader = ClaudeCode::new(claude_code::Options::default()).reader(&brief());
            heard(reader, "claude", name)
        }
        Codex(name) => {
            let reader = codex::Codex::new(codex::Options::default()).reader(&brief());
            heard(reader, "codex-0.169.0", name)
        }
        Agent(closing) => {
            let mut reader = acp::reader::LineReader::default();
            if let Some(kind) = closing {
                reader.read(&serde_json::to_vec(&agents_result(kind)).unwrap());
            }
            Box::new(reader)
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

/// After a recorded transcript; after nothing where it has no name.
fn heard(mut reader: Box<dyn Reader>, folder: &str, name: &str) -> Box<dyn Reader> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures");
    if !name.is_empty() {
        let text = fs::read(fixtures.join(folder).join(format!("{name}.jsonl"))).unwrap();
        text.split(|b| *b == b'\n')
            .for_each(|line| drop(reader.read(line)));
    }
    reader
}

fn agents_result(kind: EndKind) -> acp::line::Line {
    acp::line::Line::Result(acp::line::Closing {
        kind,
        reason: "said".into(),
        died: false,
        usage: acp::line::Used::default(),
    })
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

fn all() -> impl Iterator<Item = Row> {
    let rows = [programs(), claudes(), codexes(), agents(), messages(), stops()];
    rows.into_iter().flatten()
}

#[test]
fn every_row_of_every_runtime() {
    for row in all() {
        let seen = (row.output, &row.exit, row.file, row.evidence, &row.stopped);
        assert_eq!(outcome(&row), row.expected, "{seen:?}");
    }
}

/// The outcome that is declared after this one; the compiler asks for a new one's place.
fn after(outcome: Outcome) -> Option<Outcome> {
    Some(match outcome {
        Outcome::Done => Outcome::NoChangeNeeded,
        Outcome::NoChangeNeeded => Outcome::Continue,
        Outcome::Continue => Outcome::Bailed,
        Outcome::Bailed => Outcome::Blocked,
        Outcome::Blocked => Outcome::NeedsStrongerModel,
        Outcome::NeedsStrongerModel => Outcome::Failed,
        Outcome::Failed => Outcome::GateFailed,
        Outcome::GateFailed => Outcome::RateLimited,
        Outcome::RateLimited => Outcome::Overloaded,
        Outcome::Overloaded => Outcome::Auth,
        Outcome::Auth => Outcome::Network,
        Outcome::Network => Outcome::Budget,
        Outcome::Budget => Outcome::MaxTurns,
        Outcome::MaxTurns => Outcome::Poisoned,
        Outcome::Poisoned => Outcome::Stuck,
        Outcome::Stuck => Outcome::Lost,
        Outcome::Lost => Outcome::Killed,
        Outcome::Killed => Outcome::Timeout,
        Outcome::Timeout => return None,
    })
}

/// No outcome is without a row, but the one that only the gate makes.
#[test]
fn every_outcome_has_a_row() {
    let seen: BTreeSet<&str> = all().map(|row| row.expected.as_str()).collect();
    let outcomes = std::iter::successors(Some(Outcome::Done), |outcome| after(*outcome));
    let wanted = outcomes.filter(|outcome| *outcome != Outcome::GateFailed);
    assert_eq!(seen, wanted.map(Outcome::as_str).collect());
}

/// Each kind of worker has a row for each trouble of a provider: none of them costs an attempt.
#[test]
fn every_runtime_has_a_row_for_each_trouble_of_a_provider() {
    for rows in [programs(), claudes(), codexes(), agents(), messages()] {
        let troubles = rows.iter().filter(|row| row.expected.is_provider_trouble());
        let seen: BTreeSet<&str> = troubles.map(|row| row.expected.as_str()).collect();
        let all = BTreeSet::from(["auth", "network", "overloaded", "rate-limited"]);
        assert_eq!(seen, all, "{:?}", rows[0].output);
    }
}

/// A claim is never done without evidence, whichever runtime makes it and however it exits.
#[test]
fn nobody_is_done_without_evidence() {
    for row in all().filter(|row| row.stopped.is_none()) {
        let nothing = Row {
            evidence: false,
            ..row
        };
        assert_ne!(outcome(&nothing), Outcome::Done, "{:?}", nothing.output);
    }
}
