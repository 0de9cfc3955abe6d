//! Workers that do not behave: silent ones, deaf ones, slow ones, loud ones.

use std::time::Instant;

use super::world::{World, is_alive, section};

const IMPATIENT: &str = "max_concurrent = 4\nheartbeat_stale_after = \"1s\"\n";

fn pid_in(world: &World, name: &str) -> u32 {
    world.until_file(&world.root().join(name)).trim().parse().unwrap()
}

#[test]
fn a_silent_worker_is_killed_with_its_whole_tree_and_its_task_resumed() {
    let world = World::configured(IMPATIENT, "");
    world.worker(
        "mute",
        "[ $ORCHESTRATOR_ATTEMPT = 1 ] || { cat > prompt.txt; date > done.txt; exit 0; }
         orchestrator agent log 'half of it is there'
         setsid sh -c \"echo \\$\\$ > $home/child; exec sleep 300\" < /dev/null > /dev/null 2>&1 &
         echo $$ > \"$home/pid\"; sleep 300",
    );
    let _up = world.up();
    world.save_tasks(&[&section("mute", "")]);
    let (worker, child) = (pid_in(&world, "pid"), pid_in(&world, "child"));
    world.until_archived("mute");
    assert_eq!(world.outcomes("mute"), ["haiku:stuck", "haiku:done"]);
    assert!(!is_alive(worker) && !is_alive(child));
    assert!(
        world
            .reports()
            .contains("⚠️ [mute] - agent appears stuck, killing and respawning")
    );
    assert!(
        world
            .reports()
            .contains("🔄 [mute] - resuming from checkpoint (haiku)")
    );
    let dir = world.state_dir().join("workspaces/mute");
    let prompt = world.git(&dir, &["show", "orchestrator/mute:prompt.txt"]);
    assert!(prompt.contains("half of it is there"), "{prompt}");
}

#[test]
fn a_worker_that_beats_is_left_alone() {
    let world = World::configured(IMPATIENT, "");
    world.worker(
        "slow",
        "for n in 1 2 3 4 5 6 7 8; do sleep 0.4; orchestrator agent heartbeat --pct ${n}0; done; date > done.txt",
    );
    let _up = world.up();
    world.save_tasks(&[&section("slow", "")]);
    world.until_archived("slow");
    assert_eq!(world.outcomes("slow"), ["haiku:done"]);
}

#[test]
fn a_worker_that_ignores_the_polite_signal_is_killed_after_the_grace() {
    let world = World::new();
    world.worker(
        "deaf",
        "trap '' TERM INT HUP; echo $$ > \"$home/pid\"; while :; do sleep 0.1; done",
    );
    let _up = world.up();
    world.save_tasks(&[&section("deaf", "")]);
    let worker = pid_in(&world, "pid");
    let asked = Instant::now();
    world.done(&["cancel", "deaf"]);
    world.until_state("deaf", "cancelled");
    assert!(!is_alive(worker));
    assert!(asked.elapsed().as_secs() < 10, "{:?}", asked.elapsed());
}

#[test]
fn a_worker_out_of_time_is_stopped() {
    let world = World::new();
    world.worker(
        "late",
        "[ $ORCHESTRATOR_TIER = haiku ] && sleep 300; date > done.txt",
    );
    world.save_tasks(&[&section("late", "- **Timeout:** 1s\n")]);
    world.done(&["tick", "--wait"]);
    let outcomes = world.outcomes("late");
    assert_eq!(outcomes[0], "haiku:timeout", "{outcomes:?}");
    assert_eq!(world.task("late")["state"], "completed", "{outcomes:?}");
}

#[test]
fn a_flood_of_output_is_stopped_and_bounded() {
    let world = World::configured("", "[limits]\noutput = \"1MB\"\n");
    let config = std::fs::read_to_string(world.root().join("orchestrator.toml")).unwrap();
    std::fs::write(
        world.root().join("orchestrator.toml"),
        config.replace("output_bytes", "output"),
    )
    .unwrap();
    world.worker(
        "loud",
        "[ $ORCHESTRATOR_TIER = haiku ] && yes 'a line without an end'; date > done.txt",
    );
    world.save_tasks(&[&section("loud", "")]);
    world.done(&["tick", "--wait"]);
    let first = world.task("loud")["attempts"][0].clone();
    assert_eq!(first["outcome"], "failed", "{first:#}");
    assert!(first["reason"].to_string().contains("output"), "{first:#}");
    assert_eq!(world.task("loud")["state"], "completed");
}
