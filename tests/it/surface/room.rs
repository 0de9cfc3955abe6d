//! A chat in memory: rooms, threads and people, with the moods of real ones. Doubles are dropped only where the port says that
//! an earlier try may have arrived, as with a service that knows no keys.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use orchestrator::chat::heard::{Attached, Heard, Person, What};
use orchestrator::chat::message::{Card, Message, Place, Purpose, Verb};
use orchestrator::chat::{Chat, ChatError, Deaf, Ear};
use tokio::sync::Notify;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Good,
    /// Nothing can be posted.
    Away,
    /// 429 with this Retry-After.
    Limited(Duration),
    /// Answers after so long.
    Slow(Duration),
    /// Posts, and loses the answer.
    Forgetful,
}

/// A message as it stands.
#[derive(Debug, Clone)]
pub struct Posted {
    pub id: String,
    pub place: Place,
    pub message: Message,
    pub key: String,
    pub edits: u32,
}

impl Posted {
    pub fn text(&self) -> String {
        match &self.message {
            Message::Text(text) => format!("{}{}", text.text, text.code.clone().unwrap_or_default()),
            Message::Card(card) => card.state.clone(),
        }
    }

    pub fn card(&self) -> Option<&Card> {
        match &self.message {
            Message::Card(card) => Some(card),
            Message::Text(_) => None,
        }
    }
}

#[derive(Default)]
struct Book {
    posted: Vec<Posted>,
    whispers: Vec<(String, String)>,
    acknowledged: Vec<String>,
    uploads: Vec<(Place, String, Vec<u8>)>,
    files: BTreeMap<String, Vec<u8>>,
    inbound: VecDeque<Heard>,
    calls: u32,
    refused: Vec<Deaf>,
    echoes: VecDeque<String>,
}

/// The chat.
pub struct Room {
    book: Mutex<Book>,
    mood: Mutex<Mood>,
    said: Notify,
    next: AtomicU64,
}

impl Room {
    pub fn new() -> Self {
        Self {
            book: Mutex::default(),
            mood: Mutex::new(Mood::Good),
            said: Notify::new(),
            next: AtomicU64::new(1),
        }
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    pub fn posted(&self) -> Vec<Posted> {
        self.book().posted.clone()
    }

    pub fn whispers(&self) -> Vec<(String, String)> {
        self.book().whispers.clone()
    }

    pub fn acknowledged(&self) -> Vec<String> {
        self.book().acknowledged.clone()
    }

    pub fn uploads(&self) -> Vec<(Place, String, Vec<u8>)> {
        self.book().uploads.clone()
    }

    /// Calls that would count against a limit.
    pub fn calls(&self) -> u32 {
        self.book().calls
    }

    /// Events that were not taken.
    pub fn refused(&self) -> usize {
        self.book().refused.len()
    }

    /// The cards of a task.
    pub fn cards(&self, task: &str) -> Vec<Posted> {
        let all = self.posted().into_iter();
        all.filter(|posted| posted.card().is_some_and(|card| card.task == task))
            .collect()
    }

    pub fn card(&self, task: &str) -> Option<Posted> {
        self.cards(task).pop()
    }

    /// What stands in the thread of a task's card.
    pub fn thread(&self, task: &str) -> Vec<String> {
        let Some(card) = self.card(task) else {
            return Vec::new();
        };
        let all = self.posted().into_iter();
        all.filter(|posted| posted.place.thread.as_ref() == Some(&card.id))
            .map(|posted| posted.text())
            .collect()
    }

    /// What was answered to a message.
    pub fn answers(&self, message: &str) -> Vec<String> {
        let all = self.posted().into_iter();
        all.filter(|posted| posted.key.ends_with(message))
            .map(|posted| posted.text())
            .collect()
    }

    pub fn file(&self, handle: &str, bytes: &[u8]) {
        self.book().files.insert(handle.to_owned(), bytes.to_vec());
    }

    /// Somebody deletes a message.
    pub fn delete(&self, id: &str) {
        self.book().posted.retain(|posted| posted.id != id);
    }

    fn fresh(&self) -> String {
        format!("m{}", self.next.fetch_add(1, Ordering::SeqCst))
    }

    /// Brings an event, as it is.
    pub fn bring(&self, heard: Heard) {
        self.book().inbound.push_back(heard);
        self.said.notify_one();
    }

    /// An event by somebody of this id; answers its id.
    pub fn event(&self, by: &str, thread: Option<&str>, what: What) -> Heard {
        let id = self.fresh();
        Heard {
            event: id.clone(),
            at: Utc::now(),
            who: Person {
                id: by.to_owned(),
                distrust: None,
            },
            room: "room:default".to_owned(),
            purpose: Some(Purpose::Project("default".to_owned())),
            thread: thread.map(str::to_owned),
            message: Some(id),
            what,
            answer_at: None,
        }
    }

    /// Somebody writes; answers the message's id.
    pub fn write(&self, by: &str, thread: Option<&str>, text: &str) -> String {
        let what = What::Text {
            text: text.to_owned(),
            addressed: false,
            files: Vec::new(),
        };
        let heard = self.event(by, thread, what);
        let id = heard.event.clone();
        self.bring(heard);
        id
    }

    /// Somebody presses a button of a task's card.
    pub fn press(&self, by: &str, task: &str, verb: Verb) -> String {
        let card = self.card(task).unwrap();
        let buttons = &card.card().unwrap().buttons;
        let nonce = buttons
            .iter()
            .find(|button| button.verb == verb)
            .map(|button| button.nonce.clone());
        let what = What::Press {
            on: card.id.clone(),
            nonce: nonce.unwrap(),
        };
        let heard = self.event(by, None, what);
        let id = heard.event.clone();
        self.bring(heard);
        id
    }

    async fn answer(&self) -> Result<bool, ChatError> {
        self.book().calls += 1;
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Good => Ok(true),
            Mood::Forgetful => Ok(false),
            Mood::Away => Err(ChatError::Away {
                why: "503".to_owned(),
            }),
            Mood::Limited(after) => Err(ChatError::Limited { after }),
            Mood::Slow(by) => {
                tokio::time::sleep(by).await;
                Ok(true)
            }
        }
    }
}

