//! Arguments of the verbs that change what happens: one task's course, the gate, the emergency stop.

use clap::Args;

use crate::domain::id::TaskId;

/// `pause`, `resume`, `cancel`, `retry`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Steer {
    /// The task
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// Why, in one sentence; it is kept with the task's events
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `approve`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Approval {
    /// What and in which words
    #[command(flatten)]
    pub ruling: Ruling,
    /// The commit that you looked at (7 letters or more); refused where another one waits by now
    #[arg(long, value_name = "SHA")]
    pub commit: Option<String>,
}

/// `approve`, `reject`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Ruling {
    /// The task
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// What the worker and the record should know
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// `validate`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Validate {
    /// The task
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// Judge this commit of its repository instead of the head of its branch
    #[arg(long, value_name = "SHA")]
    pub commit: Option<String>,
    /// Leave the review out where the task is to have one (it costs money)
    #[arg(long)]
    pub no_review: bool,
}

/// `answer`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Answer {
    /// The task
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// The answer
    #[arg(value_name = "TEXT", required = true, num_args = 1..)]
    pub text: Vec<String>,
}

/// `stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Stop {
    /// Yes, everything: kills every worker; nothing starts again, not even after a restart, until `start`
    #[arg(long, required = true)]
    pub all: bool,
}
