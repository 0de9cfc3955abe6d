//! People's edits of the queue file, while the service runs.

use std::fs;

use super::world::{World, queue, section, section_of};

/// A worker that goes on until the file `go` is there.
const PATIENT: &str = "echo begun; while [ ! -e \"$home/go\" ]; do sleep 0.05; done; date > done.txt";

#[test]
fn status_words_that_people_type_are_commands() {
    let world = World::new();
    world.worker("fails", "[ -e \"$home/works\" ] && date > done.txt || exit 1");
    world.worker("long", PATIENT);
    world.worker("dropped", PATIENT);
    let _up = world.up();
    world.save_tasks(&[
        &section("fails", ""),
        &section("long", ""),
        &section("dropped", ""),
        &section("parked", "").replace("pending", "⏸ Paused (until Monday)"),
        &section("claimed", "").replace("pending", "✅ done"),
        &section("stuck", "").replace("pending", "blocked"),
    ]);
    world.until_state("fails", "blocked");
    world.until_state("long", "in-progress");
    world.until_state("dropped", "in-progress");
    world.until("the file says blocked", || {
        (world.field("fails", "Status")? == "blocked").then_some(())
    });
    fs::write(world.root().join("works"), "").unwrap();
    world.set_status("fails", "pending");
    world.until_archived("fails");

    world.set_status("long", "paused");
    let paused = world.until_state("long", "paused");
    assert_eq!(paused["session"], "none");
    world.set_status("dropped", "cancelled");
    world.until_state("dropped", "cancelled");

    // Said to be complete, but the gate finds no work: it goes back to the queue, runs, and is archived then.
    world.until_archived("claimed");
    let outcomes = world.outcomes("claimed");
    assert_eq!(outcomes, ["none:gate-failed", "haiku:done"]);

    let parked = world.task("parked");
    assert_eq!(
        (&parked["state"], &parked["attempt"]),
        (&"paused".into(), &0.into())
    );
    assert_eq!(
        world.field("parked", "Status").unwrap(),
        "⏸ Paused (until Monday)"
    );
    let stuck = world.task("stuck");
    assert_eq!(
        (&stuck["state"], &stuck["attempt"]),
        (&"blocked".into(), &0.into())
    );

    fs::write(world.root().join("go"), "").unwrap();
    world.set_status("long", "pending");
    world.until_archived("long");
    world.set_status("stuck", "pending");
    world.until_archived("stuck");
}

#[test]
fn a_deleted_section_cancels_and_a_section_that_is_back_runs() {
    let world = World::new();
    world.worker("gone", PATIENT);
    let _up = world.up();
    world.save_tasks(&[
        &section("gone", ""),
        &section("stays", "").replace("pending", "paused"),
    ]);
    world.until_state("gone", "in-progress");
    world.edit(|text| text.replace(section_of(text, "gone").unwrap(), ""));
    world.until_state("gone", "cancelled");
    assert_eq!(world.task("stays")["state"], "paused");
    assert!(!world.queue().contains("### gone"));

    world.worker("gone", "date > done.txt");
    world.edit(|text| text.replace("## Archived", &format!("{}\n## Archived", section("gone", ""))));
    world.until_archived("gone");
}

#[test]
fn an_older_version_of_the_file_asks_for_nothing() {
    let world = World::new();
    world.worker("long", PATIENT);
    let _up = world.up();
    let older = queue(&[&section("long", ""), &section("quick", "")]);
    world.save(&older);
    world.until_state("long", "in-progress");
    world.until_archived("quick");
    // Checked out, it says `pending` of what is under way, and of what is done.
    world.save(&older);
    world.until_archived("quick");
    world.until("the file is put right", || {
        (world.field("long", "Status")? == "in-progress").then_some(())
    });
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("long");
    for id in ["long", "quick"] {
        assert_eq!(world.outcomes(id), ["haiku:done"]);
    }
    // Whoever moves the section back and sets its status wants it done again.
    world.edit(|text| {
        let section = section_of(text, "quick").unwrap().to_owned();
        let again = section.replace("- **Status:** completed", "- **Status:** pending");
        text.replace(&section, "")
            .replacen("## Active Tasks\n", &format!("## Active Tasks\n\n{again}\n"), 1)
    });
    world.until("it is done again", || {
        (world.outcomes("quick").len() == 2).then_some(())
    });
    world.until_archived("quick");
}

#[test]
fn a_file_caught_half_written_loses_nothing() {
    let world = World::new();
    world.worker("works", PATIENT);
    let _up = world.up();
    world.save_tasks(&[
        &section("works", ""),
        &section("waits", "- **Depends On:** works\n"),
    ]);
    world.until_state("works", "in-progress");
    world.until("the file says so", || {
        (world.field("works", "Status")? == "in-progress").then_some(())
    });
    let whole = world.queue();
    for torn in ["", &whole[..30], "   \n", "\u{0}\u{0}\u{0}"] {
        fs::write(world.queue_path(), torn).unwrap();
        world.done(&["status"]);
        fs::write(world.queue_path(), &whole).unwrap();
    }
    fs::write(world.queue_path(), "").unwrap();
    // Longer than a deleted section needs to count as deleted.
    let since = std::time::Instant::now();
    world.until("three seconds pass", || {
        (since.elapsed().as_secs() >= 3).then_some(())
    });
    assert_eq!(world.task("works")["state"], "in-progress");
    fs::remove_file(world.queue_path()).unwrap();
    assert_eq!(world.task("works")["state"], "in-progress");
    world.save(&whole);
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("waits");
    assert_eq!(world.outcomes("works"), ["haiku:done"]);
}

