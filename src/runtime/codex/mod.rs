//! The `codex` runtime: the Codex CLI, driven by `codex exec --json`, resumed by `codex exec resume THREAD`.
//!
//! A run that failed says so in words alone (no status, no kind), so `verdict` and `words` hold the truth table,
//! with the recorded transcripts of tests/it/fixtures as its rows. Tokens are sums over the thread; money and limits
//! are not reported at all.
//!
//! Deliberately absent: a limit of turns and of money (the CLI knows neither), its own sandbox where ours holds,
//! and its person's `config.toml` unless the runtime's settings ask for it: with it, a repository that the person
//! trusts would run the commands of its `.codex/` folder outside of any sandbox.

/// The version of the CLI that the transcripts of tests/it/fixtures/codex-0.169.0 were recorded from, and that the tests
/// drive.
pub const RECORDED_FROM: &str = "0.169.0";

mod attachment;
mod event;
mod launch;
mod overrides;
mod reader;
mod usage;
mod verdict;
mod words;

pub(in crate::runtime) use launch::HOSTS;
pub use launch::{Codex, Options, SandboxMode};
