//! Workspaces: where a worker works, and what it left there.
//!
//! Four kinds, one type: a git worktree of somebody's repository, a worktree of a cached clone, a folder of the
//! task's own, and a plain folder whose history is kept beside it (never in it). Each has a branch
//! `orchestrator/<task-id>` and a base, so evidence, fingerprints and the gate work alike.
//!
//! Invariants: everything that is created lies below the state folder; git is called with argument vectors, with
//! hooks, filters, file-system monitors and other programs that a repository's configuration may name switched off;
//! nothing that a worker leaves is thrown away.
//!
//! Deliberately absent: running workers or checks, any push but [`Workspace::push`] and [`Upstream::push`], and whatever decides what a task becomes.

mod advance;
mod artefact;
mod changes;
mod checkout;
mod disarm;
mod error;
mod evidence;
mod fence;
mod git;
mod imprint;
mod kept;
mod leftovers;
mod lock;
mod login;
mod look_up;
mod merge;
mod mirror;
mod own;
mod place;
mod prepare;
mod prune;
mod push;
mod record;
mod removal;
mod repository;
mod review;
mod root;
mod shadow;
mod source;
mod spare;
mod staging;
mod standing;
mod take_in;
mod touched;
mod twin;
mod upstream;

pub use advance::{Advance, UpToDate};
pub use changes::{ChangedFile, ChangedPath, Content, Diff, Entry};
pub use checkout::GateCheckout;
pub use error::{GitError, WorkspaceError};
pub use evidence::DiffStat;
pub use leftovers::{Drift, Leftovers};
pub use login::Login;
pub use merge::Merge;
pub use place::{Base, Tracking, Workspace};
pub use prepare::Workspaces;
pub use prune::Pruned;
pub use push::{Push, Pushed};
pub use review::{ReviewCheckout, delete_review};
pub use root::Root;
pub use spare::Spares;
pub use standing::Standing;
pub use take_in::TakenIn;
pub use upstream::{Content as UpstreamContent, Upstream, UpstreamError};
