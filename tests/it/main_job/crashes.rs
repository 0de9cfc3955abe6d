//! Death without warning: of the service, of supervisors, of workers; and what holds afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::world::{World, is_alive, section, signal};

const PATIENT: &str = "echo $$ > \"$home/pid.tmp\"; mv \"$home/pid.tmp\" \"$home/pid\"
    while [ ! -e \"$home/go\" ]; do sleep 0.05; done; date > done.txt";

/// A ledger outside the instance. The kernel holds the lock as long as any process of the attempt lives.
const LEDGER: &str = "ledger=\"$home/../ledger\"
    exec 8>>\"$ledger.$ORCHESTRATOR_TASK_ID.lock\"
    flock -n 8 || echo \"overlap $ORCHESTRATOR_TASK_ID $ORCHESTRATOR_ATTEMPT\" >> \"$ledger\"
    echo \"start $ORCHESTRATOR_TASK_ID $ORCHESTRATOR_ATTEMPT $$\" >> \"$ledger\"
    sleep 0.$(( $$ % 4 ))
    date > done.txt
    echo \"stop $ORCHESTRATOR_TASK_ID $ORCHESTRATOR_ATTEMPT $$\" >> \"$ledger\"";

const KILLS: u32 = 50;
const TASKS: usize = 24;

#[test]
fn fifty_kills_of_the_service_lose_nothing_and_run_nothing_twice_at_once() {
    let world = World::configured(
        "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\nlifetime_attempts = 200\n",
        "",
    );
    let ids: Vec<String> = (0..TASKS).map(|n| format!("k{n}")).collect();
    for id in &ids {
        world.worker(id, LEDGER);
    }
    let after = |n: usize| match n % 6 {
        0 => String::new(),
        _ => format!("- **Depends On:** k{}\n", n - 1),
    };
    let sections: Vec<String> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| section(id, &after(n)))
        .collect();
    world.save_tasks(&sections.iter().map(String::as_str).collect::<Vec<_>>());
    let mut dice = Dice(0x5eed_0002);
    let mut known = 0;
    for round in 0..KILLS {
        let mut up = world.up_at_once();
        // The moment of the fault; nothing is waited for.
        std::thread::sleep(Duration::from_millis(20 + dice.roll(700)));
        up.kill();
        known = check(&world, &ids, known, round);
    }
    let _up = world.up();
    world.until("all are completed", || {
        let rows = query(&world, "SELECT id, kind FROM task").unwrap();
        (rows.iter().filter(|(_, kind)| kind == "completed").count() == TASKS).then_some(())
    });
    world.until("all are archived", || {
        let (active, _) = world
            .queue()
            .split_once("## Archived Tasks")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        (!active.contains("### ")).then_some(())
    });
    assert_eq!(check(&world, &ids, known, KILLS), TASKS);
    check_ledger(&world, &ids);
}

/// Xorshift: the same moments in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Every task is in the file once and, once known, in the store; nothing is over without its passed gate.
fn check(world: &World, ids: &[String], known: usize, round: u32) -> usize {
    let (text, months) = (world.queue(), world.archive());
    for id in ids {
        // Between the writing of the month's file and of the queue a section is in both.
        let moved = months.matches(&format!("### {id}: ")).count();
        assert!(moved <= 1, "{id} after kill {round}\n{months}");
        if moved == 1 {
            continue;
        }
        assert_eq!(
            text.matches(&format!("### {id}: ")).count(),
            1,
            "{id} after kill {round}\n{text}"
        );
    }
    let Some(rows) = query(world, "SELECT id, kind FROM task") else {
        return known;
    };
    assert!(rows.len() >= known, "tasks are lost after kill {round}");
    let unproven =
        "SELECT t.id, '' FROM task t WHERE t.kind = 'completed' AND NOT EXISTS (SELECT 1 FROM gate g
        WHERE g.seq = t.done_gate AND g.task_id = t.id AND g.attempt = t.done_attempt AND g.epoch = t.epoch
        AND g.commit_id = t.done_commit AND g.verdict = 'passed')";
    assert_eq!(query(world, unproven).unwrap(), [], "after kill {round}");
    let open = "SELECT task_id, '' FROM attempt WHERE ended_at IS NULL GROUP BY task_id HAVING count(*) > 1";
    assert_eq!(query(world, open).unwrap(), [], "after kill {round}");
    let states: BTreeMap<String, String> = rows.into_iter().collect();
    let archived = text.split_once("## Archived Tasks").unwrap().1;
    for id in ids.iter().filter(|id| archived.contains(&format!("### {id}: "))) {
        assert_eq!(states[id], "completed", "{id} is archived after kill {round}");
    }
    states.len()
}

/// Two columns of each row; none where there is no database yet.
fn query(world: &World, sql: &'static str) -> Option<Vec<(String, String)>> {
    let path = world.state_dir().join("orchestrator.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .ok()?;
        let rows = sqlx::query_as(sql).fetch_all(&pool).await;
        pool.close().await;
        rows.ok()
    })
}

