//! How a command ends: the exit codes of the contract (section 8), and an error as people read it.
//!
//! Deliberately absent: which failure has which code; that is said where the failure is known.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use super::render::text;
use crate::telemetry;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// What was asked is done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// Refused: the state, the permission or the budget forbids it.
    Refused = 4,
    /// The service or a dependency is not reachable.
    Unreachable = 5,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command failed: what, where, and the next thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong.
    pub what: String,
    /// The file, task or address it went wrong at.
    pub place: Option<String>,
    /// The next thing to do.
    pub cure: Option<String>,
}

/// Every command ends in this.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    /// A failure without place and cure.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            place: None,
            cure: None,
        }
    }

    /// Exit code 1.
    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    /// Exit code 2.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Exit code 3.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, what)
    }

    /// Exit code 4.
    pub fn refused(what: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what)
    }

    /// Exit code 5.
    pub fn unreachable(what: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, what)
    }

    /// Adds where it happened.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    /// Adds the next thing to do.
    #[must_use]
    pub fn help(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// Prints it on standard error, in colour on a terminal only, and gives its exit code.
    pub fn report(&self) -> Exit {
        // A closed standard error leaves nobody to tell.
        let _ = self.write(&mut anstream::stderr().lock());
        self.exit
    }

    /// Writes it with colours; a plain stream must strip them.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
        let dim = Style::new().dimmed();
        let cyan = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
        let mut parts = vec![("", red, "error", self.what.as_str())];
        parts.extend(self.place.as_deref().map(|place| ("  ", dim, "at", place)));
        parts.extend(self.cure.as_deref().map(|cure| ("  ", cyan, "help", cure)));
        for (indent, style, label, words) in parts {
            let hanging = " ".repeat(indent.len() + label.len() + 2);
            let words = text::lines(&telemetry::clean(words)).join(&format!("\n{hanging}"));
            writeln!(out, "{indent}{style}{label}:{style:#} {words}")?;
        }
        out.flush()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(place) = &self.place {
            write!(f, " (at {place})")?;
        }
        self.cure.iter().try_for_each(|cure| write!(f, "; {cure}"))
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_contract() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::NotFound,
            Exit::Refused,
            Exit::Unreachable,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_failure_says_what_where_and_what_next() {
        let failure = Failure::not_found("there is no task \u{1b}[31m'x'\u{7}")
            .at("PROACTIVE-JOBS.md")
            .help("see `orchestrator status`\nor add it");
        let mut out = anstream::StripStream::new(Vec::new());
        failure.write(&mut out).unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        insta::assert_snapshot!(text, @r"
        error: there is no task 'x'
          at: PROACTIVE-JOBS.md
          help: see `orchestrator status`
                or add it
        ");
        assert_eq!(failure.exit, Exit::NotFound);
    }
}
