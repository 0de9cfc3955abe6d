//! The commands: the same words and exit codes with and without a running service.

use std::fs;

use super::world::{Ran, World, finished, section};

const PATIENT: &str = "echo begun; while [ ! -e \"$home/go\" ]; do sleep 0.05; done; date > done.txt";

/// Refused or unknown: one error with its next step, and nothing on standard output.
fn assert_error(ran: &Ran, code: i32, words: &str) {
    assert_eq!(ran.code, code, "{ran:?}");
    assert_eq!(ran.out, "", "{ran:?}");
    assert!(
        ran.err.starts_with("error: ") && ran.err.contains(words),
        "{ran:?}"
    );
    assert!(!ran.err.contains("panicked"), "{ran:?}");
}

#[test]
fn people_steer_tasks_while_no_service_runs() {
    let world = World::new();
    world.worker("t", "exit 77");
    world.save_tasks(&[&section("t", ""), &section("u", "").replace("pending", "paused")]);
    world.done(&["tick"]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("t")["state"], "blocked");
    assert_error(&world.run(&["resume", "t"]), 4, "blocked");
    assert_error(&world.run(&["approve", "t"]), 4, "approv");
    assert_error(&world.run(&["pause", "t"]), 4, "blocked");
    assert_eq!(world.done(&["resume", "u"]).out, "resume u: it is pending now\n");
    assert_eq!(
        world.field("u", "Status").unwrap(),
        "pending",
        "the file follows without a service"
    );
    assert!(world.done(&["resume", "u"]).out.contains("nothing to do"));
    assert!(
        world
            .done(&["pause", "u", "--reason", "later"])
            .out
            .ends_with("pause u: it is paused now\n")
    );
    assert_eq!(world.field("u", "Status").unwrap(), "paused");
    assert!(
        world
            .done(&["cancel", "u"])
            .out
            .ends_with("cancel u: it is cancelled now\n")
    );
    assert_eq!(world.field("u", "Status").unwrap(), "cancelled");
    world.worker("t", "date > done.txt");
    assert_eq!(world.done(&["retry", "t"]).out, "retry t: it is pending now\n");
    world.done(&["tick", "--wait"]);
    assert_eq!(world.task("t")["state"], "completed");
    assert_error(&world.run(&["frobnicate"]), 2, "frobnicate");
    assert_error(&world.run(&["pause", "../up"]), 2, "../up");
    assert_error(&world.run(&["stop"]), 2, "--all");
    let elsewhere = finished(world.command(&["status"]).current_dir(world.path("home")));
    assert_error(&elsewhere, 2, "orchestrator init");
}

#[test]
fn people_steer_tasks_while_the_service_runs() {
    let world = World::new();
    world.worker("long", PATIENT);
    let _up = world.up();
    let added = world.done(&[
        "add",
        "long",
        "A long one",
        "--description",
        "Go on.",
        "--priority",
        "high",
        "--check",
        "test -f done.txt",
    ]);
    assert!(added.out.contains("long is in the queue"), "{added:?}");
    world.until_state("long", "in-progress");
    assert_error(&world.run(&["add", "long"]), 4, "already");
    assert_error(&world.run(&["validate", "long"]), 4, "a worker is at it");
    world.done(&["pause", "long"]);
    let paused = world.until_state("long", "paused");
    assert_eq!(
        (&paused["session"], &paused["attempts"][0]["outcome"]),
        (&"none".into(), &"killed".into())
    );
    world.until("the file follows", || {
        (world.field("long", "Status")? == "paused").then_some(())
    });
    world.done(&["resume", "long"]);
    world.until_state("long", "in-progress");
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("long");
    let gate = world.done(&["validate", "long", "--json"]).json();
    assert_eq!(gate["gate"]["verdict"], "passed", "{gate:#}");
    fs::remove_file(world.root().join("go")).unwrap();
    world.done(&["retry", "long"]);
    world.until_state("long", "in-progress");
    world.done(&["cancel", "long", "--reason", "not needed"]);
    world.until_state("long", "cancelled");
    let show = world.done(&["show", "long"]).out;
    assert!(show.contains("not needed"), "{show}");
}

