//! The one integration test binary: a file a behaviour.

mod claude_code;
mod config;
mod files;
mod gate;
mod simulation;
mod store;
mod worker_process;
mod workspace;
