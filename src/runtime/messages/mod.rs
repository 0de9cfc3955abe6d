//! The `messages` runtime: a worker that needs nothing but a Messages-compatible endpoint and a key.
//!
//! The worker is our own binary, started with the hidden verb [`VERB`]; it asks the model, runs the tools the
//! model calls, and writes one JSON [`line::Line`] per event to standard output. The same line types are what
//! the [`reader`] understands, so the two sides cannot drift apart.
//!
//! | module | holds |
//! | --- | --- |
//! | [`launch`] | [`Messages`]: options, probe, the process to start |
//! | [`settings`] | what the launch tells the worker, and how the worker reads it back |
//! | [`mod@line`], [`reader`] | the worker's output, from both sides |
//! | [`wire`], [`assembly`], [`client`], [`trouble`] | the protocol: types, streaming, one call with its retries, what can go wrong |
//! | [`conversation`], [`session`] | the history, and its file for a later attempt |
//! | [`agent`], [`spend`], [`voice`], [`worker`] | the loop of turns, its limits, what it tells, the process around it |
//! | [`tools`] | what the model can do in the workspace |
//!
//! Deliberately absent: a price table (prices come from the options), context compaction (an overflow ends the
//! session as poisoned and a fresh one starts), containment beyond confined paths (that is the sandbox's work),
//! and a heartbeat file (the lines on standard output are the one witness).

pub mod agent;
pub mod assembly;
pub mod client;
pub mod conversation;
pub mod launch;
pub mod line;
pub mod reader;
pub mod session;
pub mod settings;
pub mod spend;
pub mod tools;
pub mod trouble;
pub mod voice;
pub mod wire;
pub mod worker;

pub use launch::{Messages, Options};
pub use reader::LineReader;
pub use settings::Settings;
pub use spend::Prices;

/// The hidden verb of the binary behind which the worker lives.
pub const VERB: &str = "__worker-messages";
