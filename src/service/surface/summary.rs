//! What changed, in one line: after a pass in which something did, and not more often than people want to read it. Nothing
//! where nothing changed.
//!
//! It is derived from what the store says now and from where the last one ended, so it needs no rows of its own: what a
//! crash swallows is in the next one.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Open;
use crate::chat::message::{Message, Place, Purpose, Text};
use crate::chat::{Chat, ChatError};
use crate::domain::task::Task;
use crate::service::operations;
use crate::service::view::TaskView;
use crate::store::StoreError;

/// Until where it was summed up, and when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Told {
    seq: u64,
    at: DateTime<Utc>,
}

/// What happened to how many tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    started: usize,
    archived: usize,
    cancelled: usize,
    wait: usize,
}

impl Counts {
    /// The line; none where there is nothing to say.
    fn words(self) -> Option<String> {
        let waits = if self.wait == 1 { "waits" } else { "wait" };
        let parts = [
            (self.started, "started".to_owned()),
            (self.archived, "archived".to_owned()),
            (self.cancelled, "cancelled".to_owned()),
            (self.wait, format!("{waits} for a person")),
        ];
        let said = parts.into_iter().filter(|(count, _)| *count > 0);
        let said: Vec<String> = said.map(|(count, what)| format!("{count} {what}")).collect();
        (!said.is_empty()).then(|| format!("tick: {}", said.join(", ")))
    }

    fn add(&mut self, task: &Task, view: &TaskView, since: DateTime<Utc>) {
        let attempt = task.state.attempt();
        self.started += usize::from(attempt.is_some_and(|attempt| attempt.started_at >= since));
        if task.state.since() < since {
            return;
        }
        self.archived += usize::from(view.state == "completed");
        self.cancelled += usize::from(view.state == "cancelled");
        self.wait += usize::from(!task.state.is_ended() && view.waiting.what == "person");
    }
}

impl Open {
    /// Tells what changed since the last time, where that is long enough ago. The inner error is the surface's.
    pub(super) async fn sum_up(
        &self,
        chat: &dyn Chat,
        now: DateTime<Utc>,
    ) -> Result<Result<(), ChatError>, StoreError> {
        let Some(every) = self
            .chat
            .summary_every
            .and_then(|every| TimeDelta::from_std(every).ok())
        else {
            return Ok(Ok(()));
        };
        let (store, flag) = (&self.instance.store, format!("summary:{}", self.surface));
        let told = store.flag(&flag).await?;
        let Some(told) = told.and_then(|told| serde_json::from_value::<Told>(told.value).ok()) else {
            let seq = store.newest_seq().await?;
            self.summed_up(&flag, Told { seq, at: now }).await?;
            return Ok(Ok(()));
        };
        if now - told.at < every {
            return Ok(Ok(()));
        }
        let (mut changed, seq) = store.changed_since(told.seq).await?;
        changed.retain(|task| self.chat.shows(&task.definition.project));
        if seq == told.seq {
            return Ok(Ok(()));
        }
        let views = operations::views(&self.instance, &changed).await?;
        let mut counts = Counts::default();
        for (task, view) in changed.iter().zip(&views) {
            counts.add(task, view, told.at);
        }
        let Some(words) = counts.words() else {
            return self.summed_up(&flag, Told { seq, ..told }).await.map(Ok);
        };
        let key = format!("summary:{}:{}", self.surface, told.seq);
        let posted = async {
            let room = chat.room(&Purpose::Instance).await?;
            let place = Place { room, thread: None };
            let message = Message::Text(Text::of(words));
            chat.post(&place, &message, &key, Some(told.at)).await
        };
        match posted.await {
            Ok(_) => self.summed_up(&flag, Told { seq, at: now }).await.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn summed_up(&self, flag: &str, told: Told) -> Result<(), StoreError> {
        let value = serde_json::to_value(told).ok();
        self.instance.store.set_flag(flag, value, told.at).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_happened_and_nothing_else() {
        assert_eq!(Counts::default().words(), None);
        let counts = Counts {
            started: 2,
            archived: 1,
            wait: 1,
            ..Counts::default()
        };
        assert_eq!(
            counts.words().as_deref(),
            Some("tick: 2 started, 1 archived, 1 waits for a person")
        );
        let counts = Counts {
            wait: 2,
            ..Counts::default()
        };
        assert_eq!(counts.words().as_deref(), Some("tick: 2 wait for a person"));
    }
}
