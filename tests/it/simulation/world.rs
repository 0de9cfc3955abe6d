//! The world of the random walk: tasks, workers and gates, and what must hold of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use orchestrator::domain::assess::Assessment;
use orchestrator::domain::decide::{Context, Decision, Ruling, admit, decide};
use orchestrator::domain::definition::{Declared, Definition, Kind, Priority};
use orchestrator::domain::event::{Command, Event, StartFault};
use orchestrator::domain::gate::{CheckSource, CheckVerdict, Verdict};
use orchestrator::domain::id::TaskId;
use orchestrator::domain::outcome::{AttemptReport, Evidence, Outcome};
use orchestrator::domain::policy::Policy;
use orchestrator::domain::ready::{self, DependencyState, Used};
use orchestrator::domain::stage::{Destination, Stage};
use orchestrator::domain::task::{Block, State, StopReason, Task};
use orchestrator::domain::tier::{Route, TierName};

use super::dice::Dice;

/// What stands outside of `decide`: the tasks, the workers that really run, the gates that really passed.
pub struct World {
    pub dice: Dice,
    policy: Policy,
    pub now: DateTime<Utc>,
    pub tasks: BTreeMap<TaskId, Task>,
    /// Processes alive: task and epoch.
    alive: BTreeSet<(TaskId, u64)>,
    /// Passed gates: task, epoch, commit.
    pub passed: BTreeSet<(TaskId, u64, String)>,
    pub commits: u64,
    removed: u64,
}

const OUTCOMES: [Outcome; 16] = [
    Outcome::Done,
    Outcome::NoChangeNeeded,
    Outcome::Continue,
    Outcome::Bailed,
    Outcome::Blocked,
    Outcome::NeedsStrongerModel,
    Outcome::Failed,
    Outcome::RateLimited,
    Outcome::Overloaded,
    Outcome::Auth,
    Outcome::Network,
    Outcome::MaxTurns,
    Outcome::Poisoned,
    Outcome::Lost,
    Outcome::Killed,
    Outcome::Budget,
];

impl World {
    pub fn new(seed: u64) -> Self {
        let mut policy = Policy::example();
        policy.max_concurrent = 3;
        policy.tiers[2].max_concurrent = Some(1);
        policy.attempts_per_tier = 1 + (seed % 2) as u32;
        policy.landing = [Destination::Branch, Destination::Base][(seed % 3 % 2) as usize];
        policy.review.on = seed % 5 < 2;
        let mut world = Self {
            dice: Dice(seed),
            policy,
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            tasks: BTreeMap::new(),
            alive: BTreeSet::new(),
            passed: BTreeSet::new(),
            commits: 0,
            removed: 0,
        };
        for n in 0..10 {
            world.admit(n);
        }
        world
    }

    fn admit(&mut self, n: usize) {
        let id = TaskId::parse(&format!("t{n}")).unwrap();
        let depends_on = if n % 3 == 2 {
            vec![TaskId::parse(&format!("t{}", n - 1)).unwrap()]
        } else {
            vec![]
        };
        let definition = Definition {
            kind: if n % 4 == 3 {
                Kind::Continuous
            } else {
                Kind::OneOff
            },
            priority: [Priority::Low, Priority::High, Priority::Critical][n % 3],
            min_tier: (n == 5).then(|| TierName::new("sonnet")),
            max_tier: (n == 6).then(|| TierName::new("haiku")),
            depends_on,
            ..Definition::default()
        };
        let cx = Context {
            now: self.now,
            roll: 0.5,
            policy: &self.policy,
        };
        let decision = admit(
            id,
            definition,
            format!("h{n}"),
            Declared::Pending,
            "queue file",
            &cx,
        )
        .unwrap();
        self.tasks.insert(decision.task.id.clone(), decision.task);
    }

    pub fn apply(&mut self, id: &TaskId, event: Event) {
        let before = self.tasks[id].clone();
        let cx = Context {
            now: self.now,
            roll: 0.5,
            policy: &self.policy,
        };
        if let Ok(Ruling::Change(decision)) = decide(&before, event, &cx) {
            self.check_step(&before, &decision);
            self.tasks.insert(id.clone(), decision.task);
        }
    }

    fn check_step(&mut self, before: &Task, decision: &Decision) {
        let after = &decision.task;
        assert_eq!(after.version, before.version + 1);
        assert!(after.epoch >= before.epoch);
        if let Some(gate) = decision.gate.as_ref().filter(|g| g.verdict == Verdict::Passed) {
            assert_eq!(
                gate.report.verdict(),
                Verdict::Passed,
                "recorded as passed, yet its receipts say otherwise"
            );
            self.passed
                .insert((after.id.clone(), gate.epoch, gate.report.commit.clone()));
        }
        if let State::Ended {
            end: orchestrator::domain::task::End::Completed { epoch, commit, .. },
            ..
        } = &after.state
        {
            let gate = (after.id.clone(), *epoch, commit.clone());
            assert!(
                self.passed.contains(&gate),
                "{} archived without its gate",
                after.id
            );
        }
    }

