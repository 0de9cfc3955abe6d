//! Arguments of the verbs that only read.

use std::path::PathBuf;

use clap::Args;

use crate::domain::id::TaskId;

/// `status`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Status {
    /// Keep it on the screen and up to date; Ctrl-C ends it
    #[arg(long, short = 'w', conflicts_with = "json")]
    pub watch: bool,
    /// All finished and archived tasks too, not only the last few
    #[arg(long, short = 'a')]
    pub all: bool,
    /// One project only
    #[arg(long, short = 'p', value_name = "NAME")]
    pub project: Option<String>,
}

/// `show`, `why`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct One {
    /// The task
    #[arg(value_name = "ID")]
    pub id: TaskId,
}

/// `evidence`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Evidence {
    /// The task
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// One piece of it; all where absent
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Copy the files into this folder, below the name of the evidence
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}

/// `logs`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Logs {
    /// The task
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// Go on as the worker writes, until the attempt ends
    #[arg(long, short = 'f', conflicts_with = "json")]
    pub follow: bool,
    /// The attempt's number; the latest where absent
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: Option<u32>,
    /// The worker's standard output as it was recorded, but for secrets
    #[arg(long)]
    pub raw: bool,
    /// What this check of the gate said, instead of the worker
    #[arg(long, short = 'c', value_name = "NAME", conflicts_with_all = ["follow", "raw"])]
    pub check: Option<String>,
}
