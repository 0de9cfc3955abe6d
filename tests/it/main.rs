//! The one integration test binary: a file a behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod config;
mod files;
