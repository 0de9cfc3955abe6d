//! What nobody works with any more goes once a day; what lives, what is newest, and what workers made stays.

use std::fs;

use sqlx::{Connection, SqliteConnection};

use super::world::{World, section};

/// As if a day had passed since the last round.
fn a_day_later(world: &World) {
    let _never = fs::remove_file(world.state_dir().join("retention.json"));
    let url = format!("sqlite:{}", world.state_dir().join("orchestrator.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut conn = SqliteConnection::connect(&url).await.unwrap();
        let forget = "DELETE FROM flag WHERE name = 'retention'";
        sqlx::query(forget).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    });
}

fn events(world: &World, task: &str) -> usize {
    world.done(&["show", task, "--json"]).json()["events"]
        .as_array()
        .unwrap()
        .len()
}

#[test]
fn what_is_over_and_old_goes_and_everything_else_stays() {
    let world = World::configured(
        "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n",
        "[retention]\nevents = \"1s\"\nfiles = \"1s\"\nnewest = 1\n",
    );
    world.worker("asks", "exit 77");
    world.save_tasks(&[&section("old", ""), &section("asks", "")]);
    world.done(&["tick", "--wait"]);
    world.edit(|text| {
        text.replacen(
            "## Active Tasks\n",
            &format!("## Active Tasks\n\n{}", section("newer", "")),
            1,
        )
    });
    world.done(&["tick", "--wait"]);
    let attempts = |task: &str| world.state_dir().join("attempts").join(task).exists();
    assert!(attempts("old") && attempts("newer") && attempts("asks"));
    let before = (events(&world, "old"), events(&world, "asks"));
    let stray = world.state_dir().join("stray/thing-1");
    fs::create_dir_all(&stray).unwrap();
    fs::write(stray.join("left"), "here").unwrap();

    // Held, nothing goes, however old it is.
    world.done(&["stop", "--all"]);
    let held = std::time::Instant::now();
    world.until("it would be old enough", || {
        a_day_later(&world);
        world.done(&["tick"]);
        (held.elapsed().as_millis() > 2100).then_some(())
    });
    assert!(attempts("old") && stray.exists() && events(&world, "old") >= before.0);
    world.done(&["start"]);

    world.until("what is old is gone", || {
        a_day_later(&world);
        world.done(&["tick"]);
        (!attempts("old") && !stray.exists() && events(&world, "old") == 1).then_some(())
    });
    assert!(attempts("newer"), "the newest stays");
    assert!(attempts("asks"), "it is not over");
    assert!(events(&world, "asks") >= before.1, "nor is its log");
    assert!(
        world.state_dir().join("workspaces/old").exists(),
        "what the worker made is not ours"
    );
    assert!(world.root().join("progress/old.md").exists());
    let doctor = world.run(&["doctor"]).out;
    assert!(
        doctor.contains("retention") && doctor.contains("dropped"),
        "{doctor}"
    );
}
