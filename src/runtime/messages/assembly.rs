//! Puts a streamed reply together: a pure fold over events, which never panics whatever comes.
//!
//! Invariants: blocks stand in the order of their index; a tool input that is no JSON is kept as
//! [`Assembled::malformed`] and the block gets an empty input, so that the history stays valid for the API;
//! a reply counts as whole only after `message_stop`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::wire::{ApiError, Block, Delta, Event, KnownBlock, Message, Reply, Role, StopReason, Usage};

/// Most blocks in one reply; what comes beyond is a fault of the endpoint and is dropped.
const MAX_BLOCKS: usize = 1024;

/// A reply under construction.
#[derive(Debug, Default)]
pub struct Assembly {
    model: String,
    blocks: BTreeMap<usize, Open>,
    stop_reason: Option<StopReason>,
    usage: Usage,
}

#[derive(Debug)]
struct Open {
    block: Block,
    json: String,
}

/// What an event does to the reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on.
    More,
    /// It is whole.
    Whole,
    /// The provider failed.
    Failed(ApiError),
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Assembled {
    /// The model that answered; empty when it did not say.
    pub model: String,
    /// What to keep in the history.
    pub message: Message,
    /// Tool calls whose input is no JSON: the call's identifier and what is wrong with it.
    pub malformed: BTreeMap<String, String>,
    /// Why the model stopped; `None` when it did not say.
    pub stop_reason: Option<StopReason>,
    /// What it used.
    pub usage: Usage,
}

impl Assembly {
    /// Takes the next event.
    pub fn push(&mut self, event: Event) -> Step {
        match event {
            Event::MessageStart { message } => self.start(message),
            Event::ContentBlockStart { index, content_block } => self.open(index, content_block),
            Event::ContentBlockDelta { index, delta } => self.extend(index, delta),
            Event::MessageDelta { delta, usage } => {
                self.stop_reason = delta.stop_reason.or(self.stop_reason.take());
                self.usage.update(usage);
            }
            Event::MessageStop => return Step::Whole,
            Event::Error { error } => return Step::Failed(error),
            Event::Unknown => {}
        }
        Step::More
    }

    /// What was used so far; also of a reply that broke off, because it is paid for.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The reply, to be asked for once it is whole.
    pub fn finish(self) -> Assembled {
        let mut malformed = BTreeMap::new();
        let content = self
            .blocks
            .into_values()
            .map(|open| open.close(&mut malformed))
            .filter(worth_keeping);
        let content = content.collect();
        Assembled {
            model: self.model,
            message: Message {
                role: Role::Assistant,
                content,
            },
            malformed,
            stop_reason: self.stop_reason,
            usage: self.usage,
        }
    }

    fn start(&mut self, message: Reply) {
        self.model = message.model;
        self.usage.update(message.usage);
        for (index, block) in message.content.into_iter().enumerate() {
            self.open(index, block);
        }
    }

    fn open(&mut self, index: usize, block: Block) {
        if self.blocks.len() < MAX_BLOCKS {
            self.blocks.insert(
                index,
                Open {
                    block,
                    json: String::new(),
                },
            );
        }
    }

    fn extend(&mut self, index: usize, delta: Delta) {
        let Some(open) = self.blocks.get_mut(&index) else {
            return;
        };
        match (&mut open.block, delta) {
            (Block::Known(KnownBlock::Text { text }), Delta::TextDelta { text: more }) => {
                text.push_str(&more)
            }
            (
                Block::Known(KnownBlock::Thinking { thinking, .. }),
                Delta::ThinkingDelta { thinking: more },
            ) => {
                thinking.push_str(&more);
            }
            (
                Block::Known(KnownBlock::Thinking { signature, .. }),
                Delta::SignatureDelta { signature: more },
            ) => {
                signature.push_str(&more);
            }
            (Block::Known(KnownBlock::ToolUse { .. }), Delta::InputJsonDelta { partial_json }) => {
                open.json.push_str(&partial_json);
            }
            _ => {}
        }
    }
}

impl From<Reply> for Assembled {
    /// A reply that came in one piece.
    fn from(reply: Reply) -> Self {
        let stop_reason = reply.stop_reason.clone();
        let mut assembly = Assembly::default();
        assembly.start(reply);
        Self {
            stop_reason,
            ..assembly.finish()
        }
    }
}

impl Open {
    fn close(mut self, malformed: &mut BTreeMap<String, String>) -> Block {
        if let Block::Known(KnownBlock::ToolUse { id, input, .. }) = &mut self.block {
            if !self.json.trim().is_empty() {
                match serde_json::from_str(&self.json) {
                    Ok(value) => *input = value,
                    Err(fault) => {
                        malformed.insert(id.clone(), fault.to_string());
                        *input = Value::Object(Map::new());
                    }
                }
            }
            if !input.is_object() {
                malformed
                    .entry(id.clone())
                    .or_insert_with(|| "it is no JSON object".to_owned());
                *input = Value::Object(Map::new());
            }
        }
        self.block
    }
}

/// The API refuses empty text in a history.
fn worth_keeping(block: &Block) -> bool {
    !matches!(block, Block::Known(KnownBlock::Text { text }) if text.trim().is_empty())
}

#[cfg(test)]
mod tests;
