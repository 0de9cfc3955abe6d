//! Files that people, workers and the orchestrator share: read safely, written atomically, watched.
//!
//! Invariants: a write is whole or not at all, and never undoes a change that somebody else made since it was read;
//! reading follows no surprise (pipes, devices, giant files) and an unchanged file costs one `stat`; what a file means
//! is for the pure formats, which come in as closures. All functions block for as long as a disk needs; async callers
//! use `spawn_blocking`. Deliberately absent: any decision on what to write.

pub mod archive;
pub mod atomic;
pub mod desk;
pub mod error;
mod exchange;
pub mod folder;
pub mod heartbeats;
pub mod identity;
pub mod leftovers;
pub mod lock;
pub mod progress;
pub mod queue_file;
mod requests;
pub mod wake;
pub mod watch;

pub use desk::Desk;
pub use error::FileError;
pub use exchange::{Updated, read_own, update_own};
pub use heartbeats::Heartbeats;
pub use identity::{Identity, Snapshot};
pub use lock::InstanceLock;
pub use progress::Progress;
pub use queue_file::QueueFile;
pub use requests::{Lying, MAX_REQUESTS};
pub use watch::{Changes, Watch};
