//! The lease of a worker: how long it may run on without an orchestrator.
//!
//! Whoever drives an attempt touches `lease.json` again and again; its supervisor sees the file change and counts from
//! then, by the clock that both have of this machine's time since boot. A frozen, killed or cut-off orchestrator leaves a
//! worker behind for the length of the lease and no longer; where others take its tasks over the end is a fixed time
//! as well, so that a renewal that was on its way during a pause renews nothing. Who leaves on purpose and comes back
//! later ([`entrust`]) says so.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use serde::{Deserialize, Serialize};

use super::file;

/// What a renewal is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerms {
    /// For how long.
    pub length: Duration,
    /// The time since boot at which it ends at the latest, whatever happened meanwhile, because somebody else takes the task
    /// over. Without it a supervisor that was asleep gives its orchestrator time to come back.
    pub until: Option<Duration>,
}

/// One that gives its orchestrator time to come back.
impl From<Duration> for LeaseTerms {
    fn from(length: Duration) -> Self {
        Self { length, until: None }
    }
}

/// `lease.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::runtime) struct Lease {
    /// Milliseconds that a renewal is good for; without end where absent.
    length_ms: Option<u64>,
    /// Milliseconds since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
    /// That it ends in time, for a supervisor that knows no fixed time yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

/// By what a renewal shows: the file is another one, or was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) struct Mark {
    inode: u64,
    touched: (i64, i64),
}

impl Lease {
    pub(super) fn of(terms: Option<LeaseTerms>) -> Self {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let until = terms.and_then(|terms| terms.until);
        Self {
            length_ms: terms.map(|terms| milliseconds(terms.length)),
            until_ms: until.map(milliseconds),
            strict: until.is_some(),
        }
    }

    /// Whether it ends in time whatever happened meanwhile.
    pub(in crate::runtime) fn is_strict(self) -> bool {
        self.strict
    }

    /// How long it is good for from the moment of its last renewal.
    pub(in crate::runtime) fn length(self) -> Option<Duration> {
        self.length_ms.map(Duration::from_millis)
    }

    /// The time since boot at which it ends at the latest.
    pub(in crate::runtime) fn until(self) -> Option<Duration> {
        self.until_ms.map(Duration::from_millis)
    }

    /// What stands in an attempt's folder.
    pub(in crate::runtime) fn read(dir: &Path) -> io::Result<Option<Self>> {
        file::get_json(&dir.join(file::LEASE))
    }

    /// When it was last renewed, in a form that is only to be compared with itself.
    pub(in crate::runtime) fn mark(dir: &Path) -> io::Result<Mark> {
        let meta = std::fs::metadata(dir.join(file::LEASE))?;
        Ok(Mark {
            inode: meta.ino(),
            touched: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// Renews a lease on these terms. Written anew where it stands differently, touched where not.
pub(super) fn renew(dir: &Path, terms: LeaseTerms) -> io::Result<()> {
    let lease = Lease::of(Some(terms));
    // One that cannot be read is written anew.
    if Lease::read(dir).ok().flatten() != Some(lease) {
        return file::put(&dir.join(file::LEASE), &serde_json::to_vec(&lease)?);
    }
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let lease = File::open(dir.join(file::LEASE))?;
    Ok(futimens(
        lease,
        &Timestamps {
            last_access: now,
            last_modification: now,
        },
    )?)
}

/// Leaves a worker to its supervisor without an end to its lease: it may run until its timeout, and nobody is there
/// until the next pass. The next driver's renewal limits it again.
pub fn entrust(dir: &Path) -> io::Result<()> {
    let endless = Lease::of(None);
    file::put(&dir.join(file::LEASE), &serde_json::to_vec(&endless)?)
}
