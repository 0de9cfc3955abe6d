//! Floor 4, the surface that people type at: arguments in, text out.
//!
//! [`args`] turns words into typed requests, [`render`] turns the documents of `service::view` into text,
//! [`exit`] says how it ended, `verb` joins them: a file a verb.
//! Deliberately absent: what the verbs do (`service::operations`).

pub mod args;
pub mod exit;
pub mod render;
mod verb;

pub use verb::main;
