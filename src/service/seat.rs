//! A worker's seat: what it can say and read with nothing but the environment of its attempt.
//!
//! Both surfaces for workers (`orchestrator agent …`, `orchestrator mcp`) stand on this. Everything goes through the
//! files that the environment names: no database, no network. Invariants: a seat speaks for one task, the one that the
//! attempt's token was made for; it writes to no other path than those. Deliberately absent: any effect of what is said
//! (the driver reads the files), and trust in it.

use std::io;
use std::path::PathBuf;

use super::given::{Given, GivenReport, GivenTask};
use super::token::fingerprint;
use crate::clock::Clock;
use crate::config::Environment;
use crate::domain::id::{InvalidId, TaskId};
use crate::files::{self, Desk, FileError, atomic, heartbeats};
use crate::format::heartbeat::{self, Heartbeat};
use crate::format::progress;
use crate::format::request::{Request, Unusable};
use crate::runtime::outcome_file::{Claim, OutcomeFile};
use crate::runtime::printable::printable;

/// A heartbeat may be this much in the future (clocks differ).
const FUTURE: chrono::TimeDelta = chrono::TimeDelta::minutes(2);

/// Why a worker is not heard, or not answered.
#[derive(Debug, thiserror::Error)]
pub enum SeatError {
    /// A variable of the attempt is missing.
    #[error("{name} is not set")]
    Unset {
        /// The variable.
        name: &'static str,
    },
    /// The task's name is none.
    #[error("ORCHESTRATOR_TASK_ID: {0}")]
    NoTask(#[from] InvalidId),
    /// The token is not that of this attempt and task.
    #[error(
        "ORCHESTRATOR_TOKEN is not that of this attempt of '{task}'; leave the ORCHESTRATOR_ variables as the orchestrator set them"
    )]
    Refused {
        /// The task that was named.
        task: TaskId,
    },
    /// What is asked for cannot be taken up.
    #[error("{0}")]
    Unusable(#[from] Unusable),
    /// A file of the attempt cannot be written or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// What the orchestrator gave cannot be read.
    #[error("what this attempt was given cannot be read: {0}; the prompt says the same")]
    Given(io::Error),
}

/// A worker, by its environment.
#[derive(Debug, Clone)]
pub struct Seat {
    environment: Environment,
    clock: Clock,
    task: TaskId,
}

impl Seat {
    /// The seat that an environment speaks of. Where the orchestrator left what it gave, the token must be the one
    /// that was made for this attempt of this task.
    pub fn of(environment: &Environment, clock: &Clock) -> Result<Self, SeatError> {
        let name = environment.get("ORCHESTRATOR_TASK_ID");
        let task = TaskId::parse(name.ok_or(SeatError::Unset {
            name: "ORCHESTRATOR_TASK_ID",
        })?)?;
        let seat = Self {
            environment: environment.clone(),
            clock: clock.clone(),
            task,
        };
        match seat.given() {
            Ok(given) if given.is_there() => seat.prove(&given)?,
            _ => {}
        }
        Ok(seat)
    }

    /// Like [`Seat::of`], and refused where nothing proves the token.
    pub fn proven(environment: &Environment, clock: &Clock) -> Result<Self, SeatError> {
        let seat = Self::of(environment, clock)?;
        seat.prove(&seat.given()?)?;
        Ok(seat)
    }

    fn prove(&self, given: &Given) -> Result<(), SeatError> {
        let token = self.variable("ORCHESTRATOR_TOKEN")?;
        let known = given.fingerprint().map_err(SeatError::Given)?;
        let task = given.task().map_err(SeatError::Given)?;
        if fingerprint(token) == known && task.id == self.task {
            return Ok(());
        }
        Err(SeatError::Refused {
            task: self.task.clone(),
        })
    }

