//! The worker's output: one JSON object a line, written by the worker and read by [`super::reader`].
//!
//! Texts are cut before they are written, so a line stays small whatever the model or a tool says.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::spend::Totals;
use crate::domain::outcome::EndKind;

/// Longest text in a line, in characters.
pub const MAX_TEXT: usize = 4_000;
/// Longest message of the model, in characters: it may be an answer that somebody reads.
const MAX_MESSAGE: usize = 64_000;

/// One event of a worker's life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// The worker began.
    Init {
        /// The session that a later attempt may go on in.
        session: String,
        /// The model that it asks.
        model: String,
        /// Whether an earlier conversation goes on.
        resumed: bool,
    },
    /// Something that people should know.
    Notice {
        /// What.
        text: String,
    },
    /// The model said something.
    Text {
        /// What it said.
        text: String,
    },
    /// The model calls a tool.
    ToolUse {
        /// The tool.
        name: String,
        /// Its input as JSON text.
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
    /// The worker says what it is doing.
    Phase {
        /// In its own words.
        text: String,
    },
    /// What the attempt has used so far.
    Usage(Totals),
    /// A call failed and is tried again.
    Retry {
        /// Why.
        reason: String,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// How long the worker waits, in milliseconds.
        delay_ms: u64,
        /// Whether the provider limits the rate, and until when.
        rate_limit: Option<RateLimit>,
    },
    /// Bytes arrived during a long call.
    Alive,
    /// The worker ended; the last line.
    Result(Closing),
    /// A line of a newer worker.
    #[serde(other)]
    Unknown,
}

/// A limit of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// When the provider may be asked again, where it said so.
    pub until: Option<DateTime<Utc>>,
}

/// How the worker ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    /// The kind of end.
    pub kind: EndKind,
    /// One sentence for people.
    pub reason: String,
    /// Whether the model said so itself with the `finish` tool.
    pub finished: bool,
    /// The HTTP status of the last trouble.
    pub http_status: Option<u16>,
    /// How many calls were made.
    pub turns: u32,
    /// What the attempt used.
    pub usage: Totals,
    /// The session that a later attempt may go on in.
    pub session: Option<String>,
}

/// Cuts a text to what a line may hold, and says so.
pub fn cut(text: &str) -> String {
    cut_at(text, MAX_TEXT)
}

/// Cuts what the model said.
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
        let rows = [
            (Line::Alive, json!({"type":"alive"})),
            (
                Line::Init {
                    session: "s".into(),
                    model: "m".into(),
                    resumed: true,
                },
                json!({"type":"init","session":"s","model":"m","resumed":true}),
            ),
            (
                Line::Result(Closing {
                    kind: EndKind::RateLimited { until: None },
                    reason: "r".into(),
                    finished: false,
                    http_status: Some(429),
                    turns: 1,
                    usage: Totals::default(),
                    session: None,
                }),
                json!({"type":"result","kind":{"rate-limited":{"until":null}},"reason":"r","finished":false,
                    "http_status":429,"turns":1,"session":null,
                    "usage":{"input_tokens":0,"output_tokens":0,"cached_tokens":0,"cost_usd":null}}),
            ),
        ];
        for (line, value) in rows {
            assert_eq!(serde_json::to_value(&line).unwrap(), value);
            assert_eq!(serde_json::from_value::<Line>(value).unwrap(), line);
        }
        assert_eq!(
            serde_json::from_value::<Line>(json!({"type":"new","x":1})).unwrap(),
            Line::Unknown
        );
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(cut("kurz"), "kurz");
        let long = "ü".repeat(MAX_TEXT + 7);
        assert!(cut(&long).ends_with("[… 14 more bytes]"));
    }
}