#[async_trait]
impl Chat for Room {
    async fn room(&self, purpose: &Purpose) -> Result<String, ChatError> {
        Ok(match purpose {
            Purpose::Instance => "room".to_owned(),
            Purpose::Project(name) => format!("room:{name}"),
            Purpose::Agent(name) => format!("agent:{name}"),
        })
    }

    async fn post(
        &self,
        to: &Place,
        message: &Message,
        key: &str,
        tried: Option<DateTime<Utc>>,
    ) -> Result<String, ChatError> {
        let remembers = self.answer().await?;
        let id = self.fresh();
        let mut book = self.book();
        let known = book
            .posted
            .iter()
            .find(|posted| posted.key == key)
            .map(|posted| posted.id.clone());
        if let (Some(known), Some(_)) = (known, tried) {
            return Ok(known);
        }
        let lost = match &to.thread {
            Some(root) if root.starts_with("gone") => Some("the thread"),
            _ if !to.room.starts_with("room") && !to.room.starts_with("agent:") => Some("the room"),
            _ => None,
        };
        if let Some(what) = lost {
            let what = what.to_owned();
            return Err(ChatError::Gone { what });
        }
        book.posted.push(Posted {
            id: id.clone(),
            place: to.clone(),
            message: message.clone(),
            key: key.to_owned(),
            edits: 0,
        });
        match remembers {
            true => Ok(id),
            false => Err(ChatError::Away {
                why: "the answer was lost".to_owned(),
            }),
        }
    }

    async fn edit(&self, _room: &str, id: &str, message: &Message) -> Result<(), ChatError> {
        self.answer().await?;
        let mut book = self.book();
        let posted = book.posted.iter_mut().find(|posted| posted.id == id);
        let posted = posted.ok_or_else(|| ChatError::Gone {
            what: "the message".to_owned(),
        })?;
        posted.message = message.clone();
        posted.edits += 1;
        Ok(())
    }

    async fn acknowledge(&self, heard: &Heard) -> Result<(), ChatError> {
        self.book().acknowledged.push(heard.event.clone());
        Ok(())
    }

    async fn whisper(&self, heard: &Heard, text: &str) -> Result<(), ChatError> {
        self.answer().await?;
        self.book().whispers.push((heard.event.clone(), text.to_owned()));
        Ok(())
    }

    async fn fetch(&self, file: &Attached, most: u64) -> Result<Vec<u8>, ChatError> {
        let found = self.book().files.get(&file.handle).cloned();
        let bytes = found.ok_or_else(|| ChatError::Gone {
            what: "the file".to_owned(),
        })?;
        match bytes.len() as u64 > most {
            true => Err(ChatError::Refused {
                why: "it is too long".to_owned(),
            }),
            false => Ok(bytes),
        }
    }

    async fn upload(&self, to: &Place, name: &str, bytes: Vec<u8>, _key: &str) -> Result<(), ChatError> {
        self.answer().await?;
        self.book().uploads.push((to.clone(), name.to_owned(), bytes));
        Ok(())
    }

    async fn canary(&self, nonce: &str) -> Result<(), ChatError> {
        self.book().echoes.push_back(nonce.to_owned());
        self.said.notify_one();
        Ok(())
    }

    async fn listen(&self, ear: &dyn Ear) -> ChatError {
        loop {
            let (heard, echo) = {
                let mut book = self.book();
                (book.inbound.pop_front(), book.echoes.pop_front())
            };
            if let Some(nonce) = &echo {
                ear.echo(nonce);
            }
            match heard {
                Some(heard) => {
                    if let Err(deaf) = ear.hear(heard.clone()).await {
                        {
                            let mut book = self.book();
                            book.refused.push(deaf);
                            book.inbound.push_back(heard);
                        }
                        // As services do, it brings an event again a little later.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
                None if echo.is_none() => self.said.notified().await,
                None => {}
            }
        }
    }
}
