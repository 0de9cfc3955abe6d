//! A random walk over the lifecycle: every kind of event in every order, and what must hold after each step.
//!
//! 100,000 steps in the normal run; `ORCHESTRATOR_NIGHTLY=1` makes it 1,000,000 and more seeds.

pub mod dice;
mod gates;
mod races;
mod world;

use world::World;

#[test]
fn random_walks_keep_every_invariant() {
    let nightly = std::env::var_os("ORCHESTRATOR_NIGHTLY").is_some();
    let (seeds, steps) = if nightly { (40, 50_000) } else { (20, 5_000) };
    let mut completed = 0;
    for seed in 0..seeds {
        let mut world = World::new(seed);
        for _ in 0..steps {
            world.step();
            world.invariants();
        }
        world.let_it_finish();
        completed += world.passed.len();
    }
    assert!(
        completed > 100,
        "the walk hardly ever completed a task: {completed}"
    );
}

/// A person accepts whatever waits.
fn approval() -> orchestrator::domain::event::Command {
    orchestrator::domain::event::Command::Approve {
        comment: String::new(),
        seen: None,
    }
}
