//! Watching a worker: its output and its heartbeat file, until its process tree is gone.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::super::engine::{Input, Wish};
use super::course::Course;
use super::requests::Taken;
use super::{Drive, StartFacts};
use crate::domain::event::Event;
use crate::domain::task::{Attempt, Try};
use crate::files::{Identity, Updated};
use crate::format::heartbeat::{self, Heartbeat, ModelTry};
use crate::runtime::process::{self, Exit, Running, file};
use crate::runtime::transcript::{Line, Tail};
use crate::runtime::{Reader, Signal};
use crate::store::{Beat, ProgressMark};

/// How soon a worker's files are looked at again where they hold something new; each time they do not, twice as late.
const LOOK: Duration = Duration::from_millis(500);
/// How late at most.
const LATEST: Duration = Duration::from_secs(2);
/// How often signs of life are written down, at most.
const NOTE: Duration = Duration::from_secs(10);
/// How often the engine hears of signs of life, at most: after a time, and after a part of what makes a worker stale.
const TELL: Duration = Duration::from_secs(5);
const TELLINGS: u32 = 60;
/// How often a lease is renewed in its length.
const RENEWALS: u32 = 40;
/// Chunks of output that one look takes in at most, so that a worker that floods does not hold its driver.
const CHUNKS: usize = 64;
/// A heartbeat may be this much in the future before it counts as missing (clocks differ).
pub(super) const FUTURE: TimeDelta = TimeDelta::minutes(2);

/// What was seen of a worker so far.
pub(super) struct Watch<'a> {
    drive: &'a Drive<'a>,
    pub(super) reader: Box<dyn Reader>,
    tail: Tail,
    /// Output before this was taken in by an earlier driver: it is no new sign of life.
    old: u64,
    session: Option<String>,
    /// The worker's first process, where it is held.
    pid: Option<u32>,
    /// When its lease was last renewed.
    renewed: Option<DateTime<Utc>>,
    phase: Option<String>,
    pct: Option<u8>,
    last_output: Option<DateTime<Utc>>,
    last_beat: Option<DateTime<Utc>>,
    /// When the engine was last told of signs of life, and the newest of them.
    told: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When signs of life were last written down, and the newest of them.
    noted: Option<(DateTime<Utc>, DateTime<Utc>)>,
    file_seen: Option<Identity>,
    /// Whether it gets on.
    pub(super) course: Course<'a>,
    /// The worker's copy of the progress file as it was last taken in.
    copy_seen: Option<Identity>,
    flaw_told: bool,
    requests: Taken,
}

