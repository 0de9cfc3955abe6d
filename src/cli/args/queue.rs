//! Arguments of the verbs that write or check the queue file.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::domain::definition::{Kind, Priority};
use crate::domain::id::TaskId;

/// `add`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Add {
    /// The new task's name: letters, digits, '.', '_' and '-'
    #[arg(value_name = "ID")]
    pub id: TaskId,
    /// Its title
    #[arg(value_name = "TITLE")]
    pub title: Option<String>,
    /// What to do
    #[arg(long, short = 'd', value_name = "TEXT")]
    pub description: Option<String>,
    /// Done once, or run after run while it makes progress
    #[arg(long = "type", value_name = "TYPE", value_parser = kind(), default_value = "one-off")]
    pub kind: Kind,
    /// How urgent it is
    #[arg(long, value_name = "WORD", value_parser = priority(), default_value = "medium", ignore_case = true)]
    pub priority: Priority,
    /// The project it belongs to
    #[arg(long, short = 'p', value_name = "NAME")]
    pub project: Option<String>,
    /// Where the work is done: a folder, or a git URL
    #[arg(long, value_name = "DIR|URL")]
    pub workspace: Option<String>,
    /// The lowest tier that may try it
    #[arg(long, value_name = "TIER")]
    pub min_model: Option<String>,
    /// The highest tier that may try it
    #[arg(long, value_name = "TIER")]
    pub max_model: Option<String>,
    /// The job it is made from: a name in jobs/
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// Tasks that must be completed before; by comma, or the option again
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub depends_on: Vec<TaskId>,
    /// A command that must succeed before it is done; again for more
    #[arg(long = "check", value_name = "CMD")]
    pub checks: Vec<String>,
}

/// `lint`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Lint {
    /// Queue files or job files; the instance's own where none is given
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

fn kind() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(["one-off", "continuous"]).map(|word| match word.as_str() {
        "continuous" => Kind::Continuous,
        _ => Kind::OneOff,
    })
}

fn priority() -> impl TypedValueParser<Value = Priority> {
    let words = [
        ("critical", "p0"),
        ("high", "p1"),
        ("medium", "p2"),
        ("low", "p3"),
    ];
    PossibleValuesParser::new(words.map(|(word, alias)| PossibleValue::new(word).alias(alias))).map(|word| {
        match word.to_lowercase().as_str() {
            "critical" | "p0" => Priority::Critical,
            "high" | "p1" => Priority::High,
            "low" | "p3" => Priority::Low,
            _ => Priority::Medium,
        }
    })
}
