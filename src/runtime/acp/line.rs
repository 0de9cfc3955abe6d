//! The worker's output: one JSON object a line, written by the worker and read by [`super::reader`].
//!
//! Texts are cut before they are written, so a line stays small whatever the agent says. Kinds that this version does
//! not know are read as [`Line::Unknown`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::outcome::EndKind;

/// Longest text in a line, in characters.
const MAX_TEXT: usize = 4_000;
/// Longest piece of what the agent said, in characters: it may be an answer that somebody reads.
const MAX_MESSAGE: usize = 64_000;

/// One event of a worker's life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// A session is open.
    Init {
        /// The session that a later attempt may go on in.
        session: String,
        /// The model that answers, where the agent tells.
        model: Option<String>,
        /// The agent and its version.
        agent: String,
        /// Whether an earlier conversation goes on.
        resumed: bool,
    },
    /// Something that people should know.
    Notice {
        /// What.
        text: String,
    },
    /// The agent said something.
    Text {
        /// What it said.
        text: String,
    },
    /// The agent thought something.
    Thought {
        /// What it thought.
        text: String,
    },
    /// The agent calls a tool.
    ToolUse {
        /// The tool.
        name: String,
        /// Its input as JSON text, or the agent's words for it.
        input: String,
    },
    /// A tool answered.
    ToolResult {
        /// The tool.
        name: String,
        /// Whether it failed.
        is_error: bool,
        /// What it gave.
        text: String,
    },
    /// The agent asked for something and did not get it.
    Denied {
        /// The tool.
        tool: String,
        /// Why not.
        reason: String,
    },
    /// What the agent's plan says it is doing.
    Phase {
        /// In its own words.
        text: String,
    },
    /// What the attempt has used so far.
    Usage(Used),
    /// What the provider says of one of its limits.
    RateLimit(Limit),
    /// The agent waits to ask its provider again: it says so, or is silent after a complaint.
    Retrying {
        /// Which complaint in a row this is.
        attempt: u32,
        /// How long it waits, in milliseconds, as far as is known.
        delay_ms: u64,
        /// The provider's HTTP status, where it is told.
        status: Option<u16>,
        /// The trouble in a word.
        error: String,
        /// The agent's words on standard error, where it has no others.
        said: String,
    },
    /// The agent is alive, and what it does is not worth a line.
    Alive,
    /// The worker ended; the last line.
    Result(Closing),
    /// A line of a newer worker.
    #[serde(other)]
    Unknown,
}

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Used {
    /// By this attempt, in US dollars, where reported.
    pub cost_usd: Option<f64>,
    /// By the session, earlier attempts included, in US dollars, where reported.
    pub session_cost_usd: Option<f64>,
    /// Tokens read, cached ones included, where reported.
    pub input_tokens: Option<u64>,
    /// Tokens written, where reported.
    pub output_tokens: Option<u64>,
    /// Tokens in the agent's context.
    pub context_tokens: Option<u64>,
    /// Tokens that its context can hold.
    pub context_size: Option<u64>,
}

/// A provider's limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// `allowed`, `allowed_warning`, `rejected`, or another word.
    pub status: String,
    /// Which limit.
    pub limit: String,
    /// How much of it is used, from 0 to 1.
    pub utilization: Option<f64>,
    /// When it starts anew.
    pub until: Option<DateTime<Utc>>,
}

/// How the worker ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    /// The kind of end.
    pub kind: EndKind,
    /// One sentence for people.
    pub reason: String,
    /// Whether the agent ended before it answered, so that its standard error tells more.
    pub died: bool,
    /// What the attempt used.
    pub usage: Used,
}

/// Cuts a text to what a line may hold, and says so.
pub fn cut(text: &str) -> String {
    cut_at(text, MAX_TEXT)
}

/// Cuts what the agent said.
pub fn cut_message(text: &str) -> String {
    cut_at(text, MAX_MESSAGE)
}

fn cut_at(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} [… {} more bytes]", &text[..end], text.len() - end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_words_of_the_format() {
        let closing = Closing {
            kind: EndKind::RateLimited { until: None },
            reason: "r".into(),
            died: false,
            usage: Used::default(),
        };
        let rows = [
            (Line::Alive, json!({"type":"alive"})),
            (
                Line::Init {
                    session: "s".into(),
                    model: None,
                    agent: "a 1".into(),
                    resumed: true,
                },
                json!({"type":"init","session":"s","model":null,"agent":"a 1","resumed":true}),
            ),
            (
                Line::Denied {
                    tool: "t".into(),
                    reason: "r".into(),
                },
                json!({"type":"denied","tool":"t","reason":"r"}),
            ),
            (
                Line::Result(closing),
                json!({"type":"result","kind":{"rate-limited":{"until":null}},"reason":"r","died":false,
                    "usage":{"cost_usd":null,"session_cost_usd":null,"input_tokens":null,"output_tokens":null,
                    "context_tokens":null,"context_size":null}}),
            ),
        ];
        for (line, value) in rows {
            assert_eq!(serde_json::to_value(&line).unwrap(), value);
            assert_eq!(serde_json::from_value::<Line>(value).unwrap(), line);
        }
        let newer = json!({"type":"new","x":1});
        assert_eq!(serde_json::from_value::<Line>(newer).unwrap(), Line::Unknown);
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(cut("kurz"), "kurz");
        assert!(cut(&"ü".repeat(MAX_TEXT + 7)).ends_with("[… 14 more bytes]"));
    }
}
