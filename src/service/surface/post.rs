//! How a report gets into a chat: a line in the thread of its task's card, which is posted before the first one.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Open, card};
use crate::chat::message::{Message, Place, Purpose, Text, Verb};
use crate::chat::parcel::{Item, Parcel};
use crate::chat::{Chat, ChatError, words};
use crate::domain::report::{Report, Urgency};
use crate::domain::task::Task;
use crate::service::operations;
use crate::store::{CardRow, StoreError};

/// The store's trouble, as the surface's: all waits.
pub(super) fn away(error: &StoreError) -> ChatError {
    ChatError::Away {
        why: error.to_string(),
    }
}

impl Open {
    /// Brings a parcel. What was decided before `since` may be there already.
    pub(super) async fn bring(
        &self,
        chat: &dyn Chat,
        parcel: &Parcel,
        since: DateTime<Utc>,
    ) -> Result<(), ChatError> {
        let item = match parcel {
            Parcel::Report(item) => item,
            Parcel::Digest(items) => {
                let place = self.place(chat, &Purpose::Instance).await?;
                let message = Message::Text(Text::of(words::digest(items)));
                // Its beginnings are older than this process, or were tried: it is always looked for.
                let tried = items.first().map(|item| item.at);
                return chat.post(&place, &message, &parcel.key(), tried).await.map(drop);
            }
        };
        let tried = (item.tries > 0 || item.at < since).then_some(item.at);
        let task = self
            .instance
            .store
            .task(&item.task)
            .await
            .map_err(|error| away(&error))?;
        let Some(task) = task else {
            let place = self.place(chat, &Purpose::Instance).await?;
            return chat.post(&place, &line(item), &item.key, tried).await.map(drop);
        };
        let row = self.card_of(chat, &task, since, tried).await?;
        let posted = self.post_line(chat, &row, item, tried).await;
        let row = match posted {
            // Somebody deleted the card: it is made anew, once.
            Err(ChatError::Gone { .. }) => {
                let row = self
                    .post_card(chat, &task, &format!("card-again:{}", item.key), tried, since)
                    .await?;
                self.post_line(chat, &row, item, tried).await?;
                row
            }
            posted => posted.map(|()| row)?,
        };
        self.mirror(chat, &task, item, tried).await;
        if let Report::Completed { .. } = item.report {
            self.offer_files(chat, &row, &task, item).await;
        }
        Ok(())
    }

    /// In the room of the task's agent, where it has one: what it does is seen there.
    async fn mirror(&self, chat: &dyn Chat, task: &Task, item: &Item, tried: Option<DateTime<Utc>>) {
        let Some(agent) = task
            .definition
            .agent
            .as_deref()
            .filter(|agent| self.chat.kind.has_room_of(agent))
        else {
            return;
        };
        let mirrored = async {
            let place = self.place(chat, &Purpose::Agent(agent.to_owned())).await?;
            let message = Message::Text(Text::of(words::line(&item.task, &item.report)));
            chat.post(&place, &message, &format!("{}:agent", item.key), tried)
                .await
        };
        // What people wait for is in the task's own thread.
        if let Err(error) = mirrored.await {
            tracing::warn!(surface = %self.surface, agent, %error, "the room of an agent was not told");
        }
    }

    async fn place(&self, chat: &dyn Chat, purpose: &Purpose) -> Result<Place, ChatError> {
        let room = chat.room(purpose).await?;
        Ok(Place { room, thread: None })
    }

    async fn post_line(
        &self,
        chat: &dyn Chat,
        row: &CardRow,
        item: &Item,
        tried: Option<DateTime<Utc>>,
    ) -> Result<(), ChatError> {
        chat.post(&thread(row), &line(item), &item.key, tried)
            .await
            .map(drop)
    }