impl<'a> Watch<'a> {
    pub(super) async fn new(drive: &'a Drive<'a>, facts: &StartFacts) -> Watch<'a> {
        let known = drive
            .instance
            .store
            .attempt_facts(&drive.task.id)
            .await
            .ok()
            .flatten();
        let known = known
            .filter(|k| k.epoch == drive.attempt.epoch)
            .unwrap_or_default();
        Watch {
            reader: drive
                .runtime
                .reader(&drive.brief(PathBuf::new(), String::new(), facts)),
            tail: Tail::new(&drive.dir.join(file::STDOUT), 0),
            old: known.transcript_offset,
            session: drive.attempt.session.clone(),
            pid: None,
            renewed: None,
            phase: known.phase,
            pct: known.progress_pct,
            last_output: None,
            last_beat: known.beat_at,
            told: None,
            noted: None,
            file_seen: None,
            course: Course::new(drive, facts),
            copy_seen: None,
            flaw_told: false,
            requests: Taken::default(),
            drive,
        }
    }

    /// Watches until nobody of the process tree is left.
    pub(super) async fn until_exit(&mut self, running: &Running, mut wishes: Receiver<Wish>) -> Exit {
        self.pid = u32::try_from(running.worker().pid).ok();
        let mut pause = LOOK;
        let mut next = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let mut exit = std::pin::pin!(running.wait());
        self.heed(running, &wishes.borrow_and_update());
        loop {
            tokio::select! {
                exit = &mut exit => return exit,
                () = next.as_mut() => {
                    self.renew_lease(running);
                    let before = self.shown();
                    self.look().await;
                    self.course.judge().await;
                    pause = if self.shown() == before { self.later(pause) } else { LOOK };
                    next.as_mut().reset(Instant::now() + pause);
                }
                Ok(()) = wishes.changed() => {
                    self.heed(running, &wishes.borrow_and_update());
                    self.look().await;
                }
            }
        }
    }

    /// All that it has shown of itself.
    fn shown(&self) -> (Option<DateTime<Utc>>, Option<Identity>, Option<Identity>) {
        (self.last_output, self.file_seen, self.copy_seen)
    }

    /// Silent workers are looked at less often, and often enough to be condemned in time.
    fn later(&self, pause: Duration) -> Duration {
        let (policy, scheduler) = (&self.drive.instance.policy, &self.drive.instance.config.scheduler);
        let soonest = [
            policy.heartbeat_stale_after / TELLINGS,
            scheduler.no_progress_after / TELLINGS,
            scheduler.lease / RENEWALS,
        ];
        let latest = soonest.into_iter().fold(LATEST, Duration::min).max(LOOK);
        (pause * 2).min(latest)
    }

    /// Here, where the worker is looked after: whoever does not get to it any more loses it.
    fn renew_lease(&mut self, running: &Running) {
        let (now, lease) = (
            self.drive.instance.clock.now(),
            self.drive.instance.config.scheduler.lease,
        );
        let every = TimeDelta::from_std(lease / RENEWALS).unwrap_or_default();
        // A clock that was set back is no reason to wait.
        if self.renewed.is_some_and(|at| at <= now && now - at < every) {
            return;
        }
        match running.renew_lease(lease) {
            Ok(()) => self.renewed = Some(now),
            Err(error) => tracing::warn!(task = %self.drive.task.id, %error, "its lease was not renewed"),
        }
    }

    fn heed(&mut self, running: &Running, wish: &Wish) {
        let Wish::Stop { reason, grace } = wish else {
            return;
        };
        self.course.condemn(reason);
        if let Err(error) = running.request_stop(*grace) {
            tracing::error!(task = %self.drive.task.id, %error, "cannot ask the supervisor to stop the worker");
        }
    }

    /// Takes in what there is of a worker that was there before this driver, and what follows from it.
    pub(super) async fn catch_up(&mut self) {
        while self.read_output().await {}
        self.look().await;
        self.course.judge().await;
    }

    /// Takes in all that the dead worker left, also a last line without its end: the result may stand there.
    pub(super) async fn look_to_the_end(&mut self) {
        while self.read_output().await {}
        if let Some(line) = self.tail.rest() {
            self.hear(&line).await;
        }
        self.look().await;
    }

    /// Takes in what is new.
    async fn look(&mut self) {
        self.read_output().await;
        self.read_heartbeat();
        self.drive.take_requests(&mut self.requests).await;
        self.copy_seen = self.drive.take_in_progress(self.copy_seen);
        if let Some(at) = self.last_output.max(self.last_beat) {
            self.tell_engine(at);
            self.note(at);
        }
    }

    /// Only of what is new, and no more often than it takes to see that a worker is stale.
    fn tell_engine(&mut self, at: DateTime<Utc>) {
        let now = self.drive.instance.clock.now();
        let stale_after = self.drive.instance.policy.heartbeat_stale_after;
        let pause = TimeDelta::from_std(TELL.min(stale_after / TELLINGS)).unwrap_or_default();
        if self
            .told
            .is_some_and(|(when, what)| what >= at || (now - when < pause && when <= now))
        {
            return;
        }
        let (task, epoch) = (self.drive.task.id.clone(), self.drive.attempt.epoch);
        // A full inbox is a busy engine; the next look tells the same.
        if self.drive.inbox.try_send(Input::Beat { task, epoch, at }).is_ok() {
            self.told = Some((now, at));
        }
    }

    /// Reads on; answers whether there may be more.
    async fn read_output(&mut self) -> bool {
        for _ in 0..CHUNKS {
            let lines = match self.tail.read() {
                Ok(lines) => lines,
                Err(error) => {
                    tracing::debug!(task = %self.drive.task.id, %error, "the worker's output cannot be read now");
                    return false;
                }
            };
            if lines.is_empty() {
                return false;
            }
            for line in &lines {
                self.hear(line).await;
            }
            tokio::task::yield_now().await;
        }
        true
    }

    async fn hear(&mut self, line: &Line) {
        if line.next > self.old {
            self.last_output = Some(self.drive.instance.clock.now());
        }
        let is_old = line.next <= self.old;
        for signal in self.reader.read(&line.bytes) {
            self.course.hear(&signal, is_old);
            self.heed_signal(signal).await;
        }
    }

    async fn heed_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Session(session) if self.session.as_ref() != Some(&session) => {
                self.session = Some(session.clone());
                self.drive
                    .tell(Event::SessionOpened {
                        epoch: self.drive.attempt.epoch,
                        session,
                    })
                    .await;
            }
            Signal::Phase(phase) => self.at(&phase),
            Signal::Tool { name, .. } => self.at(&format!("uses {name}")),
            Signal::Retrying { error, .. } => self.at(&format!("waits for its provider: {error}")),
            _ => {}
        }
    }

    /// A phase is shown and kept: a command line in it may hold a secret.
    fn at(&mut self, phase: &str) {
        self.phase = Some(self.drive.redactor.redact(phase).into_owned());
    }

    /// The worker's own heartbeat, where the file is new, whole and its own.
    fn read_heartbeat(&mut self) {
        let Ok(Some(snapshot)) = self.drive.heartbeat_if_other(self.file_seen) else {
            return;
        };
        self.file_seen = Some(snapshot.identity);
        let now = self.drive.instance.clock.now();
        match heartbeat::parse(&snapshot.bytes, &self.drive.task.id, now, FUTURE) {
            Ok(beat) if beat.attempt.is_none_or(|n| n == self.drive.attempt.n) => {
                self.last_beat = self.last_beat.max(Some(beat.last_heartbeat.min(now)));
                self.course.beat(beat.progress_pct, beat.current_phase.as_deref());
                self.pct = beat.progress_pct.or(self.pct);
                if let Some(phase) = beat.current_phase {
                    self.at(&phase);
                }
            }
            Ok(_of_another_attempt) => {}
            Err(flaw) if !self.flaw_told => {
                self.flaw_told = true;
                tracing::warn!(task = %self.drive.task.id, %flaw, "its heartbeat file counts as missing");
            }
            Err(_) => {}
        }
    }

    /// Writes the newest sign of life down where that is not done yet: in the store, and in the heartbeat file for
    /// people and other programs.
    fn note(&mut self, at: DateTime<Utc>) {
        let now = self.drive.instance.clock.now();
        let pause = TimeDelta::from_std(NOTE).unwrap_or_default();
        if self
            .noted
            .is_some_and(|(when, what)| what >= at || now - when < pause)
        {
            return;
        }
        self.noted = Some((now, at));
        let (beat, mark) = self.seen(at);
        self.drive.instance.signs.lay_down(beat, mark, now);
        self.course.keep();
        self.write_heartbeat(at, "running");
    }

    /// Writes down all that was seen, at once.
    pub(super) async fn persist(&self, at: DateTime<Utc>) {
        let (beat, mark) = self.seen(at);
        let instance = self.drive.instance;
        if let Err(error) = instance.signs.write_last(&*instance.store, beat, mark).await {
            tracing::warn!(task = %self.drive.task.id, %error, "its last sign of life was not recorded");
        }
    }

    fn seen(&self, at: DateTime<Utc>) -> (Beat, ProgressMark) {
        let (task, epoch) = (self.drive.task.id.clone(), self.drive.attempt.epoch);
        let spent = self.reader.account().spent;
        let beat = Beat {
            task: task.clone(),
            epoch,
            at,
            pct: self.pct,
            phase: self.phase.clone(),
        };
        let mark = ProgressMark {
            task,
            epoch,
            transcript_offset: self.tail.offset(),
            session: self.session.clone(),
            cost_usd: spent.cost_usd,
            input_tokens: spent.input_tokens,
            output_tokens: spent.output_tokens,
        };
        (beat, mark)
    }

    pub(super) fn write_heartbeat(&mut self, at: DateTime<Utc>, status: &str) {
        let beat = self.heartbeat(at, status);
        let id = &self.drive.task.id;
        let (now, n) = (self.drive.instance.clock.now(), self.drive.attempt.n);
        // The worker may have written since the last look; this writing would hide it from the next one.
        let mut newer = None;
        let redactor = &self.drive.redactor;
        let merged = |old: Option<&[u8]>| {
            let old = old.and_then(|bytes| heartbeat::parse(bytes, id, now, FUTURE).ok());
            let own = old.as_ref().filter(|o| o.attempt.is_none_or(|of| of == n));
            newer = own.map(|o| o.last_heartbeat.min(now));
            let beat = old.map_or_else(|| beat.clone(), |old| old.merge(beat.clone()));
            // What it wrote meanwhile was not cleaned by reading it.
            Some(redactor.redact(&beat.print()).into_owned().into_bytes())
        };
        match self.drive.instance.files.heartbeats.update(id, merged) {
            // A contained worker writes elsewhere: this one is nobody's sign of life.
            Ok(Updated::Written(identity)) if !self.drive.is_contained() => self.file_seen = Some(identity),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(task = %self.drive.task.id, %error, "its heartbeat file was not written")
            }
        }
        self.last_beat = self.last_beat.max(newer);
    }

    fn heartbeat(&self, at: DateTime<Utc>, status: &str) -> Heartbeat {
        let attempt = self.drive.attempt;
        let tried = self.drive.task.history.tries.iter().map(|t| ModelTry {
            model: t.tier.to_string(),
            result: t.outcome.as_str().to_owned(),
            reason: Some(t.reason.clone()),
        });
        let running = ModelTry {
            model: attempt.route.tier.to_string(),
            result: status.to_owned(),
            reason: None,
        };
        let model_history: Vec<ModelTry> = tried.chain(std::iter::once(running)).collect();
        Heartbeat {
            agent_session_key: Some(self.session_key()),
            attempt: Some(attempt.n),
            model: Some(
                self.reader
                    .account()
                    .model
                    .unwrap_or_else(|| attempt.route.model.clone()),
            ),
            tier: Some(attempt.route.tier.to_string()),
            started_at: Some(attempt.started_at),
            status: Some(status.to_owned()),
            current_phase: self.phase.clone(),
            progress_pct: self.pct,
            pid: self.pid,
            node: process::host(),
            escalation_count: Some(escalations(&self.drive.task.history.tries, attempt)),
            model_history,
            ..Heartbeat::new(self.drive.task.id.clone(), at)
        }
    }

    /// The session as its runtime names it; a plain command has none, so there the attempt's fencing number stands.
    fn session_key(&self) -> String {
        let attempt = self.drive.attempt;
        match &self.session {
            Some(session) => format!("{}:{session}", attempt.route.runtime),
            None => format!("{}:{}", attempt.route.runtime, attempt.epoch),
        }
    }
}

/// How often the tier changed from one attempt to the next, the present one included.
fn escalations(tries: &[Try], attempt: &Attempt) -> u32 {
    let tiers: Vec<_> = tries
        .iter()
        .map(|t| &t.tier)
        .chain(std::iter::once(&attempt.route.tier))
        .collect();
    let changes = tiers.windows(2).filter(|pair| pair[0] != pair[1]).count();
    u32::try_from(changes).unwrap_or(u32::MAX)
}
