//! Whole: another model looks at the work, up to a person's word.

mod faults;
mod injection;
mod models;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::world::{World, section, section_of};

/// A reviewer of ours: it keeps what it is told beside the instance, and does what `critics/TASK` says.
const CRITIC: &str = r#"
home=$(dirname "$0")
task=$ORCHESTRATOR_TASK_ID
asked=$(( $(cat "$home/asked-$task" 2>/dev/null || echo 0) + 1 ))
echo $asked 2>/dev/null > "$home/asked-$task"
told=$(mktemp) && trap 'rm -f "$told"' EXIT
cat > "$told" && cp "$told" "$home/prompt-$task-$asked" 2>/dev/null
. "$home/critics/$task"
"#;
const CLEAN: &str = r#"{"verdict":"accept","blockers":[],"should_fix":[],"security":[],"criteria":[]}"#;

/// An answer with one blocker at `done.txt:1`.
fn blocks(what: &str) -> String {
    let point = format!(r#"{{"file":"done.txt","line":1,"what":"{what}","why":"somebody reads it"}}"#);
    format!(r#"{{"verdict":"reject","blockers":[{point}],"should_fix":[],"security":[],"criteria":[]}}"#)
}

/// A script that gives this answer.
fn says(answer: &str) -> String {
    format!("cat <<'END'\n{answer}\nEND\n")
}

/// An instance in which `critic` reviews all work; `more` stands in `[review]`, `runtime` in that of the critic.
fn world(more: &str, runtime: &str) -> World {
    let world = World::new();
    fs::create_dir(world.root().join("critics")).unwrap();
    let script = world.root().join("critic.sh");
    fs::write(&script, CRITIC).unwrap();
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    let critic = format!(
        "[review]\nmode = \"on\"\nruntimes = [\"critic\"]\n{more}\n[runtimes.critic]\nkind = \"command\"\ncommand = [\"sh\", {:?}]\n{runtime}",
        script.display().to_string()
    );
    fs::write(config, format!("{text}{critic}")).unwrap();
    world
}

fn critic(world: &World, task: &str, script: &str) {
    fs::write(world.root().join("critics").join(task), script).unwrap();
}

/// What the critic was told when it was asked for the `n`th time.
fn prompt(world: &World, task: &str, n: u32) -> String {
    fs::read_to_string(world.root().join(format!("prompt-{task}-{n}"))).unwrap()
}

fn asked(world: &World, task: &str) -> String {
    fs::read_to_string(world.root().join(format!("asked-{task}"))).unwrap_or_default()
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check<'a>(task: &'a Value, name: &str) -> &'a Value {
    let checks = task["gate"]["checks"].as_array().unwrap();
    let named = checks
        .iter()
        .find(|c| c["name"].as_str().unwrap().starts_with(name));
    named.unwrap_or_else(|| panic!("no {name}: {checks:#?}"))
}

#[test]
fn work_is_completed_when_another_model_accepts_it_too() {
    let world = world("", "");
    let mild = r#"{"verdict":"accept","blockers":[],"security":[],"criteria":[{"number":1,"verdict":"met","file":"done.txt","line":1,"note":"it is there"}],
        "should_fix":[{"file":"done.txt","line":1,"what":"the text says little","why":"people read it"}]}"#;
    critic(&world, "one", &says(mild));
    let criteria = "\n#### Acceptance Criteria\n- [ ] there is a file done.txt\n";
    world.save_tasks(&[&format!("{}{criteria}", section("one", ""))]);
    let _up = world.up();
    let done = world.until_state("one", "completed");
    let review = check(&done, "review by critic/model-h");
    assert_eq!(review["verdict"], "passed");
    let prompt = prompt(&world, "one", 1);
    assert!(
        prompt.contains("1. there is a file done.txt") && prompt.contains("+attempt 1"),
        "{prompt}"
    );
    assert!(
        prompt.contains("## work (functionality): passed, exit 0"),
        "{prompt}"
    );
    let log = world.done(&["logs", "one", "--check", "review"]).out;
    assert!(
        log.contains("should fix: done.txt:1: the text says little") && log.contains("shown: sha256 "),
        "{log}"
    );
    assert!(
        world
            .done(&["show", "one"])
            .out
            .contains("review by critic/model-h")
    );
    world.until("it is told", || {
        let told = world
            .reports()
            .contains("🔎 [one] - reviewed by critic/model-h: accepted; 1 thing should be mended");
        told.then_some(())
    });
    let left = fs::read_dir(world.state_dir().join("reviews/one/1-1")).unwrap();
    let left: Vec<String> = left
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !left.contains(&"tree".to_owned()) && left.contains(&"answer-1".to_owned()),
        "{left:?}"
    );
}

