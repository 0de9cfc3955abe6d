//! What came in, by whichever way, to the ear: who it is, what it is, once it is known.

use serde_json::Value;

use super::Slack;
use super::heard::{self, Meaning, Said};
use super::wire::{Command, Interaction};
use crate::chat::heard::Heard;
use crate::chat::port::{Deaf, Ear};

/// What Slack delivers.
#[derive(Debug)]
pub(super) enum Parcel {
    /// An event of the Events API.
    Event(Value),
    /// Something done at a message.
    Interaction(Value),
    /// A slash command.
    Command(Value),
}

impl Slack {
    /// Hands on what it means. What means nothing, or cannot be read, is taken as well: a repetition would not change that.
    ///
    /// # Errors
    /// [`Deaf`], where it is to be delivered again.
    pub(super) async fn take(&self, parcel: Parcel, ear: &dyn Ear) -> Result<(), Deaf> {
        let me = self.me().await.map_err(|error| Deaf(error.to_string()))?;
        let said = match parcel {
            Parcel::Event(event) => match heard::event(event, me) {
                Meaning::Nothing => Vec::new(),
                Meaning::Echo(nonce) => {
                    ear.echo(&nonce);
                    Vec::new()
                }
                Meaning::Said(said) => vec![*said],
            },
            Parcel::Interaction(payload) => read::<Interaction>(payload)
                .map(heard::interaction)
                .unwrap_or_default(),
            Parcel::Command(payload) => read::<Command>(payload)
                .and_then(heard::command)
                .into_iter()
                .collect(),
        };
        for said in said {
            let heard = self.known(said).await;
            ear.hear(heard).await?;
        }
        Ok(())
    }

    /// With who did it, what the room is for, and where it can be answered.
    pub(super) async fn known(&self, said: Said) -> Heard {
        let who = self.accounts.person(&self.api, &said).await;
        Heard {
            event: said.event,
            at: said.at.unwrap_or_else(|| self.clock.now()),
            who,
            purpose: self.rooms.purpose(&said.room),
            room: said.room,
            thread: said.thread,
            message: said.message,
            what: said.what,
            answer_at: said.response_url,
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(payload: Value) -> Option<T> {
    serde_json::from_value(payload)
        .inspect_err(|fault| tracing::warn!(%fault, "what came from Slack cannot be read"))
        .ok()
}
