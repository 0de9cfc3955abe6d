//! The chat in memory that the stories of surfaces play in: it must be no kinder than real ones.

use std::sync::Arc;

use async_trait::async_trait;
use orchestrator::chat::Chat;
use orchestrator::chat::heard::{Attached, Heard, What};
use orchestrator::chat::message::Message;

use super::stage::{Seen, Stage};
use crate::surface::room::Room;

const JANE: &str = "T1:JANE";
const ROOM: &str = "room:default";

pub struct Memory(Arc<Room>);

impl Memory {
    pub fn set() -> Self {
        Self(Arc::new(Room::new()))
    }

    fn words(message: &Message) -> String {
        match message {
            Message::Text(text) => format!("{}\n{}", text.text, text.code.as_deref().unwrap_or_default()),
            Message::Card(card) => {
                let facts = card
                    .facts
                    .iter()
                    .map(|fact| format!("{}: {}", fact.name, fact.value));
                let facts: Vec<String> = facts.collect();
                format!(
                    "{} {}\n{}\n{}",
                    card.title,
                    card.task,
                    card.state,
                    facts.join("\n")
                )
            }
        }
    }
}

#[async_trait]
impl Stage for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn chat(&self) -> &dyn Chat {
        self.0.as_ref()
    }

    async fn restart(&mut self) {}

    fn project(&self) -> &'static str {
        "default"
    }

    fn jane(&self) -> String {
        JANE.to_owned()
    }

    async fn seen(&mut self) -> Vec<Seen> {
        let all = self.0.posted().into_iter();
        all.filter(|posted| posted.place.room == ROOM)
            .map(|posted| Seen {
                words: Self::words(&posted.message),
                id: posted.id,
                thread: posted.place.thread,
            })
            .collect()
    }

    async fn say(&mut self, thread: Option<&str>, words: &str) -> String {
        self.0.write(JANE, thread, words)
    }

    /// There are no edits: what was said stays.
    async fn rewrite(&mut self, _id: &str, _words: &str) {}

    async fn put(&mut self, name: &str, text: &str) -> String {
        self.0.file("f1", text.as_bytes());
        let what = What::Text {
            text: String::new(),
            addressed: false,
            files: vec![Attached {
                name: name.to_owned(),
                bytes: None,
                handle: "f1".to_owned(),
            }],
        };
        let heard = self.0.event(JANE, None, what);
        let id = heard.event.clone();
        self.0.bring(heard);
        id
    }

    async fn delete(&mut self, id: &str) {
        self.0.delete(id);
    }

    fn unknown(&self) -> (String, String) {
        ("nowhere".to_owned(), "m999".to_owned())
    }

    /// Nothing is drawn here.
    async fn drawn(&mut self) -> Vec<String> {
        Vec::new()
    }

    async fn is_acknowledged(&mut self, heard: &Heard) -> bool {
        self.0.acknowledged().contains(&heard.event)
    }

    async fn whispered(&mut self, heard: &Heard) -> Vec<String> {
        let all = self.0.whispers().into_iter();
        all.filter(|(event, _)| *event == heard.event)
            .map(|(_, text)| text)
            .collect()
    }

    async fn files(&mut self) -> Vec<(Option<String>, String, String)> {
        let all = self.0.uploads().into_iter();
        all.map(|(place, name, bytes)| (place.thread, name, String::from_utf8(bytes).unwrap()))
            .collect()
    }
}
