//! PROACTIVE-JOBS.md: a lossless reader and writer of the queue that people edit.
//!
//! Invariants: the bytes that go in are the bytes that come out, but for the values that the orchestrator owns
//! and the sections that it moves; what cannot be read is a diagnostic, and the rest of the file is read on.
//! Deliberately absent: file access and atomic replacement (see `files`), and any decision about tasks.
//!
//! The way through: [`Document::parse`] finds sections and fields, [`read`] turns them into definitions and
//! checks them against what else is [`Known`], [`apply`] makes the orchestrator's own edits.

mod check;
mod cycle;
mod definition;
mod document;
mod edit;
mod evidence;
mod field;
mod heading;
mod insert;
mod item;
mod outline;
mod reading;
mod scope;
mod status;
mod sub_task;
mod subsection;

pub(in crate::format) use check::best;
pub use check::{Known, check};
pub use document::{Document, MAX_BYTES, MAX_LINES};
pub use edit::{Applied, Edit, Missed, NewTask, Overflow, StatusField, Why, apply};
pub use field::{Field, FieldKind};
pub use heading::Mark;
pub use outline::{Block, BlockKind, Place, Section};
pub use reading::{QueuedTask, Reading, fingerprint, read};
pub use status::{Status, parse_status};
pub use sub_task::sub_task;
pub(in crate::format) use subsection::category_in;
