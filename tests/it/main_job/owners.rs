//! One state folder, many services (F05): one has it, the others say whose it is; when it dies, the next one goes on.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::world::{World, section};
use crate::simulation::dice::Dice;

/// How many are started at once.
const RIVALS: usize = 5;
/// A worker's ledger; the kernel holds the lock as long as anybody of the attempt lives.
const LEDGER: &str = "ledger=\"$home/../ledger\"
    exec 8>>\"$ledger.$ORCHESTRATOR_TASK_ID.lock\"
    flock -n 8 || echo \"overlap $ORCHESTRATOR_TASK_ID $ORCHESTRATOR_ATTEMPT\" >> \"$ledger\"
    echo \"start $ORCHESTRATOR_TASK_ID $ORCHESTRATOR_ATTEMPT\" >> \"$ledger\"
    sleep 0.3
    date > done.txt";

/// 25 starts; in the long run 500.
fn rounds() -> usize {
    let nightly = std::env::var("ORCHESTRATOR_NIGHTLY").is_ok_and(|value| value == "1");
    if nightly { 500 / RIVALS } else { 5 }
}

/// A service whose words are kept apart.
fn rival(world: &World, n: usize) -> Child {
    let mut command = world.command(&["up"]);
    let said = fs::File::create(world.path(&format!("rival-{n}"))).unwrap();
    command.stdout(Stdio::null()).stderr(said);
    command.spawn().unwrap()
}

/// What it said when it gave up.
fn said(world: &World, n: usize) -> String {
    fs::read_to_string(world.path(&format!("rival-{n}"))).unwrap_or_default()
}

/// Starts them all at once and gives the one that is left, when it is at work; the others have said whose the folder is.
fn the_one_that_is_left(world: &World) -> Child {
    let mut rivals: Vec<Child> = (0..RIVALS).map(|n| rival(world, n)).collect();
    let owner = world.until("all but one have given up", || {
        let at_it: Vec<usize> = (0..RIVALS)
            .filter(|n| rivals[*n].try_wait().unwrap().is_none())
            .collect();
        assert!(!at_it.is_empty(), "nobody has it: {}", said(world, 0));
        (at_it.len() == 1).then(|| at_it[0])
    });
    let pid = rivals[owner].id();
    world.until("the one that is left runs", || {
        (world.status()["service"]["pid"] == pid).then_some(())
    });
    for n in (0..RIVALS).filter(|n| *n != owner) {
        let told = said(world, n);
        assert_eq!(rivals[n].wait().unwrap().code(), Some(4), "{told}");
        assert!(told.contains("process "), "it says whose it is: {told}");
    }
    rivals.swap_remove(owner)
}

#[test]
fn of_many_services_on_one_folder_one_has_it_and_the_next_one_goes_on() {
    let scheduler = "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\nlifetime_attempts = 600\n";
    let world = World::configured(scheduler, "");
    let mut dice = Dice(u64::from(std::process::id()));
    let mut ids = Vec::new();
    for round in 0..rounds() {
        for n in 0..2 {
            let id = format!("t{round}-{n}");
            world.worker(&id, LEDGER);
            let text = section(&id, "");
            world.edit(|queue| queue.replacen("## Archived", &format!("{text}\n## Archived"), 1));
            ids.push(id);
        }
        let mut owner = the_one_that_is_left(&world);
        // The moment of its death: in the midst of work, or when that is done. Nothing is waited for.
        std::thread::sleep(Duration::from_millis(dice.roll(700) as u64));
        owner.kill().unwrap();
        owner.wait().unwrap();
    }
    let _up = world.up();
    let over = |id: &String| {
        let mark = format!("### {id}: ");
        let queue = world.queue();
        queue
            .split_once("## Archived Tasks")
            .is_some_and(|(_, archived)| archived.contains(&mark))
            || world.archive().contains(&mark)
    };
    for id in &ids {
        world.until(id, || over(id).then_some(()));
    }
    let ledger = fs::read_to_string(world.path("ledger")).unwrap();
    assert!(!ledger.contains("overlap"), "{ledger}");
    let mut starts = BTreeMap::<&str, u32>::new();
    ledger
        .lines()
        .for_each(|line| *starts.entry(line).or_default() += 1);
    assert!(
        starts.values().all(|n| *n == 1),
        "an attempt began twice: {starts:?}"
    );
    println!(
        "{} starts, {} tasks, {} attempts",
        rounds() * RIVALS + 1,
        ids.len(),
        starts.len()
    );
}
