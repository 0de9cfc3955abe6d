//! Cells from outside: what a worker in one reaches, reads, changes and leaves, by real processes.
//!
//! Where a test says that it was seen to fail, the control that it names was taken out, and put back.

mod container;
mod engine;
mod files;
mod life;
mod network;
mod refusal;
mod rig;
mod service;
