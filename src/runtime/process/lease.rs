//! The lease of a worker: how long it may run on without an orchestrator.
//!
//! Whoever drives an attempt touches `lease.json` again and again; its supervisor sees the file change and counts from
//! then by its own clock, so no two clocks are ever compared. A frozen, killed or cut-off orchestrator leaves a worker
//! behind for the length of the lease and no longer. Who leaves on purpose and comes back later ([`entrust`]) says so.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use serde::{Deserialize, Serialize};

use super::file;

/// `lease.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::runtime) struct Lease {
    /// Milliseconds that a renewal is good for; without end where absent.
    length_ms: Option<u64>,
}

/// By what a renewal shows: the file is another one, or was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) struct Mark {
    inode: u64,
    touched: (i64, i64),
}

impl Lease {
    pub(super) fn of(length: Option<Duration>) -> Self {
        Self {
            length_ms: length.map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// How long it is good for from the moment of its last renewal.
    pub(in crate::runtime) fn length(self) -> Option<Duration> {
        self.length_ms.map(Duration::from_millis)
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

/// Renews a lease of this length. Written anew where it stands differently, touched where not.
pub(super) fn renew(dir: &Path, length: Duration) -> io::Result<()> {
    let lease = Lease::of(Some(length));
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
