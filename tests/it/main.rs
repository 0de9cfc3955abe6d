//! The one integration test binary: a file a behaviour.

mod config;
mod files;
mod gate;
mod simulation;
mod store;
mod worker_process;
mod workspace;
