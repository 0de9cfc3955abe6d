//! The engine of a fleet: PostgreSQL.

mod roster;

pub use roster::Roster;
