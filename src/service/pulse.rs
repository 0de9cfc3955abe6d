//! Whether the engine's passes come to an end, for whoever asks from outside.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::since_boot;

/// The passes of a service.
#[derive(Debug, Default)]
pub struct Pulse {
    /// When the pass that goes on began, in milliseconds since boot; 0 between passes.
    begun: AtomicU64,
    any: AtomicBool,
}

impl Pulse {
    /// A pass begins.
    pub fn begins(&self) {
        let now = u64::try_from(since_boot().as_millis()).unwrap_or(u64::MAX);
        self.begun.store(now.max(1), Ordering::Release);
    }

    /// It is over; `whole` where nothing stood in its way.
    pub fn ends(&self, whole: bool) {
        self.begun.store(0, Ordering::Release);
        self.any.fetch_or(whole, Ordering::AcqRel);
    }

    /// Whether one was whole so far.
    pub fn has_begun(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// How long the present one has been going on; none between passes.
    pub fn in_pass_for(&self) -> Option<Duration> {
        let begun = self.begun.load(Ordering::Acquire);
        (begun > 0).then(|| since_boot().saturating_sub(Duration::from_millis(begun)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_seen_while_it_goes_on_and_only_a_whole_one_counts() {
        let pulse = Pulse::default();
        assert_eq!((pulse.in_pass_for(), pulse.has_begun()), (None, false));
        pulse.begins();
        assert!(pulse.in_pass_for().is_some());
        pulse.ends(false);
        assert_eq!((pulse.in_pass_for(), pulse.has_begun()), (None, false));
        pulse.begins();
        pulse.ends(true);
        assert!(pulse.has_begun());
    }
}
