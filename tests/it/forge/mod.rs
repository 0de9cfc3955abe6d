//! Forges, against a stand-in server that speaks both dialects as their public descriptions have them.

mod errors;
mod gitea;
mod github;
mod lists;
pub mod stage;
mod story;
