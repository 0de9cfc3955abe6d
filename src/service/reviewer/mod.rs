//! A review: another model is shown the work and what the gate saw of it, and answers in one form.
//!
//! Invariants: a reviewer is a process under a supervisor, in a folder of its own, and ends with whoever waits for it; it
//! sees files of the work and nothing that a worker says of it; what it answers counts only where it is read whole, by
//! [`crate::format::review`]. What was begun before a restart is killed, and begun anew.

mod room;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Sender;

use self::room::Room;
use super::bench::Bench;
use super::consult::{Answer, Consult, Missed, Voice};
use super::engine::Input;
use super::gate_output::GateOutput;
use super::instance::Instance;
use crate::domain::event::Event;
use crate::domain::gate::GateReport;
use crate::domain::retry::come_back;
use crate::domain::review::{
    Candidate, Independence, NotHad, Opinion, Review, Reviewer, in_order, once_more,
};
use crate::domain::stage::Stage;
use crate::domain::task::{Claim, State, Task};
use crate::format::review::{Asked, Flaw, parse};
use crate::gate::Keep;

/// How soon it is looked again whether anybody can review.
const LOOK_AGAIN: TimeDelta = TimeDelta::minutes(10);
/// Answers that a reviewer may give.
const ANSWERS: u32 = 2;

/// What is under review.
#[derive(Clone, Copy)]
struct Case<'a> {
    task: &'a Task,
    claim: &'a Claim,
    /// What the gate saw.
    report: &'a GateReport,
}

/// Has a task's work reviewed, and reports.
pub async fn hold(instance: &Instance, task: &Task, inbox: &Sender<Input>) {
    let State::Validating {
        claim,
        stage: Stage::Review { report, .. },
        ..
    } = &task.state
    else {
        return;
    };
    let case = Case { task, claim, report };
    let epoch = claim.epoch;
    let reviewed = match Bench::wait(instance, &task.id).await {
        Ok(bench) => review(instance, case, &bench).await,
        Err(error) => Err(not_had(
            format!("the task's bench cannot be used: {error}"),
            None,
            None,
        )),
    };
    let event = match reviewed {
        Ok(review) => Event::Reviewed {
            epoch,
            review: Box::new(review),
        },
        Err(not_had) => Event::NotReviewed { epoch, not_had },
    };
    // A closed inbox is a service that goes down; the next one has it reviewed anew.
    let _ = inbox.send(Input::Event(task.id.clone(), event)).await;
}

/// Has work reviewed that the gate saw, for a person who asks: nothing is changed by it.
pub async fn opinion(
    instance: &Instance,
    task: &Task,
    claim: &Claim,
    report: &GateReport,
    bench: &Bench,
) -> Result<Review, NotHad> {
    review(instance, Case { task, claim, report }, bench).await
}

/// A sitting: one reviewer, one answer or two.
struct Sitting<'a> {
    instance: &'a Instance,
    case: Case<'a>,
    by: Reviewer,
    room: Room,
    /// What it has cost so far.
    cost_usd: Option<f64>,
}

