//! The one integration test binary: a file a behaviour.
#![allow(clippy::unwrap_used, reason = "a test ends where its setup fails")]

mod store;
mod store_sides;
mod store_sqlite;
mod store_tasks;
mod store_walk;
