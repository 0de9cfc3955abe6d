//! What runs when: slots, priorities, the watch, the demo, and an instance's beginning.

use std::fs;

use super::world::{World, finished, is_alive, section};

const PATIENT: &str = "echo $$ > \"$home/pid.tmp\"; mv \"$home/pid.tmp\" \"$home/pid\"
    while [ ! -e \"$home/go\" ]; do sleep 0.05; done; date > done.txt";

#[test]
fn with_one_slot_the_more_urgent_goes_first() {
    let world = World::configured("max_concurrent = 1\n", "");
    for id in ["a", "b", "c", "d"] {
        world.worker(
            id,
            "echo $ORCHESTRATOR_TASK_ID >> \"$home/order\"; touch done.txt",
        );
    }
    world.save_tasks(&[
        &section("a", "- **Priority:** P3\n"),
        &section("b", ""),
        &section("c", "- **Priority:** critical\n"),
        &section("d", "- **Priority:** High\n"),
    ]);
    world.done(&["tick", "--wait"]);
    assert_eq!(
        fs::read_to_string(world.root().join("order")).unwrap(),
        "c\nd\nb\na\n"
    );
}

/// Several vendors in one tier: each is asked for a model of its own.
#[test]
fn a_runtime_has_its_own_model_where_its_tier_says_so() {
    let world = World::new();
    let path = world.root().join("orchestrator.toml");
    let config = fs::read_to_string(&path).unwrap();
    let own = "model = \"model-h\"\nmodels = { script = \"its-own\" }";
    fs::write(&path, config.replace("model = \"model-h\"", own)).unwrap();
    world.worker("a", "echo $ORCHESTRATOR_MODEL > \"$home/model\"; touch done.txt");
    world.save_tasks(&[&section("a", "")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(
        fs::read_to_string(world.root().join("model")).unwrap(),
        "its-own\n"
    );
    assert_eq!(world.task("a")["model"], "its-own");
}

#[test]
fn slots_are_never_exceeded_and_who_waits_says_so() {
    let world = World::configured("max_concurrent = 2\n", "");
    for id in ["a", "b", "c"] {
        world.worker(id, PATIENT);
    }
    let _up = world.up();
    world.save_tasks(&[&section("a", ""), &section("b", ""), &section("c", "")]);
    world.until("two run", || {
        let status = world.status();
        (status["slots"]["used"] == 2).then_some(())
    });
    let waiting: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|id| world.task(id))
        .filter(|t| t["state"] == "pending")
        .collect();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["waiting"]["for"], "slot", "{:#}", waiting[0]);
    fs::write(world.root().join("go"), "").unwrap();
    for id in ["a", "b", "c"] {
        world.until_archived(id);
    }
}

#[test]
fn without_a_service_the_stop_and_a_cancel_still_end_workers() {
    let world = World::new();
    world.worker("one", PATIENT);
    world.save_tasks(&[&section("one", "")]);
    world.done(&["tick"]);
    let worker: u32 = world
        .until_file(&world.root().join("pid"))
        .trim()
        .parse()
        .unwrap();
    world.done(&["cancel", "one"]);
    world.until("the cancelled worker is dead", || {
        (!is_alive(worker)).then_some(())
    });
    fs::remove_file(world.root().join("pid")).unwrap();

    world.worker("two", PATIENT);
    world.save_tasks(&[&section("two", "")]);
    world.done(&["tick"]);
    let worker: u32 = world
        .until_file(&world.root().join("pid"))
        .trim()
        .parse()
        .unwrap();
    world.done(&["stop", "--all"]);
    world.until("the stopped worker is dead", || (!is_alive(worker)).then_some(()));
    // The next run takes up what was decided: nothing of it counts as the worker's failure.
    world.done(&["start"]);
    fs::write(world.root().join("go"), "").unwrap();
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("one")["state"], "cancelled");
    assert_eq!(world.outcomes("two"), ["haiku:killed", "haiku:done"]);
}

#[test]
fn the_demo_shows_what_it_promises() {
    let world = World::new();
    let ran = finished(world.command(&["demo"]).current_dir(world.path("home")));
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in [
        "🚀 [fix-add] - spawning haiku agent",
        "📈 [fix-add] - escalating from haiku to sonnet: ",
        "✅ [fix-add] - completed! Validation: ✓ build, ✓ functionality",
        "✅ [use-add] - completed!",
        "⚠️ [count-lines] - agent appears stuck, killing and respawning",
        "🔄 [count-lines] - resuming from checkpoint (haiku)",
        "3 tasks: 3 done",
    ] {
        assert!(ran.out.contains(line), "no '{line}' in:\n{}", ran.out);
    }
    let at = |line: &str| ran.out.find(line).unwrap();
    assert!(
        at("[fix-add] - completed") < at("[use-add] - spawning"),
        "its dependency comes first"
    );
}

#[test]
fn init_makes_an_instance_and_overwrites_nothing() {
    let world = World::new();
    let dir = world.path("fresh");
    let init = || finished(world.command(&["init", "fresh"]).current_dir(world.path("")));
    assert_eq!(init().code, 0);
    for name in [
        "orchestrator.toml",
        "PROACTIVE-JOBS.md",
        "jobs",
        "agents",
        "heartbeats",
        "progress",
        "archive",
    ] {
        assert!(dir.join(name).exists(), "{name}");
    }
    let here = |args: &[&str]| finished(world.command(args).current_dir(&dir));
    assert_eq!(here(&["lint"]).code, 0);
    assert_eq!(here(&["config", "check"]).code, 0);
    assert_eq!(here(&["tick"]).code, 0);
    fs::write(dir.join("PROACTIVE-JOBS.md"), "mine").unwrap();
    let again = init();
    assert!(!again.err.contains("panicked"), "{again:?}");
    assert_eq!(fs::read_to_string(dir.join("PROACTIVE-JOBS.md")).unwrap(), "mine");
}

#[test]
fn a_job_that_is_corrected_starts_its_task_at_once() {
    let world = World::new();
    fs::write(
        world.root().join("jobs/odd.md"),
        "---\nname: odd\nschedule: daily\n---\nDo it.\n",
    )
    .unwrap();
    let _up = world.up();
    world.save_tasks(&[&section("t", "- **Job:** odd\n")]);
    world.until("the mistake is told", || {
        let problems = world.status()["problems"].to_string();
        (problems.contains("schedule") && problems.contains("cron")).then_some(())
    });
    fs::write(
        world.root().join("jobs/odd.md"),
        "---\nname: odd\ndescription: Now right.\n---\nDo it.\n",
    )
    .unwrap();
    world.until_archived("t");
}

#[test]
fn a_section_that_was_lost_for_a_while_goes_on_when_it_is_back() {
    let world = World::new();
    world.worker("t", PATIENT);
    let _up = world.up();
    world.save_tasks(&[&section("t", "")]);
    world.until("the file says so", || {
        (world.field("t", "Status")? == "in-progress").then_some(())
    });
    let whole = world.queue();
    // Another branch was checked out, where the section is not.
    world.save_tasks(&[]);
    world.until_state("t", "cancelled");
    fs::write(world.root().join("go"), "").unwrap();
    world.save(&whole);
    world.until_archived("t");
}
