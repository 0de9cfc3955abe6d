//! The landing's turn: work that passed goes into its base; where that has moved on, work and base are merged and judged
//! anew first.
//!
//! One step a turn: what happened is told, and the next turn begins from the state that came of it. Whoever was
//! interrupted finds what was done and goes on.

mod forge;
mod objections;

use tokio::sync::mpsc::Sender;

use super::bench::Bench;
use super::engine::Input;
use super::instance::Instance;
use super::judge::{self, NotJudged};
use crate::domain::event::Event;
use crate::domain::gate::GateReport;
use crate::domain::stage::{Conflict, Destination, Stage};
use crate::domain::task::{Claim, State, Task};
use crate::workspace::{Advance, UpToDate, Workspace};

/// Takes the next step of a landing, and reports.
pub async fn land(instance: &Instance, task: &Task, inbox: &Sender<Input>) {
    let State::Validating {
        claim,
        stage: Stage::Landing { report, to },
        ..
    } = &task.state
    else {
        return;
    };
    let turn = Turn {
        instance,
        task,
        claim,
        report,
    };
    let done = match to {
        Destination::PullRequest => turn.by_forge().await,
        Destination::Base | Destination::Branch => turn.step().await,
    };
    let event = done.unwrap_or_else(|refusal| Event::NotLanded {
        epoch: claim.epoch,
        reason: instance.redactor.redact(&refusal.reason).into_owned(),
    });
    // A closed inbox is a service that goes down; the next one finds the same facts.
    let _ = inbox.send(Input::Event(task.id.clone(), event)).await;
}

/// What a merge with the base leaves to somebody.
pub(super) fn conflict(merged: &UpToDate) -> Option<Conflict> {
    let conflict = || Conflict {
        base: merged.base.clone(),
        files: merged.conflicts.clone(),
    };
    (!merged.conflicts.is_empty()).then(conflict)
}

struct Turn<'a> {
    instance: &'a Instance,
    task: &'a Task,
    claim: &'a Claim,
    report: &'a GateReport,
}

impl Turn<'_> {
    async fn step(&self) -> Result<Event, NotJudged> {
        let workspace = judge::workspace(self.instance, self.task).await?;
        let epoch = self.claim.epoch;
        let message = self.message();
        let advance = workspace.advance(&self.report.commit, &message, self.is_ours());
        match advance.await? {
            Advance::Done { base } => Ok(Event::Landed { epoch, commit: base }),
            Advance::Refused(reason) => Ok(Event::NotLanded { epoch, reason }),
            Advance::Behind => self.catch_up(&workspace).await,
            // Somebody's word was faster; there is nothing more to do for this one.
            Advance::Stale => std::future::pending().await,
        }
    }

    /// Brings the base into the work, and has the result judged.
    async fn catch_up(&self, workspace: &Workspace) -> Result<Event, NotJudged> {
        let merged = workspace.bring_up_to_date(&self.report.commit).await?;
        self.judged_anew(merged).await
    }

    async fn judged_anew(&self, merged: UpToDate) -> Result<Event, NotJudged> {
        let epoch = self.claim.epoch;
        if let Some(conflict) = conflict(&merged) {
            return Ok(Event::Conflicted { epoch, conflict });
        }
        let claim = Claim {
            commit: Some(merged.commit),
            ..self.claim.clone()
        };
        let bench = Bench::wait(self.instance, &self.task.id).await?;
        let report = Box::new(judge::run(self.instance, self.task, &claim, &bench).await?);
        Ok(Event::Rejudged { epoch, report })
    }

    /// Whether this landing is still wanted, as the store says.
    async fn is_ours(&self) -> bool {
        let now = self.instance.store.task(&self.task.id).await;
        now.is_ok_and(|task| task.is_some_and(|task| task.version == self.task.version))
    }

    /// What the merge says.
    fn message(&self) -> String {
        let d = &self.task.definition;
        let title = if d.title.is_empty() {
            self.task.id.as_str()
        } else {
            &d.title
        };
        let title: Vec<&str> = title.split_whitespace().collect();
        format!(
            "{}\n\nTask: {}\nJudged: {}\n",
            title.join(" "),
            self.task.id,
            self.report.commit
        )
    }
}
