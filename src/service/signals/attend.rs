//! A service at the bus: present, awake to the commits of others, and honest about how the bus stands.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{CHANGED, Changed, Here, STANDING, Way};
use crate::bus::{Bus, Envelope, Heard, Listener, Standing};
use crate::service::member::Member;
use crate::store::Store;

/// Between two announcements of a service.
const BEAT: Duration = Duration::from_secs(5);
/// How long an announcement holds.
const HOLDS: Duration = Duration::from_secs(15);

/// A service at the bus, until it is cancelled.
pub(super) async fn attend(
    way: Arc<Way>,
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    member: Option<Arc<Member>>,
) {
    let since = way.clock.now();
    let here = Envelope::seal(&here(since)).ok();
    let mut standing = bus.standing();
    standing.mark_changed();
    let mut changes = bus.listen(CHANGED).await;
    loop {
        let beat = Instant::now() + BEAT;
        if let Some(here) = &here
            && let Err(error) = bus.announce(&way.name(), here, HOLDS).await
        {
            tracing::debug!(%error, "not announced");
        }
        loop {
            tokio::select! {
                changed = standing.changed() => {
                    if changed.is_err() { return; }
                    let now = standing.borrow_and_update().clone();
                    match &member {
                        Some(member) => member.reaches_bus(now),
                        None => write_down(store.as_ref(), now).await,
                    }
                    break;
                }
                heard = heard_of_others(&mut changes, way.origin) => match heard {
                    Some(()) => way.woken.notify_one(),
                    None => return,
                },
                () = sleep_until(beat) => break,
            }
        }
    }
}

/// Returns when another process may have committed; `None` once the bus is closed.
async fn heard_of_others(changes: &mut Listener, own: Uuid) -> Option<()> {
    loop {
        match changes.next().await? {
            Heard::Missed => return Some(()),
            Heard::Message(message) => match message.open::<Changed>() {
                Ok(changed) if changed.origin == own => {}
                // One of another version was sent for a reason as well.
                _ => return Some(()),
            },
        }
    }
}

/// For `status`, which is another process.
async fn write_down(store: &dyn Store, standing: Standing) {
    let (since, why) = match standing {
        Standing::Up { since } => (since, None),
        Standing::Away { since, why } => (since, Some(why)),
    };
    if let Err(error) = store.set_flag(STANDING, Some(why.into()), since).await {
        tracing::warn!(%error, "how the bus stands was not written down");
    }
}

fn here(since: DateTime<Utc>) -> Here {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Here {
        host: host.trim().to_owned(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since,
    }
}
