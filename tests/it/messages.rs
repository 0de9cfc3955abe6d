//! The `messages` worker against the scripted model: the real binary, real folders, loopback alone.

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod rig;
mod sessions;
mod tools;
mod troubles;
mod work;