    pub fn invariants(&self) {
        let used = Used::count(self.tasks.values(), self.policy.max_concurrent);
        assert!(
            used.total <= self.policy.max_concurrent,
            "slots exceeded: {used:?}"
        );
        for tier in &self.policy.tiers {
            let n = used.by_tier.get(&tier.name).copied().unwrap_or(0);
            assert!(
                n <= tier.max_concurrent.unwrap_or(u32::MAX),
                "slots of {} exceeded: {n}",
                tier.name
            );
        }
        let mut seen = BTreeSet::new();
        for (id, epoch) in &self.alive {
            assert!(seen.insert(id), "two workers of {id} at once");
            let live = self.tasks[id].state.attempt().map(|a| a.epoch);
            assert_eq!(live, Some(*epoch), "a worker of {id} that nobody knows of");
        }
        for task in self.tasks.values() {
            assert!(
                task.history.spent <= self.policy.lifetime_attempts + 1,
                "{} spends without end",
                task.id
            );
        }
    }

    pub fn schedule(&mut self) {
        let ids: Vec<TaskId> = self.tasks.keys().cloned().collect();
        for id in &ids {
            let state = |d: &TaskId| match self.tasks.get(d) {
                None => DependencyState::Unknown,
                Some(t) if t.state.is_completed() => DependencyState::Completed,
                Some(t) if t.state.is_ended() => DependencyState::Cancelled,
                Some(_) => DependencyState::Live,
            };
            if ready::unmet(&self.tasks[id], state).is_empty() {
                self.apply(id, Event::Eligible);
            }
            let difficulty = self.dice.roll(3) as u8;
            self.apply(
                id,
                Event::Assessed(Assessment {
                    difficulty,
                    reasons: vec!["said the dice".into()],
                }),
            );
        }
        let route = |t: &Task| match &t.state {
            State::Ready { next, .. } => Some(Route {
                tier: next.tier.clone(),
                runtime: "r".into(),
                model: "m".into(),
                why: "w".into(),
                node: None,
            }),
            _ => None,
        };
        let used = Used::count(self.tasks.values(), self.policy.max_concurrent);
        let claims = ready::claims(self.tasks.values(), used, self.now, &self.policy, route);
        for (id, route) in claims {
            self.apply(&id, Event::Claimed(route));
        }
    }

    pub fn report(&mut self, outcome: Outcome) -> Box<AttemptReport> {
        self.commits += 1;
        let changed = self.dice.roll(3) > 0;
        Box::new(AttemptReport {
            outcome,
            reason: outcome.as_str().to_owned(),
            evidence: Evidence {
                commit: Some(format!("c{}", self.commits)),
                changed,
                files_changed: 1,
                progress_entries: 0,
                fingerprint: if changed {
                    format!("f{}", self.commits)
                } else {
                    String::new()
                },
            },
            cost_usd: Some(0.01),
            input_tokens: None,
            output_tokens: None,
            session: None,
            retry_at: None,
            touched: Vec::new(),
        })
    }

    /// One random thing happens to one random task.
    pub fn step(&mut self) {
        let ids: Vec<TaskId> = self.tasks.keys().cloned().collect();
        let id = self.dice.pick(&ids);
        let live = self.tasks[&id].state.attempt().map(|a| a.epoch);
        let epoch = live
            .unwrap_or(self.tasks[&id].epoch)
            .saturating_sub(self.dice.roll(8).saturating_sub(6) as u64);
        match self.dice.roll(16) {
            0 => self.now += Duration::seconds(self.dice.roll(400) as i64),
            1..=3 => self.schedule(),
            4 | 5 => self.start(&id),
            6..=8 => self.finish(&id, epoch),
            9 => self.judge(&id, epoch),
            10 if self.dice.roll(2) == 0 => self.review(&id, epoch),
            10 => self.land(&id, epoch),
            11 => {
                let reason =
                    self.dice
                        .pick(&[StopReason::Stuck, StopReason::Timeout, StopReason::EmergencyStop]);
                self.apply(&id, Event::Condemned { epoch, reason });
            }
            12 => self.person(&id),
            13 => self.fail_to_start(&id),
            14 => self.redefine(&id),
            15 if self.dice.roll(2) == 0 => self.request(&id, epoch),
            _ if self.dice.roll(40) == 0 => self.apply(&id, Event::Removed),
            _ => self.apply(
                &id,
                Event::NotJudged {
                    epoch,
                    fault: StartFault::Workspace,
                    reason: "no git".into(),
                },
            ),
        }
    }