    /// A sign of life; `pct` is from 0 to 100.
    pub fn heartbeat(&self, pct: Option<u8>, phase: Option<String>) -> Result<(), SeatError> {
        let path = self.path("ORCHESTRATOR_HEARTBEAT_FILE")?;
        let now = self.clock.now();
        let attempt = self.environment.get("ORCHESTRATOR_ATTEMPT");
        let attempt = attempt.and_then(|n| n.parse().ok());
        let beat = Heartbeat {
            attempt,
            progress_pct: pct,
            current_phase: phase,
            ..Heartbeat::new(self.task.clone(), now)
        };
        let merged = |old: Option<&[u8]>| {
            let old = old.and_then(|bytes| heartbeat::parse(bytes, &self.task, now, FUTURE).ok());
            let old = old.filter(|old| old.attempt.is_none() || old.attempt == attempt);
            let beat = old.map_or_else(|| beat.clone(), |old| old.merge(beat.clone()));
            Some(beat.print().into_bytes())
        };
        files::update_own(&path, heartbeats::LIMIT, merged)?;
        Ok(())
    }

    /// An entry of the work log.
    pub fn log(&self, text: &str) -> Result<(), SeatError> {
        // People read the file on a terminal.
        let text = &printable(text.as_bytes());
        let path = self.path("ORCHESTRATOR_PROGRESS_FILE")?;
        let now = self.clock.now();
        let appended = |old: Option<&[u8]>| {
            let old = String::from_utf8_lossy(old.unwrap_or_default()).into_owned();
            Some(progress::append_worker_log(&old, now, text).into_bytes())
        };
        files::update_own(&path, files::progress::LIMIT, appended)?;
        Ok(())
    }

    /// Ticks an acceptance criterion, and says what shows it.
    pub fn criterion(&self, number: usize, evidence: &str) -> Result<(), SeatError> {
        let evidence = &printable(evidence.as_bytes());
        let path = self.path("ORCHESTRATOR_PROGRESS_FILE")?;
        let answered = |old: Option<&[u8]>| {
            let old = String::from_utf8_lossy(old.unwrap_or_default()).into_owned();
            Some(progress::answer(&old, number, evidence).into_bytes())
        };
        files::update_own(&path, files::progress::LIMIT, answered)?;
        Ok(())
    }

    /// How it ends, in its own words: a claim.
    pub fn claim(&self, claim: Claim, reason: Option<String>) -> Result<(), SeatError> {
        let path = self.path("ORCHESTRATOR_OUTCOME_FILE")?;
        let file = OutcomeFile {
            claim: Some(claim),
            reason,
            ..OutcomeFile::default()
        };
        atomic::write(&path, file.to_json().as_bytes())?;
        Ok(())
    }

    /// Something that it wants of the orchestrator; the driver takes it up.
    pub fn request(&self, request: Request) -> Result<(), SeatError> {
        let path = self.path("ORCHESTRATOR_OUTCOME_FILE")?;
        let request = request.checked()?;
        Desk::of_outcome_file(&path).request(&request.print(), self.clock.now())?;
        Ok(())
    }

    /// Its task.
    pub fn task(&self) -> Result<GivenTask, SeatError> {
        self.given()?.task().map_err(SeatError::Given)
    }

    /// The newest runs of its task's gate before this attempt, the oldest first.
    pub fn gate_reports(&self) -> Result<Vec<GivenReport>, SeatError> {
        self.given()?.reports().map_err(SeatError::Given)
    }

    /// The text of the progress file; empty where there is none yet.
    pub fn progress(&self) -> Result<String, SeatError> {
        let path = self.path("ORCHESTRATOR_PROGRESS_FILE")?;
        let bytes = files::read_own(&path, files::progress::LIMIT)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn given(&self) -> Result<Given, SeatError> {
        let path = self.path("ORCHESTRATOR_PROMPT_FILE")?;
        Ok(Given::of_prompt_file(&path))
    }

    fn path(&self, name: &'static str) -> Result<PathBuf, SeatError> {
        self.variable(name).map(PathBuf::from)
    }

    fn variable(&self, name: &'static str) -> Result<&str, SeatError> {
        self.environment.get(name).ok_or(SeatError::Unset { name })
    }
}