/// Has the work reviewed by whoever can, the farthest from whoever did it first.
async fn review(instance: &Instance, case: Case<'_>, _bench: &Bench) -> Result<Review, NotHad> {
    let Ok(_turn) = instance.review_turns.acquire().await else {
        return Err(not_had(
            "the service goes down".to_owned(),
            Some(instance.clock.now()),
            None,
        ));
    };
    room::clear(instance, &case.task.id).await;
    let mut cost_usd = None;
    let mut passed_over = BTreeSet::new();
    loop {
        let now = instance.clock.now();
        let (candidate, independence) = match choose(instance, case.task, &passed_over, now) {
            Ok(found) => found,
            Err(why) => return Err(not_had(why, Some(when(instance, now)), cost_usd)),
        };
        let by = Reviewer {
            runtime: candidate.runtime.clone(),
            tier: candidate.tier,
            model: candidate.model,
            independence,
        };
        let room = match Room::furnish(instance, case).await {
            Ok(room) => room,
            Err(why) => return Err(not_had(why, None, cost_usd)),
        };
        let mut sitting = Sitting {
            instance,
            case,
            by,
            room,
            cost_usd,
        };
        match sitting.hold().await {
            Ok(review) => return Ok(review),
            Err(Missed::Failed(why)) => {
                let why = format!("{}: {why}", sitting.by.name());
                return Err(not_had(
                    instance.redactor.redact(&why).into_owned(),
                    None,
                    sitting.cost_usd,
                ));
            }
            Err(Missed::Trouble(trouble)) => {
                let until = trouble
                    .until
                    .map_or(now + trouble.pause, |named| come_back(named, now));
                let until = until.max(now + TimeDelta::seconds(1));
                cost_usd = sitting.cost_usd;
                tracing::warn!(task = %case.task.id, runtime = candidate.runtime, reason = trouble.reason, "a review waits for its provider");
                instance.fleet.rest(&candidate.runtime, until);
                passed_over.insert(candidate.runtime);
            }
        }
    }
}

fn not_had(reason: String, again_at: Option<DateTime<Utc>>, cost_usd: Option<f64>) -> NotHad {
    NotHad {
        reason,
        again_at,
        cost_usd,
    }
}

/// The first time at which it may be otherwise.
fn when(instance: &Instance, now: DateTime<Utc>) -> DateTime<Utc> {
    let soon = now + LOOK_AGAIN;
    instance.fleet.rested_at(now).map_or(soon, |at| at.min(soon))
}

