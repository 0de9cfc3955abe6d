//! Programs that change under a fleet: one node after the other is replaced with work in flight, and an old program meets a
//! schema that is newer than itself.
//!
//! With `ORCHESTRATOR_TEST_PREVIOUS` (scripts/previous.sh builds one) the nodes are of two versions for a while.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::evidence::TaskRow;
use super::fleet::Fleet;
use super::ledger::What;
use super::story::{LEASE, conclude, proven};

/// Long enough for a restart on a busy machine: whoever is back in time adopts its workers.
const USUAL: Duration = Duration::from_secs(12);

#[test]
fn nodes_are_replaced_one_by_one_and_no_attempt_is_lost() {
    let Some(mut fleet) = Fleet::new(LEASE) else {
        return;
    };
    let present = fleet.nodes[0].exe.clone();
    let previous = std::env::var_os("ORCHESTRATOR_TEST_PREVIOUS").map(PathBuf::from);
    let first = previous.clone().unwrap_or_else(|| present.clone());
    fleet
        .nodes
        .iter_mut()
        .for_each(|node| node.exe.clone_from(&first));
    fleet.start_all();
    let tasks: Vec<String> = (0..6).map(|_| fleet.add("plain", 90)).collect();
    fleet.until("all are at it", |fleet| {
        let ledger = fleet.ledger();
        let begun = |task: &String| {
            ledger
                .iter()
                .any(|line| line.what == What::Begins && line.task == *task)
        };
        tasks.iter().all(begun).then_some(())
    });
    for n in 0..fleet.nodes.len() {
        replace(&mut fleet, n, &present);
        // The versions that are there by now work together.
        fleet.may_repeat = true;
        let task = fleet.add("plain", 1);
        fleet.until("new work is done meanwhile", |fleet| {
            fleet.is_completed(&task).then_some(())
        });
    }
    if let Some(previous) = &previous {
        go_back(&mut fleet, previous, &present);
    }
    let evidence = fleet.settle();
    proven(&evidence);
    // Ended in good order and back within the lease: its workers go on as if nothing had been.
    let lost: Vec<&TaskRow> = evidence.tasks.iter().filter(|task| task.epoch != 1).collect();
    assert!(lost.is_empty(), "{lost:?}\n{}", fleet.scene());
    let versions = if previous.is_some() {
        "two versions"
    } else {
        "one version"
    };
    println!("upgrade: 3 nodes of {versions} replaced with 6 tasks in flight, no attempt lost");
}

/// Ends a node in good order, and starts another program in its place.
fn replace(fleet: &mut Fleet, n: usize, exe: &Path) {
    assert_eq!(
        fleet.nodes[n].end(),
        Some(0),
        "a node with work ends in good order"
    );
    fleet.nodes[n].exe = exe.to_owned();
    fleet.start(n);
    fleet.until("it is there again", |fleet| fleet.is_there(n).then_some(()));
}

/// The previous program comes back where the schema is still its own, and says why it does not where that is newer.
fn go_back(fleet: &mut Fleet, previous: &Path, present: &Path) {
    let last = fleet.nodes.len() - 1;
    assert_eq!(fleet.nodes[last].end(), Some(0), "a node ends in good order");
    fleet.nodes[last].exe = previous.to_owned();
    fleet.start(last);
    let deadline = Instant::now() + USUAL;
    while !fleet.is_there(last) && fleet.nodes[last].is_running() {
        assert!(Instant::now() < deadline, "it neither comes nor refuses");
        std::thread::sleep(Duration::from_millis(20));
    }
    if fleet.nodes[last].is_running() {
        replace(fleet, last, present);
        println!("the previous program came back for a while");
        return;
    }
    let log = std::fs::read_to_string(fleet.nodes[last].world.path("up.err")).unwrap();
    assert!(log.contains("newer") || log.contains("schema"), "{log}");
    println!("the previous program refused the newer schema");
    fleet.nodes[last].exe = present.to_owned();
    fleet.start(last);
}

#[test]
fn an_old_program_refuses_a_newer_schema_and_the_fleet_goes_on() {
    let Some(mut fleet) = Fleet::new(LEASE) else {
        return;
    };
    fleet.start_all();
    let task = fleet.add("plain", fleet.tenths_of(1));
    fleet.until("it is at it", |fleet| {
        fleet.ledger().iter().any(|line| line.task == task).then_some(())
    });
    fleet.execute(
        "UPDATE flag SET value = '\"9.8.7\"' WHERE name = 'schema_written_by'; INSERT INTO _sqlx_migrations \
         SELECT 9999, 'future', now(), true, checksum, 0 FROM _sqlx_migrations LIMIT 1",
    );
    assert_eq!(fleet.nodes[2].end(), Some(0));
    let refused = fleet.nodes[2].world.run(&["up"]);
    assert_ne!(refused.code, 0);
    assert!(
        refused.err.contains("schema 9999, written by orchestrator 9.8.7"),
        "{refused:?}"
    );
    // Those that run know their part of it, and go on.
    fleet.until("it is done", |fleet| {
        fleet.is_settled().filter(|settled| *settled)
    });
    fleet.execute("DELETE FROM _sqlx_migrations WHERE version = 9999");
    fleet.start_missing();
    conclude(&mut fleet);
}