/// Changes the database behind the program's back.
pub fn execute(world: &World, sql: &'static str) {
    let path = world.state_dir().join("orchestrator.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let pool = SqlitePoolOptions::new()
            .connect_with(SqliteConnectOptions::new().filename(path))
            .await
            .unwrap();
        sqlx::query(sql).execute(&pool).await.unwrap();
        pool.close().await;
    });
}

fn check_ledger(world: &World, ids: &[String]) {
    let ledger = fs::read_to_string(world.path("ledger")).unwrap();
    let mut starts: BTreeMap<&str, u32> = BTreeMap::new();
    for line in ledger.lines() {
        assert!(!line.starts_with("overlap"), "{line}\n{ledger}");
        if line.starts_with("start") {
            let attempt = line.rsplit_once(' ').unwrap().0;
            *starts.entry(attempt).or_default() += 1;
        }
    }
    for (attempt, times) in starts {
        assert_eq!(times, 1, "{attempt}\n{ledger}");
    }
    for id in ids {
        let stops = ledger
            .lines()
            .filter(|l| l.starts_with(&format!("stop {id} ")))
            .count();
        assert!(stops >= 1, "{id} was never finished\n{ledger}");
    }
}

fn pid_in(world: &World, name: &str) -> u32 {
    let path = world.root().join(name);
    world.until_file(&path).trim().parse().unwrap()
}

#[test]
fn a_worker_outlives_the_service_and_is_adopted() {
    let world = World::new();
    world.worker("t", PATIENT);
    world.save_tasks(&[&section("t", "")]);
    let mut up = world.up();
    let worker = pid_in(&world, "pid");
    up.kill();
    assert!(is_alive(worker));
    let mut up = world.up();
    let task = world.until_task("t", "it is adopted", |t| t["session"] == "alive");
    assert_eq!(
        (&task["state"], &task["attempt"]),
        (&"in-progress".into(), &1.into())
    );
    assert!(is_alive(worker));
    up.kill();
    // It even ends while nobody looks: its result counts.
    fs::write(world.root().join("go"), "").unwrap();
    world.until("the worker ends", || (!is_alive(worker)).then_some(()));
    let _up = world.up();
    world.until_archived("t");
    assert_eq!(world.outcomes("t"), ["haiku:done"]);
}

#[test]
fn a_killed_supervisor_takes_its_worker_along_and_the_task_goes_on() {
    let world = World::new();
    world.worker("t", PATIENT);
    world.save_tasks(&[&section("t", "")]);
    let _up = world.up();
    let worker = pid_in(&world, "pid");
    let file = world.state_dir().join("attempts/t/1/supervisor.json");
    let registered: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let supervisor = registered["supervisor"]["pid"].as_u64().unwrap();
    world.worker("t", "date > done.txt");
    signal(supervisor.try_into().unwrap(), Signal::SIGKILL);
    world.until_archived("t");
    assert!(!is_alive(worker), "nobody of the old attempt is left");
    assert_eq!(world.outcomes("t"), ["haiku:lost", "haiku:done"]);
}

#[test]
fn a_killed_worker_is_replaced() {
    let world = World::new();
    world.worker("t", PATIENT);
    world.save_tasks(&[&section("t", "")]);
    let _up = world.up();
    let worker = pid_in(&world, "pid");
    world.worker("t", "date > done.txt");
    signal(worker, Signal::SIGKILL);
    world.until_archived("t");
    let outcomes = world.outcomes("t");
    assert_eq!(
        (outcomes.len(), outcomes[1].ends_with(":done")),
        (2, true),
        "{outcomes:?}"
    );
    let first = world.task("t")["attempts"][0]["reason"].to_string();
    assert!(first.contains("signal 9"), "{first}");
}

#[test]
fn a_service_that_dies_during_the_gate_judges_again() {
    let world = World::new();
    // The check tells of itself outside of its checkout.
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        config,
        text.replace("[gate]\n", "[gate]\ncontainment = \"none\"\n"),
    )
    .unwrap();
    world.save_tasks(&[&format!(
        "{}\n#### Validation\nSlow:\n```sh\necho $$ >> {root}/gates\nwhile [ ! -e {root}/go ]; do sleep 0.05; done\n```\n",
        section("t", ""),
        root = world.root().display(),
    )]);
    let mut up = world.up();
    let first = pid_in(&world, "gates");
    assert_eq!(world.task("t")["state"], "validating");
    up.kill();
    assert_eq!(world.task("t")["state"], "validating");
    let _up = world.up();
    let path = world.root().join("gates");
    world.until("the gate runs again", || {
        (fs::read_to_string(&path).unwrap().lines().count() == 2).then_some(())
    });
    assert!(!is_alive(first), "the check of the dead service is gone");
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("t");
    assert_eq!(world.outcomes("t"), ["haiku:done"]);
    assert_eq!(
        query(&world, "SELECT task_id, verdict FROM gate").unwrap(),
        [("t".to_owned(), "passed".to_owned())]
    );
}

#[test]
fn a_service_that_is_frozen_is_refused_a_second_one() {
    let world = World::new();
    let up = world.up();
    signal(up.pid(), Signal::SIGSTOP);
    let ran = world.run(&["up"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    signal(up.pid(), Signal::SIGCONT);
    world.save_tasks(&[&section("t", "")]);
    world.until_archived("t");
}
