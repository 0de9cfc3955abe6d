//! A backup is put back after the world went on: every divergence is named before anything is claimed, and nothing that was
//! done is done again. What workers did is told by a ledger that they write themselves, outside the product.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::world::{World, section};
use crate::postgres::{self, Database};

/// Writes itself into the ledger, waits where it is told to, and does its work.
fn worker(world: &World, task: &str, waits: bool) {
    let wait = match waits {
        true => format!(
            "while [ ! -e '{}' ]; do sleep 0.02; done\n",
            world.path(&format!("go-{task}")).display()
        ),
        false => String::new(),
    };
    let ledger = world.path("ledger");
    let script = format!(
        "echo \"$ORCHESTRATOR_TASK_ID\" >> '{}'\n{wait}printf '\\n- %s: did it\\n' \"$(date -u +%FT%TZ)\" >> \"$ORCHESTRATOR_PROGRESS_FILE\"\ndate > done.txt\n",
        ledger.display()
    );
    world.worker(task, &script);
}

fn ledger(world: &World) -> Vec<String> {
    let text = fs::read_to_string(world.path("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn begun(world: &World, task: &str) {
    world.until(&format!("{task} is at it"), || {
        ledger(world).contains(&task.to_owned()).then_some(())
    });
}

fn go(world: &World, task: &str) {
    fs::write(world.path(&format!("go-{task}")), "").unwrap();
}

/// `task:kind` of each.
fn kinds(document: &Value) -> BTreeSet<String> {
    let found = document["divergences"].as_array().unwrap().iter();
    found
        .map(|one| {
            format!(
                "{}:{}",
                one["task"].as_str().unwrap_or("-"),
                one["kind"].as_str().unwrap()
            )
        })
        .collect()
}

fn has(document: &Value, wanted: &[&str]) {
    let found = kinds(document);
    let missing: Vec<_> = wanted.iter().filter(|kind| !found.contains(**kind)).collect();
    assert!(missing.is_empty(), "{missing:?} not in {document:#}");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The story for whichever store the world has.
fn restored_and_gone_on(world: &World) {
    let file = backed_up_and_gone_on(world);
    let lived = ledger(world);
    told_before_anything_changes(world, &file);
    put_back_and_held(world, &file);
    finished_without_doing_it_again(world, &lived);
}

/// A backup is made in the middle of work, and work goes on after it, until the machine dies.
fn backed_up_and_gone_on(world: &World) -> PathBuf {
    for (task, waits) in [
        ("done", false),
        ("works", true),
        ("after", false),
        ("fresh", false),
        ("adrift", true),
    ] {
        worker(world, task, waits);
    }
    world.save_tasks(&[
        &section("done", ""),
        &section("works", ""),
        &section("after", "- **Depends On:** works\n"),
    ]);
    let mut up = world.up();
    world.until_archived("done");
    begun(world, "works");
    let file = world.path("house.backup");
    let made = world.done(&["backup", path(&file)]);
    assert!(made.out.contains("3 tasks"), "{made:?}");
    assert_eq!(
        world.run(&["backup", path(&file)]).code,
        4,
        "never over another one"
    );

    // The world goes on.
    go(world, "works");
    world.until_archived("after");
    world.edit(|text| {
        text.replacen(
            "## Active Tasks\n",
            &format!(
                "## Active Tasks\n\n{}\n{}",
                section("fresh", ""),
                section("adrift", "")
            ),
            1,
        )
    });
    world.until_archived("fresh");
    begun(world, "adrift");
    let refused = world.run(&["restore", "--replace", path(&file)]);
    assert_eq!(refused.code, 4, "a service runs: {refused:?}");
    up.kill();
    file
}

const DIFFERS: [&str; 8] = [
    "works:worker-ended",
    "works:state-differs",
    "after:later-attempts",
    "after:state-differs",
    "after:branch-ahead",
    "fresh:unknown-task",
    "adrift:unknown-worker",
    "adrift:unknown-task",
];

fn told_before_anything_changes(world: &World, file: &Path) {
    let check = world.done(&["restore", "--check", "--json", path(file)]).json();
    has(&check, &DIFFERS);
    assert!(
        !kinds(&check).iter().any(|kind| kind.starts_with("done:")),
        "{check:#}"
    );
    assert_eq!(check["restored"], false);
    assert_eq!(world.task("after")["state"], "completed", "nothing was changed");
    until_nobody_is_there(world);
    let occupied = world.run(&["restore", path(file)]);
    assert!(
        occupied.code == 4 && occupied.err.contains("--replace"),
        "{occupied:?}"
    );
}

fn put_back_and_held(world: &World, file: &Path) {
    let queue = world.queue();
    let restored = world.done(&["restore", "--replace", "--json", path(file)]).json();
    has(&restored, &DIFFERS[..6]);
    assert_eq!(restored["restored"], true, "{restored:#}");
    assert_eq!(
        world.queue(),
        queue,
        "the file is newer than the backup, and stays"
    );
    let again = kinds(&world.done(&["restore", "--check", "--json"]).json());
    assert!(
        !again.contains("after:later-attempts") && !again.contains("adrift:unknown-worker"),
        "{again:?}"
    );
    let status = world.done(&["status"]).out;
    assert!(
        status.contains("HELD since the restore of house.backup"),
        "{status}"
    );
    let doctor = world.run(&["doctor"]).out;
    assert!(doctor.contains("restored"), "{doctor}");
}

fn finished_without_doing_it_again(world: &World, lived: &[String]) {
    // Held: a service looks after what is there and starts nothing.
    let _up = world.up();
    world.until("what is open is concluded", || {
        (world.task("works")["session"] != "alive").then_some(())
    });
    assert_eq!(ledger(world), lived);
    go(world, "adrift");
    let started = world.done(&["start"]);
    assert!(started.out.contains("after the restore"), "{started:?}");
    for task in ["works", "after", "adrift"] {
        world.until_state(task, "completed");
    }
    world.until_archived("adrift");
    let mut expected = lived.to_vec();
    expected.push("adrift".to_owned());
    assert_eq!(
        ledger(world),
        expected,
        "only what had not been finished ran again"
    );
    for task in ["done", "works", "after", "fresh", "adrift"] {
        let heading = format!("### {task}:");
        assert_eq!(world.queue().matches(&heading).count(), 1, "{}", world.queue());
    }
    assert!(world.done(&["status"]).out.contains("running"));
}

/// Nodes of a fleet are there until their lease ends.
fn until_nobody_is_there(world: &World) {
    world.until("no node is there", || {
        let list = world.run(&["node", "list", "--json"]);
        if list.code == 4 {
            return Some(());
        }
        let nodes = list.json()["nodes"].as_array().unwrap().clone();
        nodes.iter().all(|node| node["state"] != "there").then_some(())
    });
}

#[test]
fn what_was_done_since_the_backup_is_named_and_not_done_again() {
    restored_and_gone_on(&World::new());
}

#[test]
fn the_same_on_a_server() {
    if !postgres::is_there() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(Database::create());
    let more = format!("[store]\nurl = \"{}\"\n[fleet]\nlease = \"9s\"\n", database.url());
    let world = World::configured("max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n", &more);
    restored_and_gone_on(&world);
}

#[test]
fn a_new_machine_gets_its_files_back_and_a_lost_worker_goes_on() {
    let world = World::new();
    worker(&world, "works", true);
    world.save_tasks(&[&section("works", "")]);
    let mut up = world.up();
    begun(&world, "works");
    world.until_file(&world.root().join("progress/works.md"));
    let file = world.path("house.backup");
    world.done(&["backup", path(&file)]);
    up.kill();
    // Everything is gone but the configuration and the workers' scripts.
    go(&world, "works");
    world.until("its worker has ended", || {
        world
            .root()
            .join(".orchestrator/attempts/works/1/exit.json")
            .exists()
            .then_some(())
    });
    for gone in [".orchestrator", "progress", "heartbeats", "PROACTIVE-JOBS.md"] {
        let path = world.root().join(gone);
        let _ = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
    }
    let restored = world.done(&["restore", "--json", path(&file)]).json();
    has(&restored, &["works:worker-gone"]);
    let written: Vec<_> = restored["files"]["written"].as_array().unwrap().iter().collect();
    assert!(
        written.iter().any(|path| **path == "PROACTIVE-JOBS.md")
            && written.iter().any(|path| **path == "progress/works.md"),
        "{written:?}"
    );
    assert_eq!(restored["aside"], Value::Null);
    world.done(&["start"]);
    let _up = world.up();
    world.until_archived("works");
    assert_eq!(world.outcomes("works"), ["haiku:lost", "haiku:done"]);
}
