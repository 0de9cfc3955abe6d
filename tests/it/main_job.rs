//! The main job from outside: the real program on temporary instances, its workers small scripts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on is to say where")]
#![allow(clippy::disallowed_methods, reason = "a test from outside starts programs")]

mod agents;
mod approvals;
mod backup;
mod bad_input;
mod choices;
mod commands;
mod crashes;
mod editors;
mod edits;
mod evidence;
mod families;
pub(crate) mod fleet;
mod fleet_bus;
mod forge;
pub(crate) mod gateway;
mod landing;
mod leases;
mod life;
mod moving;
mod outcomes;
mod owners;
mod postgres;
mod private;
mod questions;
mod repository;
mod retention;
mod review;
mod stuck;
mod tampering;
mod validators;
mod webhook;
pub(crate) mod world;
