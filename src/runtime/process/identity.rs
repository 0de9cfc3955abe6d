//! Who a process is: its pid, when it was started, and in which boot.
//!
//! A pid alone says nothing, since pids come round again. Signals go through a pidfd that was checked after it was
//! opened, so that they cannot hit another process that got the number in between.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use super::tree::{Pid, Stat};

/// The boot that a pid belongs to (`/proc/sys/kernel/random/boot_id`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootId(pub String);

impl BootId {
    /// The running boot's.
    pub fn current() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        Ok(Self(text.trim().to_owned()))
    }
}

/// The name of this host (`/proc/sys/kernel/hostname`); none where the system does not tell.
pub fn host() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// One process and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its number.
    pub pid: Pid,
    /// When it started, in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub start_time: u64,
    /// In which boot.
    pub boot_id: BootId,
}

impl Identity {
    /// The process that has this number now.
    pub fn of(pid: Pid) -> io::Result<Self> {
        Ok(Self {
            pid,
            start_time: Stat::read(pid)?.start_time,
            boot_id: BootId::current()?,
        })
    }

    /// Whether it lives; a zombie does not.
    pub fn is_alive(&self) -> bool {
        self.is_of_this_boot() && self.matches_living()
    }

    fn is_of_this_boot(&self) -> bool {
        BootId::current().is_ok_and(|boot| boot == self.boot_id)
    }

    fn matches_living(&self) -> bool {
        Stat::read(self.pid).is_ok_and(|stat| stat.start_time == self.start_time && stat.is_alive())
    }

    /// A descriptor that becomes readable when it ends; `None` when it is gone.
    pub(in crate::runtime) fn pidfd(&self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = rustix::process::Pid::from_raw(self.pid) else {
            return Ok(None);
        };
        if !self.is_of_this_boot() {
            return Ok(None);
        }
        match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(fd) => Ok(self.matches_living().then_some(fd)),
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Signals it and nobody else; says whether it was there.
    pub(in crate::runtime) fn signal(&self, signal: Signal) -> io::Result<bool> {
        let Some(fd) = self.pidfd()? else {
            return Ok(false);
        };
        match pidfd_send_signal(fd, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