    /// The card of a task; posted, where there is none.
    async fn card_of(
        &self,
        chat: &dyn Chat,
        task: &Task,
        since: DateTime<Utc>,
        tried: Option<DateTime<Utc>>,
    ) -> Result<CardRow, ChatError> {
        let store = &self.instance.store;
        match store
            .card(&self.surface, &task.id)
            .await
            .map_err(|error| away(&error))?
        {
            Some(mut row) => {
                // A task that runs again goes on in its card.
                if row.is_over && !task.state.is_ended() {
                    row.is_over = false;
                    store.set_card(&row).await.map_err(|error| away(&error))?;
                }
                Ok(row)
            }
            None => {
                // Of the task, not of the report: a process that died may have posted it with a report that was told in a
                // digest meanwhile.
                let key = format!(
                    "card:{}:{}@{}",
                    task.id,
                    task.created_at.timestamp_micros(),
                    self.surface
                );
                self.post_card(chat, task, &key, tried, since).await
            }
        }
    }

    async fn post_card(
        &self,
        chat: &dyn Chat,
        task: &Task,
        key: &str,
        tried: Option<DateTime<Utc>>,
        since: DateTime<Utc>,
    ) -> Result<CardRow, ChatError> {
        let now = self.instance.clock.now();
        let purpose = Purpose::Project(task.definition.project.clone());
        let place = self.place(chat, &purpose).await?;
        let views = operations::views(&self.instance, std::slice::from_ref(task)).await;
        let views = views.map_err(|error| away(&error))?;
        let view = views.first().ok_or_else(|| ChatError::Away {
            why: "the task is gone".to_owned(),
        })?;
        let nonce = nonce(task, None);
        let card = card::card(task, view, &nonce, now);
        let shown = card::digest(&card);
        let message = chat.post(&place, &Message::Card(card), key, tried).await?;
        self.standing.learn_card(&message);
        // What an earlier try posted shows what was so then.
        let is_new = tried.is_none() && task.created_at >= since;
        let row = CardRow {
            surface: self.surface.clone(),
            task: task.id.clone(),
            room: place.room,
            message,
            shown: if is_new { shown } else { String::new() },
            nonce,
            is_over: is_new && task.state.is_ended(),
            posted_at: now,
            edited_at: now,
        };
        self.instance
            .store
            .set_card(&row)
            .await
            .map_err(|error| away(&error))?;
        Ok(row)
    }
}

/// The thread of a card.
pub(super) fn thread(row: &CardRow) -> Place {
    Place {
        room: row.room.clone(),
        thread: Some(row.message.clone()),
    }
}

/// What buttons carry while a task is in its present state: an earlier nonce is kept as long as that is the same.
pub(super) fn nonce(task: &Task, earlier: Option<&str>) -> String {
    // A worker that was claimed and one that runs are the same to whoever presses.
    let state = match task.state.attempt() {
        Some(attempt) => format!("{}-{}", task.state.name(), attempt.epoch),
        None => task.state.since().timestamp_micros().to_string(),
    };
    match earlier.filter(|earlier| earlier.split_once('.').is_some_and(|(_, of)| of == state)) {
        Some(earlier) => earlier.to_owned(),
        None => format!("{}.{state}", Uuid::new_v4().simple()),
    }
}

/// What is on the button of a verb: nothing that means anything to whoever reads it, and no other button has it.
pub(super) fn carried(nonce: &str, verb: Verb) -> String {
    let hash = Sha256::new()
        .chain_update(nonce)
        .chain_update(verb.word())
        .finalize();
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn line(item: &Item) -> Message {
    let mut text = words::line(&item.task, &item.report);
    match item.report {
        Report::Question { .. } => text.push_str("\nAnswer in this thread."),
        Report::Blocked { .. } => {
            text.push_str("\nIn this thread: !why, !yes, !no WORDS, !retry, or words for its worker.")
        }
        _ => {}
    }
    let final_word = matches!(item.report, Report::Completed { .. } | Report::Cancelled { .. });
    Message::Text(Text {
        text,
        code: None,
        broadcast: final_word || item.report.urgency() == Urgency::Person,
    })
}
