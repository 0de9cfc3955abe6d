//! The one integration test binary: a file a behaviour.

mod config;
mod files;
mod simulation;
mod store;
mod worker_process;
