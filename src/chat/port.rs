//! The port: a chat service that people read and write in.
//!
//! Whoever implements it knows the service's protocol, markup and limits, and nothing of tasks. What it cannot do now it says
//! by [`ChatError`]; it never waits for longer than a bounded time, and never tries again on its own: `service::surface` does.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::ChatError;
use super::heard::{Attached, Heard};
use super::message::{Message, Place, Purpose};

/// A surface with rooms, messages and threads.
#[async_trait]
pub trait Chat: Send + Sync {
    /// The room of a purpose; made, where the surface makes rooms. The same one each time, also after a restart.
    async fn room(&self, purpose: &Purpose) -> Result<String, ChatError>;

    /// Posts a message, and answers its id. The same `key` never makes a second message: where an earlier try may have
    /// arrived (`tried`: when the first one was), it is looked for before.
    async fn post(
        &self,
        to: &Place,
        message: &Message,
        key: &str,
        tried: Option<DateTime<Utc>>,
    ) -> Result<String, ChatError>;

    /// Replaces what a message of ours says. [`ChatError::Gone`] where it is not there any more.
    async fn edit(&self, room: &str, id: &str, message: &Message) -> Result<(), ChatError>;

    /// Shows the person that this was heard (a reaction, a receipt, a typing notice); within a second.
    async fn acknowledge(&self, heard: &Heard) -> Result<(), ChatError>;

    /// Answers so that the person alone sees it, where the surface can; else as a reply.
    async fn whisper(&self, heard: &Heard, text: &str) -> Result<(), ChatError>;

    /// Fetches a file that came with a message; [`ChatError::Refused`] where it is longer than `most` bytes.
    async fn fetch(&self, file: &Attached, most: u64) -> Result<Vec<u8>, ChatError>;

    /// Puts a file into a place. At least once.
    async fn upload(&self, to: &Place, name: &str, bytes: Vec<u8>, key: &str) -> Result<(), ChatError>;

    /// Sends something through the service that comes back by [`Ear::echo`] with this nonce: a round trip.
    async fn canary(&self, nonce: &str) -> Result<(), ChatError>;

    /// Takes a request that the service made of ours (`POST /chat/NAME`), as it came. Most services make none.
    async fn request(&self, request: &Request, ear: &dyn Ear) -> Reply {
        let _ = (request, ear);
        Reply {
            status: 404,
            body: String::new(),
        }
    }

    /// The rooms that must be read back for what was said while nobody listened; none where the service brings all of it by
    /// itself, however late.
    fn to_read_back(&self) -> Vec<String> {
        Vec::new()
    }

    /// Hands on what people said since then in one of those rooms (not in its threads), or in a thread, the oldest first; of
    /// more than `most` messages the newest. Answers how many there were.
    async fn read_back(
        &self,
        at: &Place,
        since: DateTime<Utc>,
        most: usize,
        ear: &dyn Ear,
    ) -> Result<usize, ChatError> {
        let _ = (at, since, most, ear);
        Ok(0)
    }

    /// Listens until the connection ends, which it says why. Dropping it ends it. An event is acknowledged to the service
    /// only after the ear took it.
    async fn listen(&self, ear: &dyn Ear) -> ChatError;
}

/// A request, raw: what it is signed over is its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Names in lower case, with every value that came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When it came.
    pub at: DateTime<Utc>,
}

/// What is answered to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code of HTTP.
    pub status: u16,
    /// The body; JSON where it is not empty.
    pub body: String,
}

/// Who is told of what a surface hears.
#[async_trait]
pub trait Ear: Send + Sync {
    /// Takes an event, durably. Where it cannot, the service is to deliver it again.
    async fn hear(&self, heard: Heard) -> Result<(), Deaf>;

    /// A canary came back.
    fn echo(&self, nonce: &str);
}

/// An event could not be written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it could not be written down: {0}")]
pub struct Deaf(pub String);
