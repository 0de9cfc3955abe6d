//! The files that people and workers read and write, as pure functions over bytes and text.
//!
//! Invariants: nothing here reads a clock, a file, the environment or a random number; no input makes
//! anything here panic; what is not understood is kept as it is and said as a [`diagnostic::Diagnostic`].
//! Deliberately absent: opening, watching and replacing files (see `files`), and colours (see `cli`).

pub mod agent;
pub mod diagnostic;
pub mod duration;
pub mod heartbeat;
pub mod hosts;
pub mod job;
pub mod progress;
pub mod queue;
pub mod redact;
pub mod request;
pub mod retry_after;
pub mod review;
mod scan;
pub mod secret;
mod text;
