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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn fold(events: &[Value]) -> (Vec<Step>, Assembled) {
        let mut assembly = Assembly::default();
        let steps = events
            .iter()
            .map(|event| assembly.push(serde_json::from_value(event.clone()).expect("an event")))
            .collect();
        (steps, assembly.finish())
    }

    #[test]
    fn a_streamed_reply_becomes_whole() {
        let (steps, reply) = fold(&[
            json!({"type":"message_start","message":{"id":"m","model":"haiku","content":[],"stop_reason":null,
                "usage":{"input_tokens":7,"output_tokens":1,"cache_read_input_tokens":3}}}),
            json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
            json!({"type":"ping"}),
            json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Grü"}}),
            json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ße"}}),
            json!({"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}}),
            json!({"type":"content_block_stop","index":0}),
            json!({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t1","name":"bash","input":{}}}),
            json!({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}),
            json!({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"comm"}}),
            json!({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"and\":\"ls\"}"}}),
            json!({"type":"an_event_of_the_future","x":1}),
            json!({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":42}}),
            json!({"type":"message_stop"}),
        ]);
        assert_eq!(steps.last(), Some(&Step::Whole));
        assert!(steps[..steps.len() - 1].iter().all(|step| *step == Step::More));
        assert_eq!(reply.model, "haiku");
        assert_eq!(reply.stop_reason, Some(StopReason::ToolUse));
        assert_eq!(reply.usage.output_tokens, Some(42));
        assert_eq!(reply.usage.input_tokens, Some(7));
        assert_eq!(reply.usage.cache_read_input_tokens, Some(3));
        assert_eq!(
            serde_json::to_value(&reply.message).unwrap(),
            json!({"role":"assistant","content":[{"type":"text","text":"Grüße"},
                {"type":"tool_use","id":"t1","name":"bash","input":{"command":"ls"}}]})
        );
        assert!(reply.malformed.is_empty());
    }

    #[test]
    fn broken_tool_inputs_are_named_and_emptied() {
        for (pieces, fault) in [
            (vec!["{\"command\": \"ls"], "EOF"),
            (vec!["not json"], "expected"),
            (vec!["[1,2]"], "no JSON object"),
        ] {
            let mut events = vec![
                json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"bash","input":{}}}),
            ];
            events.extend(pieces.iter().map(|piece| {
                json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":piece}})
            }));
            let (_, reply) = fold(&events);
            assert!(reply.malformed["t"].contains(fault), "{:?}", reply.malformed);
            assert_eq!(
                serde_json::to_value(&reply.message.content[0]).unwrap()["input"],
                json!({})
            );
        }
    }

    #[test]
    fn unknown_blocks_and_reasoning_go_back_verbatim() {
        let strange = json!({"type":"redacted_thinking","data":"xyz"});
        let (_, reply) = fold(&[
            json!({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}),
            json!({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}),
            json!({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}),
            json!({"type":"content_block_start","index":1,"content_block":strange}),
        ]);
        assert_eq!(
            serde_json::to_value(&reply.message.content).unwrap(),
            json!([{"type":"thinking","thinking":"hm","signature":"sig"}, strange])
        );
    }

    #[test]
    fn an_error_event_ends_the_reply() {
        let (steps, _) =
            fold(&[json!({"type":"error","error":{"type":"overloaded_error","message":"busy"}})]);
        let error = ApiError {
            kind: "overloaded_error".into(),
            message: "busy".into(),
        };
        assert_eq!(steps, [Step::Failed(error)]);
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let block = prop_oneof![
            Just(Block::text("x")),
            Just(Block::Other(json!({"type":"odd"}))),
            "[a-c]".prop_map(|id| Block::Known(KnownBlock::ToolUse {
                id,
                name: "n".into(),
                input: json!({})
            })),
        ];
        let delta = prop_oneof![
            ".*".prop_map(|text| Delta::TextDelta { text }),
            ".*".prop_map(|partial_json| Delta::InputJsonDelta { partial_json }),
            ".*".prop_map(|signature| Delta::SignatureDelta { signature }),
            Just(Delta::Unknown),
        ];
        prop_oneof![
            (0usize..4, block)
                .prop_map(|(index, content_block)| Event::ContentBlockStart { index, content_block }),
            (any::<usize>(), delta.clone())
                .prop_map(|(index, delta)| Event::ContentBlockDelta { index, delta }),
            (0usize..4, delta).prop_map(|(index, delta)| Event::ContentBlockDelta { index, delta }),
            Just(Event::Unknown),
            Just(Event::MessageStop),
        ]
    }

    proptest! {
        #[test]
        fn any_order_of_events_gives_a_history_that_the_api_takes(events in prop::collection::vec(any_event(), 0..40)) {
            let mut assembly = Assembly::default();
            for event in events {
                assembly.push(event);
            }
            for block in assembly.finish().message.content {
                let value = serde_json::to_value(&block).unwrap();
                prop_assert!(value["type"] != "tool_use" || value["input"].is_object());
                prop_assert!(value["type"] != "text" || !value["text"].as_str().unwrap().trim().is_empty());
            }
        }

        #[test]
        fn no_text_panics_the_parser(text in ".*") {
            let _ = serde_json::from_str::<Event>(&text);
            let _ = serde_json::from_str::<Reply>(&text);
        }
    }
}