/// Seen to fail with the bench taken out of `operations::validate`: the second one took the first one's room away.
#[test]
fn validate_has_the_work_reviewed_one_at_a_time_and_changes_nothing() {
    let world = world("", "");
    let slow = "if [ $asked = 2 ]; then while [ ! -e \"$home/go\" ]; do sleep 0.05; done; fi\n";
    let criteria = |held: &str| {
        format!(r#"[{{"number":1,"verdict":"{held}","file":"done.txt","line":1,"note":"as I read it"}}]"#)
    };
    let accept = CLEAN.replace("[]}", &format!("{}}}", criteria("met")));
    let reject = blocks("it names no number").replace(
        "\"criteria\":[]",
        &format!("\"criteria\":{}", criteria("not-met")),
    );
    critic(
        &world,
        "one",
        &format!(
            "{slow}if [ $asked = 3 ]; then\n{}else\n{}fi\n",
            says(&accept),
            says(&reject)
        ),
    );
    let rounds = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&rounds).unwrap();
    fs::write(rounds, text.replace("[review]\n", "[review]\nrounds = 1\n")).unwrap();
    let list = "\n#### Acceptance Criteria\n- [ ] there is a file done.txt\n";
    world.save_tasks(&[&format!("{}{list}", section("one", ""))]);
    world.done(&["tick", "--wait"]);
    let before = world.until_state("one", "blocked");
    assert_eq!(check(&before, "criteria")["verdict"], "needs-person");
    assert_eq!(asked(&world, "one"), "1\n");

    let mut first = world.command(&["validate", "one", "--json"]);
    let first = first.stdout(std::process::Stdio::piped()).spawn().unwrap();
    world.until("the first one is at it", || {
        (asked(&world, "one") == "2\n").then_some(())
    });
    let second = world.run(&["validate", "one"]);
    assert_eq!(second.code, 4, "{second:?}");
    assert!(second.err.contains("judged already"), "{second:?}");
    fs::write(world.root().join("go"), "").unwrap();
    let first = first.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(1));
    let first: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(
        check(&first, "review by critic")["verdict"],
        "failed",
        "{first:#}"
    );
    assert_eq!(check(&first, "criteria")["verdict"], "failed");

    let accepted = world.run(&["validate", "one"]);
    assert_eq!(accepted.code, 0, "{accepted:?}");
    let without = world.run(&["validate", "one", "--no-review"]);
    assert_eq!(without.code, 0, "{without:?}");
    assert!(without.out.contains("left out by --no-review"), "{without:?}");
    assert_eq!(asked(&world, "one"), "3\n");
    let of_base = world.run(&["validate", "one", "--commit", "HEAD~1", "--no-review", "--json"]);
    assert_eq!(
        (of_base.code, &of_base.json()["review_left_out"]),
        (1, &Value::Bool(false)),
        "red: no review to leave out"
    );
    assert_eq!(world.task("one"), before, "nothing has changed");
}

#[test]
fn a_blocker_goes_back_to_the_worker_with_the_list() {
    let world = world("", "");
    critic(
        &world,
        "one",
        &format!(
            "if [ $asked = 1 ]; then\n{}else\n{}fi\n",
            says(&blocks("it names no number")),
            says(CLEAN)
        ),
    );
    world.worker(
        "one",
        "cat > prompt-$ORCHESTRATOR_ATTEMPT.txt; echo $ORCHESTRATOR_ATTEMPT > done.txt",
    );
    let repo = world.repository("project", &BTreeMap::from([("a.txt", "a\n")]));
    world.save_tasks(&[&section("one", "- **Workspace:** ../project\n")]);
    let _up = world.up();
    world.until_state("one", "completed");
    assert_eq!(world.outcomes("one"), ["haiku:gate-failed", "sonnet:done"]);
    let told = world.git(&repo, &["show", "orchestrator/one:prompt-2.txt"]);
    assert!(
        told.contains("blocker: done.txt:1: it names no number (somebody reads it)"),
        "{told}"
    );
    let second = prompt(&world, "one", 2);
    assert!(
        second.contains("- attempt 1: done.txt:1: it names no number"),
        "{second}"
    );
}

