//! The queue file and the store, kept true to each other: people's edits in, the orchestrator's values out.
//!
//! Invariants: a value that somebody wrote is taken in before it is written over; a section that vanishes counts as
//! deleted only when it is still gone a little later, so that an editor caught half way deletes nothing.

mod remote;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use self::remote::Remote;
use super::board::Board;
use super::instance::Instance;
use super::intake::{Intake, compare};
use super::queue_repository::QueueError;
use super::reading::{self, Print};
use crate::domain::definition::Declared;
use crate::domain::event::Event;
use crate::domain::id::TaskId;
use crate::domain::mirror::{Mirror, mirror};
use crate::domain::task::Task;
use crate::files::FileError;
use crate::format::queue::{
    Document, Edit, Place, QueuedTask, Reading, Section, StatusField, apply, parse_status,
};
use crate::store::{Mirrored, StoreError};

/// How long a section must be gone before its task is cancelled.
const GRACE: TimeDelta = TimeDelta::seconds(2);

/// A digest of the file.
type Content = [u8; 32];

/// What is known of the file.
pub struct QueueSync {
    /// What the file was last told of each task, or was last seen to say.
    told: BTreeMap<TaskId, Mirror>,
    /// The files as they were when they were last taken in.
    seen: Option<Print>,
    /// The queue file's content that is known: taken in, or made from that by our own writing.
    content: Option<Content>,
    /// A reading that is being taken in.
    reading: Option<(Print, Content, BTreeMap<TaskId, Declared>)>,
    missing: BTreeMap<TaskId, DateTime<Utc>>,
    /// Tasks whose values in the file are wrong.
    corrections: BTreeSet<TaskId>,
    /// Why the file could not be read, until somebody is told.
    fault: Option<FileError>,
    /// The repository that the file is in, where it is in one.
    remote: Option<Remote>,
}

impl QueueSync {
    /// With what the store remembers.
    pub async fn load(instance: &Instance) -> Result<Self, StoreError> {
        let told = instance.store.mirrored_live().await?;
        let told = told
            .into_iter()
            .filter_map(|(id, m)| Some((id, parsed(m)?)))
            .collect();
        Ok(Self {
            told,
            seen: None,
            content: None,
            reading: None,
            missing: BTreeMap::new(),
            corrections: BTreeSet::new(),
            fault: None,
            remote: Remote::new(instance).await?,
        })
    }

    /// Reads the file where it or a job changed, or where a vanished section is to be looked for again.
    pub async fn read(&mut self, instance: &Instance, board: &Board) -> Result<Option<Intake>, StoreError> {
        if !self.hear(instance, board).await? {
            return Ok(None);
        }
        let print = Print::take(instance);
        let now = instance.clock.now();
        let recheck = self.recheck_at().is_some_and(|at| at <= now);
        if self.seen.as_ref() == Some(&print) && !recheck {
            return Ok(None);
        }
        if !recheck && self.is_our_own(instance, &print) {
            self.seen = Some(print);
            return Ok(None);
        }
        let (reading, content) = match reading::load(instance).await? {
            Ok(loaded) => (loaded.reading, digest(&loaded.bytes)),
            Err(error) => {
                self.fault = Some(error);
                self.seen = Some(print);
                return Ok(None);
            }
        };
        let over = self.over(instance, board, &reading).await?;
        let mut intake = compare(&reading, board, &over, &self.told);
        self.settle(&mut intake, now);
        self.put_right(&intake, &reading, &over);
        let declared = reading.tasks.iter().filter(|s| s.place == Place::Active);
        let declared = declared
            .filter_map(|s| Some((s.id.clone(), s.declared?)))
            .collect();
        self.reading = Some((print, content, declared));
        Ok(Some(intake))
    }

    /// Whether nothing is new but the file's times and place: our own writing is no news. The content decides, for a
    /// person may have written in the same moment.
    fn is_our_own(&self, instance: &Instance, print: &Print) -> bool {
        let same_rest = self
            .seen
            .as_ref()
            .is_some_and(|seen| seen.same_besides_queue(print));
        same_rest
            && instance
                .files
                .queue
                .read()
                .is_ok_and(|now| self.content == Some(digest(&now.bytes)))
    }

