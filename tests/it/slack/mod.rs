//! The Slack adapter against a stand-in: what it writes, what it hears, whom it trusts, and the official SDK beside it.

mod files;
mod hearing;
mod manifest;
mod missed;
mod once;
mod port;
mod posting;
mod requests;
mod sdk;
mod socket;
pub mod stand_in;
mod trust;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use orchestrator::chat::heard::{Heard, Person, What};
use orchestrator::chat::message::{Button, Card, Fact, Place, Text, Verb};
use orchestrator::chat::{Chat, ChatError, Deaf, Ear};
use tokio::sync::Notify;

use stand_in::{JANE, MAIN, TEAM};

/// How long is waited for anything.
const DEADLINE: Duration = Duration::from_secs(20);

/// An ear that writes down what it hears.
#[derive(Default)]
pub struct Notebook {
    heard: Mutex<Vec<Heard>>,
    echoes: Mutex<Vec<String>>,
    /// So many events it cannot take.
    deaf: AtomicUsize,
    changed: Notify,
}

#[async_trait]
impl Ear for Notebook {
    async fn hear(&self, heard: Heard) -> Result<(), Deaf> {
        let failing = |left: usize| left.checked_sub(1);
        if self
            .deaf
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, failing)
            .is_ok()
        {
            return Err(Deaf("the disk is full".to_owned()));
        }
        self.heard.lock().unwrap().push(heard);
        self.changed.notify_one();
        Ok(())
    }

    fn echo(&self, nonce: &str) {
        self.echoes.lock().unwrap().push(nonce.to_owned());
        self.changed.notify_one();
    }
}

impl Notebook {
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub fn echoes(&self) -> Vec<String> {
        self.echoes.lock().unwrap().clone()
    }

    /// The texts that were heard.
    pub fn texts(&self) -> Vec<String> {
        let text = |heard: Heard| match heard.what {
            What::Text { text, .. } => Some(text),
            _ => None,
        };
        self.heard().into_iter().filter_map(text).collect()
    }

    /// Listens until this holds; what listening ended with, where it ended before, is a failure.
    pub async fn until(&self, slack: &dyn Chat, holds: impl Fn(&Self) -> bool) {
        let waited = async {
            while !holds(self) {
                let _ = tokio::time::timeout(Duration::from_millis(20), self.changed.notified()).await;
            }
        };
        tokio::select! {
            biased;
            waited = tokio::time::timeout(DEADLINE, waited) => assert!(waited.is_ok(), "heard {:?}", self.heard()),
            error = slack.listen(self) => panic!("{error}"),
        }
    }
}

/// The surface's own channel.
fn main() -> Place {
    Place {
        room: MAIN.to_owned(),
        thread: None,
    }
}

fn card(state: &str, buttons: &[Verb]) -> Card {
    Card {
        task: "fix-login".to_owned(),
        title: "Fix the login".to_owned(),
        icon: "🔄".to_owned(),
        state: state.to_owned(),
        pct: Some(40),
        facts: vec![Fact {
            name: "Tier".to_owned(),
            value: "haiku".to_owned(),
        }],
        buttons: buttons
            .iter()
            .map(|verb| Button {
                verb: *verb,
                nonce: format!("nonce-{}", verb.word()),
            })
            .collect(),
    }
}

fn words(text: &str) -> orchestrator::chat::message::Message {
    orchestrator::chat::message::Message::Text(Text::of(text))
}

/// Something that Jane said, as the adapter handed it on.
fn said_by_jane(message: &str) -> Heard {
    Heard {
        event: format!("message:{MAIN}:{message}"),
        at: Utc::now(),
        who: Person {
            id: format!("{TEAM}:{JANE}"),
            distrust: None,
        },
        room: MAIN.to_owned(),
        purpose: None,
        thread: None,
        message: Some(message.to_owned()),
        what: What::Text {
            text: "status".to_owned(),
            addressed: true,
            files: Vec::new(),
        },
        answer_at: None,
    }
}

fn is_refused<T>(result: &Result<T, ChatError>) -> bool {
    matches!(result, Err(ChatError::Refused { .. }))
}

fn is_gone<T>(result: &Result<T, ChatError>) -> bool {
    matches!(result, Err(ChatError::Gone { .. }))
}

fn is_away<T>(result: &Result<T, ChatError>) -> bool {
    matches!(result, Err(ChatError::Away { .. }))
}
