//! Which provider's protocol a conversation is held in.

use axum::http::HeaderMap;
use serde_json::Value;

use super::ask::Ask;
use super::fault::Refusal;
use super::script::Step;
use super::{anthropic, openai};

/// Characters of one delta, so that a reply really comes in pieces.
const PIECE: usize = 16;

/// A provider's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Anthropic's: `POST /v1/messages`.
    Messages,
    /// OpenAI's: `POST /v1/responses`.
    Responses,
}

impl Protocol {
    pub(super) fn read(self, body: &Value) -> Result<Ask, &'static str> {
        match self {
            Self::Messages => anthropic::read(body),
            Self::Responses => openai::read(body),
        }
    }

    /// The reply in one piece.
    pub(super) fn whole(self, step: &Step, ask: &Ask) -> Value {
        match self {
            Self::Messages => anthropic::whole(step, ask),
            Self::Responses => openai::whole(step, ask),
        }
    }

    /// The reply as the events of a stream.
    pub(super) fn events(self, step: &Step, ask: &Ask) -> Vec<Value> {
        match self {
            Self::Messages => anthropic::events(step, ask),
            Self::Responses => openai::events(step, ask),
        }
    }

    /// The body of an error status.
    pub(super) fn error(self, refusal: &Refusal) -> Value {
        match self {
            Self::Messages => anthropic::error(refusal),
            Self::Responses => openai::error(refusal),
        }
    }

    /// The event that breaks a stream off.
    pub(super) fn error_event(self, word: &str, message: &str) -> Value {
        match self {
            Self::Messages => anthropic::error_event(word, message),
            Self::Responses => openai::error_event(word, message),
        }
    }

    /// The API key of a request.
    pub(super) fn key(self, headers: &HeaderMap) -> Option<&str> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        match self {
            Self::Messages => text("x-api-key"),
            Self::Responses => text("authorization")?.strip_prefix("Bearer "),
        }
    }

    /// What a request with another key than the right one is told.
    pub(super) fn wrong_key(self) -> Refusal {
        match self {
            Self::Messages => Refusal::new(401, "authentication_error", "invalid x-api-key"),
            Self::Responses => Refusal::new(401, "invalid_request_error", "Incorrect API key provided."),
        }
    }
}

/// A text in pieces of a delta's length.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.char_indices().nth(PIECE).map_or(rest.len(), |(end, _)| end);
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
