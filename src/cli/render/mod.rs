//! Documents as text. Pure: a view, a [`Look`] in; a `String` out.
//!
//! Invariant: every field passes through [`text`], so nothing that an agent wrote moves a terminal.
//! Deliberately absent: printing, and the loops of `--watch` and `-f`.

pub mod age;
pub mod attempts;
pub mod backup;
pub mod doctor;
pub mod events;
pub mod evidence;
pub mod facts;
pub mod gate;
pub mod lint;
pub mod look;
pub mod migrations;
pub mod nodes;
pub mod plan;
pub mod problems;
pub mod settings;
pub mod show;
pub mod status;
pub mod table;
pub mod text;
pub mod transcript;
mod waiting;
pub mod watch;
pub mod why;

#[cfg(test)]
pub(crate) mod fixtures;

pub use look::Look;

/// A JSON document as `--json` prints it: indented, with an end of line.
pub fn json<T: serde::Serialize>(document: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(document).map(|text| text + "\n")
}

#[cfg(test)]
mod tests;
