//! The Anthropic Messages protocol as far as a worker needs it: requests, replies, stream events, errors.
//!
//! Source: the public API reference ("Messages", "Streaming messages", "Errors"). Unknown events, deltas and
//! content blocks are tolerated; unknown blocks are kept verbatim, because the API wants them back.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One side's turn in the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Whose turn.
    pub role: Role,
    /// What was said.
    pub content: Vec<Block>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The orchestrator's side.
    User,
    /// The model.
    Assistant,
}

/// A piece of content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Block {
    /// A block whose form is known here.
    Known(KnownBlock),
    /// Any other block, verbatim.
    Other(Value),
}

/// The blocks that the worker reads or writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum KnownBlock {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// Reasoning that must be sent back unchanged.
    Thinking {
        /// The reasoning.
        thinking: String,
        /// The provider's proof that it is unchanged.
        #[serde(default)]
        signature: String,
    },
    /// The model wants a tool to run.
    ToolUse {
        /// The call's identifier.
        id: String,
        /// The tool.
        name: String,
        /// Its input.
        input: Value,
    },
    /// What a tool gave.
    ToolResult {
        /// The call that it answers.
        tool_use_id: String,
        /// The output; text, or blocks when it was written by somebody else.
        content: Value,
        /// Whether the tool failed.
        #[serde(default)]
        is_error: bool,
    },
}

impl Block {
    /// A block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Known(KnownBlock::Text { text: text.into() })
    }

    /// The answer to a tool call.
    pub fn tool_result(id: &str, text: &str, is_error: bool) -> Self {
        Self::Known(KnownBlock::ToolResult {
            tool_use_id: id.to_owned(),
            content: Value::from(text),
            is_error,
        })
    }
}

/// Tokens of one call as the provider counts them; an absent number has not been said yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Read, not from the cache.
    #[serde(default)]
    pub input_tokens: Option<u64>,
    /// Written.
    #[serde(default)]
    pub output_tokens: Option<u64>,
    /// Read, and put into the cache.
    #[serde(default)]
    pub cache_creation_input_tokens: Option<u64>,
    /// Read from the cache.
    #[serde(default)]
    pub cache_read_input_tokens: Option<u64>,
}

impl Usage {
    /// Takes over what `later` says; the numbers of one call are cumulative, so the later word stands.
    pub fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_creation_input_tokens = later
            .cache_creation_input_tokens
            .or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
    }
}

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum StopReason {
    /// It was finished.
    EndTurn,
    /// It waits for tools.
    ToolUse,
    /// The reply reached the token limit.
    MaxTokens,
    /// It refused.
    Refusal,
    /// The provider paused a long turn.
    PauseTurn,
    /// The context is full.
    ContextFull,
    /// A reason not known here.
    Other(String),
}

impl From<String> for StopReason {
    fn from(word: String) -> Self {
        match word.as_str() {
            "end_turn" | "stop_sequence" => Self::EndTurn,
            "tool_use" => Self::ToolUse,
            "max_tokens" => Self::MaxTokens,
            "refusal" => Self::Refusal,
            "pause_turn" => Self::PauseTurn,
            "model_context_window_exceeded" => Self::ContextFull,
            _ => Self::Other(word),
        }
    }
}

/// A whole reply, as it comes without streaming and as [`super::assembly`] puts it together.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Reply {
    /// The model that answered.
    #[serde(default)]
    pub model: String,
    /// What it said.
    pub content: Vec<Block>,
    /// Why it stopped.
    pub stop_reason: Option<StopReason>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
}

/// An event of the stream.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The reply begins.
    MessageStart {
        /// The reply so far.
        message: Reply,
    },
    /// A block begins.
    ContentBlockStart {
        /// Its place.
        index: usize,
        /// What is known of it.
        content_block: Block,
    },
    /// A block goes on.
    ContentBlockDelta {
        /// Its place.
        index: usize,
        /// What is added.
        delta: Delta,
    },
    /// The reply's own fields change.
    MessageDelta {
        /// The change.
        delta: MessageDelta,
        /// Cumulative usage.
        #[serde(default)]
        usage: Usage,
    },
    /// The reply is whole.
    MessageStop,
    /// The provider failed in mid-stream.
    Error {
        /// What failed.
        error: ApiError,
    },
    /// A ping, the end of a block, or an event not known here.
    #[serde(other)]
    Unknown,
}

/// An addition to a block.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Delta {
    /// More text.
    TextDelta {
        /// The text.
        text: String,
    },
    /// More of a tool's input, as JSON text.
    InputJsonDelta {
        /// A piece of it, possibly empty.
        partial_json: String,
    },
    /// More reasoning.
    ThinkingDelta {
        /// The reasoning.
        thinking: String,
    },
    /// The proof of the reasoning.
    SignatureDelta {
        /// The proof.
        signature: String,
    },
    /// A delta not known here.
    #[serde(other)]
    Unknown,
}

/// A change of the reply's own fields.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct MessageDelta {
    /// Why the model stopped.
    #[serde(default)]
    pub stop_reason: Option<StopReason>,
}

/// An error's type and text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct ApiError {
    /// For example `overloaded_error`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// For people.
    #[serde(default)]
    pub message: String,
}

/// The body of an answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ApiError,
}
