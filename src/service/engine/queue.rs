//! The queue file's part of a pass, and of the service's end.

use std::time::Duration;

use super::Engine;
use crate::clock::since_boot;
use crate::service::queue_sync::QueueSync;
use crate::store::StoreError;

/// The longest that the end of a service waits for edits of a queue that is in a repository.
const FAREWELL: Duration = Duration::from_secs(10);

impl Engine {
    /// Takes in what people wrote into the queue file.
    pub(super) async fn read_queue(&mut self) -> Result<(), StoreError> {
        if self.keeper.is_none() {
            self.learn_keeper().await?;
        }
        self.take_over_queue().await?;
        if !self.keeps_queue() {
            self.queue.follow(&self.instance).await;
            return Ok(());
        }
        let Some(intake) = self.queue.read(&self.instance, &self.board).await? else {
            return Ok(());
        };
        self.board.held = intake.held;
        for task in self
            .dispatcher
            .admit(intake.new, crate::service::intake::QUEUE_FILE)
            .await?
        {
            self.board.put(task);
        }
        for (id, event) in intake.events {
            self.apply(&id, event).await?;
        }
        self.queue.taken(&self.board);
        Ok(())
    }

    /// Has a queue that is in a repository looked at with the next pass.
    pub fn look_at_queue(&mut self) {
        self.queue.look_now(self.instance.clock.now());
    }

    /// A queue that is in a repository needs no node's disk: where its keeper is gone, the leader keeps it.
    async fn take_over_queue(&mut self) -> Result<(), StoreError> {
        let Some(member) = self
            .instance
            .member
            .clone()
            .filter(|_| self.queue.is_repository())
        else {
            return Ok(());
        };
        let nodes = member.nodes();
        let is_there =
            { nodes.iter() }.any(|node| Some(node.name()) == self.keeper.as_ref() && node.is_there());
        if is_there || self.keeps_queue() || !self.leads() || nodes.is_empty() {
            return Ok(());
        }
        let (me, before) = (member.name().clone(), self.keeper.clone());
        tracing::warn!(
            ?before,
            "the keeper of the queue is gone; this node keeps it from now on"
        );
        self.keep_queue(me).await
    }

    /// What was remembered of the file is read anew: whoever kept it until now has written since.
    pub(super) async fn begin_to_keep(&mut self) -> Result<(), StoreError> {
        self.queue = QueueSync::load(&self.instance).await?;
        Ok(())
    }

    /// Sends what was still being gathered for a queue that is in a repository.
    pub(super) async fn see_queue_off(&mut self) -> Result<(), StoreError> {
        if !self.queue.is_repository() || !self.keeps_queue() {
            return Ok(());
        }
        let until = since_boot() + FAREWELL;
        self.queue.hurry();
        loop {
            self.read_queue().await?;
            self.perform().await?;
            let left = until.saturating_sub(since_boot());
            if !self.outbox.gathers() || !self.queue.is_under_way() || left.is_zero() {
                return Ok(());
            }
            // A time that runs out is seen above.
            let _ = tokio::time::timeout(left, self.queue.stirred()).await;
        }
    }
}
