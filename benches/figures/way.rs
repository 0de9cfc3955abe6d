//! A task's whole way, as the events that lead it from admission to the archive.

use std::time::Duration;

use chrono::{DateTime, Utc};
use orchestrator::domain::assess::Assessment;
use orchestrator::domain::decide::{Context, Decision, Ruling, admit, decide};
use orchestrator::domain::definition::{Declared, Definition};
use orchestrator::domain::event::Event;
use orchestrator::domain::gate::{Category, CheckSource, CheckVerdict, GateReport, Receipt, Trace};
use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::{AttemptReport, Evidence, Outcome};
use orchestrator::domain::policy::Policy;
use orchestrator::domain::task::Task;
use orchestrator::domain::tier::{Route, TierName};

/// How many decisions it takes, the admission included.
pub const STEPS: usize = 7;

/// The rules and the moment of all decisions.
pub struct Way {
    policy: Policy,
    now: DateTime<Utc>,
}

impl Way {
    /// With the example policy, now.
    pub fn new() -> Self {
        Self {
            policy: Policy::example(),
            now: orchestrator::clock::truncate(Utc::now()),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            now: self.now,
            roll: 0.5,
            policy: &self.policy,
        }
    }

    /// The admission of a task.
    pub fn admission(&self, id: &str) -> anyhow::Result<Decision> {
        let definition = Definition {
            title: format!("Task {id}"),
            description: "Do the work of this step, carefully, and write down what was done.".to_owned(),
            project: "bench".to_owned(),
            ..Definition::default()
        };
        let hash = format!("hash-of-{id}");
        let cx = self.context();
        admit(
            TaskId::parse(id)?,
            definition,
            hash,
            Declared::Pending,
            "queue file",
            &cx,
        )
        .ok_or_else(|| anyhow::anyhow!("{id} is not admitted"))
    }

    /// What comes of an event.
    pub fn decide(&self, task: &Task, event: Event) -> anyhow::Result<Decision> {
        match decide(task, event, &self.context())? {
            Ruling::Change(decision) => Ok(*decision),
            Ruling::NoChange(why) => anyhow::bail!("nothing changed: {why}"),
        }
    }

    /// The events after the admission, in order, each with its name.
    pub fn events(&self) -> [(&'static str, Event); STEPS - 1] {
        let epoch = 1;
        let report = Box::new(self.report());
        [
            ("eligible", Event::Eligible),
            (
                "assessed",
                Event::Assessed(Assessment {
                    difficulty: 0,
                    reasons: vec!["one file".to_owned()],
                }),
            ),
            ("claimed", Event::Claimed(route())),
            ("started", Event::Started { epoch }),
            ("finished", Event::Finished { epoch, report }),
            (
                "judged",
                Event::Judged {
                    epoch,
                    report: Box::new(self.gate()),
                },
            ),
        ]
    }

    fn report(&self) -> AttemptReport {
        AttemptReport {
            outcome: Outcome::Done,
            reason: "the worker says so".to_owned(),
            evidence: Evidence {
                commit: Some(COMMIT.to_owned()),
                changed: true,
                files_changed: 1,
                progress_entries: 1,
                fingerprint: COMMIT.to_owned(),
            },
            cost_usd: Some(0.01),
            input_tokens: Some(1000),
            output_tokens: Some(100),
            session: None,
            retry_at: None,
            touched: Vec::new(),
        }
    }

    fn gate(&self) -> GateReport {
        let receipt = Receipt {
            name: "tests".to_owned(),
            category: Category::Functionality,
            source: CheckSource::Task,
            directory: "/workspace".to_owned(),
            commit: COMMIT.to_owned(),
            command: "cargo test".to_owned(),
            exit_code: Some(0),
            verdict: CheckVerdict::Passed,
            started_at: self.now,
            duration: Duration::from_secs(1),
            output_tail: "test result: ok. 12 passed; 0 failed".to_owned(),
            output_sha256: String::new(),
            trace: Trace::default(),
        };
        GateReport {
            commit: COMMIT.to_owned(),
            tree: COMMIT.to_owned(),
            receipts: vec![receipt],
            started_at: self.now,
            ended_at: self.now,
        }
    }
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn route() -> Route {
    Route {
        tier: TierName::new("haiku"),
        runtime: "claude".to_owned(),
        model: "claude-haiku-4-5".to_owned(),
        why: "the lowest tier".to_owned(),
        node: None,
    }
}
