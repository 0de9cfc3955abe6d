//! The liars' table: ways of being falsely done, each through the whole service. None of them is archived.
//!
//! A row names the defences that hold it. `tests/liars/without` builds a copy of the program in which each of them can be
//! taken out, and runs the same rows: there every one of them is archived, or its row would prove nothing.

mod changes;
mod checks;
mod instance;
mod outside;
mod people;
mod recipes;
mod repository;
pub(crate) mod stage;
mod tools;
mod weakened;
mod work;
