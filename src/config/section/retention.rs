//! `[retention]`: how long what nobody works with any more is kept.

use std::time::Duration;

use super::longer_than_zero;
use crate::config::reader::Section;

/// `[retention]`.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// The log of tasks that are over (but for its last line), and reports that were told.
    pub events: Duration,
    /// What attempts, gates and reviews of tasks that are over left in the state folder, and what was set aside there.
    pub files: Duration,
    /// So many of the tasks that ended last keep their files, however old they are.
    pub newest: u32,
}

const DAY: u64 = 86_400;

/// A quarter: what people ask about is younger.
fn events() -> Duration {
    Duration::from_secs(90 * DAY)
}

/// A month of transcripts.
fn files() -> Duration {
    Duration::from_secs(30 * DAY)
}

/// Those that `status` shows, and some more.
fn newest() -> u32 {
    50
}

impl Retention {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            events: section.get_if("events", events, longer_than_zero),
            files: section.get_if("files", files, longer_than_zero),
            newest: section.get("newest", newest),
        }
    }
}
