//! Validators that fall over, and work that changes under them (F22): nothing is archived but what was judged to its last byte.

use std::fs;

use super::world::{World, section};

/// What a check does to the work of a first attempt; that of a second one passes.
const FALLS_OVER: [(&str, &str); 6] = [
    ("killed", "kill -9 $$"),
    ("crashes", "kill -SEGV $$"),
    ("says-killed", "exit 137"),
    ("takes-its-group-along", "kill -9 0"),
    ("hangs", "sleep 1000"),
    ("never-closes", "sleep 1000 &\nwait"),
];

/// With checks that see the world outside of their checkout.
fn open_world(gate: &str) -> World {
    let world = World::new();
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, text.replace("[gate]\n", &format!("[gate]\n{gate}"))).unwrap();
    world
}

fn checked(id: &str, script: &str) -> String {
    format!(
        "{}\n#### Validation\nIt holds:\n```sh\n{script}\n```\n",
        section(id, "")
    )
}

fn commits(world: &World, id: &str) -> (String, String) {
    let dir = world.state_dir().join("workspaces").join(id);
    let head = world.git(&dir, &["rev-parse", &format!("orchestrator/{id}")]);
    let judged = world.task(id)["gate"]["commit"].as_str().unwrap().to_owned();
    (head.trim().to_owned(), judged)
}

#[test]
fn a_validator_that_falls_over_proves_nothing() {
    let world = open_world("timeout = \"4s\"\n");
    let sections: Vec<String> = FALLS_OVER
        .iter()
        .map(|(id, falls)| checked(id, &format!("if grep -q 'attempt 1' done.txt; then\n{falls}\nfi")))
        .collect();
    world.save_tasks(&sections.iter().map(String::as_str).collect::<Vec<_>>());
    let _up = world.up();
    for (id, _) in FALLS_OVER {
        world.until_archived(id);
        let outcomes = world.outcomes(id);
        assert_eq!(outcomes.len(), 2, "{id}: {outcomes:?}");
        assert!(
            outcomes[0].ends_with(":gate-failed") && outcomes[1].ends_with(":done"),
            "{id}: {outcomes:?}"
        );
        let (head, judged) = commits(&world, id);
        assert_eq!(head, judged, "{id}: what is archived is what was judged");
    }
}

/// A check that waits to be told to go on, and tells what it saw.
fn waits(world: &World, then: &str) -> String {
    let root = world.root().display().to_string();
    format!("git rev-parse HEAD >> {root}/judged\nwhile [ ! -e {root}/go ]; do sleep 0.05; done\n{then}")
}

fn judged(world: &World) -> Vec<String> {
    let text = fs::read_to_string(world.root().join("judged")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn work_that_is_committed_while_it_is_judged_is_judged_as_it_is_then() {
    let world = open_world("containment = \"none\"\n");
    world.save_tasks(&[&checked("t", &waits(&world, "! test -e bad.txt"))]);
    let _up = world.up();
    world.until("the gate looks", || (judged(&world).len() == 1).then_some(()));
    let dir = world.state_dir().join("workspaces/t");
    fs::write(dir.join("more.txt"), "by hand").unwrap();
    world.git(&dir, &["add", "more.txt"]);
    world.git(&dir, &["commit", "--quiet", "--message=by hand"]);
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("t");
    let (head, of_gate) = commits(&world, "t");
    assert_eq!(head, of_gate);
    let seen = judged(&world);
    assert_eq!((seen.len(), seen.last()), (2, Some(&head)), "{seen:?}");
    assert_eq!(world.outcomes("t"), ["haiku:done"]);
}

#[test]
fn work_that_is_spoilt_while_it_is_judged_is_not_archived() {
    let world = open_world("containment = \"none\"\n");
    world.worker(
        "t",
        "rm -f bad.txt; echo \"attempt $ORCHESTRATOR_ATTEMPT\" > done.txt",
    );
    world.save_tasks(&[&checked("t", &waits(&world, "! test -e bad.txt"))]);
    let _up = world.up();
    world.until("the gate looks", || (judged(&world).len() == 1).then_some(()));
    let dir = world.state_dir().join("workspaces/t");
    fs::write(dir.join("bad.txt"), "spoilt").unwrap();
    world.git(&dir, &["add", "bad.txt"]);
    world.git(&dir, &["commit", "--quiet", "--message=spoilt"]);
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("t");
    let (head, of_gate) = commits(&world, "t");
    assert_eq!((&head, judged(&world).last()), (&of_gate, Some(&head)));
    let outcomes = world.outcomes("t");
    assert_eq!(
        (outcomes.len(), outcomes[0].as_str()),
        (2, "haiku:gate-failed"),
        "{outcomes:?}"
    );
    assert!(
        !world
            .git(&dir, &["ls-tree", "--name-only", &head])
            .contains("bad.txt")
    );
}

#[test]
fn what_is_edited_and_not_committed_is_no_part_of_what_is_archived() {
    let world = open_world("containment = \"none\"\n");
    world.save_tasks(&[&checked("t", &waits(&world, "grep -q attempt done.txt"))]);
    let _up = world.up();
    world.until("the gate looks", || (judged(&world).len() == 1).then_some(()));
    let dir = world.state_dir().join("workspaces/t");
    fs::write(dir.join("done.txt"), "something else").unwrap();
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("t");
    let (head, of_gate) = commits(&world, "t");
    assert_eq!((&head, judged(&world)), (&of_gate, vec![head.clone()]));
    assert_eq!(
        world.git(&dir, &["show", &format!("{head}:done.txt")]),
        "attempt 1\n"
    );
}

#[test]
fn a_branch_that_never_rests_is_a_persons() {
    let world = open_world("containment = \"none\"\n");
    let dir = world.state_dir().join("workspaces/t");
    // Whoever judges it moves it on.
    let moves = format!(
        "git -C {dir} -c user.name=x -c user.email=x@example.org commit --quiet --allow-empty --message=on",
        dir = dir.display()
    );
    world.save_tasks(&[&checked("t", &moves)]);
    let _up = world.up();
    let task = world.until_state("t", "blocked");
    assert!(task.to_string().contains("moved 3 times"), "{task:#}");
}
