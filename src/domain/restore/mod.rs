//! After a restore: what the store says, beside what the world shows. Facts in, divergences out, each with what is done about it.
//!
//! Invariants: nothing that ran since the backup is run a second time where anything shows that it ran; a number that a worker
//! may still bear is never given out again; work that is said to be complete is judged, not believed.
//! Deliberately absent: looking (the service does), and tasks about which store and world agree.

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::definition::Declared;
use super::id::TaskId;
use super::task::{Block, End, State, Task};

/// Files are written a moment after the commit that they tell of.
const SLACK: TimeDelta = TimeDelta::minutes(1);

/// What is known of one task, by the store and by the world.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// Its id.
    pub id: &'a TaskId,
    /// The task as the store has it.
    pub task: Option<&'a Task>,
    /// What the files for people say of it.
    pub shown: Option<Shown>,
    /// The worker of the attempt that the store takes for open.
    pub worker: Worker,
    /// The highest fencing number that anything on disk bears; 0 where nothing does.
    pub epoch_on_disk: u64,
    /// Attempts that the store does not know and whose workers are alive.
    pub unknown_workers: Vec<u64>,
    /// The last sign of life in its heartbeat file.
    pub beat: Option<DateTime<Utc>>,
    /// When its progress file was last written.
    pub progress: Option<DateTime<Utc>>,
    /// Its branch, where it can be seen from here.
    pub branch: Option<Branch>,
}

/// Where and how the files for people have a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The file.
    pub file: String,
    /// Its status there.
    pub status: Option<Declared>,
    /// Where in that file.
    pub place: Place,
}

impl Shown {
    /// Where the files cannot be read from here: nothing is known, also not that there is no section.
    pub fn unknown() -> Self {
        Self {
            file: String::new(),
            status: None,
            place: Place::Active,
        }
    }
}

/// Where a section stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Among the tasks to do.
    Active,
    /// In the queue file, among those that are over.
    Archived,
    /// In a file of the archive.
    Away,
}

/// What there is of a worker that the store takes for running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    /// The store knows of no open attempt, or another node has it.
    None,
    /// It runs.
    Alive,
    /// It has ended, and what came of it lies on disk.
    Ended,
    /// There is nothing of it.
    Gone,
}

/// A task's branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// The commit at its head.
    pub head: String,
    /// When that was made.
    pub at: DateTime<Utc>,
    /// Commits on it since its base.
    pub ahead: u32,
    /// Whether its base has all of them.
    pub merged: bool,
}

/// What does not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The task; none where it is about the whole instance.
    pub task: Option<TaskId>,
    /// What kind it is.
    pub kind: Kind,
    /// What the store says and what the world shows, in one sentence.
    pub what: String,
    /// What becomes of it, in one sentence.
    pub then: String,
    /// What is to be done now, before anything is claimed.
    #[serde(skip)]
    pub remedy: Remedy,
}

/// The kinds of divergences, by what people would look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A worker runs that the store does not know.
    UnknownWorker,
    /// The worker of an attempt that the store takes for running is gone.
    WorkerGone,
    /// It has ended since.
    WorkerEnded,
    /// It still runs.
    WorkerAlive,
    /// There were attempts that the store does not know.
    LaterAttempts,
    /// Files for people have the task as something else.
    StateDiffers,
    /// They have a task that the store does not know.
    UnknownTask,
    /// The store has a live task that no file has.
    NoSection,
    /// Its branch holds work that the store does not know.
    BranchAhead,
    /// Its branch is merged already.
    BranchMerged,
    /// There is a sign of life that is newer than the store.
    NewerHeartbeat,
    /// Its progress file is newer than the store.
    NewerProgress,
    /// Reports that wait to be told may have been told since.
    UntoldReports,
}

impl Kind {
    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownWorker => "unknown-worker",
            Self::WorkerGone => "worker-gone",
            Self::WorkerEnded => "worker-ended",
            Self::WorkerAlive => "worker-alive",
            Self::LaterAttempts => "later-attempts",
            Self::StateDiffers => "state-differs",
            Self::UnknownTask => "unknown-task",
            Self::NoSection => "no-section",
            Self::BranchAhead => "branch-ahead",
            Self::BranchMerged => "branch-merged",
            Self::NewerHeartbeat => "newer-heartbeat",
            Self::NewerProgress => "newer-progress",
            Self::UntoldReports => "untold-reports",
        }
    }
}

/// What is to be done about a divergence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: it is told.
    #[default]
    Tell,
    /// The workers of these attempts are ended.
    EndWorkers(Vec<u64>),
    /// Its numbers go on above this one, and an open attempt is lost.
    Raise(u64),
    /// The gate judges what its branch holds.
    Judge,
    /// It is ended, in these words: what was made of it is on record elsewhere.
    End(String),
}