    /// Tasks that are over and have a section again, or still.
    async fn over(
        &mut self,
        instance: &Instance,
        board: &Board,
        reading: &Reading,
    ) -> Result<BTreeMap<TaskId, Task>, StoreError> {
        let asked = |s: &&QueuedTask| s.place == Place::Active && s.runnable && board.get(&s.id).is_none();
        let absent: Vec<TaskId> = reading.tasks.iter().filter(asked).map(|s| s.id.clone()).collect();
        let mut over = BTreeMap::new();
        if absent.is_empty() {
            return Ok(over);
        }
        for id in instance.store.dependency_states(&absent).await?.into_keys() {
            let Some(task) = instance.store.task(&id).await? else {
                continue;
            };
            if let Some(told) = instance.store.mirrored(&id).await?.and_then(parsed) {
                self.told.insert(id.clone(), told);
            }
            over.insert(id, task);
        }
        Ok(over)
    }

    /// Sections that are gone long enough ask for the end of their tasks.
    fn settle(&mut self, intake: &mut Intake, now: DateTime<Utc>) {
        self.missing.retain(|id, _| intake.vanished.contains(id));
        for id in std::mem::take(&mut intake.vanished) {
            let since = *self.missing.entry(id.clone()).or_insert(now);
            if now - since >= GRACE {
                self.missing.remove(&id);
                intake.events.push((id, Event::Removed));
            }
        }
    }

    /// Sections of completed tasks that are as they were earlier are written again; those of live ones are anyway.
    fn put_right(&mut self, intake: &Intake, reading: &Reading, over: &BTreeMap<TaskId, Task>) {
        let outdated = { reading.tasks.iter() }.filter(|s| intake.outdated.contains(&s.id));
        for section in outdated.filter(|section| over.contains_key(&section.id)) {
            if let (Some(told), Some(declared)) = (self.told.get_mut(&section.id), section.declared) {
                told.status = declared;
            }
            self.corrections.insert(section.id.clone());
        }
    }

    /// Why the file could not be read, once for each time; what was read last stays in force.
    pub fn take_fault(&mut self) -> Option<FileError> {
        self.fault.take()
    }

    /// When a vanished section is to be looked for again.
    pub fn recheck_at(&self) -> Option<DateTime<Utc>> {
        self.missing.values().min().map(|since| *since + GRACE)
    }

    /// The last reading is taken in. Where the file still says something else than the state, it is to be corrected.
    pub fn taken(&mut self, board: &Board) {
        let Some((print, content, declared)) = self.reading.take() else {
            return;
        };
        self.seen = Some(print);
        self.content = Some(content);
        for (id, declared) in declared {
            let Some(task) = board.get(&id) else { continue };
            let wanted = mirror(task);
            if wanted.status != declared {
                self.corrections.insert(id.clone());
            }
            self.told.entry(id).or_insert(wanted).status = declared;
        }
    }

    /// Tasks whose values in the file are wrong, and are to be written with the next mirroring.
    pub fn corrections(&self) -> &BTreeSet<TaskId> {
        &self.corrections
    }

