//! The one integration test binary: a file a behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test sets the scene: processes, variables, times"
)]

mod acp;
mod architecture;
mod backup;
mod bus;
mod chaos;
mod claude_code;
mod cluster_jobs;
mod codex;
mod commands;
mod config;
mod containment;
mod deploy;
mod files;
mod forge;
mod gate;
mod honest;
mod liars;
mod main_job;
#[cfg(feature = "matrix")]
mod matrix;
mod mcp;
mod messages;
mod outcomes;
mod postgres;
mod postgres_history;
mod private_postgres;
mod queue_criteria;
mod queue_edit;
mod queue_file;
mod queue_properties;
mod queue_size;
mod queue_support;
mod real_clients;
mod render;
mod responses;
mod runtime_contract;
mod security;
mod service_faults;
mod simulation;
mod slack;
mod store;
mod store_cheats;
mod store_fresh;
mod store_history;
mod store_outages;
mod store_output;
mod store_postgres;
mod store_sides;
mod store_sqlite;
mod store_talk;
mod store_tasks;
mod store_tls;
mod store_walk;
mod surface;
mod watch;
mod worker_process;
mod workspace;
