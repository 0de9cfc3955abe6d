//! Runtimes: how a worker is launched, and how its output is read (floor 2).
//!
//! A [`Runtime`] turns a [`Brief`] into a [`Launch`]; somebody else spawns it, watches it and feeds its output,
//! line by line, to the [`Reader`]. A runtime never spawns, kills or waits for a worker itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::domain::id::TaskId;
use crate::domain::outcome::Ending;
use crate::domain::tier::TierName;

pub mod messages;

/// All that a worker is told about its attempt.
#[derive(Debug, Clone)]
pub struct Brief {
    /// The task.
    pub task: TaskId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The fencing number of the attempt's claim.
    pub epoch: u64,
    /// The class of model.
    pub tier: TierName,
    /// The model's name as the provider knows it.
    pub model: String,
    /// The folder to work in.
    pub workspace: PathBuf,
    /// The folder for the attempt's own state.
    pub attempt_dir: PathBuf,
    /// The whole prompt.
    pub prompt: String,
    /// The heartbeat file of the task.
    pub heartbeat_file: PathBuf,
    /// The progress file of the task.
    pub progress_file: PathBuf,
    /// Where the worker may leave its outcome.
    pub outcome_file: PathBuf,
    /// The attempt's own token for the service.
    pub token: String,
    /// Where the service listens, if it does.
    pub url: Option<String>,
    /// The longest that the attempt may take.
    pub timeout: Duration,
    /// The session to go on in.
    pub session: Option<String>,
    /// What earlier attempts in that session have cost, in US dollars.
    pub session_cost_usd_before: Option<f64>,
    /// What the attempt may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// How many turns the attempt may take.
    pub max_turns: Option<u32>,
    /// The caller's environment, to pick allow-listed names from.
    pub inherited: BTreeMap<OsString, OsString>,
}

/// A process to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments.
    pub argv: Vec<OsString>,
    /// The whole environment; nothing else is inherited.
    pub env: BTreeMap<OsString, OsString>,
    /// What to write to its standard input.
    pub stdin: Vec<u8>,
    /// The folder to start in.
    pub cwd: PathBuf,
}

/// What a line of output says to the service while the worker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The session in which a later attempt may go on.
    Session(String),
    /// The worker did something.
    Alive,
    /// What it is doing, in its own words.
    Phase(String),
    /// It uses a tool.
    Tool {
        /// The tool's name.
        name: String,
    },
    /// The model that answers.
    Model(String),
    /// The provider limits the rate.
    RateLimit {
        /// When it may be asked again, where it said so.
        until: Option<DateTime<Utc>>,
    },
}

/// One way to run workers.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// The word for it in the configuration.
    fn kind(&self) -> &'static str;
    /// Whether it can be used here and now.
    async fn probe(&self) -> Result<Available, Unavailable>;
    /// The process that carries out `brief`.
    fn launch(&self, brief: &Brief) -> Launch;
    /// A reader for that process's output.
    fn reader(&self, brief: &Brief) -> Box<dyn Reader>;
}

/// Reads one worker's standard output, incrementally.
pub trait Reader: Send {
    /// Takes one line (without its end; possibly cut) and says what it means.
    fn read(&mut self, line: &[u8]) -> Vec<Signal>;
    /// How the worker ended, once its process is gone.
    fn ending(&self, exit: &Exit, outcome: Option<&OutcomeFile>, stderr_tail: &str) -> Ending;
    /// What the attempt alone has used so far.
    fn account(&self) -> Account;
}

/// A runtime that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// Its version, for people.
    pub version: String,
}

/// A runtime that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// Why.
    pub reason: String,
    /// What a person can do about it.
    pub cure: String,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why it ended.
    pub cause: ExitCause,
}

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCause {
    /// By itself.
    Exited,
    /// It was asked to stop.
    Stopped,
    /// It took too long.
    Timeout,
    /// It wrote too much.
    OutputLimit,
    /// It never started.
    SpawnFailed,
    /// It is gone without a record.
    Vanished,
}

/// What an attempt has used.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Account {
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// Tokens read.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// The session to go on in.
    pub session: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
}

/// The outcome that a worker left in its outcome file.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeFile {
    /// One of the words of the contract.
    pub outcome: String,
    /// Why, in the worker's words.
    pub reason: String,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// Tokens read.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
}