/// What does not agree about one task, in the order in which the remedies are to be applied.
pub fn compare(known: &Known<'_>) -> Vec<Divergence> {
    let tell = |kind, what: String, then: &str, remedy| Divergence {
        task: Some(known.id.clone()),
        kind,
        what,
        then: then.to_owned(),
        remedy,
    };
    let mut found = Vec::new();
    if !known.unknown_workers.is_empty() {
        let numbers: Vec<String> = known.unknown_workers.iter().map(u64::to_string).collect();
        let what = format!(
            "a worker runs under number {}, which the store does not know",
            numbers.join(", ")
        );
        let ended = Remedy::EndWorkers(known.unknown_workers.clone());
        found.push(tell(Kind::UnknownWorker, what, "it is ended", ended));
    }
    let Some(task) = known.task else {
        found.extend(unknown(known).map(|(what, then)| tell(Kind::UnknownTask, what, then, Remedy::Tell)));
        return found;
    };
    found.extend(attempts(known, task).map(|(kind, what, then, remedy)| tell(kind, what, then, remedy)));
    found.extend(files(known, task).map(|(kind, what, then, remedy)| tell(kind, what, then, remedy)));
    found.extend(branch(known, task).map(|(kind, what, then)| tell(kind, what, then, Remedy::Tell)));
    found.extend(newer(known, task).map(|(kind, what, then)| tell(kind, what, then, Remedy::Tell)));
    found
}

/// Reports that waited when the backup was made.
pub fn untold(reports: u64) -> Option<Divergence> {
    let (reports, they) = match reports {
        0 => return None,
        1 => ("1 report waits".to_owned(), "it"),
        n => (format!("{n} reports wait"), "they"),
    };
    Some(Divergence {
        task: None,
        kind: Kind::UntoldReports,
        what: format!("{reports} to be told; {they} may have been told since the backup"),
        then: format!("{they} will be told (again), under the same key"),
        remedy: Remedy::Tell,
    })
}

fn unknown(known: &Known<'_>) -> Option<(String, &'static str)> {
    let shown = known.shown.as_ref().filter(|shown| !shown.file.is_empty())?;
    let status = shown.status.map_or("without a status", Declared::as_str);
    let what = format!("{} has it ({status}), the store does not know it", shown.file);
    let then = match shown.place {
        Place::Active => "it is taken in as a new task",
        Place::Archived | Place::Away => "it stays archived; its history is lost with the store",
    };
    Some((what, then))
}