    pub fn start(&mut self, id: &TaskId) {
        if let State::Claimed { attempt, .. } = &self.tasks[id].state {
            let epoch = attempt.epoch;
            self.alive.insert((id.clone(), epoch));
            self.apply(id, Event::Started { epoch });
        }
    }

    fn request(&mut self, id: &TaskId, epoch: u64) {
        let (text, child) = (format!("question {}?", self.dice.roll(3)), id.clone());
        let event = self
            .dice
            .pick(&[Event::Asked { epoch, text }, Event::Spawned { epoch, child }]);
        self.apply(id, event);
    }

    /// A finished event is only ever sent once the process is confirmed dead.
    fn finish(&mut self, id: &TaskId, epoch: u64) {
        let outcome = self.dice.pick(&OUTCOMES);
        self.finish_as(id, epoch, outcome);
    }

    pub fn finish_as(&mut self, id: &TaskId, epoch: u64, outcome: Outcome) {
        self.alive.remove(&(id.clone(), epoch));
        let report = self.report(outcome);
        self.apply(id, Event::Finished { epoch, report });
    }

    fn fail_to_start(&mut self, id: &TaskId) {
        let State::Claimed { attempt, .. } = &self.tasks[id].state else {
            return;
        };
        let epoch = attempt.epoch;
        let fault = self.dice.pick(&[StartFault::Runtime, StartFault::Workspace]);
        self.alive.remove(&(id.clone(), epoch));
        self.apply(
            id,
            Event::NotStarted {
                epoch,
                fault,
                reason: "it does not start".into(),
            },
        );
    }

    fn person(&mut self, id: &TaskId) {
        let commands = [
            Command::Pause,
            Command::Resume,
            Command::Hold,
            Command::Retry,
            Command::Claim,
            Command::Answer { text: "yes".into() },
            super::approval(),
            Command::Reject {
                comment: String::new(),
            },
            Command::Cancel {
                reason: String::new(),
            },
        ];
        let last = if self.dice.roll(20) == 0 { 9 } else { 8 };
        let command = self.dice.pick(&commands[..last]);
        self.apply(
            id,
            Event::Person {
                by: "jane".into(),
                command,
            },
        );
    }

    fn redefine(&mut self, id: &TaskId) {
        self.removed += 1;
        let definition = Box::new(Definition {
            title: format!("v{}", self.removed),
            ..self.tasks[id].definition.clone()
        });
        self.apply(
            id,
            Event::Redefined {
                definition,
                hash: format!("h{}", self.removed),
            },
        );
    }

    /// From here on all goes well: workers do their work, checks are green, a person answers.
    pub fn let_it_finish(&mut self) {
        let ids: Vec<TaskId> = self.tasks.keys().cloned().collect();
        for _ in 0..200 {
            self.now += Duration::seconds(600);
            self.schedule();
            for id in &ids {
                self.settle(id);
                self.invariants();
            }
        }
        for task in self.tasks.values() {
            assert!(
                task.state.is_ended(),
                "{} could have finished and did not: {:?}",
                task.id,
                task.state
            );
        }
    }

    fn settle_claim(&mut self, id: &TaskId, epoch: u64, stage: &Stage) {
        match stage {
            Stage::Landing { .. } => {
                let commit = "base".to_owned();
                self.apply(id, Event::Landed { epoch, commit });
            }
            Stage::Review { .. } => self.accept(id, epoch),
            Stage::Checks => {
                let report = self.gate(id, CheckVerdict::Passed, CheckSource::Task);
                self.apply(id, Event::Judged { epoch, report });
            }
        }
    }

    fn settle(&mut self, id: &TaskId) {
        match self.tasks[id].state.clone() {
            State::Claimed { .. } => self.start(id),
            State::Running { attempt, .. } | State::Stopping { attempt, .. } => {
                self.finish_as(id, attempt.epoch, Outcome::Done);
            }
            State::Validating { claim, stage, .. } => self.settle_claim(id, claim.epoch, &stage),
            State::Blocked {
                block: Block::Approval { .. },
                ..
            } => {
                self.say(id, super::approval());
                // What was changed since it was shown is judged again.
                self.say(id, Command::Resume);
            }
            State::Blocked { .. } => self.say(id, Command::Retry),
            State::Paused { .. } => self.say(id, Command::Resume),
            State::Ended { .. } if !self.tasks[id].state.is_completed() => self.say(id, Command::Retry),
            _ => {}
        }
    }

    fn say(&mut self, id: &TaskId, command: Command) {
        let by = "jane".to_owned();
        self.apply(id, Event::Person { by, command });
    }
}
