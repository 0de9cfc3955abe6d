//! The `command` runtime: any program, with the prompt on its standard input.
//!
//! Its exit code: 0, it claims to be done; 75, it made progress and is not done; 77, it needs a person; anything else,
//! it failed. Its outcome file refines that: it can take a claim back, but it cannot make one for a program that
//! does not exit with 0. Trouble at its provider is known by that file alone.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use async_trait::async_trait;

use super::printable::brief;
use super::process::{Cause, Exit, Status, probe};
use super::{
    Account, Available, Brief, Launch, OutcomeFile, Reader, Runtime, Signal, Unavailable, environment,
};
use crate::domain::outcome::{EndKind, Ending};

/// Exit code of a program that made progress and is not done (`EX_TEMPFAIL`).
pub const NOT_DONE: i32 = 75;
/// Exit code of a program that needs a person (`EX_NOPERM`).
pub const BLOCKED: i32 = 77;

/// A `command` runtime's settings.
#[derive(Clone, Default)]
pub struct Options {
    /// The program and its arguments. A program without a slash is looked for on the PATH, one with a relative path in
    /// the workspace.
    pub command: Vec<String>,
    /// Names of the caller's variables that it gets besides the allow-list.
    pub env: Vec<String>,
    /// The caller's environment, to look for the program.
    pub inherited: BTreeMap<OsString, OsString>,
}

/// The runtime.
#[derive(Clone)]
pub struct Command {
    options: Options,
}

impl Command {
    /// The runtime with these settings.
    pub fn new(options: Options) -> Self {
        Self { options }
    }
}

#[async_trait]
impl Runtime for Command {
    fn kind(&self) -> &'static str {
        "command"
    }

    async fn probe(&self) -> Result<Available, Unavailable> {
        let Some(program) = self.options.command.first() else {
            return Err(Unavailable {
                reason: "its command is empty".to_owned(),
                cure: "set command = [\"program\", \"argument\"] in the runtime's section".to_owned(),
            });
        };
        let path = Path::new(program);
        if path.is_relative() && path.components().count() > 1 {
            return Ok(Available {
                version: format!("{program} (of the workspace)"),
            });
        }
        match probe::find(OsStr::new(program), &self.options.inherited) {
            Some(found) => Ok(Available {
                version: found.display().to_string(),
            }),
            None => Err(Unavailable {
                reason: format!("there is no program '{program}'"),
                cure: "install it, or correct the runtime's command".to_owned(),
            }),
        }
    }

    fn launch(&self, brief: &Brief) -> Launch {
        Launch {
            argv: self.options.command.iter().map(OsString::from).collect(),
            env: environment::of(brief, &self.options.env),
            stdin: brief.prompt.clone().into_bytes(),
            cwd: brief.workspace.clone(),
        }
    }

    fn reader(&self, _brief: &Brief) -> Box<dyn Reader> {
        Box::new(Lines)
    }
}

/// Bytes of a line that are taken for what it says.
const HEARD: usize = 1024;
/// Characters of it that are told.
const SHOWN: usize = 200;

/// Output without a meaning of its own: whoever writes is alive. What it used is told by its outcome file alone.
struct Lines;

impl Reader for Lines {
    fn read(&mut self, line: &[u8]) -> Vec<Signal> {
        let start = String::from_utf8_lossy(&line[..line.len().min(HEARD)]);
        vec![Signal::Alive, Signal::Said(brief(&start, SHOWN))]
    }

    fn ending(&self, exit: &Exit, outcome: Option<&OutcomeFile>, stderr_tail: &str) -> Ending {
        ending(exit, outcome, stderr_tail)
    }

    fn account(&self) -> Account {
        Account::default()
    }
}

/// What the end of a program means that speaks by its exit code and its outcome file.
pub fn ending(exit: &Exit, outcome: Option<&OutcomeFile>, stderr_tail: &str) -> Ending {
    let said = outcome.and_then(OutcomeFile::kind);
    let (kind, phrase) = match exit.cause {
        Cause::Exited => by_status(exit.status, said),
        _ => (by_cause(&exit.cause), exit.phrase()),
    };
    let own_words = outcome
        .and_then(|file| file.reason.clone())
        .filter(|_| said == Some(kind));
    let reason = own_words.unwrap_or_else(|| with_last_line(phrase, kind, stderr_tail));
    Ending { kind, reason }
}

/// An end that the worker did not choose. Who asked for it is known to the caller, and outranks this.
pub(super) fn by_cause(cause: &Cause) -> EndKind {
    match cause {
        // Nobody watched it any more: whatever its work was worth, it goes on from there.
        Cause::Vanished | Cause::LeaseEnded => EndKind::Vanished,
        Cause::OutputLimit { .. }
        | Cause::DiskLimit { .. }
        | Cause::OutOfMemory { .. }
        | Cause::SpawnFailed { .. } => EndKind::Failed,
        Cause::Exited | Cause::Stopped | Cause::Timeout => EndKind::Interrupted,
    }
}