#[test]
fn one_id_twice_runs_neither_and_the_rest_runs() {
    let world = World::new();
    let _up = world.up();
    world.save_tasks(&[
        &section("twin", ""),
        &section("rest", ""),
        &section("twin", "- **Priority:** high\n"),
        &section("unclear", "").replace("pending", "sort of"),
    ]);
    world.until_archived("rest");
    for id in ["twin", "unclear"] {
        assert!(
            world.task(id)["attempts"].as_array().is_none_or(Vec::is_empty),
            "{id}"
        );
    }
    let status = world.status();
    let lines: Vec<u64> = status["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["code"] == "duplicate-id")
        .map(|p| p["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{status:#}");
    assert_eq!(world.queue().matches("### twin").count(), 2);
    assert!(world.queue().contains("sort of"));
    // Corrected, it runs.
    world.edit(|text| {
        text.replacen("### twin", "### other", 1)
            .replace("sort of", "todo")
    });
    for id in ["twin", "other", "unclear"] {
        world.until_archived(id);
    }
}

#[test]
fn edits_that_race_with_the_orchestrator_are_never_lost() {
    let world = World::new();
    let _up = world.up();
    let mut ids: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    let sections: Vec<String> = ids.iter().map(|id| section(id, "")).collect();
    world.save_tasks(&sections.iter().map(String::as_str).collect::<Vec<_>>());
    // While tasks come and go, a person adds lines and tasks, each time to what the file says then.
    let mut notes = Vec::new();
    world.until("all are archived", || {
        let note = format!("A note, number {}.", notes.len());
        if notes.len() % 4 == 0 && ids.len() < 18 {
            let id = format!("t{}", ids.len());
            append(&world, &format!("{note}\n\n{}", section(&id, "")));
            ids.push(id);
        } else {
            append(&world, &format!("{note}\n"));
        }
        notes.push(note);
        let text = world.queue();
        let (_, archived) = text.split_once("## Archived Tasks")?;
        let is_there = |id: &String| archived.contains(&format!("### {id}:"));
        (ids.len() == 18 && ids.iter().all(is_there)).then_some(())
    });
    let text = world.queue();
    for note in &notes {
        let found = text.matches(&format!("{note}\n")).count();
        assert_eq!(found, 1, "{note} of {}\n{text}", notes.len());
    }
    for id in &ids {
        assert_eq!(text.matches(&format!("### {id}:")).count(), 1);
        assert_eq!(world.outcomes(id), ["haiku:done"]);
    }
}

/// As an editor does that looks whether the file changed under it right before it renames.
fn append(world: &World, lines: &str) {
    let fresh = world.root().join("edited.tmp");
    loop {
        let before = world.queue();
        fs::write(
            &fresh,
            before.replacen("## Active Tasks\n", &format!("## Active Tasks\n\n{lines}"), 1),
        )
        .unwrap();
        if world.queue() == before {
            return fs::rename(&fresh, world.queue_path()).unwrap();
        }
    }
}

#[test]
fn a_changed_description_of_a_waiting_task_is_what_runs() {
    let world = World::new();
    world.worker("late", "cat > prompt.txt; date > done.txt");
    let _up = world.up();
    world.save_tasks(&[&section("late", "").replace("pending", "paused")]);
    world.until_state("late", "paused");
    world.edit(|text| text.replace("Do it.", "Do it in blue."));
    world.set_status("late", "pending");
    world.until_archived("late");
    let show = world.done(&["show", "late", "--json"]).json();
    assert_eq!(show["description"], "Do it in blue.");
    let dir = world.state_dir().join("workspaces/late");
    assert!(
        world
            .git(&dir, &["show", "orchestrator/late:prompt.txt"])
            .contains("Do it in blue.")
    );
}

#[test]
fn what_overflows_the_archive_goes_to_the_month() {
    let world = World::new();
    let old: Vec<String> = (0..20)
        .map(|n| {
            format!(
                "### old{n}: Old\n- **Status:** completed\n- **Completed:** 2026-0{}-03T00:00:00Z\n",
                n % 3 + 1
            )
        })
        .collect();
    world.save(format!("{}\n{}", queue(&[&section("fresh", "")]), old.join("\n")));
    world.done(&["tick", "--wait"]);
    world.until_archived("fresh");
    assert_eq!(world.queue().matches("\n### ").count(), 20);
    let months = fs::read_dir(world.root().join("archive")).unwrap();
    let archived: Vec<String> = months
        .map(|m| fs::read_to_string(m.unwrap().path()).unwrap())
        .collect();
    let moved = old
        .iter()
        .filter(|s| archived.concat().contains(s.lines().next().unwrap()))
        .count();
    let kept = old
        .iter()
        .filter(|s| world.queue().contains(s.lines().next().unwrap()))
        .count();
    assert_eq!((moved, kept), (1, 19));
}