    /// Writes what the file should say of these tasks, and moves the sections of completed ones to the archive.
    pub async fn mirror(&mut self, instance: &Instance, tasks: &[Task]) -> Result<(), MirrorError> {
        if tasks.is_empty() {
            return Ok(());
        }
        let archive = instance.layout.archive();
        let month = instance.clock.now().format("%Y-%m").to_string();
        let mut failed = None;
        let mut ours = None;
        instance.files.queue.update(|bytes| {
            let applied = apply(bytes, &edits(&self.told, bytes, tasks));
            for section in &applied.overflow {
                let month = section.month.as_deref().unwrap_or(&month);
                if let Err(error) = crate::files::archive::append(&archive, month, &section.bytes) {
                    failed = Some(error);
                    return None;
                }
            }
            ours = applied.changed.then(|| (digest(bytes), digest(&applied.bytes)));
            applied.changed.then_some(applied.bytes)
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        // Made from anything else, it holds what is still to be taken in.
        if let Some((from, to)) = ours
            && self.content == Some(from)
        {
            self.content = Some(to);
        }
        self.remember(instance, tasks).await?;
        Ok(())
    }

    async fn remember(&mut self, instance: &Instance, tasks: &[Task]) -> Result<(), StoreError> {
        let mut told = Vec::with_capacity(tasks.len());
        for task in tasks {
            self.corrections.remove(&task.id);
            let wanted = mirror(task);
            if let Ok(body) = serde_json::to_value(&wanted) {
                told.push((
                    task.id.clone(),
                    Mirrored {
                        version: task.version,
                        body,
                    },
                ));
            }
            if task.state.is_ended() {
                self.told.remove(&task.id);
            } else {
                self.told.insert(task.id.clone(), wanted);
            }
        }
        instance.store.set_mirrored_all(told).await
    }
}

/// Why the file could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The repository.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// What is to be changed in the file, which was told this, so that it says what it should of these tasks.
fn edits(told: &BTreeMap<TaskId, Mirror>, bytes: &[u8], tasks: &[Task]) -> Vec<Edit> {
    let document = Document::parse(bytes.to_vec());
    let mut edits = Vec::new();
    for task in tasks {
        let Some(section) = document.sections().iter().find(|s| s.id == task.id) else {
            continue;
        };
        let told = told.get(&task.id).map(|t| t.status);
        let declared = declared(section, told);
        let unseen = declared.is_some() && told.is_some() && declared != told;
        let wanted = mirror(task);
        if unseen && declared != Some(wanted.status) {
            continue;
        }
        let fields = fields(section, declared, &wanted);
        if !fields.is_empty() {
            edits.push(Edit::SetFields {
                id: task.id.clone(),
                fields,
            });
        }
        if task.state.is_completed() && section.place == Place::Active {
            edits.push(Edit::Archive { id: task.id.clone() });
        }
    }
    edits
}

fn digest(bytes: &[u8]) -> Content {
    Sha256::digest(bytes).into()
}

fn parsed(told: Mirrored) -> Option<Mirror> {
    serde_json::from_value(told.body).ok()
}

/// The value of one of the orchestrator's own fields as it stands.
fn written(section: &Section, field: StatusField) -> Option<&str> {
    section
        .fields
        .iter()
        .find(|f| f.name == field.name())
        .map(|f| f.value.as_str())
}

/// The status that a section declares. `blocked by` other tasks reads as what it was taken for.
fn declared(section: &Section, told: Option<Declared>) -> Option<Declared> {
    let Some(value) = written(section, StatusField::Status) else {
        return Some(Declared::Pending);
    };
    let status = parse_status(value)?;
    Some(if status.blocked_by.is_empty() {
        status.declared
    } else {
        told.unwrap_or(status.declared)
    })
}

/// The fields whose values in the section are not what they should be. A person's wording of the right status stays.
fn fields(section: &Section, declared: Option<Declared>, wanted: &Mirror) -> Vec<(StatusField, String)> {
    let mut fields = Vec::new();
    if declared != Some(wanted.status) {
        fields.push((StatusField::Status, wanted.status.as_str().to_owned()));
    }
    let optional = [
        (StatusField::Escalation, Some(wanted.escalation.clone())),
        (StatusField::Started, wanted.started.clone()),
        (StatusField::Completed, wanted.completed.clone()),
        (StatusField::LastRun, wanted.last_run.clone()),
        (StatusField::ModelUsed, wanted.model_used.clone()),
    ];
    for (field, value) in optional {
        let Some(value) = value else { continue };
        let written = written(section, field);
        let absent_is_right = written.is_none() && field == StatusField::Escalation && value == "none";
        if written != Some(value.as_str()) && !absent_is_right {
            fields.push((field, value));
        }
    }
    fields
}
