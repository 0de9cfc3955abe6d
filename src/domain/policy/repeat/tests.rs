use proptest::prelude::*;

use super::super::{Bounds, Kind};
use super::*;
use crate::domain::tier::TierName;

/// How an attempt was, or is to be, tried.
#[derive(Debug, Clone, PartialEq)]
struct Way {
    tier: usize,
    /// Whether it goes on in a session that there is.
    kept: bool,
}

/// One attempt of a random history: how it ends, what it brings, and what the gate says of it.
#[derive(Debug, Clone)]
struct Roll {
    outcome: Outcome,
    content: u8,
    red: u8,
}

const OUTCOMES: [Outcome; 16] = [
    Outcome::Continue,
    Outcome::Bailed,
    Outcome::NeedsStrongerModel,
    Outcome::Failed,
    Outcome::GateFailed,
    Outcome::RateLimited,
    Outcome::Overloaded,
    Outcome::Auth,
    Outcome::Network,
    Outcome::Budget,
    Outcome::MaxTurns,
    Outcome::Poisoned,
    Outcome::Stuck,
    Outcome::Lost,
    Outcome::Killed,
    Outcome::Timeout,
];

fn roll() -> impl Strategy<Value = Roll> {
    (0..OUTCOMES.len(), 0u8..3, 0u8..3).prop_map(|(outcome, content, red)| Roll {
        outcome: OUTCOMES[outcome],
        content,
        red,
    })
}

fn policy(attempts_per_tier: u32, reworks: u32, idle_runs: u32) -> Policy {
    Policy {
        attempts_per_tier,
        reworks,
        idle_runs,
        lifetime_attempts: 1000,
        ..Policy::example()
    }
}

fn after(policy: &Policy, history: &History) -> Step {
    policy.after(&Situation {
        bounds: Bounds { min: 0, max: 2 },
        kind: Kind::OneOff,
        budget_usd: None,
        history,
    })
}

/// The attempt as it is written down.
fn tried(policy: &Policy, history: &History, how: &Way, roll: &Roll, sessions: bool) -> Try {
    let n = history.tries.len() as u32 + 1;
    let print = Fingerprint {
        diff: ["", "d1", "d2"][usize::from(roll.content)].to_owned(),
        red: match (roll.outcome, roll.red) {
            (Outcome::GateFailed, red) => format!("r{red}"),
            _ => String::new(),
        },
        ..Fingerprint::default()
    };
    let known = |t: &Try| Fingerprint::read(&t.fingerprint).brings_same(&print);
    let session = match history.tries.last() {
        Some(last) if how.kept => last.session.clone(),
        _ => sessions.then(|| format!("s{n}")),
    };
    Try {
        n,
        tier: policy.tiers[how.tier].name.clone(),
        runtime: "r".to_owned(),
        outcome: roll.outcome,
        // Words differ each time: they must not hide that the result is the same.
        reason: format!("reason {n}"),
        progressed: !history.tries.iter().any(known),
        waited: false,
        fingerprint: print.to_string(),
        cost_usd: None,
        session,
    }
}

