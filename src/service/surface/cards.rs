//! Which cards show something else than what is so, and how they are brought up to date: by edits, the changed ones at once,
//! those of working tasks before anybody wonders.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::post::nonce;
use super::{Open, card};
use crate::chat::message::Message;
use crate::chat::{Chat, ChatError};
use crate::domain::id::TaskId;
use crate::service::operations;
use crate::store::{CardRow, StoreError};

/// A working task shows a sign of life at least so often, where the pace allows it.
const SIGN: TimeDelta = TimeDelta::seconds(20);
/// How often it is looked for changes while something works.
const LOOK: TimeDelta = TimeDelta::seconds(1);
/// How often, while nothing does.
const IDLE: TimeDelta = TimeDelta::seconds(10);
/// Cards that are looked at when a service starts.
const ALL: u32 = 10_000;

/// The cards of a surface.
#[derive(Default)]
pub(super) struct Cards {
    /// Changes up to here were seen; none before the first look.
    seen: Option<u64>,
    /// Changed since they were shown.
    changed: BTreeSet<TaskId>,
    /// Of tasks with a worker: when each was edited last.
    working: BTreeMap<TaskId, DateTime<Utc>>,
}

/// A card that is due.
pub(super) struct Edit {
    task: TaskId,
}

/// What is due.
pub(super) enum Due {
    /// A card.
    Card(Edit),
    /// Nothing before this time.
    Later(DateTime<Utc>),
}

impl Cards {
    /// The next card to edit.
    pub(super) async fn next(&mut self, open: &Open, now: DateTime<Utc>) -> Result<Due, StoreError> {
        self.look(open).await?;
        if let Some(task) = self.changed.pop_first() {
            return Ok(Due::Card(Edit { task }));
        }
        let oldest = self.working.iter().min_by_key(|(_, edited)| **edited);
        let silence = oldest.map(|(_, edited)| now - edited).unwrap_or_default();
        open.standing.silent_for(silence.to_std().unwrap_or_default());
        match oldest {
            Some((task, edited)) if now - edited >= self.period(open) => {
                Ok(Due::Card(Edit { task: task.clone() }))
            }
            Some(_) => Ok(Due::Later(now + LOOK)),
            None => Ok(Due::Later(now + IDLE)),
        }
    }

    /// Signs of life take three quarters of what may be said in a minute at most.
    fn period(&self, open: &Open) -> TimeDelta {
        let working = i64::try_from(self.working.len()).unwrap_or(i64::MAX);
        let each =
            TimeDelta::milliseconds(working.saturating_mul(80_000) / i64::from(open.chat.per_minute.get()));
        SIGN.max(each)
    }

    /// A card that may show something else than what is so.
    pub(super) fn note(&mut self, task: &TaskId) {
        self.changed.insert(task.clone());
    }

    /// One that could not be shown is the next again.
    pub(super) fn put_back(&mut self, edit: Option<Edit>) {
        self.changed.extend(edit.map(|edit| edit.task));
    }

    async fn look(&mut self, open: &Open) -> Result<(), StoreError> {
        let store = &open.instance.store;
        let Some(seen) = self.seen else {
            self.seen = Some(store.newest_seq().await?);
            for row in store.open_cards(&open.surface, ALL).await? {
                open.standing.learn_card(&row.message);
                self.changed.insert(row.task);
            }
            return Ok(());
        };
        let (tasks, newest) = store.changed_since(seen).await?;
        self.seen = Some(newest);
        self.changed.extend(tasks.into_iter().map(|task| task.id));
        Ok(())
    }

    /// Brings one up to date. The inner error is the surface's.
    pub(super) async fn show(
        &mut self,
        open: &Open,
        chat: &dyn Chat,
        edit: &Edit,
    ) -> Result<Result<(), ChatError>, StoreError> {
        let (store, now) = (&open.instance.store, open.instance.clock.now());
        self.working.remove(&edit.task);
        let (Some(row), Some(task)) = (
            store.card(&open.surface, &edit.task).await?,
            store.task(&edit.task).await?,
        ) else {
            return Ok(Ok(()));
        };
        if row.is_over {
            return Ok(Ok(()));
        }
        let nonce = nonce(&task, Some(&row.nonce));
        let views = operations::views(&open.instance, std::slice::from_ref(&task)).await?;
        let Some(view) = views.first() else {
            return Ok(Ok(()));
        };
        let card = card::card(&task, view, &nonce, now);
        let shown = card::digest(&card);
        let is_over = task.state.is_ended();
        if shown != row.shown {
            match chat.edit(&row.room, &row.message, &Message::Card(card)).await {
                Ok(()) => {}
                // It was deleted: the next report makes a new one.
                Err(ChatError::Gone { .. }) => {
                    store.set_card(&CardRow { is_over: true, ..row }).await?;
                    return Ok(Ok(()));
                }
                Err(ChatError::Refused { why }) => {
                    tracing::warn!(surface = %open.surface, task = %task.id, why, "a card was refused; it stays as it is");
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        if task.state.attempt().is_some() {
            self.working.insert(task.id.clone(), now);
        }
        let edited = CardRow {
            shown,
            nonce,
            is_over,
            edited_at: now,
            ..row
        };
        store.set_card(&edited).await?;
        Ok(Ok(()))
    }
}
