//! The one integration test binary: a file a behaviour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test sets the scene: processes, variables, times"
)]

mod architecture;
mod config;
mod files;
mod watch;
