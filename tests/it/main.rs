//! The one integration test binary: a file a behaviour.

mod config;
mod simulation;
mod store;
mod worker_process;
