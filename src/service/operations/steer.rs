//! What people can do to tasks: commands, the emergency stop, the gate by hand.

use std::sync::Arc;

use super::super::dispatcher::{Applied, ApplyError};
use super::super::instance::Instance;
use super::super::outbox::{Outbox, Share};
use super::super::queue_sync::QueueSync;
use super::super::run;
use super::unread;
use crate::domain::event::{Command, Event};
use crate::domain::id::TaskId;
use crate::domain::task::State;
use crate::files::{FileError, InstanceLock, wake};
use crate::runtime::process::{self, Adopted};
use crate::store::StoreError;

/// Applies a person's command; a running service is woken, otherwise the queue file is brought up to date here.
pub async fn apply(
    instance: &Arc<Instance>,
    id: &TaskId,
    by: &str,
    command: Command,
) -> Result<Applied, ApplyError> {
    let event = Event::Person {
        by: by.to_owned(),
        command,
    };
    if instance.store.task(id).await?.is_none() {
        unread::take_in(instance, id).await?;
    }
    let applied = instance.dispatcher().apply_stored(id, event).await?;
    flush(instance).await?;
    Ok(applied)
}

/// Has what was committed performed: by the running service, or here.
pub async fn flush(instance: &Arc<Instance>) -> Result<(), StoreError> {
    instance.store.announce().await;
    if instance.member.is_some() {
        // Whose it is in a fleet sees it in the store.
        nudge(instance);
        return Ok(());
    }
    match InstanceLock::acquire(&instance.layout.lock()) {
        Ok(_lock) => {
            stop_condemned(instance).await?;
            let mut queue = QueueSync::load(instance).await?;
            Outbox::new(instance.clone())
                .flush(&mut queue, &Share::all())
                .await
        }
        Err(_held) => {
            nudge(instance);
            Ok(())
        }
    }?;
    instance.signals.farewell().await;
    Ok(())
}

/// Without a service nobody else asks the supervisors of condemned workers to stop them; the next run sees their end.
async fn stop_condemned(instance: &Instance) -> Result<(), StoreError> {
    for task in instance.store.live().await? {
        let State::Stopping { attempt, reason, .. } = &task.state else {
            continue;
        };
        let dir = instance.layout.attempt(&task.id, attempt.epoch);
        let asked = process::adopt(&dir).and_then(|found| match found {
            Adopted::Running(running) => running.request_stop(instance.policy.grace(reason)),
            Adopted::Ended(_) | Adopted::NeverStarted | Adopted::Vanished => Ok(()),
        });
        if let Err(error) = asked {
            tracing::error!(task = %task.id, %error, "its worker cannot be stopped; `orchestrator up` tries again");
        }
    }
    Ok(())
}

/// Pulls the emergency stop. Workers that go on without a service are ended here.
pub async fn stop_all(instance: &Arc<Instance>, by: &str) -> Result<(), StoreError> {
    instance.set_stopped(Some(by)).await?;
    instance.store.announce().await;
    if !run::end_condemned(instance).await? {
        nudge(instance);
    }
    instance.signals.farewell().await;
    Ok(())
}

/// Lets go of the emergency stop.
pub async fn start(instance: &Arc<Instance>) -> Result<(), StoreError> {
    instance.set_stopped(None).await?;
    instance.store.announce().await;
    nudge(instance);
    instance.signals.farewell().await;
    Ok(())
}

/// Without it the service sees the change with its next tick.
pub(super) fn nudge(instance: &Instance) {
    instance.steered.send_replace(());
    let touched: Result<(), FileError> = wake::touch(&instance.layout.wake());
    if let Err(error) = touched {
        tracing::warn!(%error, "the service could not be woken; it sees the change with its next tick");
    }
}
