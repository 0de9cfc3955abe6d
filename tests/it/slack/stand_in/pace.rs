//! How often each method may be called: the documented tiers, as buckets that refill.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So many at once, and one more each so often.
#[derive(Clone, Copy)]
pub struct Limit {
    pub burst: u32,
    pub each: Duration,
}

/// The buckets of one app in one workspace.
#[derive(Default)]
pub struct Pace {
    /// What a test set, by method; wins over the tiers.
    pub set: BTreeMap<String, Limit>,
    /// No limits at all.
    pub off: bool,
    buckets: BTreeMap<String, (f64, Instant)>,
}

/// Tiers 2, 3 and 4 are 20, 50 and 100 calls a minute; a message a second in each channel, with short bursts.
fn tier(method: &str) -> Limit {
    let per_minute = |n: u32| Limit {
        burst: n,
        each: Duration::from_secs(60) / n,
    };
    match method {
        "chat.postMessage" => Limit {
            burst: 10,
            each: Duration::from_secs(1),
        },
        "apps.connections.open" => per_minute(20),
        "chat.postEphemeral" | "users.info" | "auth.test" | "files.completeUploadExternal" => per_minute(100),
        _ => per_minute(50),
    }
}

impl Pace {
    /// Takes one, or says how many seconds to wait.
    pub fn take(&mut self, method: &str, channel: &str) -> Result<(), u64> {
        if self.off {
            return Ok(());
        }
        let limit = self.set.get(method).copied().unwrap_or_else(|| tier(method));
        let key = match method {
            "chat.postMessage" => format!("{method} {channel}"),
            _ => method.to_owned(),
        };
        let now = Instant::now();
        let (left, since) = self.buckets.entry(key).or_insert((f64::from(limit.burst), now));
        let each = limit.each.as_secs_f64();
        *left = (*left + since.elapsed().as_secs_f64() / each).min(f64::from(limit.burst));
        *since = now;
        if *left < 1.0 {
            return Err((((1.0 - *left) * each).ceil() as u64).max(1));
        }
        *left -= 1.0;
        Ok(())
    }
}
