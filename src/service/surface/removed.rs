//! Reports for surfaces that the configuration does not have any more: nobody will ever bring them.
//!
//! The nodes of a fleet get a new configuration one after the other, so what is young is left alone.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::domain::report::Surface;
use crate::service::instance::Instance;
use crate::store::StoreError;

/// What was decided so long ago is given up.
const KEPT: TimeDelta = TimeDelta::hours(1);
/// How often it is looked for.
const LOOK: Duration = Duration::from_mins(10);

/// The surfaces for which something waits, and that are not configured.
pub(in crate::service) async fn removed(instance: &Instance) -> Result<Vec<Surface>, StoreError> {
    let mut surfaces = instance.store.outbox_surfaces().await?;
    surfaces.retain(|surface| !instance.config.chat.contains_key(surface));
    Ok(surfaces)
}

/// Gives up what waits for them, for as long as the service runs; in a fleet the leader does.
pub(super) async fn see_to(instance: Arc<Instance>) {
    loop {
        let member = instance.member.as_ref();
        let is_ours = member.is_none_or(|member| member.leads().is_some());
        if is_ours && let Err(error) = give_up(&instance).await {
            tracing::warn!(%error, "what waits for surfaces that are gone stays for now");
        }
        instance
            .clock
            .sleep(if is_ours { LOOK } else { Duration::from_secs(10) })
            .await;
    }
}

async fn give_up(instance: &Instance) -> Result<(), StoreError> {
    let now = instance.clock.now();
    for surface in removed(instance).await? {
        let count = instance.store.outbox_give_up(&surface, now - KEPT, now).await?;
        if count > 0 {
            tracing::warn!(%surface, count, "reports are given up: the configuration has no such surface any more");
        }
    }
    Ok(())
}
