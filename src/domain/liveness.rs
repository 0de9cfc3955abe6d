//! Is the worker alive? Two witnesses, one table: the heartbeat and the session.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// What the heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Young enough.
    Fresh,
    /// Too old.
    Stale,
    /// None, or none that can be trusted.
    Missing,
}

/// What the session (the process, or the remote runtime's list) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// It is there.
    Alive,
    /// It is confirmed gone. A failed probe is no confirmation.
    Gone,
    /// There never was one.
    None,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// Nothing to do.
    Well,
    /// The attempt is lost; a new one resumes from the progress file.
    Lost,
    /// Killed with its whole process tree, then respawned.
    Stuck,
    /// It was never started: spawn it.
    NeverStarted,
}

/// The heartbeat's age against the limit. Where there was none yet, the start of the attempt counts as the first.
pub fn beat(
    last: Option<DateTime<Utc>>,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
    stale_after: Duration,
) -> Beat {
    let newest = last.map_or(started_at, |last| last.max(started_at));
    let age = (now - newest).to_std().unwrap_or(Duration::ZERO);
    match (age > stale_after, last) {
        (true, _) => Beat::Stale,
        (false, Some(_)) => Beat::Fresh,
        (false, None) => Beat::Missing,
    }
}

/// The two-witness table.
pub fn judge(beat: Beat, session: Session) -> Liveness {
    match (beat, session) {
        (Beat::Fresh | Beat::Missing, Session::Alive) => Liveness::Well,
        (Beat::Stale, Session::Alive) => Liveness::Stuck,
        (_, Session::Gone) => Liveness::Lost,
        (Beat::Fresh | Beat::Stale, Session::None) => Liveness::Lost,
        (Beat::Missing, Session::None) => Liveness::NeverStarted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_row_by_row() {
        use {Beat::*, Liveness as L, Session as S};
        let rows = [
            (Fresh, S::Alive, L::Well),
            (Fresh, S::Gone, L::Lost),
            (Fresh, S::None, L::Lost),
            (Stale, S::Alive, L::Stuck),
            (Stale, S::Gone, L::Lost),
            (Stale, S::None, L::Lost),
            (Missing, S::Alive, L::Well),
            (Missing, S::Gone, L::Lost),
            (Missing, S::None, L::NeverStarted),
        ];
        for (beat, session, expected) in rows {
            assert_eq!(judge(beat, session), expected, "{beat:?} and {session:?}");
        }
    }

    #[test]
    fn a_silent_start_becomes_stale_and_a_clock_set_back_does_not() {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let limit = Duration::from_secs(60);
        let at = |s: i64| start + chrono::Duration::seconds(s);
        assert_eq!(beat(None, start, at(60), limit), Beat::Missing);
        assert_eq!(beat(None, start, at(61), limit), Beat::Stale);
        assert_eq!(beat(Some(at(30)), start, at(90), limit), Beat::Fresh);
        assert_eq!(beat(Some(at(30)), start, at(91), limit), Beat::Stale);
        assert_eq!(beat(Some(at(30)), start, at(-3600), limit), Beat::Fresh);
        assert_eq!(
            beat(Some(at(-500)), start, at(10), limit),
            Beat::Fresh,
            "left over from an earlier attempt"
        );
    }
}
