//! The words people type, as typed requests.
//!
//! Deliberately absent: reading the environment or the disk (clap takes `ORCHESTRATOR_HOME` itself), and the
//! hidden `__…` verbs, which are taken out before these arguments are looked at.

mod examples;
pub mod help;
pub mod house;
pub mod look;
pub mod matrix;
pub mod node;
pub mod queue;
pub mod slack;
pub mod steer;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ColorChoice, FromArgMatches, Parser, Subcommand};

use super::exit::Exit;

/// Everything that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "orchestrator", version, about = ABOUT, after_help = examples::TOP)]
#[command(disable_help_subcommand = true)]
pub struct Args {
    /// What applies to every verb.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const ABOUT: &str = "A proactive orchestrator of AI workers:\n\
                     a Markdown file is the queue, work runs until it is proven done.";

/// What applies to every verb.
#[derive(Debug, Clone, PartialEq, Eq, Default, clap::Args)]
#[command(next_help_heading = "Options everywhere")]
pub struct Common {
    /// The instance; else the nearest one upwards from here
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "ORCHESTRATOR_HOME",
        hide_env_values = true
    )]
    pub home: Option<PathBuf>,
    /// One JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// No colours; the variable NO_COLOR does the same
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Say only what failed
    #[arg(long, short = 'q', global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; twice for everything
    #[arg(long, short = 'v', global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The verbs.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
#[command(subcommand_value_name = "VERB")]
pub enum Verb {
    /// Make an instance: configuration, queue file, folders
    #[command(after_help = examples::INIT)]
    Init(house::Init),
    /// See it work: a scripted run without keys or network
    #[command(after_help = examples::DEMO)]
    Demo(house::Demo),
    /// Check what the instance needs, with a cure for each fault
    Doctor,

    /// Run the service until it is told to end
    #[command(after_help = examples::UP)]
    Up(house::Up),
    /// One pass over the queue, then exit
    #[command(after_help = examples::TICK)]
    Tick(house::Tick),
    /// Emergency stop: kill every worker and hold
    #[command(after_help = examples::STOP)]
    Stop(steer::Stop),
    /// Lift the emergency stop
    Start,

    /// All tasks: what needs you, what runs, what waits
    #[command(after_help = examples::STATUS)]
    Status(look::Status),
    /// One task in full: attempts, gate, events
    Show(look::One),
    /// What a task waits for, since when, until what, who must act
    Why(look::One),
    /// What the next tick would do, without doing it
    Plan,
    /// What a worker wrote
    #[command(after_help = examples::LOGS)]
    Logs(look::Logs),
    /// What the gate kept for you to look at: screenshots, reports, figures
    #[command(after_help = examples::EVIDENCE)]
    Evidence(look::Evidence),

    /// Write a task into the queue file
    #[command(after_help = examples::ADD)]
    Add(queue::Add),
    /// Find mistakes in queue and job files; exit 2 where there is an error
    #[command(after_help = examples::LINT)]
    Lint(queue::Lint),
    /// Run a task's gate now and show its receipts
    Validate(steer::Validate),

    /// Hold a task back; a running worker is ended
    Pause(steer::Steer),
    /// Let a paused task go on
    Resume(steer::Steer),
    /// End a task for good
    Cancel(steer::Steer),
    /// Run a task anew; its caps and counters start again
    Retry(steer::Steer),
    /// Accept the work of a task that waits for you
    #[command(after_help = examples::APPROVE)]
    Approve(steer::Approval),
    /// Send the work of a task that waits for you back
    Reject(steer::Ruling),
    /// Answer what a task's worker asked; it goes on with that
    #[command(after_help = examples::ANSWER)]
    Answer(steer::Answer),

    /// The nodes of a fleet: who is there, and keeping work away from one
    #[command(subcommand, after_help = examples::NODE)]
    Node(node::Node),
    /// The app for Slack: its manifest
    #[command(subcommand, after_help = examples::SLACK)]
    Slack(slack::Slack),
    /// The account, rooms and people of a chat of Matrix
    #[command(subcommand, after_help = examples::MATRIX)]
    Matrix(matrix::Matrix),
    /// The effective configuration, and whether it is right
    #[command(subcommand, after_help = examples::CONFIG)]
    Config(house::Config),
    /// Bring the store to this program's version
    Migrate(house::Migrate),
    /// Keep the whole store and the files beside it in one file
    #[command(after_help = examples::BACKUP)]
    Backup(house::Backup),
    /// Put a backup back, hold everything, and tell what differs from what there is
    #[command(after_help = examples::RESTORE)]
    Restore(house::Restore),
    /// Completions for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(house::Completions),

    /// What a worker says about itself, from within its attempt
    #[command(subcommand, after_help = examples::AGENT)]
    Agent(house::Agent),
    /// The same as an MCP server, on standard input and output
    #[command(after_help = examples::MCP)]
    Mcp,
}

/// Reads the arguments (the program's name first). Help, version and mistakes are printed here, and come
/// back as the exit code to end with.
pub fn parse<I, T>(argv: I) -> Result<Args, Exit>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    try_parse(argv).map_err(|error| {
        // A closed output leaves nobody to tell.
        let _ = error.print();
        if error.use_stderr() {
            Exit::Usage
        } else {
            Exit::Done
        }
    })
}

/// Like [`parse`], without printing.
pub fn try_parse<I, T>(argv: I) -> Result<Args, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let argv: Vec<OsString> = argv.into_iter().map(Into::into).collect();
    // Mistakes are printed before `--no-color` is parsed, so it is looked for by hand.
    let plain = argv
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word == "--no-color");
    let colour = if plain {
        ColorChoice::Never
    } else {
        ColorChoice::Auto
    };
    let mut command = help::command().color(colour);
    let matches = command.try_get_matches_from_mut(argv)?;
    Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

#[cfg(test)]
mod tests;
