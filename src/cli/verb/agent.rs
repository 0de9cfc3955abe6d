//! `agent`: what a worker says about itself, with nothing but the environment of its attempt.
//!
//! Everything goes through files that the orchestrator reads: no database, no network, no lock.

use std::path::PathBuf;

use super::super::args::house::{self as args, Agent, Said};
use super::super::exit::{Exit, Failure, Outcome};
use super::ground::Ground;
use crate::domain::id::TaskId;
use crate::files::{Desk, FileError, Heartbeats, Progress, atomic};
use crate::format::heartbeat::{self, Heartbeat};
use crate::format::progress;
use crate::format::request::{Request, Spawn};
use crate::runtime::outcome_file::{Claim, OutcomeFile};

/// A heartbeat may be this much in the future (clocks differ).
const FUTURE: chrono::TimeDelta = chrono::TimeDelta::minutes(2);

pub(super) fn agent(ground: &Ground, verb: Agent) -> Outcome {
    let worker = Worker::of(ground)?;
    match verb {
        Agent::Heartbeat { pct, phase } => worker.heartbeat(pct, phase),
        Agent::Log { text } => worker.log(&text.join(" ")),
        Agent::Ask { text } => worker.ask(text.join(" ")),
        Agent::Spawn(spawn) => worker.spawn(spawn),
        Agent::Done(said) => worker.claim(Claim::Done, said),
        Agent::Blocked(said) => worker.claim(Claim::Blocked, said),
        Agent::Continue(said) => worker.claim(Claim::Continue, said),
        Agent::NeedsStrongerModel(said) => worker.claim(Claim::NeedsStrongerModel, said),
    }
}

/// A worker, by its environment.
struct Worker<'a> {
    ground: &'a Ground,
    task: TaskId,
}

impl<'a> Worker<'a> {
    fn of(ground: &'a Ground) -> Result<Self, Failure> {
        let name = variable(ground, "ORCHESTRATOR_TASK_ID")?;
        let task =
            TaskId::parse(&name).map_err(|e| Failure::usage(e.to_string()).at("ORCHESTRATOR_TASK_ID"))?;
        Ok(Self { ground, task })
    }

    fn path(&self, name: &str) -> Result<PathBuf, Failure> {
        variable(self.ground, name).map(PathBuf::from)
    }

    fn heartbeat(&self, pct: Option<u8>, phase: Option<String>) -> Outcome {
        let path = self.path("ORCHESTRATOR_HEARTBEAT_FILE")?;
        let now = self.ground.clock.now();
        let attempt = self
            .ground
            .environment
            .get("ORCHESTRATOR_ATTEMPT")
            .and_then(|n| n.parse().ok());
        let beat = Heartbeat {
            attempt,
            progress_pct: pct,
            current_phase: phase,
            ..Heartbeat::new(self.task.clone(), now)
        };
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let merged = |old: Option<&[u8]>| {
            let old = old.and_then(|bytes| heartbeat::parse(bytes, &self.task, now, FUTURE).ok());
            let old = old.filter(|old| old.attempt.is_none() || old.attempt == attempt);
            Some(
                old.map_or_else(|| beat.clone(), |old| old.merge(beat.clone()))
                    .print()
                    .into_bytes(),
            )
        };
        Heartbeats::new(folder)
            .update(&self.task, merged)
            .map_err(unwritten)?;
        Ok(Exit::Done)
    }

    fn log(&self, text: &str) -> Outcome {
        let path = self.path("ORCHESTRATOR_PROGRESS_FILE")?;
        let now = self.ground.clock.now();
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let appended = |old: Option<&[u8]>| {
            let old = String::from_utf8_lossy(old.unwrap_or_default()).into_owned();
            Some(progress::append_worker_log(&old, now, text).into_bytes())
        };
        Progress::new(folder)
            .update(&self.task, appended)
            .map_err(unwritten)?;
        Ok(Exit::Done)
    }

    fn ask(&self, text: String) -> Outcome {
        self.request(Request::Ask { text })?;
        eprintln!(
            "Your question goes to a person. End your turn now (exit code 77 where you are a command); \
             the answer stands in the prompt with which you go on."
        );
        Ok(Exit::Done)
    }

    fn spawn(&self, spawn: args::Spawn) -> Outcome {
        self.request(Request::Spawn(Spawn {
            id: spawn.id,
            title: spawn.title,
            description: spawn.description,
            tier: spawn.tier,
            depends_on: spawn.depends_on,
            validation: spawn.validation,
        }))
    }

    fn request(&self, request: Request) -> Outcome {
        let path = self.path("ORCHESTRATOR_OUTCOME_FILE")?;
        let request = request
            .checked()
            .map_err(|error| Failure::usage(error.to_string()))?;
        Desk::of_outcome_file(&path)
            .request(&request.print(), self.ground.clock.now())
            .map_err(unwritten)?;
        Ok(Exit::Done)
    }

    fn claim(&self, claim: Claim, said: Said) -> Outcome {
        let path = self.path("ORCHESTRATOR_OUTCOME_FILE")?;
        let file = OutcomeFile {
            claim: Some(claim),
            reason: said.reason,
            ..OutcomeFile::default()
        };
        atomic::write(&path, file.to_json().as_bytes()).map_err(unwritten)?;
        Ok(Exit::Done)
    }
}

fn variable(ground: &Ground, name: &str) -> Result<String, Failure> {
    let value = ground
        .environment
        .get(name)
        .filter(|v| !v.is_empty())
        .map(str::to_owned);
    value.ok_or_else(|| {
        Failure::usage(format!("{name} is not set"))
            .help("`orchestrator agent` is for workers, who get it from the orchestrator; people use the other verbs")
    })
}

fn unwritten(error: FileError) -> Failure {
    Failure::failed(error.to_string())
}
