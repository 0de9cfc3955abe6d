//! The `acp` worker against agents that are played: the real binary and a real child, recorded and made-up words.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod permissions;
mod recorded;
mod rig;
mod sessions;
mod stops;
mod troubles;
