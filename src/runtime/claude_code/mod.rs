//! The `claude-code` runtime: the Claude Code CLI, driven by `claude -p --output-format stream-json`.
//!
//! Its exit code and the words of its result event contradict each other (a refused request ends as subtype
//! `success` with `is_error`; an interrupt ends with exit 0), so `verdict` holds the truth table, with the
//! recorded transcripts of tests/it/fixtures/claude as its rows.
//!
//! Deliberately absent: its own retries (one, then the orchestrator backs off) and hooks of the workspace.

/// The version of the CLI that the transcripts of tests/it/fixtures/claude were recorded from, and that the tests drive.
pub const RECORDED_FROM: &str = "2.1.329";

mod event;
mod input;
mod launch;
mod reader;
mod usage;
mod verdict;

pub use launch::{ClaudeCode, Options};
pub(in crate::runtime) use launch::{HOSTS, SWITCHES};
