//! What is kept for how long, and what was dropped last.

use chrono::{DateTime, Utc};

use super::Finding;
use crate::format::duration;
use crate::service::instance::Instance;
use crate::service::retention::{self, Dropped};

const NAME: &str = "retention";

pub(super) async fn kept(instance: &Instance) -> Finding {
    let rules = &instance.config.retention;
    let store = retention::of_store(instance).await.ok().flatten();
    let files = retention::of_folder(instance);
    let at = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let events = |(dropped, when): (Dropped, _)| {
        format!(
            ", dropped {} events and {} reports at {}",
            dropped.events,
            dropped.outbox,
            at(when)
        )
    };
    let folders = |(dropped, when): (Dropped, _)| {
        let mb = dropped.bytes.div_ceil(1_000_000);
        format!(", dropped {} ({mb} MB) at {}", dropped.folders, at(when))
    };
    Finding::good(
        NAME,
        format!(
            "events {}{}; files {}{}",
            duration::print(rules.events),
            store.map(events).unwrap_or_default(),
            duration::print(rules.files),
            files.map(folders).unwrap_or_default()
        ),
    )
}
