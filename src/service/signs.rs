//! Signs of life on their way to the store: drivers lay down the newest of their worker, the engine writes all of them in
//! one commit.
//!
//! Invariants: only the newest of an attempt is kept; what could not be written is laid down anew by the next look at that
//! worker. Whoever crashes loses a few seconds of them, which the next driver reads again from the worker's own files.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::id::TaskId;
use crate::store::{Beat, ProgressMark, Store, StoreError};

/// How long the first one waits for others.
const PAUSE: TimeDelta = TimeDelta::seconds(3);

/// What was laid down and is not written yet.
#[derive(Debug, Default)]
pub struct Signs {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    since: Option<DateTime<Utc>>,
    newest: HashMap<TaskId, (Beat, ProgressMark)>,
}

impl Signs {
    /// Lays down what was seen of a worker.
    pub fn lay_down(&self, beat: Beat, mark: ProgressMark, now: DateTime<Utc>) {
        let mut waiting = self.waiting();
        waiting.since.get_or_insert(now);
        waiting.newest.insert(beat.task.clone(), (beat, mark));
    }

    /// When those that wait are to be written; `None` where none waits.
    pub fn due_at(&self) -> Option<DateTime<Utc>> {
        self.waiting().since.map(|since| since + PAUSE)
    }

    /// Writes all that wait.
    ///
    /// # Errors
    /// The store's; what waited is dropped then.
    pub async fn write_down(&self, store: &dyn Store) -> Result<(), StoreError> {
        let taken = std::mem::take(&mut *self.waiting());
        write(store, taken.newest.into_values().unzip()).await
    }

    /// Writes this one at once: its attempt is about to be closed.
    ///
    /// # Errors
    /// The store's.
    pub async fn write_last(
        &self,
        store: &dyn Store,
        beat: Beat,
        mark: ProgressMark,
    ) -> Result<(), StoreError> {
        self.waiting().newest.remove(&beat.task);
        write(store, (vec![beat], vec![mark])).await
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both wait at the same time, so they share a commit.
async fn write(store: &dyn Store, (beats, marks): (Vec<Beat>, Vec<ProgressMark>)) -> Result<(), StoreError> {
    let (beats, marks) = tokio::join!(store.beat(beats), store.progress(marks));
    beats.and(marks).map(drop)
}
