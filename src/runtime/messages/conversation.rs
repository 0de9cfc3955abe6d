//! The history of one session: what the API is asked with. Pure.
//!
//! Invariants: after [`Conversation::say`] every tool call has its answer in the next user message, and the
//! history ends with a user message, whatever was loaded.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::wire::{Block, KnownBlock, Message, Role};

/// The messages so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Conversation {
    messages: Vec<Message>,
}

impl Conversation {
    /// Whether the model has answered yet.
    pub fn is_fresh(&self) -> bool {
        !self
            .messages
            .iter()
            .any(|message| message.role == Role::Assistant)
    }

    /// Whether this block was said before, for what need not be said twice.
    pub fn holds(&self, block: &Block) -> bool {
        self.messages
            .iter()
            .any(|message| message.content.contains(block))
    }

    /// Adds the model's reply; an empty one is left out, because the API refuses it.
    pub fn reply(&mut self, message: Message) {
        if !message.content.is_empty() {
            self.messages.push(message);
        }
    }

    /// Adds our side's words: answers to tools first, then text, in one user message.
    pub fn say(&mut self, mut blocks: Vec<Block>) {
        let mut answers = self.missing_answers(&blocks);
        answers.append(&mut blocks);
        match self.messages.last_mut() {
            Some(last) if last.role == Role::User => last.content.append(&mut answers),
            _ => self.messages.push(Message {
                role: Role::User,
                content: answers,
            }),
        }
    }

    /// Answers for calls of the last reply that nobody has answered: an earlier worker died at them.
    fn missing_answers(&self, blocks: &[Block]) -> Vec<Block> {
        let Some(last) = self
            .messages
            .last()
            .filter(|message| message.role == Role::Assistant)
        else {
            return Vec::new();
        };
        let answered: BTreeSet<&str> = blocks.iter().filter_map(answered_call).collect();
        let calls = last.content.iter().filter_map(call_id);
        calls
            .filter(|id| !answered.contains(id))
            .map(|id| Block::tool_result(id, "interrupted before it gave a result", true))
            .collect()
    }

    /// The history as the request wants it; with `cache`, its end is marked for the provider's cache.
    pub fn to_request(&self, cache: bool) -> Value {
        let mut value = json!(self.messages);
        if cache
            && let Some(last) = value.as_array_mut().and_then(|list| list.last_mut())
            && let Some(block) = last["content"].as_array_mut().and_then(|list| list.last_mut())
            && let Some(fields) = block.as_object_mut()
        {
            fields.insert("cache_control".to_owned(), json!({"type": "ephemeral"}));
        }
        value
    }
}

fn call_id(block: &Block) -> Option<&str> {
    match block {
        Block::Known(KnownBlock::ToolUse { id, .. }) => Some(id),
        _ => None,
    }
}

fn answered_call(block: &Block) -> Option<&str> {
    match block {
        Block::Known(KnownBlock::ToolResult { tool_use_id, .. }) => Some(tool_use_id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(ids: &[&str]) -> Message {
        let call = |id: &&str| {
            Block::Known(KnownBlock::ToolUse {
                id: (*id).to_owned(),
                name: "bash".into(),
                input: json!({}),
            })
        };
        Message {
            role: Role::Assistant,
            content: ids.iter().map(call).collect(),
        }
    }

    #[test]
    fn every_call_gets_an_answer_before_the_new_prompt() {
        let mut talk = Conversation::default();
        talk.say(vec![Block::text("go")]);
        assert!(talk.is_fresh());
        talk.reply(calls(&["a", "b"]));
        talk.say(vec![Block::tool_result("b", "ok", false), Block::text("again")]);
        assert!(!talk.is_fresh());
        assert_eq!(
            talk.to_request(true)[2],
            json!({"role":"user","content":[
                {"type":"tool_result","tool_use_id":"a","content":"interrupted before it gave a result","is_error":true},
                {"type":"tool_result","tool_use_id":"b","content":"ok","is_error":false},
                {"type":"text","text":"again","cache_control":{"type":"ephemeral"}}]})
        );
    }

    #[test]
    fn two_user_turns_become_one_and_empty_replies_are_left_out() {
        let mut talk = Conversation::default();
        talk.say(vec![Block::text("one")]);
        talk.reply(Message {
            role: Role::Assistant,
            content: vec![],
        });
        talk.say(vec![Block::text("two")]);
        let request = talk.to_request(false);
        assert_eq!(
            request,
            json!([{"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]}])
        );
    }
}
