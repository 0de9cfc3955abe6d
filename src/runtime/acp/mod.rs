//! The `acp` runtime: any agent that speaks the Agent Client Protocol on its standard input and output.
//!
//! The worker is our own binary, started with the hidden verb [`VERB`]. It starts the agent as its child, is its
//! client for one prompt, and writes one JSON [`line::Line`] per event to standard output, which the [`reader`]
//! understands. So an agent is adopted, stopped and contained like any other worker.
//!
//! | module | holds |
//! | --- | --- |
//! | [`launch`], `greeting` | [`Acp`]: options, the process to start; the probe, an `initialize` and nothing more |
//! | [`settings`] | what the launch tells the worker, and how the worker reads it back |
//! | [`mod@line`], [`reader`], `voice` | the worker's output, from both sides |
//! | `agent`, `errors` | the agent's process, its lines and its standard error |
//! | `conversation`, `opening`, `model`, `prompt` | the client: one session, one prompt, in the protocol's order |
//! | `listener`, `calls`, `spend` | what the agent tells meanwhile |
//! | [`permission`] | what the agent may do, a pure policy |
//! | `lull`, `complaint` | whether its silence is a wait for its provider, pure |
//! | `verdict` | what the end means, pure |
//! | [`worker`] | the process around it |
//!
//! Invariants: nothing is ever allowed for longer than once; a session that cannot be opened again is poisoned; a
//! claim is only made by the stop reason `end_turn`.
//! Deliberately absent: the client's file and terminal methods (agents have their own, and ours would run outside of
//! what contains them), elicitation (nobody is there to answer), and a limit of turns of our own (the protocol
//! does not show turns; agents that take one get it).
//!
//! Source: protocol version 1, <https://agentclientprotocol.com>.

/// The version of Claude Code's adapter that the transcripts of tests/it/fixtures/acp were recorded from (but for one of
/// OpenCode 1.18.33), and that the tests drive.
pub const RECORDED_FROM: &str = "0.49.0";

mod address;
mod agent;
mod calls;
mod complaint;
mod conversation;
mod errors;
mod greeting;
pub mod launch;
pub mod line;
mod listener;
mod lull;
mod model;
mod opening;
pub mod permission;
mod prompt;
pub mod reader;
pub mod settings;
mod spend;
mod verdict;
mod voice;
pub mod worker;

pub use launch::{Acp, Options};
pub use permission::Permission;
pub use settings::Settings;

/// The hidden verb of the binary behind which the worker lives.
pub const VERB: &str = "__worker-acp";
