//! Workers: what runs an attempt, and how the orchestrator hears of it.
//!
//! A [`Runtime`] turns a [`Brief`] into a [`Launch`] (a command line, an environment, a standard input) and reads the
//! worker's output by a [`Reader`]. Everything about processes is in [`process`] and [`supervisor`] and is the same
//! for every runtime; everything about a vendor's output is in one module a runtime.
//!
//! Invariants: a worker gets the environment of [`environment`] and nothing else; its word is a claim
//! ([`crate::domain::outcome::Ending`]), never a verdict; its output is data to be read, never trusted.
//! Deliberately absent: retries and escalation (domain::policy), liveness (domain::liveness), sandboxing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::domain::id::TaskId;
use crate::domain::outcome::Ending;
use crate::domain::tier::TierName;
use crate::domain::tool::Tool;

pub mod acp;
pub mod attachment;
mod cgroup;
pub mod claude_code;
pub mod codex;
pub mod command;
pub mod environment;
mod last_message;
pub mod messages;
pub mod outcome_file;
pub mod printable;
pub mod process;
pub mod scrub;
pub mod supervisor;
pub mod transcript;
mod trouble;

pub use outcome_file::OutcomeFile;
pub use process::Exit;

/// All that a runtime is told about the attempt that it is to run.
#[derive(Clone)]
pub struct Brief {
    /// The task.
    pub task: TaskId,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// The fencing number of the claim that it runs under.
    pub epoch: u64,
    /// The class of model.
    pub tier: TierName,
    /// The model that the tier names.
    pub model: String,
    /// The folder that the worker works in.
    pub workspace: PathBuf,
    /// The folder of the attempt's own files (see [`process::file`]); outside of the workspace.
    pub attempt_dir: PathBuf,
    /// The whole prompt.
    pub prompt: String,
    /// Where the worker may write its heartbeat.
    pub heartbeat_file: PathBuf,
    /// The task's progress file.
    pub progress_file: PathBuf,
    /// Where the worker may write its outcome (see [`OutcomeFile`]).
    pub outcome_file: PathBuf,
    /// The attempt's own bearer token.
    pub token: String,
    /// The address of the service's API, when it listens.
    pub url: Option<String>,
    /// How long the attempt may take.
    pub timeout: Duration,
    /// The session to go on in.
    pub session: Option<String>,
    /// What earlier attempts of that session reported as its cost, in US dollars: some clients report the sum.
    pub session_cost_usd_before: Option<f64>,
    /// What earlier attempts of that session reported as its tokens, read and written.
    pub session_tokens_before: Option<(u64, u64)>,
    /// The spending limit of the attempt, in US dollars.
    pub budget_usd: Option<f64>,
    /// The limit of turns; a runtime's own setting holds where this is absent.
    pub max_turns: Option<u32>,
    /// Files that the task hands to the worker, pictures among them; absolute paths.
    pub attachments: Vec<PathBuf>,
    /// The tools that its agent allows; all where absent. A runtime without such a choice gives all of them.
    pub tools: Option<Vec<Tool>>,
    /// The command of the MCP server that offers the agent verbs as tools; empty where there is none.
    pub mcp: Vec<OsString>,
    /// Whether the worker runs inside a sandbox or a container of ours, so that its own permission questions can be
    /// answered with yes.
    pub contained: bool,
    /// The caller's environment; only allow-listed names of it reach the worker.
    pub inherited: BTreeMap<OsString, OsString>,
}

impl fmt::Debug for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brief")
            .field("task", &self.task)
            .field("attempt", &self.attempt)
            .field("epoch", &self.epoch)
            .field("model", &self.model)
            .field("workspace", &self.workspace)
            .finish_non_exhaustive()
    }
}

/// How to start a worker's process.
#[derive(Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments; never empty, never with a secret in it.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// What the worker reads on its standard input.
    pub stdin: Vec<u8>,
    /// The working directory.
    pub cwd: PathBuf,
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("argv", &self.argv)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// What a worker's output tells while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// It wrote something.
    Alive,
    /// The session that it runs in.
    Session(String),
    /// The model that really answers.
    Model(String),
    /// What it is doing, in a few words.
    Phase(String),
    /// It said something, in its own words.
    Said(String),
    /// It called a tool.
    Tool {
        /// The tool's name.
        name: String,
        /// What it was called with, cut to a printable length; equal texts are equal calls.
        call: String,
    },
    /// A tool gave it this back, possibly cut; equal texts are equal answers.
    Answered(String),
    /// A tool was refused to it.
    Denied {
        /// The tool's name.
        tool: String,
        /// Why.
        reason: String,
    },
    /// What the attempt has cost so far.
    Cost(Spent),
    /// What the provider says of its limits.
    RateLimit(RateLimit),
    /// It waits for a provider before it asks again: alive, but not getting on.
    Retrying {
        /// Which retry this is.
        attempt: u32,
        /// How long it waits.
        delay: Duration,
        /// The HTTP status of the refusal, where there was one.
        status: Option<u16>,
        /// The provider's word for it.
        error: String,
    },
    /// A line that is no event of this runtime; counted, never fatal.
    Unreadable,
}

