//! The bus as `status` and `doctor` show it; nothing where no server is configured.

use std::time::Duration;

use super::super::instance::Instance;
use super::super::signals::STANDING;
use super::super::view::BusView;
use super::doctor::{Finding, Level};
use crate::bus::{Address, BusError, Checkup};
use crate::store::StoreError;

/// How long a look at the server takes at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// What it means that the server is away.
const MEANS: &str =
    "work goes on without it; what other processes change is seen later, and nothing is shown live";

/// How the bus stands: as the running service knows, else by a look at the server.
pub(super) async fn view(instance: &Instance, running: bool) -> Result<Option<BusView>, StoreError> {
    let Some(server) = instance.config.bus.server() else {
        return Ok(None);
    };
    let told = instance.store.flag(STANDING).await?.filter(|_| running);
    let (since, why) = match told {
        Some(flag) => (Some(flag.set_at), flag.value.as_str().map(str::to_owned)),
        None => {
            let looked = Checkup::of(&Address::of(server.value()), PATIENCE).await;
            (None, looked.err().map(bare))
        }
    };
    Ok(Some(BusView {
        standing: if why.is_none() { "up" } else { "away" }.to_owned(),
        since,
        means: why.as_ref().map(|_| MEANS.to_owned()),
        why,
    }))
}

/// What a look at the server finds.
pub(super) async fn findings(instance: &Instance) -> Vec<Finding> {
    let Some(server) = instance.config.bus.server() else {
        return Vec::new();
    };
    match Checkup::of(&Address::of(server.value()), PATIENCE).await {
        Ok(found) => {
            let Checkup {
                server,
                version,
                durable,
                remarks,
            } = found;
            let kept = match durable {
                true => "",
                false => "; what it holds does not survive its restart (appendonly no)",
            };
            let well = Finding::good("bus", format!("{version} at {server}{kept}"));
            let remark = |(what, cure)| Finding::of("bus", Level::Warning, what, cure);
            std::iter::once(well)
                .chain(remarks.into_iter().map(remark))
                .collect()
        }
        Err(error) => vec![Finding::of(
            "bus",
            Level::Warning,
            format!("{}; {MEANS}", bare(error)),
            "start the server, correct bus.url, or set bus.url = \"memory\"",
        )],
    }
}

fn bare(error: BusError) -> String {
    match error {
        BusError::Away { why } | BusError::Refused { why } | BusError::Full { why, .. } => why,
    }
}