/// Who reviews: the farthest of those that can be used; else why nobody can.
fn choose(
    instance: &Instance,
    task: &Task,
    passed_over: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Result<(Candidate, Independence), String> {
    let (fleet, wanted) = (&instance.fleet, &instance.config.review);
    let tries = task.history.tries.iter();
    let makers: Vec<_> = tries.clone().filter_map(|done| fleet.maker(done)).collect();
    let near = tries.clone().next_back().map(|done| &done.tier);
    let all = fleet.reviewers(&wanted.runtimes, wanted.tier.as_ref(), near);
    let names: BTreeSet<String> = all.iter().map(|c| c.runtime.clone()).collect();
    let impediment = |name: &str| match passed_over.contains(name) {
        true => fleet
            .impediment(name, now)
            .or_else(|| Some(format!("{name} has just failed"))),
        false => fleet.impediment(name, now),
    };
    let mut ordered = in_order(&makers, all).into_iter();
    ordered
        .find(|(c, _)| impediment(&c.runtime).is_none())
        .ok_or_else(|| {
            let reasons: Vec<String> = names.iter().filter_map(|name| impediment(name)).collect();
            match reasons.is_empty() {
                true => "no runtime can review; name some in review.runtimes".to_owned(),
                false => reasons.join("; "),
            }
        })
}

/// What a task may still cost; none where there is no limit.
pub(super) fn budget_left(task: &Task, spent: Option<f64>) -> Option<f64> {
    let budget = task.definition.budget_usd?;
    Some((budget - task.history.cost_usd() - spent.unwrap_or_default()).max(0.0))
}

impl Sitting<'_> {
    /// Asks, for the `n`th time.
    async fn ask(&mut self, n: u32, words: &str, session: Option<&str>) -> Result<Answer, Missed> {
        let (Case { task, claim, .. }, room) = (self.case, &self.room);
        let mut consult = Consult {
            instance: self.instance,
            about: &task.id,
            attempt: claim.attempt,
            epoch: claim.epoch,
            by: Voice {
                runtime: &self.by.runtime,
                tier: &self.by.tier,
                model: &self.by.model,
            },
            tree: room.checkout.top(),
            home: room.home(),
            tools: room.tools.clone(),
            read: vec![room.diff_file.clone()],
            budget_usd: budget_left(task, self.cost_usd),
            timeout: self.instance.config.review.timeout,
            cost_usd: self.cost_usd,
        };
        let answer = consult.ask(&room.of_answer(n), words, session).await;
        self.cost_usd = consult.cost_usd;
        answer
    }

    async fn hold(&mut self) -> Result<Review, Missed> {
        if budget_left(self.case.task, self.cost_usd).is_some_and(|left| left <= 0.0) {
            return Err(Missed::Failed("the task's budget is used up".to_owned()));
        }
        let started_at = self.instance.clock.now();
        let prompt = self
            .room
            .prompt(self.instance, self.case)
            .await
            .map_err(Missed::Failed)?;
        let mut words = prompt.text.clone();
        let mut session = None;
        let mut flaw = String::new();
        for n in 1..=ANSWERS {
            let answer = self.ask(n, &words, session.as_deref()).await?;
            match self.read(&answer).await {
                Ok(opinion) => return Ok(self.review(&answer.message, opinion, started_at, prompt.digest)),
                Err(why) => flaw = why,
            }
            let again = once_more(&flaw, self.criteria());
            session = answer.session;
            words = match session {
                Some(_) => again,
                None => format!("{}\n\n{again}", prompt.text),
            };
        }
        Err(Missed::Failed(format!(
            "it gave no review that can be read: {flaw}"
        )))
    }

    fn criteria(&self) -> usize {
        self.case.task.definition.acceptance.len()
    }

    async fn read(&self, answer: &Answer) -> Result<Opinion, String> {
        if let Some(why) = &answer.broken {
            return Err(why.clone());
        }
        match self.room.checkout.is_untouched().await {
            Ok(true) => {}
            Ok(false) => return Err("it changed the files under review".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
        let asked = Asked {
            criteria: u32::try_from(self.criteria()).unwrap_or(u32::MAX),
            lines_of: &|file| self.room.checkout.lines_of(file),
        };
        let opinion = parse(&answer.message, &asked).map_err(|flaw: Flaw| flaw.to_string())?;
        match opinion.accepts && !answer.claims_an_end {
            true => Err("it accepts, and does not say that it is done".to_owned()),
            false => Ok(opinion),
        }
    }

    fn review(&self, message: &str, opinion: Opinion, started_at: DateTime<Utc>, shown: String) -> Review {
        let output = format!(
            "review by {} ({})\nshown: sha256 {shown}\n\n{}\nin its own words:\n{message}\n",
            self.by.name(),
            self.by.independence.sentence(),
            opinion.list()
        );
        let output = self.instance.redactor.redact(&output).into_owned();
        let output_sha256 = hex(&Sha256::digest(&output));
        let kept = GateOutput::new(self.instance, &self.case.task.id).keep(&output_sha256, &output);
        if let Err(error) = kept {
            tracing::warn!(task = %self.case.task.id, %error, "the review's output was not kept");
        }
        let took = (self.instance.clock.now() - started_at).to_std();
        Review {
            by: self.by.clone(),
            commit: self.case.report.commit.clone(),
            shown,
            opinion: redacted(opinion, self.instance),
            started_at,
            duration: took.unwrap_or(Duration::ZERO),
            output_sha256,
            output_bytes: output.len() as u64,
            cost_usd: self.cost_usd,
        }
    }
}

fn redacted(mut opinion: Opinion, instance: &Instance) -> Opinion {
    let clean = |text: &mut String| *text = instance.redactor.redact(text).into_owned();
    let graded = opinion.security.iter_mut().map(|c| &mut c.point);
    for point in opinion
        .blockers
        .iter_mut()
        .chain(&mut opinion.should_fix)
        .chain(graded)
    {
        clean(&mut point.what);
        clean(&mut point.why);
    }
    opinion
        .criteria
        .iter_mut()
        .for_each(|answer| clean(&mut answer.note));
    opinion
}

/// A digest as text.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
