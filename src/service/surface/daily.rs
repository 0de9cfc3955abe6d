//! The digest of the day: once a day, at its time, what was finished, what is under way, and who is waited for. Nothing where
//! nothing happened.

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::card::cut;
use crate::service::view::{Status, TaskView};

/// Tasks that are named of each kind.
const NAMED: usize = 10;

/// The latest time that it was due, at or before now.
pub(super) fn due(at: NaiveTime, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = now.with_timezone(&zone).date_naive();
    let on = |day: chrono::NaiveDate| zone.from_local_datetime(&day.and_time(at)).earliest();
    let days = [Some(today), today.pred_opt()];
    let mut times = days
        .into_iter()
        .flatten()
        .filter_map(on)
        .map(|at| at.with_timezone(&Utc));
    times.find(|at| *at <= now)
}

/// Whether one that is due at this time was not told: what was due while nobody ran is told a little later, or not at all.
pub(super) fn is_open(due: DateTime<Utc>, told: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - due < TimeDelta::hours(6) && told < due
}

/// Its words; none where there is nothing to say.
pub(super) fn words(status: &Status, since: DateTime<Utc>) -> Option<String> {
    let of = |wanted: fn(&TaskView) -> bool| {
        status
            .tasks
            .iter()
            .filter(|task| wanted(task))
            .collect::<Vec<_>>()
    };
    let mut done = of(|task| task.state == "completed");
    done.retain(|task| task.updated_at >= since);
    let waits =
        of(|task| task.waiting.what == "person" && task.state != "completed" && task.state != "cancelled");
    let works = of(|task| matches!(task.state.as_str(), "in-progress" | "validating"));
    if done.is_empty() && waits.is_empty() && works.is_empty() {
        return None;
    }
    let cost: f64 = done.iter().map(|task| task.cost_usd).sum();
    let mut lines = vec![format!(
        "🗓️ The last day: {} done (${cost:.2}), {} under way, {} waiting for a person",
        done.len(),
        works.len(),
        waits.len()
    )];
    lines.extend(
        waits
            .iter()
            .take(NAMED)
            .map(|task| format!("🔴 {}: {}", task.id, cut(&task.waiting.why))),
    );
    lines.extend(done.iter().take(NAMED).map(|task| format!("✅ {}", task.id)));
    let more = waits.len().saturating_sub(NAMED) + done.len().saturating_sub(NAMED);
    lines.extend((more > 0).then(|| format!("… and {more} more")));
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn it_is_due_once_a_day_at_its_time_wherever_that_is() {
        let eight = NaiveTime::from_hms_opt(8, 0, 0).unwrap();
        let rows = [
            ("2026-03-01T07:59:00Z", "2026-02-28T08:00:00Z", Tz::UTC),
            ("2026-03-01T08:00:00Z", "2026-03-01T08:00:00Z", Tz::UTC),
            ("2026-07-01T06:30:00Z", "2026-07-01T06:00:00Z", Tz::Europe__Berlin),
        ];
        for (now, wanted, zone) in rows {
            assert_eq!(due(eight, zone, at(now)), Some(at(wanted)), "{now}");
        }
        let due = at("2026-03-01T08:00:00Z");
        let yesterday = at("2026-02-28T08:00:00Z");
        assert!(is_open(due, yesterday, at("2026-03-01T08:00:01Z")));
        assert!(!is_open(due, due, at("2026-03-01T09:00:00Z")));
        assert!(
            !is_open(due, yesterday, at("2026-03-01T20:00:00Z")),
            "the day is over"
        );
    }
}
