//! What the queue file says of a task: the six values that the orchestrator owns there, and what a person's
//! edit of them asks for.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::definition::Declared;
use super::event::Command;
use super::task::{End, State, Task};

/// The values of a section that the orchestrator writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// `Status`
    pub status: Declared,
    /// `Escalation`: `none`, a tier, or `blocked`.
    pub escalation: String,
    /// `Started`, RFC 3339.
    pub started: Option<String>,
    /// `Completed`, RFC 3339.
    pub completed: Option<String>,
    /// `Last Run`, RFC 3339.
    pub last_run: Option<String>,
    /// `Model Used`.
    pub model_used: Option<String>,
}

/// What the section of this task should say.
pub fn mirror(task: &Task) -> Mirror {
    Mirror {
        status: status(&task.state),
        escalation: escalation(task),
        started: task.history.started_at.map(stamp),
        completed: match &task.state {
            State::Ended {
                since,
                end: End::Completed { .. },
            } => Some(stamp(*since)),
            _ => None,
        },
        last_run: task.history.last_run_at.map(stamp),
        model_used: task.history.last_model.clone(),
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn escalation(task: &Task) -> String {
    match &task.state {
        State::Blocked { .. } => "blocked".to_owned(),
        _ => task
            .history
            .escalated_to
            .as_ref()
            .map_or_else(|| "none".to_owned(), ToString::to_string),
    }
}

fn status(state: &State) -> Declared {
    match state {
        State::Pending { .. } | State::Ready { .. } | State::Assessing { .. } => Declared::Pending,
        State::Claimed { .. } | State::Running { .. } | State::Stopping { .. } => Declared::InProgress,
        State::Validating { .. } => Declared::Validating,
        State::Blocked { .. } => Declared::Blocked,
        State::Paused { .. } => Declared::Paused,
        State::Ended {
            end: End::Completed { .. },
            ..
        } => Declared::Completed,
        State::Ended {
            end: End::Cancelled { .. },
            ..
        } => Declared::Cancelled,
    }
}

/// What a status means that somebody wrote into the file over the one that was last mirrored there.
///
/// `None` means that nothing is asked: the file says what it was told, or only agrees with the state.
///
/// A section that was deleted and is back, as after a `git checkout` there and back, goes on.
pub fn asked(declared: Declared, mirrored: Option<Declared>, state: &State) -> Option<Command> {
    let goes_on = matches!(
        declared,
        Declared::Pending | Declared::InProgress | Declared::Validating
    );
    if goes_on && state.is_deleted() {
        return Some(Command::Retry);
    }
    if mirrored == Some(declared) || status(state) == declared {
        return None;
    }
    match declared {
        Declared::Pending if matches!(state, State::Paused { .. }) => Some(Command::Resume),
        Declared::Pending => Some(Command::Retry),
        Declared::InProgress | Declared::Validating => None,
        Declared::Blocked => Some(Command::Hold),
        Declared::Paused => Some(Command::Pause),
        Declared::Completed | Declared::Claimed => Some(Command::Claim),
        Declared::Cancelled => Some(Command::Cancel {
            reason: "set to cancelled in the queue file".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task::Block;

    fn state(name: &str) -> State {
        let since = "2026-03-01T12:00:00Z".parse().unwrap_or_default();
        let by = "jane".to_owned();
        match name {
            "pending" => State::Pending { since },
            "blocked" => State::Blocked {
                since,
                block: Block::Exhausted { reason: "r".into() },
            },
            "paused" => State::Paused {
                since,
                by,
                next: None,
            },
            "completed" => State::Ended {
                since,
                end: End::Completed {
                    attempt: 1,
                    epoch: 1,
                    commit: "c".into(),
                    landed: None,
                },
            },
            _ => State::Ended {
                since,
                end: End::Cancelled {
                    by,
                    reason: "r".into(),
                },
            },
        }
    }

    #[test]
    fn what_an_edit_of_the_status_asks_for() {
        use Declared as D;
        let rows = [
            (D::Pending, Some(D::Blocked), "blocked", Some("retry")),
            (D::Pending, Some(D::Paused), "paused", Some("resume")),
            (D::Pending, Some(D::Completed), "completed", Some("retry")),
            (D::Pending, Some(D::Pending), "blocked", None),
            (D::Paused, Some(D::Pending), "pending", Some("pause")),
            (D::Cancelled, Some(D::Blocked), "blocked", Some("cancel")),
            (D::Blocked, Some(D::Pending), "pending", Some("hold")),
            (D::Completed, Some(D::Pending), "pending", Some("claim")),
            (D::Claimed, Some(D::Pending), "pending", Some("claim")),
            (D::Claimed, None, "pending", Some("claim")),
            (D::InProgress, Some(D::Pending), "pending", None),
            (D::Validating, Some(D::Pending), "pending", None),
            (D::Completed, Some(D::Pending), "completed", None),
            (D::Cancelled, None, "cancelled", None),
        ];
        for (declared, told, name, expected) in rows {
            let command = asked(declared, told, &state(name));
            assert_eq!(
                command.as_ref().map(Command::verb),
                expected,
                "{declared:?} over {told:?} while {name}"
            );
        }
    }
}
