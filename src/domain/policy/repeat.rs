//! The same result twice: recognised here, and answered with another way of trying.

use super::super::fingerprint::Fingerprint;
use super::super::outcome::Outcome;
use super::super::task::{History, Try};
use super::{Policy, Situation, Step, Wait};

impl Policy {
    /// A step that would try again what has just brought the same result twice becomes another one: a fresh session
    /// at the same tier where the last try went on in an earlier one's, else the next tier, else a person.
    pub(super) fn unless_repeated(&self, situation: &Situation<'_>, last: &Try, step: Step) -> Step {
        let history = situation.history;
        let (Step::Attempt { tier, wait, .. }, Some(before)) = (&step, repeated(history)) else {
            return step;
        };
        let (tier, wait) = (*tier, *wait);
        if self.tiers[tier].name != last.tier {
            return step;
        }
        let same = format!(
            "attempt {} brought the same result as attempt {}",
            last.n, before.n
        );
        if went_on(history) {
            return afresh(step, &same);
        }
        let told = Try {
            reason: format!("{same}: {}", last.reason),
            ..last.clone()
        };
        let wait = match wait {
            Wait::Continuation => Wait::Backoff(1),
            wait => wait,
        };
        self.climb(situation, tier, &told, wait)
    }
}

/// Whether the last two tries came to the same result, so that whoever comes next must try in another way.
pub fn repeats(history: &History) -> bool {
    repeated(history).is_some()
}

fn afresh(step: Step, same: &str) -> Step {
    match step {
        Step::Attempt {
            tier,
            start,
            wait,
            why,
            ..
        } => Step::Attempt {
            tier,
            start,
            keep_session: false,
            wait,
            why: format!("{same}, so a fresh session; {why}"),
        },
        person => person,
    }
}

/// The earlier try whose result the last one repeats.
///
/// What was ended from outside says nothing of the way it was tried: trouble of a provider and lost attempts never
/// count, killed ones only beside another killed one. Nor does what ended to wait: the answer or the sub-tasks are what
/// the next one has and it had not.
fn repeated(history: &History) -> Option<&Try> {
    let (last, earlier) = history.tries.split_last()?;
    let mut earlier = earlier.iter().rev().filter(|t| came_to_a_result(t));
    let before = match last.outcome {
        Outcome::Killed => earlier.next().filter(|t| t.outcome == Outcome::Killed),
        _ if came_to_a_result(last) => earlier.find(|t| t.outcome != Outcome::Killed),
        _ => None,
    }?;
    Fingerprint::read(&last.fingerprint)
        .repeats(&Fingerprint::read(&before.fingerprint))
        .then_some(before)
}

/// Whether what a try brought can be held against another's.
fn came_to_a_result(t: &Try) -> bool {
    !t.waited && !t.outcome.is_provider_trouble() && t.outcome != Outcome::Lost
}

/// Whether the last try went on in the session of an earlier one that had come to a result.
fn went_on(history: &History) -> bool {
    let Some((last, earlier)) = history.tries.split_last() else {
        return false;
    };
    last.session.is_some()
        && earlier
            .iter()
            .any(|t| t.session == last.session && !t.outcome.is_provider_trouble())
}

#[cfg(test)]
mod tests;
