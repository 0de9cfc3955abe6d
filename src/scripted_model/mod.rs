//! A scripted model: an HTTP server on loopback that speaks two providers' protocols from a script (floor 1).
//!
//! `orchestrator demo` runs its workers against it, and so do the tests: no key, no network, the same answers
//! every time. A [`Script`] is plain values; [`Script::describe`] says in words what is scripted. Nothing about a
//! conversation is kept: the scenario follows from the model's name and the marks in its first messages, the step
//! from the number of assistant turns in the request. So a resumed session goes on where it was, and parallel
//! sessions do not disturb each other. The one thing that is counted is how often a [`Fault`] struck.
//!
//! | module | holds |
//! | --- | --- |
//! | [`script`], [`fault`] | what is answered: scenarios, steps; what goes wrong |
//! | [`ask`] | what is asked, as far as the script looks at it; independent of the protocol |
//! | [`protocol`] | which protocol a conversation is held in, and what they have in common |
//! | [`anthropic`] | the Messages protocol: reading requests, writing replies |
//! | [`openai`] | the Responses protocol, likewise |
//! | [`server`] | the server and the record of its requests |
//!
//! Deliberately absent: anything that thinks, and any address but loopback.

pub mod anthropic;
pub mod ask;
pub mod fault;
pub mod openai;
pub mod protocol;
pub mod script;
pub mod server;

pub use fault::{Fault, FaultKind, Refusal};
pub use protocol::Protocol;
pub use script::{Scenario, Script, Step, Tokens};
pub use server::{Recorded, Server};
