//! Watching a worker until nobody of its tree is left.
//!
//! One loop, woken by signals (a child ended, a stop was asked for) and by one timer on the clock that goes on while
//! the machine sleeps. A tree that is to be stopped gets the polite signal, then, after the grace, the other one again
//! and again; what outlives a worker that ended by itself gets the other one at once.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal as Caught;
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::descendants::{reap, signal_all};
use crate::runtime::process::{Cause, Exit, Order, Pid, Status, StopRequest, boot_now, file, wall_now};

/// Between two looks at the output while it grows, and at most while it does not.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));
/// Between two rounds of killing.
const ROUND: Duration = Duration::from_millis(5);

/// All times are since boot.
pub(super) struct Watch {
    dir: PathBuf,
    worker: Pid,
    signals: SignalFd,
    timer: OwnedFd,
    output: Output,
    times_out_at: Duration,
    grace: Duration,
    stopping: Option<Stopping>,
    status: Option<Status>,
    /// Whoever was killed after the worker's own end.
    stragglers: HashSet<(Pid, u64)>,
}

struct Stopping {
    cause: Cause,
    kill_at: Duration,
}

struct Output {
    limit: u64,
    seen: u64,
    every: Duration,
    look_at: Duration,
}

impl Watch {
    pub(super) fn new(dir: &Path, order: &Order, worker: Pid, signals: SignalFd) -> io::Result<Self> {
        let now = boot_now();
        Ok(Self {
            dir: dir.to_owned(),
            worker,
            signals,
            timer: timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)?,
            output: Output {
                limit: order.limits.output_bytes,
                seen: 0,
                every: LOOK.0,
                look_at: now + LOOK.0,
            },
            times_out_at: now.saturating_add(Duration::from_millis(order.timeout_ms)),
            grace: Duration::from_millis(order.grace_ms),
            stopping: None,
            status: None,
            stragglers: HashSet::new(),
        })
    }

    pub(super) fn until_nobody_is_left(mut self) -> io::Result<Exit> {
        loop {
            let reaped = reap(self.worker)?;
            self.status = self.status.or(reaped.worker);
            if reaped.nobody_left {
                return Ok(self.exit());
            }
            let now = boot_now();
            self.look_at_output(now)?;
            self.look_at_clock(now)?;
            self.kill_whoever_must_go(now)?;
            self.sleep_until(self.next_look(now))?;
            self.hear_signals()?;
        }
    }

    fn exit(self) -> Exit {
        Exit {
            cause: self.stopping.map_or(Cause::Exited, |stopping| stopping.cause),
            status: self.status,
            ended_at: wall_now(),
            stragglers_killed: u32::try_from(self.stragglers.len()).unwrap_or(u32::MAX),
        }
    }

    fn look_at_output(&mut self, now: Duration) -> io::Result<()> {
        if now < self.output.look_at {
            return Ok(());
        }
        let written: u64 = [file::STDOUT, file::STDERR]
            .iter()
            .map(|name| self.size(name))
            .sum();
        if self.output.is_too_much(written, now) && self.stopping.is_none() && self.status.is_none() {
            // It would only fill the disk during the grace.
            self.stop(
                Cause::OutputLimit {
                    limit: self.output.limit,
                },
                now,
                Duration::ZERO,
            )?;
        }
        Ok(())
    }

    fn size(&self, name: &str) -> u64 {
        std::fs::metadata(self.dir.join(name)).map_or(0, |meta| meta.len())
    }

    fn look_at_clock(&mut self, now: Duration) -> io::Result<()> {
        if now >= self.times_out_at && self.stopping.is_none() && self.status.is_none() {
            self.stop(Cause::Timeout, now, self.grace)?;
        }
        Ok(())
    }

    fn kill_whoever_must_go(&mut self, now: Duration) -> io::Result<()> {
        if self.is_killing(now) {
            let killed = signal_all(Signal::KILL)?;
            if self.status.is_some() {
                self.stragglers.extend(killed);
            }
        }
        Ok(())
    }

    /// A stop gives its grace to the whole tree: a shell that ends at once must not cost its child the time to close.
    fn is_killing(&self, now: Duration) -> bool {
        match &self.stopping {
            Some(stopping) => now >= stopping.kill_at,
            None => self.status.is_some(),
        }
    }

    fn next_look(&self, now: Duration) -> Duration {
        if self.is_killing(now) {
            return now + ROUND;
        }
        let deadline = self
            .stopping
            .as_ref()
            .map_or(self.times_out_at, |stopping| stopping.kill_at);
        deadline.min(self.output.look_at)
    }

    fn sleep_until(&self, at: Duration) -> io::Result<()> {
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec::try_from(at).map_err(io::Error::other)?,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
        let mut fds = [
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.timer.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn hear_signals(&mut self) -> io::Result<()> {
        while let Some(heard) = self.signals.read_signal()? {
            if i32::try_from(heard.ssi_signo) == Ok(Caught::SIGTERM as i32) {
                self.hear_stop()?;
            }
        }
        Ok(())
    }

    /// The second time means at once.
    fn hear_stop(&mut self) -> io::Result<()> {
        let now = boot_now();
        if let Some(stopping) = &mut self.stopping {
            stopping.kill_at = now;
            return Ok(());
        }
        let wish: Option<StopRequest> = file::get_json(&self.dir.join(file::STOP)).ok().flatten();
        self.stop(Cause::Stopped, now, wish.map_or(self.grace, StopRequest::grace))
    }

    fn stop(&mut self, cause: Cause, now: Duration, grace: Duration) -> io::Result<()> {
        self.stopping = Some(Stopping {
            cause,
            kill_at: now.saturating_add(grace),
        });
        if grace.is_zero() {
            return Ok(());
        }
        // One that was stopped does not hear the polite signal before it goes on.
        signal_all(Signal::TERM)?;
        signal_all(Signal::CONT).map(|_reached| ())
    }
}

impl Output {
    fn is_too_much(&mut self, written: u64, now: Duration) -> bool {
        self.every = if written > self.seen {
            LOOK.0
        } else {
            (self.every * 2).min(LOOK.1)
        };
        self.seen = written;
        self.look_at = now + self.every;
        written > self.limit
    }
}
