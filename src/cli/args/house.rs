//! Arguments of the verbs that keep an instance, and of those that workers use.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use clap_complete::Shell;

use crate::domain::node::Role;

/// `init`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Init {
    /// The folder to make an instance of; the current one where absent
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `up`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Args)]
pub struct Up {
    /// What this node does in its fleet; wins over fleet.role in the configuration
    #[arg(long, value_name = "ROLE", value_parser = role())]
    pub role: Option<Role>,
}

fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).map(|word| {
        let named = Role::ALL.into_iter().find(|role| role.as_str() == word);
        named.unwrap_or_default()
    })
}

/// `tick`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Args)]
pub struct Tick {
    /// Stay until nothing runs and nothing more can start
    #[arg(long)]
    pub wait: bool,
}

/// `migrate`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Migrate {
    /// Change nothing; exit 1 where the store is not at this program's version
    #[arg(long)]
    pub check: bool,
    /// Change nothing; list what would be done
    #[arg(long, conflicts_with = "check")]
    pub plan: bool,
    /// Adopt a schema that is there without its history, after comparing it with what the migrations make
    #[arg(long, conflicts_with_all = ["check", "plan", "from"])]
    pub baseline: bool,
    /// Carry everything over from this store (`sqlite` or `sqlite:PATH`), which stays as it is
    #[arg(long, value_name = "STORE", requires = "to", conflicts_with_all = ["check", "plan"])]
    pub from: Option<String>,
    /// Carry everything over into this empty database (`postgres://...`, or `file:PATH` of such an address)
    #[arg(long, value_name = "STORE", requires = "from")]
    pub to: Option<String>,
}

/// `backup`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Backup {
    /// The file to make, or a folder to make one in; a folder `backups` in the instance where absent
    #[arg(value_name = "FILE|DIR")]
    pub to: Option<PathBuf>,
}

/// `restore`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Restore {
    /// The backup; with --check, the store as it is where absent
    #[arg(value_name = "FILE", required_unless_present = "check")]
    pub file: Option<PathBuf>,
    /// Change nothing: verify the backup, and tell what differs from what there is
    #[arg(long)]
    pub check: bool,
    /// Put what the store holds already aside, and the backup in its place
    #[arg(long, conflicts_with = "check")]
    pub replace: bool,
}

/// `demo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Args)]
pub struct Demo {
    /// Keep the demo's instance and say where it is
    #[arg(long)]
    pub keep: bool,
}

/// `completions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Config {
    /// Every effective value and where it comes from; secrets are never printed
    Show,
    /// Whether the configuration is right; exit 2 where it is not
    Check,
    /// Where the file is
    Path,
}

/// `agent`: what a worker says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Agent {
    /// A sign of life
    Heartbeat {
        /// How much is done, in percent
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
        pct: Option<u8>,
        /// What it is doing
        #[arg(long, value_name = "TEXT")]
        phase: Option<String>,
    },
    /// An entry of the work log
    Log {
        /// What was done
        #[arg(value_name = "TEXT", required = true, num_args = 1..)]
        text: Vec<String>,
    },
    /// An acceptance criterion holds, and what shows it
    Criterion {
        /// Its number in the task
        #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
        number: u16,
        /// A check that passes, a file with its line, a commit
        #[arg(value_name = "EVIDENCE", required = true, num_args = 1..)]
        evidence: Vec<String>,
    },
    /// A question to a person; the answer stands in the next prompt
    Ask {
        /// The question
        #[arg(value_name = "TEXT", required = true, num_args = 1..)]
        text: Vec<String>,
    },
    /// A sub-task: the task is not finished before it
    Spawn(Spawn),
    /// The work is complete: the gate judges it
    Done(Said),
    /// Only a person can help
    Blocked(Said),
    /// Progress was made, and there is more to do
    Continue(Said),
    /// The task is too hard for this tier
    NeedsStrongerModel(Said),
}

/// A sub-task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Spawn {
    /// Its short name: the task becomes PARENT.ID
    #[arg(long, value_name = "ID")]
    pub id: String,
    /// Its title
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub title: String,
    /// What to do
    #[arg(long, value_name = "TEXT")]
    pub description: String,
    /// The lowest tier that may try it
    #[arg(long, value_name = "TIER")]
    pub tier: Option<String>,
    /// What must be completed before: another sub-task by its short name, or any task
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub depends_on: Vec<String>,
    /// A script that must succeed (repeat it for more)
    #[arg(long, value_name = "CMD")]
    pub validation: Vec<String>,
}

/// Why a worker says so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Said {
    /// Why, in one sentence
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}
