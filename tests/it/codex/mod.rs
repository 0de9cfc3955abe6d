//! The codex runtime against transcripts of the real CLI: what each end means, what it cost, what was seen.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to say where")]

mod ending;
mod launch;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::DateTime;
use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::EndKind as E;
use orchestrator::domain::tier::TierName;
use orchestrator::runtime::codex::{Codex, Options, RECORDED_FROM, SandboxMode};
use orchestrator::runtime::outcome_file::Claim;
use orchestrator::runtime::process::{Cause, Exit, Limits, Spec, Status, start};
use orchestrator::runtime::transcript::Tail;
use orchestrator::runtime::{Account, Brief, Launch, OutcomeFile, Reader, Runtime, Signal};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/fixtures/codex-{RECORDED_FROM}"))
}

fn brief() -> Brief {
    Brief {
        task: TaskId::parse("fix-it").unwrap(),
        attempt: 1,
        epoch: 1,
        tier: TierName::new("sonnet"),
        model: "gpt-5-codex".into(),
        workspace: "/workspace".into(),
        attempt_dir: "/attempt".into(),
        prompt: "do it".into(),
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

fn exited(status: Status) -> Exit {
    Exit {
        cause: Cause::Exited,
        status: Some(status),
        ended_at: DateTime::UNIX_EPOCH,
        stragglers_killed: 0,
    }
}

/// A reader that has read a transcript, and what it signalled.
fn heard(name: &str, brief: &Brief) -> (Box<dyn Reader>, Vec<Signal>) {
    let mut reader = Codex::new(Options::default()).reader(brief);
    let text = fs::read(fixtures().join(format!("{name}.jsonl"))).unwrap();
    let signals = text
        .split(|b| *b == b'\n')
        .flat_map(|line| reader.read(line))
        .collect();
    (reader, signals)
}
