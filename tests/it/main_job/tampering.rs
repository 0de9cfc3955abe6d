//! Whole: a worker that weakens the tests of its base, up to a person's word.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::world::{World, section};

fn project(world: &World) -> PathBuf {
    let test = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(1 + 1, 2)\n";
    world.repository(
        "project",
        &BTreeMap::from([("test_f.py", test), ("f.py", "x = 1\n")]),
    )
}

fn task(id: &str) -> String {
    section(id, "- **Workspace:** ../project\n")
}

/// Seen to fail with `bench.tests_and_checks` taken out of `Gate::run`: the task is archived at once.
#[test]
fn who_deletes_a_test_waits_for_a_person_and_is_done_with_the_persons_word() {
    let world = World::new();
    project(&world);
    world.worker("liar", "touch done.txt; rm test_f.py");
    world.worker("honest", "touch done.txt; echo 'x = 2' > f.py");
    world.save_tasks(&[&task("liar"), &task("honest")]);
    let _up = world.up();
    world.until_state("honest", "completed");
    let waits = world.until_state("liar", "blocked");
    assert_eq!(waits["waiting"]["for"], "person", "{waits:#}");
    assert_eq!(waits["archived"], false);
    let why = "test_f.py:5: test file deleted (was: T.test_f)";
    for page in [
        world.done(&["show", "liar"]).out,
        world.done(&["why", "liar"]).out,
        waits["blocked_reason"].as_str().unwrap().to_owned(),
        world.reports(),
    ] {
        let words: Vec<&str> = page.split_whitespace().collect();
        assert!(words.join(" ").contains(why), "{page}");
    }
    let judged = world.run(&["validate", "liar"]);
    assert_eq!(judged.code, 1, "{judged:?}");
    assert!(judged.out.contains("needs a person's word"), "{judged:?}");
    let commit = waits["gate"]["commit"].as_str().unwrap().to_owned();
    world.done(&["approve", "liar", "--comment", "it was a wrong test"]);
    let done = world.until_state("liar", "completed");
    assert_eq!(done["gate"]["commit"], commit.as_str());
    world.until_archived("liar");
    let checks = done["gate"]["checks"].as_array().unwrap();
    let named = |name: &str| {
        checks
            .iter()
            .find(|c| c["name"].as_str().unwrap().starts_with(name))
    };
    assert!(named("approval by ").is_some(), "{checks:#?}");
    assert_eq!(named("tests-and-checks").unwrap()["verdict"], "passed");
}

#[test]
fn who_is_refused_hears_what_it_was() {
    let world = World::new();
    project(&world);
    world.worker(
        "liar",
        "touch done.txt; cat > prompt-$ORCHESTRATOR_ATTEMPT.txt\nif [ $ORCHESTRATOR_ATTEMPT = 1 ]; then rm test_f.py; else git checkout -q HEAD~1 -- test_f.py; fi",
    );
    world.save_tasks(&[&task("liar")]);
    let _up = world.up();
    world.until_state("liar", "blocked");
    world.done(&["reject", "liar", "--comment", "keep the test"]);
    world.until_state("liar", "completed");
    let prompt = world.git(
        &world.path("project"),
        &["show", "orchestrator/liar:prompt-2.txt"],
    );
    assert!(
        prompt.contains("test file deleted") && prompt.contains("keep the test"),
        "{prompt}"
    );
}

/// Seen to fail with the job's key left out of `Job::fill`.
#[test]
fn a_job_whose_work_is_the_tests_needs_no_word() {
    let world = World::new();
    project(&world);
    let job = "---\ndescription: Clean the tests up.\ntests_may_change: true\n---\n{{ task.description }}\n";
    std::fs::write(world.root().join("jobs/tidy.md"), job).unwrap();
    world.worker("tidy", "touch done.txt; rm test_f.py");
    world.save_tasks(&[&section("tidy", "- **Workspace:** ../project\n- **Job:** tidy\n")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("tidy")["state"], "completed");
}

/// Seen to fail with the scope left out of the prompt.
#[test]
fn who_leaves_the_scope_is_sent_back() {
    let world = World::new();
    project(&world);
    world.worker(
        "rover",
        "touch done.txt; mkdir -p src; cat > src/prompt-$ORCHESTRATOR_ATTEMPT.txt\nif [ $ORCHESTRATOR_ATTEMPT = 1 ]; then echo 'x = 3' > f.py; else git checkout -q HEAD~1 -- f.py; fi",
    );
    world.save_tasks(&[&section(
        "rover",
        "- **Workspace:** ../project\n- **Scope:** src/, done.txt\n",
    )]);
    let _up = world.up();
    let done = world.until_state("rover", "completed");
    let prompt = |n: u32| {
        let file = format!("orchestrator/rover:src/prompt-{n}.txt");
        world.git(&world.path("project"), &["show", &file])
    };
    assert!(prompt(1).contains("- `src/`\n- `done.txt`"), "{}", prompt(1));
    assert!(
        prompt(2).contains("changed outside of the scope (src/, done.txt)") && prompt(2).contains("- f.py")
    );
    let checks = done["gate"]["checks"].as_array().unwrap();
    assert!(
        checks
            .iter()
            .any(|c| c["name"] == "scope" && c["verdict"] == "passed"),
        "{checks:#?}"
    );
}
