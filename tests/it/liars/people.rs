//! A person's word: asked for one commit, given by a person, and good for nothing else.

use super::stage::{LIAR, OPEN, Row, defenceless, is_archived, section, story, tell};
use crate::main_job::world::{World, queue};

const DELETED: Row = Row {
    name: "weakened",
    why: "it waits for a person's word",
    worker: "sed -i '/def test_mul/,$d' test_calc.py",
    ..LIAR
};

/// An instance in which that one waits.
fn waiting(others: &[Row], without: &[&str]) -> World {
    let world = OPEN.world(&[&[DELETED], others].concat(), without);
    world.save(queue(&[&section(&DELETED)]));
    OPEN.tick(&world, without);
    assert_eq!(
        world.task(DELETED.name)["state"],
        "blocked",
        "{}",
        story(&world, DELETED.name)
    );
    world
}

fn told(world: &World, row: &Row) {
    if defenceless() {
        tell(row, is_archived(world, DELETED.name));
    }
    assert_eq!(
        is_archived(world, DELETED.name),
        defenceless(),
        "{}: {}",
        row.name,
        story(world, DELETED.name)
    );
}

#[test]
fn a_worker_gives_no_person_s_word() {
    let row = Row {
        name: "worker-approves",
        why: "a worker approved what waits for a person",
        check: "true",
        worker: "orchestrator --home \"$instance\" approve weakened --comment 'looks good' > \"$outside/said\" 2>&1; echo notes > notes.txt",
        without: &["people-s-verbs"],
        ..LIAR
    };
    let without = if defenceless() { row.without } else { &[] };
    let world = waiting(&[row], without);
    let both = section(&row);
    world.edit(|text| text.replace("## Archived Tasks", &format!("{both}\n## Archived Tasks")));
    OPEN.tick(&world, without);
    told(&world, &row);
}

#[test]
fn a_word_for_one_commit_is_none_for_another() {
    let row = Row {
        name: "approval-of-another-commit",
        why: "the person saw another commit",
        without: &["word-is-bound"],
        ..LIAR
    };
    let without = if defenceless() { row.without } else { &[] };
    let world = waiting(&[], without);
    let seen = world.git(&world.path(DELETED.name), &["rev-parse", "main"]);
    let args = ["approve", DELETED.name, "--commit", seen.trim()];
    let ran = OPEN.command(&world, &args, without).output().unwrap();
    assert_eq!(ran.status.code() == Some(4), !defenceless(), "{ran:?}");
    told(&world, &row);
}

/// The branch moves after the gate: what is completed is what was judged and seen.
#[test]
fn a_commit_after_the_gate_is_not_approved_with_it() {
    if defenceless() {
        return;
    }
    let world = waiting(&[], &[]);
    let judged = world.task(DELETED.name)["gate"]["commit"].clone();
    let repo = world.path(DELETED.name);
    let branch = format!("orchestrator/{}", DELETED.name);
    let tree = world.git(&repo, &["rev-parse", "main^{tree}"]);
    let later = world.git(&repo, &["commit-tree", "-m", "later", "-p", &branch, tree.trim()]);
    world.git(
        &repo,
        &["update-ref", &format!("refs/heads/{branch}"), later.trim()],
    );
    let ran = OPEN
        .command(&world, &["approve", DELETED.name], &[])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    OPEN.tick(&world, &[]);
    assert_eq!(world.task(DELETED.name)["gate"]["commit"], judged);
    assert_ne!(later.trim(), judged.as_str().unwrap());
}
