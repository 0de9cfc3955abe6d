//! What gates and merges say in the random walk.

use orchestrator::domain::event::Event;
use orchestrator::domain::gate::{Category, CheckSource, CheckVerdict, GateReport, Receipt, Trace};
use orchestrator::domain::id::TaskId;
use orchestrator::domain::review::{Independence, NotHad, Opinion, Point, Review, Reviewer};
use orchestrator::domain::stage::Conflict;
use orchestrator::domain::task::State;
use orchestrator::domain::tier::TierName;

use super::world::World;

impl World {
    pub fn gate(&mut self, id: &TaskId, verdict: CheckVerdict, source: CheckSource) -> Box<GateReport> {
        let commit = match &self.tasks[id].state {
            State::Validating { claim, .. } => claim.commit.clone(),
            _ => None,
        };
        let commit = commit.unwrap_or_else(|| "head".to_owned());
        let receipt = Receipt {
            name: "check".into(),
            category: Category::Functionality,
            source,
            directory: "/w".into(),
            commit: commit.clone(),
            command: "true".into(),
            exit_code: Some(0),
            verdict,
            started_at: self.now,
            duration: std::time::Duration::ZERO,
            output_tail: String::new(),
            output_sha256: String::new(),
            trace: Trace::default(),
        };
        let tree = "tree".to_owned();
        Box::new(GateReport {
            commit,
            tree,
            receipts: vec![receipt],
            started_at: self.now,
            ended_at: self.now,
        })
    }

    pub fn judge(&mut self, id: &TaskId, epoch: u64) {
        let verdict = self
            .dice
            .pick(&[CheckVerdict::Passed, CheckVerdict::Failed, CheckVerdict::TimedOut]);
        let source = self
            .dice
            .pick(&[CheckSource::Task, CheckSource::Config, CheckSource::House]);
        let report = self.gate(id, verdict, source);
        self.apply(id, Event::Judged { epoch, report });
    }

    /// What a reviewer says of the commit that is judged.
    pub fn opinion(&mut self, id: &TaskId, accepts: bool) -> Review {
        let blocker = Point {
            file: "f".into(),
            line: 1,
            what: self.dice.pick(&["divides by zero", "never read anywhere"]).into(),
            why: String::new(),
        };
        Review {
            by: Reviewer {
                runtime: "codex".into(),
                tier: TierName::new("haiku"),
                model: "m".into(),
                independence: Independence::OtherVendor,
            },
            commit: self.gate(id, CheckVerdict::Passed, CheckSource::Task).commit,
            shown: "5a".into(),
            opinion: Opinion {
                accepts,
                blockers: if accepts { vec![] } else { vec![blocker] },
                ..Opinion::default()
            },
            started_at: self.now,
            duration: std::time::Duration::ZERO,
            output_sha256: String::new(),
            output_bytes: 0,
            cost_usd: Some(0.01),
        }
    }

    pub fn accept(&mut self, id: &TaskId, epoch: u64) {
        let review = Box::new(self.opinion(id, true));
        self.apply(id, Event::Reviewed { epoch, review });
    }

    pub fn review(&mut self, id: &TaskId, epoch: u64) {
        let event = match self.dice.roll(4) {
            0 => Event::NotReviewed {
                epoch,
                not_had: NotHad {
                    reason: "codex rests".into(),
                    again_at: Some(self.now + chrono::Duration::minutes(5)),
                    cost_usd: None,
                },
            },
            n => Event::Reviewed {
                epoch,
                review: Box::new(self.opinion(id, n == 1)),
            },
        };
        self.apply(id, event);
    }

    pub fn land(&mut self, id: &TaskId, epoch: u64) {
        let event = match self.dice.roll(6) {
            0 => {
                self.commits += 1;
                let commit = format!("merged{}", self.commits);
                Event::Refreshed { epoch, commit }
            }
            1 => {
                let verdict = self.dice.pick(&[CheckVerdict::Passed, CheckVerdict::Failed]);
                let report = self.gate(id, verdict, CheckSource::Task);
                Event::Rejudged { epoch, report }
            }
            2 => Event::Conflicted {
                epoch,
                conflict: Conflict {
                    base: "base".into(),
                    files: vec!["f".into()],
                },
            },
            3 => Event::NotLanded {
                epoch,
                reason: "somebody's changes are in the way".into(),
            },
            _ => Event::Landed {
                epoch,
                commit: "base".into(),
            },
        };
        self.apply(id, event);
    }
}
