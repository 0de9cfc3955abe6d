//! Workers whose orchestrator is frozen, killed or away: for how long they live on.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::world::{World, is_alive, section, signal};

const PATIENT: &str = "(trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > \"$0/stray.tmp\"; mv \"$0/stray.tmp\" \"$0/stray\"; sleep 1000' \"$home\") &
    echo $$ > \"$home/pid.tmp\"; mv \"$home/pid.tmp\" \"$home/pid\"
    while [ ! -e \"$home/go\" ]; do sleep 0.05; done; date > done.txt";

const SHORT: &str = "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\nlease = \"2s\"\n";

fn pid_in(world: &World, name: &str) -> u32 {
    world.until_file(&world.root().join(name)).trim().parse().unwrap()
}

/// Seen to fail with the supervisor's look at the lease taken out.
#[test]
fn a_frozen_orchestrator_leaves_nobody_behind() {
    let world = World::configured(SHORT, "");
    world.worker("t", PATIENT);
    world.save_tasks(&[&section("t", "")]);
    let up = world.up();
    let family = [pid_in(&world, "pid"), pid_in(&world, "stray")];
    signal(up.pid(), Signal::SIGSTOP);
    world.worker("t", "date > done.txt");
    world.until("nobody of the worker lives", || {
        (!family.into_iter().any(is_alive)).then_some(())
    });
    signal(up.pid(), Signal::SIGCONT);
    world.until_archived("t");
    assert_eq!(world.outcomes("t"), ["haiku:lost", "haiku:done"]);
    let why = world.task("t")["attempts"][0]["reason"].to_string();
    assert!(why.contains("lease"), "{why}");
}

#[test]
fn a_killed_orchestrator_leaves_a_worker_for_the_length_of_its_lease() {
    let world = World::configured(SHORT, "");
    world.worker("t", PATIENT);
    world.save_tasks(&[&section("t", "")]);
    let mut up = world.up();
    let family = [pid_in(&world, "pid"), pid_in(&world, "stray")];
    up.kill();
    assert!(family.into_iter().all(is_alive), "a restart may come");
    world.until("nobody of the worker lives", || {
        (!family.into_iter().any(is_alive)).then_some(())
    });
    world.worker("t", "date > done.txt");
    let _up = world.up();
    world.until_archived("t");
    assert_eq!(world.outcomes("t"), ["haiku:lost", "haiku:done"]);
}

/// Seen to fail with the renewal taken out of the driver: the adopted worker is lost.
#[test]
fn one_that_comes_back_in_time_keeps_its_worker() {
    let world = World::configured(SHORT, "");
    world.worker("t", PATIENT);
    world.save_tasks(&[&section("t", "")]);
    let mut up = world.up();
    let worker = pid_in(&world, "pid");
    assert_eq!(up.end(), 0);
    let _up = world.up();
    // Longer than the lease: what keeps it alive is that it is driven.
    let begun = std::time::Instant::now();
    world.until("some leases' time has passed", || {
        (begun.elapsed() > Duration::from_secs(5)).then_some(())
    });
    assert!(is_alive(worker));
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("t");
    assert_eq!(world.outcomes("t"), ["haiku:done"]);
}

#[test]
fn a_tick_entrusts_its_workers_to_their_supervisors() {
    let world = World::configured(SHORT, "");
    world.worker("t", PATIENT);
    world.save_tasks(&[&section("t", "")]);
    world.done(&["tick"]);
    let worker = pid_in(&world, "pid");
    let lease = fs::read_to_string(world.state_dir().join("attempts/t/1/lease.json")).unwrap();
    assert_eq!(lease, r#"{"length_ms":null}"#);
    fs::write(world.root().join("go"), "").unwrap();
    world.until("the worker ends", || (!is_alive(worker)).then_some(()));
    world.done(&["tick", "--wait"]);
    assert_eq!(world.outcomes("t"), ["haiku:done"]);
}
