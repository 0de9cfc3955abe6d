//! The supervisor's side of the lease: when its worker has to end because nobody drives it any more.

use std::path::Path;
use std::time::Duration;

use crate::runtime::process::{Lease, LeaseMark};

/// Between two looks at the lease: a part of its length, within these bounds.
const LOOK: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Parts of the length.
const PARTS: u32 = 20;
/// What an orchestrator gets to renew it after this process itself stood still (the machine slept, a debugger).
const AWAKENING: Duration = Duration::from_secs(15);
/// A worker whose task is taken over gets at most this part of the length to end by itself.
const LAST_WORDS: u32 = 10;

/// All times are since boot.
#[derive(Debug)]
pub(super) struct Tenure {
    mark: Option<LeaseMark>,
    length: Option<Duration>,
    strict: bool,
    ends_at: Option<Duration>,
    looked_at: Duration,
}

impl Tenure {
    pub(super) fn begin(dir: &Path, now: Duration) -> Self {
        let mut tenure = Self {
            mark: None,
            length: None,
            strict: false,
            ends_at: None,
            looked_at: now,
        };
        tenure.look(dir, now);
        tenure
    }

    /// When to look again.
    pub(super) fn look_at(&self) -> Duration {
        let pause = self.length.map_or(LOOK.1, |length| length / PARTS);
        self.looked_at + pause.clamp(LOOK.0, LOOK.1)
    }

    /// Whether it ends in time whatever happens, because somebody else takes the task over.
    pub(super) fn is_strict(&self) -> bool {
        self.strict
    }

    /// How long a worker may take to end once its lease has ended, where it is given this much otherwise.
    pub(super) fn grace(&self, usual: Duration) -> Duration {
        match self.length.filter(|_| self.strict) {
            Some(length) => usual.min(length / LAST_WORDS),
            None => usual,
        }
    }

    /// Looks whether it was renewed, and answers whether it has ended.
    pub(super) fn has_ended(&mut self, dir: &Path, now: Duration) -> bool {
        if now < self.look_at() {
            return false;
        }
        // What ran out is not renewed: others went by that.
        if self.strict && self.ends_at.is_some_and(|at| now >= at) {
            return true;
        }
        let slept = now.saturating_sub(self.look_at()) > LOOK.1;
        self.look(dir, now);
        if slept && !self.strict {
            self.ends_at = self.ends_at.map(|at| at.max(now + AWAKENING));
        }
        self.ends_at.is_some_and(|at| now >= at)
    }

    /// A lease that cannot be read stays what it was: the worker must neither live forever nor die by a torn file.
    fn look(&mut self, dir: &Path, now: Duration) {
        self.looked_at = now;
        let Ok(mark) = Lease::mark(dir) else { return };
        if self.mark == Some(mark) {
            return;
        }
        let Ok(Some(lease)) = Lease::read(dir) else {
            return;
        };
        self.mark = Some(mark);
        self.length = lease.length();
        self.strict = lease.is_strict();
        let renewed = self.length.map(|length| now.saturating_add(length));
        self.ends_at = renewed.into_iter().chain(lease.until()).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::process::file;

    const SECOND: Duration = Duration::from_secs(1);

    fn write(dir: &Path, text: &str) {
        let draft = dir.join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(draft, dir.join(file::LEASE)).unwrap();
    }

    /// What `has_ended` answers when it is asked every second up to `until`.
    fn ends_by(tenure: &mut Tenure, dir: &Path, from: u64, until: u64) -> Option<u64> {
        (from..=until).find(|s| tenure.has_ended(dir, SECOND * u32::try_from(*s).unwrap()))
    }

    #[test]
    fn it_ends_its_length_after_the_last_renewal() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), r#"{"length_ms":10000}"#);
        let mut tenure = Tenure::begin(dir.path(), SECOND * 100);
        assert_eq!(ends_by(&mut tenure, dir.path(), 100, 108), None);
        write(dir.path(), r#"{"length_ms":10000}"#);
        assert_eq!(ends_by(&mut tenure, dir.path(), 109, 200), Some(119));
    }

    #[test]
    fn one_without_length_does_not_end_and_a_torn_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), r#"{"length_ms":null}"#);
        let mut tenure = Tenure::begin(dir.path(), SECOND);
        assert_eq!(ends_by(&mut tenure, dir.path(), 1, 10_000), None);
        write(dir.path(), r#"{"length_ms":3000}"#);
        assert!(!tenure.has_ended(dir.path(), SECOND * 10_005));
        write(dir.path(), r#"{"leng"#);
        assert_eq!(ends_by(&mut tenure, dir.path(), 10_006, 10_020), Some(10_008));
    }

    #[test]
    fn a_strict_one_ends_in_time_after_a_sleep_too() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), r#"{"length_ms":10000,"strict":true}"#);
        let mut tenure = Tenure::begin(dir.path(), SECOND);
        assert!(tenure.has_ended(dir.path(), SECOND * 5000));
    }

    #[test]
    fn a_renewal_that_comes_after_the_fixed_time_renews_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let lease = r#"{"length_ms":10000,"until_ms":112000,"strict":true}"#;
        write(dir.path(), lease);
        let mut tenure = Tenure::begin(dir.path(), SECOND * 100);
        assert_eq!(ends_by(&mut tenure, dir.path(), 100, 105), None);
        write(dir.path(), lease);
        assert_eq!(ends_by(&mut tenure, dir.path(), 106, 200), Some(112));
        write(dir.path(), lease);
        assert!(tenure.has_ended(dir.path(), SECOND * 300));
    }

    #[test]
    fn whoever_is_taken_over_has_little_time_to_end() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            r#"{"length_ms":6000,"until_ms":112000,"strict":true}"#,
        );
        let tenure = Tenure::begin(dir.path(), SECOND);
        assert_eq!(tenure.grace(SECOND * 10), SECOND * 6 / 10);
        write(dir.path(), r#"{"length_ms":6000}"#);
        let tenure = Tenure::begin(dir.path(), SECOND);
        assert_eq!(tenure.grace(SECOND * 10), SECOND * 10);
    }

    #[test]
    fn after_a_sleep_there_is_time_to_renew_it() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), r#"{"length_ms":10000}"#);
        let mut tenure = Tenure::begin(dir.path(), SECOND);
        assert!(!tenure.has_ended(dir.path(), SECOND * 5000));
        assert_eq!(ends_by(&mut tenure, dir.path(), 5001, 5100), Some(5015));
    }
}
