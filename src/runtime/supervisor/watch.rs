//! Watching a worker until nobody of its tree is left.
//!
//! One loop, woken by signals (a child ended, a stop was asked for), by the worker's output, and by one alarm. A tree that is
//! to be stopped gets the polite signal, then, after the grace, the other one again and again; what outlives a worker that ended
//! by itself gets the other one, as soon as it had the time to end, too. Whoever is to die starts nobody else first, so that nothing outruns the killing.

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal as Caught;
use nix::sys::signalfd::SignalFd;

use super::descendants::{Tree, reap};
use super::disk::Disk;
use super::launch::Launched;
use super::lease::Tenure;
use super::pump::{Flow, Pump};
use super::timer::Timer;
use crate::runtime::process::{
    Cause, Exit, Limits, Order, Pid, Status, StopRequest, boot_now, file, wall_now,
};

/// Between two rounds of killing.
const ROUND: Duration = Duration::from_millis(5);
/// What the kernel and the shells need to follow a worker that ended: who ends within it was not left behind.
const FOLLOWS: Duration = Duration::from_millis(100);

/// All times are since boot.
pub(super) struct Watch {
    dir: PathBuf,
    worker: Pid,
    tree: Tree,
    signals: SignalFd,
    timer: Timer,
    pump: Pump,
    tenure: Tenure,
    disk: Option<Disk>,
    limits: Limits,
    times_out_at: Duration,
    grace: Duration,
    stopping: Option<Stopping>,
    status: Option<Status>,
    /// When the worker's own end was seen.
    ended_at: Option<Duration>,
    /// Whoever was killed after the worker's own end.
    stragglers: HashSet<(Pid, u64)>,
}

struct Stopping {
    cause: Cause,
    kill_at: Duration,
}

impl Watch {
    pub(super) fn new(dir: &Path, order: &Order, launched: Launched, signals: SignalFd) -> io::Result<Self> {
        let now = boot_now();
        Ok(Self {
            dir: dir.to_owned(),
            worker: launched.worker,
            tree: Tree::new(launched.group),
            signals,
            timer: Timer::new()?,
            pump: launched.pump,
            tenure: Tenure::begin(dir, now),
            disk: Disk::new(order.cwd.clone().into(), order.limits.disk_bytes, now),
            limits: order.limits,
            times_out_at: now.saturating_add(Duration::from_millis(order.timeout_ms)),
            grace: Duration::from_millis(order.grace_ms),
            stopping: None,
            status: None,
            ended_at: None,
            stragglers: HashSet::new(),
        })
    }

    pub(super) fn until_nobody_is_left(mut self) -> io::Result<Exit> {
        loop {
            let reaped = reap(self.worker)?;
            self.status = self.status.or(reaped.worker);
            if reaped.nobody_left && self.tree.is_empty() {
                return self.conclude();
            }
            let now = boot_now();
            self.ended_at = self.ended_at.or(self.status.map(|_| now));
            self.move_output(now)?;
            self.look_at_clock(now)?;
            self.look_at_disk(now)?;
            self.kill_whoever_must_go(now)?;
            let until = self.next_look(now);
            let sources = std::iter::once(self.signals.as_fd()).chain(self.pump.sources(now));
            self.timer.wait(until, sources)?;
            self.hear_signals()?;
        }
    }

    /// Nobody is left: what they wrote last is taken in, and what they ended of is told.
    fn conclude(mut self) -> io::Result<Exit> {
        let flow = self.pump.drain()?;
        let memory = self.tree.killed_for_memory() > 0 && self.was_killed();
        self.tree.remove();
        let limit = self.limits.output_bytes;
        let by_itself = match flow {
            _ if memory => Cause::OutOfMemory {
                limit: self.limits.memory_bytes,
            },
            Flow::TooMuch => Cause::OutputLimit { limit },
            Flow::Well => Cause::Exited,
        };
        Ok(Exit {
            cause: self.stopping.map_or(by_itself, |stopping| stopping.cause),
            status: self.status,
            ended_at: wall_now(),
            stragglers_killed: u32::try_from(self.stragglers.len()).unwrap_or(u32::MAX),
        })
    }

    /// By SIGKILL, or its child was and a shell between says so with its exit code.
    fn was_killed(&self) -> bool {
        matches!(self.status, Some(Status::Signal(9) | Status::Code(137)))
    }

    fn move_output(&mut self, now: Duration) -> io::Result<()> {
        let flow = self.pump.turn(now)?;
        if flow == Flow::TooMuch && self.is_at_work() {
            let limit = self.limits.output_bytes;
            self.stop(Cause::OutputLimit { limit }, now, Duration::ZERO)?;
        }
        Ok(())
    }

    fn is_at_work(&self) -> bool {
        self.stopping.is_none() && self.status.is_none()
    }

    fn look_at_clock(&mut self, now: Duration) -> io::Result<()> {
        let taken_over = self.tenure.is_strict();
        if !self.is_at_work() && !taken_over {
            return Ok(());
        }
        let lease_ended = self.tenure.has_ended(&self.dir, now);
        let grace = self.tenure.grace(self.grace);
        match &mut self.stopping {
            // Whoever was being given more time than that has no more of it.
            Some(stopping) if lease_ended => stopping.kill_at = stopping.kill_at.min(now + grace),
            None if self.status.is_none() && now >= self.times_out_at => {
                self.stop(Cause::Timeout, now, self.grace)?;
            }
            None if self.status.is_none() && lease_ended => self.stop(Cause::LeaseEnded, now, grace)?,
            _ => {}
        }
        Ok(())
    }

    fn look_at_disk(&mut self, now: Duration) -> io::Result<()> {
        let exceeded = self.disk.as_mut().and_then(|disk| disk.exceeded(now));
        match exceeded.filter(|_| self.is_at_work()) {
            // It would only fill the disk during the grace.
            Some(limit) => self.stop(Cause::DiskLimit { limit }, now, Duration::ZERO),
            None => Ok(()),
        }
    }

    fn kill_whoever_must_go(&mut self, now: Duration) -> io::Result<()> {
        if self.is_killing(now) {
            let killed = self.tree.kill()?;
            if self.status.is_some() {
                self.stragglers.extend(killed);
            }
        }
        Ok(())
    }

    /// A stop gives its grace to the whole tree: a shell that ends at once must not cost its child the time to close.
    fn kills_at(&self) -> Option<Duration> {
        let stopping = self.stopping.as_ref().map(|stopping| stopping.kill_at);
        stopping.or(self.ended_at.map(|at| at.saturating_add(FOLLOWS)))
    }

    fn is_killing(&self, now: Duration) -> bool {
        self.kills_at().is_some_and(|at| now >= at)
    }

    fn next_look(&self, now: Duration) -> Duration {
        if self.is_killing(now) {
            return now + ROUND;
        }
        let resumes = self.pump.resumes_at(now);
        let deadlines = match self.kills_at() {
            Some(at) => {
                let lease = self.tenure.is_strict().then(|| self.tenure.look_at());
                [Some(at), resumes, lease, None]
            }
            None => [
                Some(self.times_out_at),
                resumes,
                Some(self.tenure.look_at()),
                self.disk.as_ref().map(Disk::look_at),
            ],
        };
        deadlines.into_iter().flatten().min().unwrap_or(self.times_out_at)
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
        self.tree.ask_to_end()
    }
}