type Found = (Kind, String, &'static str, Remedy);

/// The numbers of attempts, and the worker of the open one.
fn attempts(known: &Known<'_>, task: &Task) -> Option<Found> {
    if known.epoch_on_disk > task.epoch {
        let seen = known.epoch_on_disk;
        let what = format!(
            "there were attempts up to number {seen}, the store knows {}",
            task.epoch
        );
        let (then, remedy) = match task.state.attempt() {
            _ if task.state.is_completed() => ("it stays completed", Remedy::Tell),
            Some(_) => (
                "its open attempt is lost, and the next one has a higher number",
                Remedy::Raise(seen),
            ),
            None => ("the next attempt has a higher number", Remedy::Raise(seen)),
        };
        return Some((Kind::LaterAttempts, what, then, remedy));
    }
    let n = task.state.attempt()?.n;
    match known.worker {
        Worker::None => None,
        Worker::Alive => Some((
            Kind::WorkerAlive,
            format!("attempt {n} still runs"),
            "the next `up` takes it over",
            Remedy::Tell,
        )),
        // What it left was taken in before, and is not new to whoever would take it in again.
        Worker::Ended if is_complete(known) => Some((
            Kind::WorkerEnded,
            format!("attempt {n} runs as the store has it, and has ended since"),
            "the attempt counts as lost; what it left is on its branch",
            Remedy::Raise(task.epoch),
        )),
        Worker::Ended => Some((
            Kind::WorkerEnded,
            format!("attempt {n} runs as the store has it, and has ended since"),
            "the next `up` takes what it left; if that was taken in before, the task goes on from its branch",
            Remedy::Tell,
        )),
        Worker::Gone => Some((
            Kind::WorkerGone,
            format!("attempt {n} runs as the store has it, and its worker is gone"),
            "the attempt is lost; the task goes on from its branch and progress file",
            Remedy::Raise(task.epoch),
        )),
    }
}

/// Whether files for people have it as completed.
fn is_complete(known: &Known<'_>) -> bool {
    let shown = known.shown.as_ref();
    shown.is_some_and(|shown| shown.status == Some(Declared::Completed))
}

/// What the files for people say.
fn files(known: &Known<'_>, task: &Task) -> Option<Found> {
    let Some(shown) = &known.shown else {
        return (!task.state.is_ended()).then(|| {
            let what = "the store has it as live, and no file has its section".to_owned();
            (
                Kind::NoSection,
                what,
                "it is cancelled when the queue file is read",
                Remedy::Tell,
            )
        });
    };
    let status = shown.status?;
    let stored = task.state.name();
    let what = format!(
        "{} has it as {}, the store as {stored}",
        shown.file,
        status.as_str()
    );
    match (status, shown.place) {
        (Declared::Completed, _) if task.state.is_ended() => (!task.state.is_completed()).then(|| {
            let then = "it stays as the store has it; `orchestrator retry` runs it again";
            (Kind::StateDiffers, what, then, Remedy::Tell)
        }),
        (Declared::Completed, Place::Away) => {
            let words = format!(
                "{} has it as completed; the store was restored from before that",
                shown.file
            );
            let then = "it is ended without another attempt; its work is on its branch";
            Some((Kind::StateDiffers, what, then, Remedy::End(words)))
        }
        (Declared::Completed, _) if matches!(task.state, State::Validating { .. }) => Some((
            Kind::StateDiffers,
            what,
            "what it left is judged again, and nothing runs again",
            Remedy::Tell,
        )),
        (Declared::Completed, _) if known.worker == Worker::Alive => None,
        (Declared::Completed, _) => {
            let then = "the gate judges its branch again, and nothing runs again";
            Some((Kind::StateDiffers, what, then, Remedy::Judge))
        }
        (_, Place::Active) if is_a_persons(status) && status.as_str() != stored => Some((
            Kind::StateDiffers,
            what,
            "the file is followed when it is read",
            Remedy::Tell,
        )),
        _ => None,
    }
}

/// A status that a person gives, and not only the course of things.
fn is_a_persons(status: Declared) -> bool {
    matches!(status, Declared::Cancelled | Declared::Paused | Declared::Blocked)
}

fn branch(known: &Known<'_>, task: &Task) -> Option<(Kind, String, &'static str)> {
    let later = |branch: &Branch| branch.ahead > 0 || (branch.merged && branch.at > task.created_at);
    let branch = known.branch.as_ref().filter(|branch| later(branch))?;
    let short = branch.head.get(..10).unwrap_or(&branch.head);
    let lands = matches!(
        &task.state,
        State::Ended {
            end: End::Completed { .. },
            ..
        }
    );
    if branch.merged && !lands {
        let what = format!(
            "{} is merged already (at {short}), the store has the task as {}",
            branch.name,
            task.state.name()
        );
        return Some((
            Kind::BranchMerged,
            what,
            "nothing is merged twice: a merge of what is there changes nothing",
        ));
    }
    let news = match recorded(task) {
        Some(commit) => commit != branch.head && branch.at > task.updated_at,
        None => branch.at > task.updated_at,
    };
    news.then(|| {
        let what = format!(
            "{} is at {short} of {}, after the store's last word of the task",
            branch.name,
            branch.at.format("%Y-%m-%dT%H:%M:%SZ")
        );
        (
            Kind::BranchAhead,
            what,
            "the work is kept, and the next attempt or the gate finds it there",
        )
    })
}

/// The commit that the store has on record.
fn recorded(task: &Task) -> Option<&str> {
    match &task.state {
        State::Validating { claim, .. }
        | State::Blocked {
            block: Block::Approval { claim, .. } | Block::Landing { claim, .. },
            ..
        } => claim.commit.as_deref(),
        State::Ended {
            end: End::Completed { commit, .. },
            ..
        } => Some(commit),
        _ => None,
    }
}

/// Files of a live task that were written after the store's last word.
fn newer<'k>(
    known: &'k Known<'_>,
    task: &'k Task,
) -> impl Iterator<Item = (Kind, String, &'static str)> + 'k {
    let stamp = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let later = |at: &DateTime<Utc>| *at > task.updated_at + SLACK && !task.state.is_ended();
    // Of a worker that still runs, or whose end is still to be taken in, that is as it should be.
    let expected = matches!(known.worker, Worker::Alive | Worker::Ended) && known.epoch_on_disk <= task.epoch;
    let beat = known.beat.filter(|at| later(at) && !expected).map(move |at| {
        let what = format!("its last heartbeat is of {}, newer than the store", stamp(at));
        (
            Kind::NewerHeartbeat,
            what,
            "it counts for no attempt that the store knows",
        )
    });
    let progress = known.progress.filter(|at| later(at) && !expected).map(move |at| {
        let what = format!("its progress file is of {}, newer than the store", stamp(at));
        (
            Kind::NewerProgress,
            what,
            "the file stays, and the next attempt goes on from it",
        )
    });
    beat.into_iter().chain(progress)
}
