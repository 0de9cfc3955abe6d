//! The command as a whole, with its verbs in groups: clap lists subcommands flat, people look for a purpose.

use std::fmt::Write;

use clap::{Command, CommandFactory};

/// The verbs by purpose, in the order people meet them.
pub const GROUPS: &[(&str, &[&str])] = &[
    ("Get going", &["init", "demo", "doctor"]),
    ("Run", &["up", "tick", "stop", "start"]),
    ("Look", &["status", "show", "why", "plan", "logs", "evidence"]),
    ("Queue", &["add", "lint", "validate"]),
    (
        "Decide",
        &[
            "pause", "resume", "cancel", "retry", "approve", "reject", "answer",
        ],
    ),
    (
        "Keep",
        &[
            "node",
            "slack",
            "matrix",
            "config",
            "migrate",
            "backup",
            "restore",
            "completions",
        ],
    ),
    ("For workers", &["agent", "mcp"]),
];

/// The command line's grammar; also what completions are made from.
pub fn command() -> Command {
    let command = super::Args::command();
    let template = template(&command);
    command.help_template(template)
}

fn template(command: &Command) -> String {
    let styles = command.get_styles();
    let (header, literal) = (*styles.get_header(), *styles.get_literal());
    let mut verbs = String::new();
    for (title, names) in GROUPS {
        // Writing to a string cannot fail.
        let _ = writeln!(verbs, "\n{header}{title}:{header:#}");
        for name in *names {
            let _ = writeln!(verbs, "  {literal}{name:<12}{literal:#} {}", about(command, name));
        }
    }
    format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{verbs}\n\
         {header}Options:{header:#}\n{{options}}{{after-help}}\n"
    )
}

fn about(command: &Command, name: &str) -> String {
    let verb = command.find_subcommand(name);
    verb.and_then(Command::get_about)
        .map(ToString::to_string)
        .unwrap_or_default()
}
