//! Waiting for signals, for descriptors, and for a time on the clock that goes on while the machine sleeps.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// One alarm, set anew for each wait.
pub(super) struct Timer {
    alarm: OwnedFd,
    set_to: Option<Duration>,
}

impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            alarm: timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)?,
            set_to: None,
        })
    }

    /// Waits until one of these can be read, or until this time since boot.
    pub(super) fn wait<'a>(
        &mut self,
        until: Duration,
        sources: impl Iterator<Item = BorrowedFd<'a>>,
    ) -> io::Result<()> {
        self.set(until)?;
        let alarm = PollFd::new(&self.alarm, PollFlags::IN);
        let sources = sources.map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN));
        let mut all: Vec<PollFd<'_>> = std::iter::once(alarm).chain(sources).collect();
        match poll(&mut all, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// An alarm that is set to a time that has passed stays due until it is set to another.
    fn set(&mut self, at: Duration) -> io::Result<()> {
        if self.set_to == Some(at) {
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec::try_from(at).map_err(io::Error::other)?,
        };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::ABSTIME, &once)?;
        self.set_to = Some(at);
        Ok(())
    }
}