/// What was used, of one attempt alone.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// In US dollars, where reported.
    pub cost_usd: Option<f64>,
    /// Tokens read, cached ones included, where reported.
    pub input_tokens: Option<u64>,
    /// Tokens written, where reported.
    pub output_tokens: Option<u64>,
}

impl Spent {
    /// These figures, and the other's where there are none.
    pub fn or(self, other: Self) -> Self {
        Self {
            cost_usd: self.cost_usd.or(other.cost_usd),
            input_tokens: self.input_tokens.or(other.input_tokens),
            output_tokens: self.output_tokens.or(other.output_tokens),
        }
    }
}

/// What a provider says of one of its limits; unknown words are kept as data.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit {
    /// `allowed`, `allowed_warning`, `rejected`, or a word of the provider's own.
    pub status: String,
    /// Which limit, for example `five_hour`.
    pub limit: String,
    /// How much of it is used, from 0 to 1.
    pub utilization: Option<f64>,
    /// When it starts anew.
    pub until: Option<DateTime<Utc>>,
}

/// What an attempt used, and by whom it was served.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Account {
    /// What this attempt used.
    pub spent: Spent,
    /// The session's cost so far as the client reports it, earlier attempts included, in US dollars; to be handed
    /// to the next attempt of the session as [`Brief::session_cost_usd_before`].
    pub session_cost_usd: Option<f64>,
    /// The session's tokens so far, likewise.
    pub session_tokens: Option<(u64, u64)>,
    /// The session to go on in; absent where there is none, or where it must not be used again.
    pub session: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
}

/// A runtime that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// What answered, for people.
    pub version: String,
}

/// A runtime that cannot be used, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {cure}")]
pub struct Unavailable {
    /// What is wrong.
    pub reason: String,
    /// The next thing to do.
    pub cure: String,
}

/// A way to run attempts.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// The word for it in the configuration (`kind = "..."`).
    fn kind(&self) -> &'static str;

    /// Tells whether it can be used here and now; takes five seconds at most and spends nothing.
    async fn probe(&self) -> Result<Available, Unavailable>;

    /// The hosts that its workers must reach, as `host` or `host:port`.
    fn hosts(&self) -> Vec<String> {
        Vec::new()
    }

    /// A command that its worker starts in turn, whose program must be there for it, too; empty where there is none.
    fn starts(&self) -> Vec<OsString> {
        Vec::new()
    }

    /// Folders besides the workspace, the desk and the worker's home that its workers must write in.
    fn writes(&self, _brief: &Brief) -> Vec<PathBuf> {
        Vec::new()
    }

    /// How to start the worker of an attempt; pure apart from the runtime's own settings.
    fn launch(&self, brief: &Brief) -> Launch;

    /// A reader for the worker's standard output.
    fn reader(&self, brief: &Brief) -> Box<dyn Reader>;
}

/// Host and port of an API's address, for [`Runtime::hosts`]; none where it is no address.
pub fn host_of(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    let port = url.port_or_known_default()?;
    Some(format!("{}:{port}", url.host_str()?))
}

/// Understands one worker's standard output, line by line.
///
/// It is fed whole lines without their line feed, possibly cut at [`transcript::LINE_CAP`], possibly no UTF-8, and
/// possibly the same lines again from the start after the orchestrator was restarted.
pub trait Reader: Send + Sync {
    /// Takes one line.
    fn read(&mut self, line: &[u8]) -> Vec<Signal>;

    /// What the end means, from the exit, the worker's own word and the last of its standard error.
    fn ending(&self, exit: &Exit, outcome: Option<&OutcomeFile>, stderr_tail: &str) -> Ending;

    /// What the attempt used so far.
    fn account(&self) -> Account;

    /// The worker's last message, whole; none where its output is no conversation, so that all of it is what it said.
    fn last_message(&self) -> Option<&str> {
        None
    }
}
