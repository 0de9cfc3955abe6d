//! Whether a watched worker gets on: what it shows is told to [`Headway`], a standstill to the engine.
//!
//! Files are only looked at when the worker is about to be condemned for bringing nothing new: a long build that says
//! nothing still writes. When something new last came is kept beside the attempt's files, so that a restart, or a
//! `tick` from cron, does not begin to count anew.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::{Drive, StartFacts};
use crate::domain::event::Event;
use crate::domain::headway::{Headway, Limits, Sign, Standstill};
use crate::domain::outcome::Outcome;
use crate::domain::task::{State, StopReason};
use crate::files::atomic;
use crate::format::progress;
use crate::runtime::Signal;

/// Holds the time of the newest news.
const FILE: &str = "news";

/// How the worker gets on.
pub(super) struct Course<'a> {
    drive: &'a Drive<'a>,
    headway: Headway,
    limits: Limits,
    /// What an earlier driver knew: output that it had read is no news of now.
    known: DateTime<Utc>,
    kept: DateTime<Utc>,
    /// Entries of workers in the work log, as far as they were seen.
    entries: usize,
    /// What kind of trouble it waits out.
    trouble: Outcome,
    /// Why it is being stopped, where that is known.
    condemned: Option<StopReason>,
}

impl<'a> Course<'a> {
    pub(super) fn new(drive: &'a Drive<'a>, facts: &StartFacts) -> Self {
        let known = kept(&drive.dir).unwrap_or(drive.attempt.started_at);
        let condemned = match &drive.task.state {
            State::Stopping { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        Self {
            headway: Headway::new(known),
            limits: drive.instance.config.scheduler.headway(),
            known,
            kept: known,
            entries: facts.worker_entries,
            trouble: Outcome::Overloaded,
            condemned,
            drive,
        }
    }

    /// Why the worker is being stopped, as far as the driver knows.
    pub(super) fn condemned(&self) -> Option<&StopReason> {
        self.condemned.as_ref()
    }

    /// Somebody else wants it stopped; the first reason stands.
    pub(super) fn condemn(&mut self, reason: &StopReason) {
        self.condemned.get_or_insert_with(|| reason.clone());
    }

    /// Takes in a signal of the worker's output; an old one was there before this driver.
    pub(super) fn hear(&mut self, signal: &Signal, is_old: bool) {
        let now = if is_old { self.known } else { self.now() };
        match signal {
            Signal::Tool { name, call } => self.headway.hear(Sign::Call(&format!("{name}: {call}")), now),
            Signal::Answered(text) => self.headway.hear(Sign::Answer(text), now),
            Signal::Said(text) => self.headway.hear(Sign::Said(text), now),
            Signal::Retrying {
                delay, status, error, ..
            } => {
                self.trouble = trouble(*status, error);
                let until = later(now, *delay);
                self.headway.hear(Sign::Waits { until, why: error }, now);
            }
            Signal::RateLimit(limit) if limit.status == "rejected" => {
                self.trouble = Outcome::RateLimited;
                let until = limit.until.unwrap_or(now);
                let why = format!("limit '{}' is reached", limit.limit);
                self.headway.hear(Sign::Waits { until, why: &why }, now);
            }
            _ => {}
        }
    }

    /// Takes in what the worker itself wrote into its heartbeat.
    pub(super) fn beat(&mut self, pct: Option<u8>, phase: Option<&str>) {
        let now = self.now();
        if let Some(pct) = pct {
            self.headway.hear(Sign::Percent(pct), now);
        }
        if let Some(phase) = phase {
            self.headway.hear(Sign::Said(phase), now);
        }
    }

    /// Tells the engine of a standstill, once.
    pub(super) async fn judge(&mut self) {
        if self.condemned.is_some() {
            return;
        }
        let Some(standstill) = self.headway.judge(self.now(), &self.limits) else {
            return;
        };
        if matches!(standstill, Standstill::Idle { .. }) && self.has_written().await {
            return;
        }
        let reason = self.reason(&standstill);
        self.condemned = Some(reason.clone());
        let epoch = self.drive.attempt.epoch;
        self.drive.tell(Event::Condemned { epoch, reason }).await;
    }

    /// Keeps the time of the newest news.
    pub(super) fn keep(&mut self) {
        let news = self.headway.news_at();
        if news <= self.kept {
            return;
        }
        let text = news.to_rfc3339_opts(SecondsFormat::Micros, true);
        match atomic::write(&self.drive.dir.join(FILE), text.as_bytes()) {
            Ok(()) => self.kept = news,
            Err(error) => {
                tracing::warn!(task = %self.drive.task.id, %error, "when its worker last brought something new was not kept");
            }
        }
    }

    /// Whether files tell of work that its output does not show.
    async fn has_written(&mut self) -> bool {
        let news = self.headway.news_at();
        let text = self.drive.instance.files.progress_text(&self.drive.task.id);
        let entries = text.map_or(0, |t| progress::worker_entries(&t).len());
        let touched = if entries > self.entries {
            Some(self.now())
        } else {
            self.touched_since(news).await
        };
        self.entries = entries;
        let Some(at) = touched else { return false };
        self.headway.hear(Sign::Wrote, at.min(self.now()));
        true
    }

    async fn touched_since(&self, news: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let found = self.drive.instance.workspaces.find(&self.drive.task.id).await;
        let workspace = found.ok().flatten()?;
        let look = move || workspace.touched_since(news);
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    fn reason(&self, standstill: &Standstill) -> StopReason {
        let what = standstill.sentence(self.now());
        let what = self.drive.redactor.redact(&what).into_owned();
        match standstill {
            Standstill::Waits { until, .. } => StopReason::ProviderWait {
                trouble: self.trouble,
                until: Some(*until).filter(|until| *until > self.now()),
                what,
            },
            Standstill::Repeats { .. } | Standstill::Idle { .. } => StopReason::Standstill { what },
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.drive.instance.clock.now()
    }
}

/// A worker's output may name any time to wait, one beyond the calendar's end included.
fn later(now: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    let delay = TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(delay).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn kept(dir: &Path) -> Option<DateTime<Utc>> {
    std::fs::read_to_string(dir.join(FILE)).ok()?.trim().parse().ok()
}

/// Which trouble a provider has that is asked again: by its status, else by its word.
fn trouble(status: Option<u16>, error: &str) -> Outcome {
    match status {
        Some(429) => Outcome::RateLimited,
        Some(401..=403) => Outcome::Auth,
        Some(408) => Outcome::Network,
        Some(_) => Outcome::Overloaded,
        None if error.contains("rate") => Outcome::RateLimited,
        None if error.contains("auth") => Outcome::Auth,
        None if error.contains("overload") => Outcome::Overloaded,
        None => Outcome::Network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_too_long_to_be_told() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        assert_eq!(later(now, Duration::from_secs(60)), now + TimeDelta::seconds(60));
        for delay in [Duration::from_millis(u64::MAX), Duration::MAX] {
            let until = later(now, delay);
            assert!(until > now && !until.format("%Y-%m-%d %H:%M UTC").to_string().is_empty());
        }
    }

    #[test]
    fn every_trouble_that_is_waited_out_is_the_providers() {
        for (status, error, expected) in [
            (Some(429), "rate_limit", Outcome::RateLimited),
            (Some(529), "overloaded", Outcome::Overloaded),
            (Some(500), "api_error", Outcome::Overloaded),
            (Some(401), "authentication_failed", Outcome::Auth),
            (None, "rate_limit", Outcome::RateLimited),
            (None, "overloaded_error", Outcome::Overloaded),
            (None, "connection reset", Outcome::Network),
        ] {
            assert_eq!(trouble(status, error), expected, "{status:?} {error}");
            assert!(expected.is_provider_trouble());
        }
    }
}
