//! A story: a fleet, a load, a seeded script of faults, an end, and the check of what is left.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::check::{Rule, check, repeats};
use super::evidence::Evidence;
use super::fault::{Fault, Tally};
use super::fleet::Fleet;
use crate::simulation::dice::Dice;

/// The shortest lease that a node may have.
pub const LEASE: Duration = Duration::from_secs(3);
const KINDS: [&str; 6] = ["plain", "plain", "deaf", "tree", "liar", "crash"];

/// Plays a story of these faults, each at least once: one round, or with `./test --nightly` as many as the time allows.
pub fn play(name: &str, faults: &[Fault]) {
    let begun = Instant::now();
    let (first, minutes) = (number("ORCHESTRATOR_CHAOS_SEED"), nightly_minutes());
    let mut seed = first.unwrap_or_else(|| u64::from(rand_seed()));
    let mut tally = Tally::new();
    let mut rounds = 0;
    loop {
        println!("{name}: ORCHESTRATOR_CHAOS_SEED={seed}");
        if !round(seed, faults, &mut tally) {
            return;
        }
        rounds += 1;
        let is_over = minutes.is_none_or(|minutes| begun.elapsed() > Duration::from_secs(60 * minutes));
        if is_over {
            break;
        }
        seed += 1;
    }
    let counts: Vec<String> = tally.iter().map(|(fault, n)| format!("{fault:?} {n}")).collect();
    println!("{name}: {rounds} rounds; {}", counts.join(", "));
}

/// One fleet from its start to its end. False: there are no servers.
fn round(seed: u64, faults: &[Fault], tally: &mut Tally) -> bool {
    let mut dice = Dice(seed);
    let Some(mut fleet) = Fleet::new(LEASE) else {
        return false;
    };
    fleet.start_all();
    feed(&mut fleet, &mut dice, 12);
    for fault in shuffled(faults, &mut dice) {
        let load = 2 + dice.roll(3);
        feed(&mut fleet, &mut dice, load);
        std::thread::sleep(Duration::from_millis(dice.roll(700) as u64));
        println!("{fault:?}");
        *tally.entry(fault).or_default() += fault.strike(&mut fleet, &mut dice);
        fleet.start_missing();
    }
    conclude(&mut fleet);
    true
}

/// Waits for the end of it all, and checks what is left.
pub fn conclude(fleet: &mut Fleet) {
    let evidence = fleet.settle();
    say(&evidence);
    let violations = check(&evidence);
    if violations.is_empty() {
        return;
    }
    let mut stories = BTreeMap::new();
    for id in violations
        .iter()
        .filter(|v| v.rule != Rule::Twice)
        .filter_map(|v| v.what.split([' ', ',']).next())
    {
        stories.entry(id.to_owned()).or_insert_with(|| fleet.story_of(id));
    }
    let stories: String = stories.into_values().collect();
    panic!("{violations:#?}\n{stories}\n{}", fleet.scene());
}

fn say(evidence: &Evidence) {
    println!(
        "{} tasks, {} attempts, {} events, {} messages, {} of them printed again",
        evidence.tasks.len(),
        evidence.attempts.len(),
        evidence.events.len(),
        evidence.outbox.len(),
        repeats(evidence),
    );
}

/// The check of what is left where there is no fleet.
pub fn proven(evidence: &Evidence) {
    say(evidence);
    assert_eq!(check(evidence), []);
}

/// New work of all kinds.
pub fn feed(fleet: &mut Fleet, dice: &mut Dice, tasks: usize) {
    for _ in 0..tasks {
        let (kind, tenths) = (dice.pick(&KINDS), 2 + dice.roll(30));
        match dice.roll(5) {
            0 => drop(fleet.add_by_command(tenths)),
            _ => drop(fleet.add(kind, tenths)),
        }
    }
}

fn shuffled(faults: &[Fault], dice: &mut Dice) -> Vec<Fault> {
    let mut left = faults.to_vec();
    let mut script = Vec::new();
    while !left.is_empty() {
        script.push(left.remove(dice.roll(left.len())));
    }
    script
}

/// How long a story goes on in the long run; none in the short one.
pub fn nightly_minutes() -> Option<u64> {
    let nightly = std::env::var("ORCHESTRATOR_NIGHTLY").is_ok_and(|value| value == "1");
    let chosen = number("ORCHESTRATOR_CHAOS_MINUTES");
    if nightly { chosen.or(Some(60)) } else { chosen }
}

pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

pub fn rand_seed() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}