#[test]
fn the_emergency_stop_holds_until_it_is_lifted() {
    let world = World::new();
    world.worker("long", PATIENT);
    let mut up = world.up();
    world.save_tasks(&[&section("long", "")]);
    world.until_state("long", "in-progress");
    world.done(&["stop", "--all"]);
    world.until_task("long", "its worker is dead", |t| t["session"] == "none");
    let status = world.status();
    assert!(
        status["service"]["stopped"]["by"]
            .as_str()
            .unwrap()
            .contains("mary"),
        "{status:#}"
    );
    let why = world.done(&["why", "long"]).out;
    assert!(why.contains("stop"), "{why}");
    assert_eq!(up.end(), 0);
    fs::write(world.root().join("go"), "").unwrap();
    world.done(&["tick", "--wait"]);
    assert_ne!(
        world.task("long")["state"],
        "completed",
        "the stop holds after a restart"
    );
    let _up = world.up();
    world.done(&["start"]);
    world.until_archived("long");
}

#[test]
fn a_second_service_is_refused_and_the_first_one_named() {
    let world = World::new();
    world.worker("long", PATIENT);
    let mut up = world.up();
    for verb in ["up", "tick"] {
        let ran = world.run(&[verb]);
        assert_error(&ran, 4, &up.pid().to_string());
    }
    assert!(up.is_running());
    world.save_tasks(&[&section("long", "")]);
    let worker = world.until_task("long", "its worker lives", |t| t["session"] == "alive");
    let with = world.done(&["status"]).out;
    assert_eq!(up.end(), 0);
    assert!(world.reports().contains("1 worker at it"), "{}", world.reports());
    let without = world.status();
    assert_eq!(without["service"]["running"], false);
    assert_eq!(without["tasks"][0]["state"], worker["state"]);
    assert_eq!(
        without["tasks"][0]["session"], "alive",
        "it goes on without the service"
    );
    let without = world.done(&["status"]).out;
    let rows = |text: &str| {
        text.lines()
            .filter(|l| l.contains("long"))
            .map(|l| l.split("  ").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&with), rows(&without));
    fs::write(world.root().join("go"), "").unwrap();
    world.done(&["tick", "--wait"]);
    assert_eq!(world.outcomes("long"), ["haiku:done"]);
}

#[test]
fn a_tick_starts_what_can_start_and_leaves_the_worker_at_it() {
    let world = World::new();
    world.worker("long", PATIENT);
    world.save_tasks(&[&section("long", ""), &section("next", "- **Depends On:** long\n")]);
    let ran = world.done(&["tick"]);
    assert!(ran.out.contains("1 worker at it"), "{ran:?}");
    assert_eq!(world.task("long")["session"], "alive");
    fs::write(world.root().join("go"), "").unwrap();
    world.until_task("long", "its worker ends", |t| t["session"] == "gone");
    world.done(&["tick", "--wait"]);
    assert_eq!(world.outcomes("long"), ["haiku:done"]);
    assert_eq!(world.outcomes("next"), ["haiku:done"]);
    let before = fs::metadata(world.queue_path()).unwrap().modified().unwrap();
    let idle = world.done(&["tick"]);
    assert_eq!(idle.out, "");
    assert_eq!(
        fs::metadata(world.queue_path()).unwrap().modified().unwrap(),
        before,
        "an idle tick writes nothing"
    );
}

#[test]
fn reading_documents_say_their_version_and_are_plain() {
    let world = World::new();
    world.save_tasks(&[&section("t", "")]);
    world.done(&["tick", "--wait"]);
    for args in [
        &["status", "--json"][..],
        &["show", "t", "--json"],
        &["why", "t", "--json"],
        &["plan", "--json"],
        &["lint", "--json"],
        &["doctor", "--json"],
        &["config", "show", "--json"],
        &["migrate", "--plan", "--json"],
    ] {
        let ran = world.run(args);
        assert_eq!(ran.json()["version"], 1, "{args:?}");
    }
    for args in [
        &["status"][..],
        &["show", "t"],
        &["why", "t"],
        &["plan"],
        &["logs", "t"],
        &["config", "show"],
    ] {
        let ran = world.done(args);
        assert!(!ran.out.contains('\u{1b}'), "{args:?}: {}", ran.out);
    }
    assert_eq!(world.run(&["migrate", "--check"]).code, 0);
}
