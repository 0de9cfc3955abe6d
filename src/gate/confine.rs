//! The port by which checks are put into a sandbox: the gate says what they need, whoever calls it knows how it is had.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use async_trait::async_trait;

use crate::workspace::GateCheckout;

/// A command line with its whole environment, before or after it was put into a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The program and its arguments; never empty.
    pub argv: Vec<OsString>,
    /// The environment.
    pub env: BTreeMap<OsString, OsString>,
}

/// What the checks of one checkout need; nothing else is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The folder that they start in.
    pub root: PathBuf,
    /// Folders that they may change: the checkout, and scratch beside it.
    pub write: Vec<PathBuf>,
    /// Folders that they may read: what git reads.
    pub read: Vec<PathBuf>,
    /// An empty folder that is to be their home.
    pub home: PathBuf,
    /// Scratch that lies outside of the checkout; one of `write`.
    pub scratch: PathBuf,
    /// Where the sandbox keeps its records, out of their sight.
    pub records: PathBuf,
}

impl Room {
    /// Of a checkout.
    pub(super) fn of(checkout: &GateCheckout) -> Self {
        Self {
            root: checkout.root().to_path_buf(),
            write: vec![checkout.top().to_path_buf(), checkout.scratch()],
            read: checkout.objects(),
            home: checkout.private_home(),
            scratch: checkout.scratch(),
            records: checkout.own(),
        }
    }
}

/// Whoever has sandboxes.
#[async_trait]
pub trait Confine: Send + Sync {
    /// A sandbox for this room that was tried and holds; else the reason, with what to do, and nothing runs.
    async fn confine(&self, room: &Room) -> Result<Box<dyn Confined>, String>;
}

/// A sandbox that holds.
pub trait Confined: Send + Sync {
    /// The call that makes this one in the sandbox.
    fn wrap(&self, call: Call) -> Result<Call, String>;

    /// By what it is made and a digest of what it allows, for receipts.
    fn told(&self) -> &str;

    /// The hosts that it refused so far because no rule names them, each refusal, in their order: as a rule that would let
    /// them through. By its own record, which no check can write.
    fn refused(&self) -> Vec<String>;
}
