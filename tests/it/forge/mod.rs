//! Forges, against a stand-in server that speaks both dialects as their public descriptions have them.

mod errors;
mod gitea;
mod github;
mod lists;
mod stage;
mod story;