/// An end that came from outside says nothing of how it was tried.
fn says_something(outcome: Outcome) -> bool {
    !outcome.is_provider_trouble() && !matches!(outcome, Outcome::Lost | Outcome::Killed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The rule itself, over random histories: after two results in a row that are the same, the next try differs
    /// from the last one in its tier or in its session; and provider trouble never changes the tier.
    #[test]
    fn the_same_result_twice_is_never_tried_the_same_way_again(
        rolls in prop::collection::vec(roll(), 2..25),
        (attempts, reworks, idle) in (1u32..5, 0u32..3, 1u32..5),
        sessions: bool,
    ) {
        let policy = policy(attempts, reworks, idle);
        let mut history = History::default();
        let mut how = Way { tier: 0, kept: false };
        let mut before: Option<Try> = None;
        for roll in &rolls {
            let try_ = tried(&policy, &history, &how, roll, sessions);
            history.push(try_.clone());
            let Step::Attempt { tier, keep_session, why, .. } = after(&policy, &history) else { break };
            let next = Way { tier, kept: keep_session && try_.session.is_some() };
            prop_assert!(!why.is_empty());
            if roll.outcome.is_provider_trouble() {
                prop_assert_eq!(next.tier, how.tier, "trouble of a provider climbs");
            } else if says_something(roll.outcome) {
                let print = Fingerprint::read(&try_.fingerprint);
                let same = before.as_ref().is_some_and(|b| print.repeats(&Fingerprint::read(&b.fingerprint)));
                prop_assert!(!same || next != how, "again {next:?} after {:?}: {why}", history.tries);
                before = Some(try_);
            }
            how = next;
        }
    }

    /// Trying ends: whoever brings the same again and again is with a person soon, however patient the policy.
    #[test]
    fn who_brings_the_same_forever_ends_with_a_person(outcome in 0..OUTCOMES.len(), sessions: bool) {
        let roll = Roll { outcome: OUTCOMES[outcome], content: 1, red: 0 };
        prop_assume!(says_something(roll.outcome) || roll.outcome == Outcome::Killed);
        let policy = policy(100, 100, 100);
        let mut history = History::default();
        let mut how = Way { tier: 0, kept: false };
        for _ in 0..12 {
            let try_ = tried(&policy, &history, &how, &roll, sessions);
            history.push(try_);
            match after(&policy, &history) {
                Step::Person { reason } => {
                    prop_assert!(reason.contains("no tier left"), "{reason}");
                    return Ok(());
                }
                Step::Attempt { tier, keep_session, .. } => how = Way { tier, kept: keep_session && sessions },
            }
        }
        prop_assert!(false, "never a person: {:?}", history.tries);
    }
}

fn one(n: u32, tier: &str, outcome: Outcome, print: &str, session: Option<&str>) -> Try {
    Try {
        n,
        tier: TierName::new(tier),
        runtime: "r".to_owned(),
        outcome,
        reason: format!("reason {n}"),
        fingerprint: print.to_owned(),
        progressed: n == 1,
        waited: false,
        cost_usd: None,
        session: session.map(str::to_owned),
    }
}

/// The order of changes, and that people are told why.
#[test]
fn first_a_fresh_session_then_the_next_tier_then_a_person() {
    let failed = Outcome::GateFailed;
    let mut history = History::default();
    let mut next = |tier: &str, print: &str, session: &str| {
        let n = history.tries.len() as u32 + 1;
        history.push(one(n, tier, failed, print, Some(session)));
        match after(&policy(9, 0, 9), &history) {
            Step::Attempt {
                tier,
                keep_session,
                why,
                ..
            } => format!("{tier} {}: {why}", if keep_session { "kept" } else { "fresh" }),
            Step::Person { reason } => format!("person: {reason}"),
        }
    };
    let same = |n: u32| format!("attempt {n} brought the same result as attempt {}", n - 1);
    assert_eq!(
        next("haiku", "diff:a red:x", "s1"),
        "0 kept: again at haiku: reason 1"
    );
    assert_eq!(
        next("haiku", "diff:b red:x", "s1"),
        format!(
            "0 fresh: {}, so a fresh session; again at haiku: reason 2",
            same(2)
        ),
        "other changes, the same checks red in the same words"
    );
    assert_eq!(
        next("haiku", "diff:b red:x", "s3"),
        format!("1 fresh: {}: reason 3", same(3))
    );
    assert_eq!(
        next("sonnet", "diff:c red:y", "s4"),
        "1 kept: again at sonnet: reason 4"
    );
    assert_eq!(
        next("sonnet", "diff:d red:z", "s4"),
        "1 kept: again at sonnet: reason 5"
    );
    assert_eq!(
        next("opus", "diff:e red:w", "s6"),
        "2 kept: again at opus: reason 6"
    );
    assert_eq!(
        next("opus", "diff:e red:w", "s7"),
        format!("person: no tier left above opus; last: {}: reason 7", same(7))
    );
}

#[test]
fn what_ended_from_outside_is_not_compared() {
    let policy = policy(9, 0, 9);
    let tier = |tries: Vec<Try>| {
        let history = History {
            tries,
            ..History::default()
        };
        match after(&policy, &history) {
            Step::Attempt { tier, .. } => Some(tier),
            Step::Person { .. } => None,
        }
    };
    let failed = |n| one(n, "haiku", Outcome::Failed, "diff:a", None);
    let from_outside = |n, outcome| one(n, "haiku", outcome, "diff:a", None);
    for outcome in [
        Outcome::Lost,
        Outcome::Overloaded,
        Outcome::RateLimited,
        Outcome::Network,
    ] {
        let outage: Vec<Try> = (1..9).map(|n| from_outside(n, outcome)).collect();
        assert_eq!(tier(outage), Some(0), "{outcome:?}");
        assert_eq!(
            tier(vec![failed(1), from_outside(2, outcome), failed(3)]),
            Some(1),
            "yet it hides nothing: {outcome:?}"
        );
    }
    let paused = from_outside(1, Outcome::Killed);
    assert_eq!(
        tier(vec![paused.clone(), failed(2)]),
        Some(0),
        "a person paused it"
    );
    assert_eq!(tier(vec![failed(1), paused]), Some(0));
    let dying = vec![from_outside(1, Outcome::Killed), from_outside(2, Outcome::Killed)];
    assert_eq!(tier(dying), Some(1), "a worker that dies again and again");
}

#[test]
fn what_ended_to_wait_is_not_compared_and_hides_nothing() {
    let policy = policy(9, 0, 9);
    let tier = |tries: Vec<Try>| {
        let history = History {
            tries,
            ..History::default()
        };
        match after(&policy, &history) {
            Step::Attempt { tier, .. } => Some(tier),
            Step::Person { .. } => None,
        }
    };
    let failed = |n| one(n, "haiku", Outcome::Failed, "diff:a", None);
    let waited = |n| Try {
        waited: true,
        ..one(n, "haiku", Outcome::Continue, "diff:a", None)
    };
    assert_eq!(
        tier(vec![waited(1), waited(2)]),
        Some(0),
        "asked twice, or made sub-tasks twice"
    );
    assert_eq!(tier(vec![waited(1), failed(2)]), Some(0), "its first own result");
    assert_eq!(tier(vec![failed(1), waited(2)]), Some(0));
    assert_eq!(tier(vec![failed(1), waited(2), failed(3)]), Some(1));
}