fn by_status(status: Option<Status>, said: Option<EndKind>) -> (EndKind, String) {
    let claims_an_end = matches!(said, Some(EndKind::Claimed | EndKind::NoChangeNeeded));
    let modest = said.filter(|_| !claims_an_end);
    let despite = if claims_an_end {
        ", though its outcome file claims to be done"
    } else {
        ""
    };
    match status {
        Some(Status::Code(0)) => (
            said.unwrap_or(EndKind::Claimed),
            "exit code 0: claims to be done".to_owned(),
        ),
        Some(Status::Code(NOT_DONE)) => (
            modest.unwrap_or(EndKind::Continue),
            format!("exit code 75: made progress and is not done{despite}"),
        ),
        Some(Status::Code(BLOCKED)) => (
            modest.unwrap_or(EndKind::Blocked),
            format!("exit code 77: needs a person{despite}"),
        ),
        Some(Status::Code(code)) => (
            modest.unwrap_or(EndKind::Failed),
            format!("exit code {code}{despite}"),
        ),
        Some(Status::Signal(signal)) => (
            modest.unwrap_or(EndKind::Interrupted),
            format!("killed by signal {signal}{despite}"),
        ),
        None => (
            EndKind::Interrupted,
            format!("it ended, and nobody saw how{despite}"),
        ),
    }
}

/// People look at the last line of standard error first.
pub(super) fn with_last_line(phrase: String, kind: EndKind, stderr_tail: &str) -> String {
    let last = stderr_tail.lines().rev().find(|line| !line.trim().is_empty());
    match last {
        Some(line) if kind != EndKind::Claimed => format!("{phrase}: {}", brief(line, 300)),
        _ => phrase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::outcome_file::Claim;

    fn exit(cause: Cause, status: Option<Status>) -> Exit {
        Exit {
            cause,
            status,
            ended_at: chrono::DateTime::UNIX_EPOCH,
            stragglers_killed: 0,
        }
    }

    fn kind(status: Status, said: Option<Claim>) -> EndKind {
        let file = said.map(|claim| OutcomeFile {
            claim: Some(claim),
            ..OutcomeFile::default()
        });
        let ending = ending(&exit(Cause::Exited, Some(status)), file.as_ref(), "");
        assert!(!ending.reason.is_empty());
        ending.kind
    }

    /// A letter an end: Done, No change, Continue, Blocked, Stronger model, Failed, Interrupted; Limited, Overloaded, Auth,
    /// netWork.
    fn end(letter: char) -> EndKind {
        match letter {
            'D' => EndKind::Claimed,
            'N' => EndKind::NoChangeNeeded,
            'C' => EndKind::Continue,
            'B' => EndKind::Blocked,
            'S' => EndKind::NeedsStrongerModel,
            'I' => EndKind::Interrupted,
            'L' => EndKind::RateLimited { until: None },
            'O' => EndKind::Overloaded,
            'A' => EndKind::Auth,
            'W' => EndKind::Network,
            _ => EndKind::Failed,
        }
    }

    #[test]
    fn the_exit_code_and_the_file_together() {
        // The columns: no outcome file, then its words in the order of Claim::WORDS.
        for (status, row) in [
            (Status::Code(0), "DDNCBSFLOAW"),
            (Status::Code(75), "CCCCBSFLOAW"),
            (Status::Code(77), "BBBCBSFLOAW"),
            (Status::Code(1), "FFFCBSFLOAW"),
            (Status::Code(255), "FFFCBSFLOAW"),
            (Status::Signal(9), "IIICBSFLOAW"),
        ] {
            let said = std::iter::once(None).chain(Claim::WORDS.iter().map(|(claim, _)| Some(*claim)));
            for (said, letter) in said.zip(row.chars()) {
                assert_eq!(kind(status, said), end(letter), "{status:?} {said:?}");
            }
        }
    }

    #[test]
    fn ends_that_it_did_not_choose_outrank_its_word() {
        let file = OutcomeFile {
            claim: Some(Claim::Done),
            reason: Some("all done".into()),
            ..OutcomeFile::default()
        };
        for (cause, expected) in [
            (Cause::Stopped, EndKind::Interrupted),
            (Cause::Timeout, EndKind::Interrupted),
            (Cause::Vanished, EndKind::Vanished),
            (Cause::LeaseEnded, EndKind::Vanished),
            (Cause::DiskLimit { limit: 1 << 20 }, EndKind::Failed),
            (Cause::OutOfMemory { limit: None }, EndKind::Failed),
            (Cause::OutputLimit { limit: 1 << 20 }, EndKind::Failed),
            (
                Cause::SpawnFailed {
                    reason: "no sh".into(),
                },
                EndKind::Failed,
            ),
        ] {
            let ending = ending(&exit(cause, Some(Status::Code(0))), Some(&file), "");
            assert_eq!(ending.kind, expected);
            assert_ne!(ending.reason, "all done");
        }
    }

    #[test]
    fn the_reason_is_its_own_or_its_last_line() {
        let blocked = OutcomeFile {
            claim: Some(Claim::Blocked),
            reason: Some("no key".into()),
            ..OutcomeFile::default()
        };
        assert_eq!(
            ending(&exit(Cause::Exited, Some(Status::Code(77))), Some(&blocked), "x").reason,
            "no key"
        );
        let failed = ending(
            &exit(Cause::Exited, Some(Status::Code(2))),
            None,
            "Traceback\nValueError: x\n\n",
        );
        assert_eq!(failed.reason, "exit code 2: ValueError: x");
    }
}