#[test]
fn a_second_rejection_is_a_persons_to_settle() {
    let world = world("", "");
    critic(&world, "one", &says(&blocks("it names no number")));
    critic(&world, "two", &says(&blocks("it names no number")));
    world.save_tasks(&[&section("one", ""), &section("two", "")]);
    let _up = world.up();
    for task in ["one", "two"] {
        let waits = world.until_state(task, "blocked");
        assert_eq!(waits["waiting"]["for"], "person", "{waits:#}");
        let why = folded(waits["blocked_reason"].as_str().unwrap());
        assert!(
            why.contains("critic/model-s and the worker do not agree"),
            "{why}"
        );
        assert!(
            why.contains("it names no number") && why.contains("the worker says: "),
            "{why}"
        );
        assert_eq!(check(&waits, "review by")["verdict"], "needs-person");
    }
    world.done(&["approve", "one", "--comment", "a number is not needed"]);
    assert_eq!(
        check(&world.until_state("one", "completed"), "approval by")["verdict"],
        "passed"
    );
    world.done(&["reject", "two", "--comment", "do name it"]);
    world.until_task(
        "two",
        "a third attempt, reviewed twice more at the most",
        |task| task["state"] == "blocked" && task["attempts"].as_array().unwrap().len() > 2,
    );
}

#[test]
fn whoever_wants_no_review_has_none_and_whoever_wants_one_has_it() {
    let world = world("may_vouch_tests = true", "");
    let config = world.root().join("orchestrator.toml");
    let job = "---\ndescription: Trifles.\nreview: false\n---\n{{ task.description }}\n";
    fs::write(world.root().join("jobs/trifle.md"), job).unwrap();
    for task in ["plain", "wanted"] {
        critic(&world, task, &says(CLEAN));
    }
    world.save_tasks(&[
        &section("plain", ""),
        &section("unwanted", "- **Review:** no\n"),
        &section("trifle", "- **Job:** trifle\n"),
    ]);
    world.done(&["tick", "--wait"]);
    let reviewed = |task: &str| !asked(&world, task).is_empty();
    for (task, wanted) in [("plain", true), ("unwanted", false), ("trifle", false)] {
        assert_eq!(
            (world.task(task)["state"].as_str().unwrap(), reviewed(task)),
            ("completed", wanted),
            "{task}"
        );
    }
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("mode = \"on\"", "mode = \"off\"")).unwrap();
    world.save_tasks(&[&section("wanted", "- **Review:** yes\n"), &section("off", "")]);
    world.done(&["tick", "--wait"]);
    assert!(reviewed("wanted") && !reviewed("off"));
    world.save_tasks(&[&section("odd", "- **Review:** perhaps\n")]);
    let lint = world.run(&["lint"]);
    assert!(lint.code == 2 && lint.out.contains("bad-review"), "{lint:?}");
}

#[test]
fn another_models_word_settles_changed_tests_where_that_is_allowed() {
    for (allowed, state) in [(true, "completed"), (false, "blocked")] {
        let world = world(&format!("may_vouch_tests = {allowed}"), "");
        let test = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(1 + 1, 2)\n";
        world.repository("project", &BTreeMap::from([("test_f.py", test)]));
        world.worker("one", "touch done.txt; rm test_f.py");
        critic(&world, "one", &says(CLEAN));
        world.save_tasks(&[&section("one", "- **Workspace:** ../project\n")]);
        let _up = world.up();
        let task = world.until_state("one", state);
        let word = if allowed { "passed" } else { "needs-person" };
        assert_eq!(check(&task, "tests-and-checks")["verdict"], word);
        assert_eq!(check(&task, "review by")["verdict"], "passed");
    }
}

/// The folder in which a task's work is reviewed now.
fn room(world: &World, task: &str) -> Option<PathBuf> {
    let rooms = fs::read_dir(world.state_dir().join("reviews").join(task)).ok()?;
    let mut rooms: Vec<PathBuf> = rooms.map(|e| e.unwrap().path()).collect();
    rooms.sort();
    rooms.pop()
}

#[test]
fn what_the_queue_says_meanwhile() {
    let world = world("", "");
    critic(
        &world,
        "one",
        "echo $$ > \"$home/at-work\"; while [ ! -f \"$home/go\" ]; do sleep 0.02; done",
    );
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    let task = world.until_task("one", "is being reviewed", |task| {
        task["waiting"]["why"] == "is being reviewed by another model"
    });
    assert_eq!(task["state"], "validating", "{task:#}");
    assert!(section_of(&world.queue(), "one").unwrap().contains("validating"));
    let tree = || room(&world, "one").filter(|room| room.join("tree/done.txt").exists());
    world.until("the work is checked out for its reviewer", tree);
    fs::write(world.root().join("go"), "").unwrap();
    world.until_state("one", "blocked");
}
