//! Putting a worker into its cell: what it may touch, the probe, the command that runs it there.

use std::path::PathBuf;

use super::super::containment::Tenant;
use super::start_facts::StartFacts;
use super::{Drive, NotStarted};
use crate::domain::event::StartFault;
use crate::runtime::process::file;
use crate::runtime::{Brief, Launch};
use crate::sandbox::{Command, Probed, Refused, Tier};
use crate::workspace::Workspace;

impl Drive<'_> {
    /// How this attempt's worker is contained.
    pub(super) fn tier(&self) -> Tier {
        self.instance.containment.tier(&self.attempt.route.runtime)
    }

    pub(super) fn is_contained(&self) -> bool {
        self.tier() != Tier::None
    }

    /// The launch within its cell, which also sees `elsewhere`, with the proof that the cell holds; the launch itself where
    /// nothing is to be contained.
    pub(super) async fn contain(
        &self,
        brief: &Brief,
        workspace: &Workspace,
        elsewhere: Vec<PathBuf>,
        launch: Launch,
    ) -> Result<(Launch, Option<Probed>), NotStarted> {
        let containment = &self.instance.containment;
        let Some(sandbox) = containment.sandbox(self.tier()) else {
            return Ok((launch, None));
        };
        let mut hosts = self.runtime.hosts();
        hosts.extend(brief.url.as_deref().and_then(crate::runtime::host_of));
        let mut read = vec![
            brief.attempt_dir.join(file::PROMPT),
            brief.attempt_dir.join(file::GIVEN),
        ];
        read.extend(brief.attachments.iter().cloned());
        read.extend(elsewhere);
        // The cell mounts it, and the process that writes it comes later.
        let prompt = std::fs::write(brief.attempt_dir.join(file::PROMPT), &brief.prompt);
        let starts = self.runtime.starts();
        let tenant = Tenant {
            task: &self.task.id,
            runtime: &self.attempt.route.runtime,
            folder: &self.dir,
            desk: &self.dir.join(file::DESK),
            workspace,
            hosts,
            read,
            write: self.runtime.writes(brief),
            commands: [&launch.argv, &starts],
        };
        let cell = prompt.and_then(|()| containment.cell(tenant));
        let cell = cell.map_err(|error| super::launch::workspace_fault(error.to_string()))?;
        let probed = sandbox.probe(&cell).await.map_err(refused)?;
        let command = Command {
            argv: launch.argv,
            env: launch.env,
        };
        let Command { argv, env } = sandbox.wrap(command, &cell, &probed).map_err(refused)?;
        let launch = Launch { argv, env, ..launch };
        Ok((launch, Some(probed)))
    }

    /// Nothing is concluded before what the attempt's cell left outside of its process tree is gone.
    pub(super) async fn sweep(&self) {
        let held = StartFacts::load(&self.dir).contained;
        let Some(sandbox) = held.and_then(|probed| self.instance.containment.sandbox(probed.tier)) else {
            return;
        };
        while let Err(refusal) = sandbox.sweep(&self.dir).await {
            tracing::warn!(task = %self.task.id, error = %refusal, "the container of an attempt is still there");
            self.instance.clock.sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}

/// Never less than what was asked for: nothing runs, and a person decides.
fn refused(refusal: Refused) -> NotStarted {
    NotStarted {
        fault: StartFault::Sandbox,
        reason: refusal.to_string(),
    }
}
