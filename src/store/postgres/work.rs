//! What the writer is asked to do, and what it answers. A piece of work is a value, so that it can be done again after a
//! transaction that took no effect.

use crate::domain::id::TaskId;
use crate::domain::report::Surface;
use crate::store::batch::Change;
use crate::store::error::{CommitError, StoreError};
use crate::store::record::{Beat, Committed, Mirrored, ProgressMark};

/// One piece of work; it is done as a whole or not at all.
#[derive(Debug)]
pub(super) enum Work {
    /// An admission, or a decision.
    Change(Box<Change>),
    /// Signs of life.
    Beats(Vec<Beat>),
    /// How far output was taken in.
    Marks(Vec<ProgressMark>),
    /// Sets a fact of the instance, or removes it.
    Flag {
        name: String,
        value: Option<String>,
        at: i64,
    },
    /// What the queue file was told.
    Mirrored(Vec<(TaskId, Mirrored)>),
    /// Effects that were performed.
    Performed { seqs: Vec<i64>, at: i64 },
    /// Reports that were handed to surfaces.
    HandedOut {
        seqs: Vec<i64>,
        to: Vec<(i64, Surface)>,
        at: i64,
    },
    /// An effect that could not be performed.
    NotPerformed {
        seq: i64,
        error: String,
        not_before: i64,
    },
}

impl Work {
    /// The change of a task, where it is one.
    pub(super) fn change(&self) -> Option<&Change> {
        match self {
            Self::Change(change) => Some(change),
            _ => None,
        }
    }

    /// The task whose row it changes, where it changes one: only one such a task fits into a group.
    pub(super) fn task(&self) -> Option<&TaskId> {
        self.change().map(Change::id)
    }

    /// The leadership that it was decided under, where it is a leader's to decide.
    pub(super) fn led(&self) -> Option<u64> {
        self.change().and_then(Change::led)
    }

    /// Whether other processes want to know of it at once.
    pub(super) fn is_news(&self) -> bool {
        !matches!(self, Self::Beats(_) | Self::Marks(_))
    }
}

/// What came of a piece of work.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// The change is on disk.
    Committed(Committed),
    /// It is on disk but for these tasks: their attempt is not the open one.
    Refused(Vec<TaskId>),
    /// It is on disk.
    Done,
}

/// What came of a piece of work, or why nothing came of it.
pub(super) type Outcome = Result<Answer, CommitError>;

/// The failure of work that no task's version can refuse.
pub(super) fn of_store(error: CommitError) -> StoreError {
    match error {
        CommitError::Store(error) => error,
        other => StoreError::Refused {
            rule: other.to_string(),
        },
    }
}
