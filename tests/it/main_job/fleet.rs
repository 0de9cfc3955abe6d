//! Several services on one PostgreSQL store: who does what, and what becomes of the work of nodes that are killed, frozen,
//! emptied or away. What workers do is told by a ledger that they write themselves, outside the product.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::repository::Repo;
use super::world::{World, section, signal};
use crate::postgres::{self, Database};

/// Short leases: a lost node costs a test some seconds.
const LEASE: &str = "3s";

pub struct Fleet {
    pub database: Database,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

/// A line of the ledger: that a worker lives, when (hundredths of a second since boot), whose and where.
#[derive(Debug, Clone)]
struct Line {
    at: u64,
    task: String,
    epoch: u64,
    node: String,
}

impl Fleet {
    /// None where there is no server.
    pub fn new() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let database = postgres::is_there().then(|| runtime.block_on(Database::create()))?;
        Some(Self {
            database,
            folder: tempfile::tempdir().unwrap(),
            runtime,
        })
    }

    /// Two columns of each row.
    pub fn query(&self, sql: &'static str) -> Vec<(String, String)> {
        self.runtime.block_on(async {
            let mut conn = self.database.raw().await;
            sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
        })
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    pub fn go(&self) -> PathBuf {
        self.folder.path().join("go")
    }

    /// A home of its own for a node; `more` stands in its `[fleet]`.
    pub fn node(&self, name: &str, more: &str) -> World {
        let url = self.database.url();
        World::configured(
            "max_concurrent = 2\nheartbeat_stale_after = \"1m\"\n",
            &format!("[store]\nurl = \"{url}\"\n[fleet]\nnode = \"{name}\"\nlease = \"{LEASE}\"\n{more}"),
        )
    }

    /// A worker that says again and again that it lives, until it may end.
    pub fn patient(&self, world: &World, node: &str, task: &str) {
        let (ledger, go) = (self.ledger(), self.go());
        let script = format!(
            r#"tell() {{ echo "$(tr -d . < /proc/uptime | cut -d' ' -f1) $ORCHESTRATOR_TASK_ID $ORCHESTRATOR_ATTEMPT {node} $1" >> "{ledger}"; }}
trap '' TERM
tell begins
printf '\n- %s: half of it by {node}\n' "$(date -u +%FT%TZ)" >> "$ORCHESTRATOR_PROGRESS_FILE"
while [ ! -e "{go}" ]; do tell lives; sleep 0.05; done
echo "$ORCHESTRATOR_ATTEMPT" > done.txt
tell ends
"#,
            ledger = ledger.display(),
            go = go.display(),
        );
        world.worker(task, &script);
    }

    fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(self.ledger()).unwrap_or_default();
        let line = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let [at, task, epoch, node, _what] = words.as_slice() else {
                return None;
            };
            Some(Line {
                at: at.parse().ok()?,
                task: (*task).to_owned(),
                epoch: epoch.parse().ok()?,
                node: (*node).to_owned(),
            })
        };
        text.lines().filter_map(line).collect()
    }

    /// No worker of a task lives while another one of it does.
    pub fn assert_no_overlap(&self) {
        let mut spans: BTreeMap<(String, u64), (u64, u64)> = BTreeMap::new();
        for line in self.lines() {
            let span = spans.entry((line.task, line.epoch)).or_insert((line.at, line.at));
            *span = (span.0.min(line.at), span.1.max(line.at));
        }
        let mut last: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for ((task, epoch), (begins, ends)) in spans {
            if let Some((before, ended)) = last.insert(task.clone(), (epoch, ends)) {
                assert!(
                    ended <= begins,
                    "{task}: {before} lived at {ended}, {epoch} began at {begins}"
                );
            }
        }
    }

    /// Waits until a worker of a task is at it, and gives its node.
    pub fn until_at_it(&self, world: &World, task: &str, epoch: u64) -> String {
        world.until(&format!("{task} is at it"), || {
            let lines = self.lines();
            let line = lines.iter().find(|l| l.task == task && l.epoch == epoch)?;
            Some(line.node.clone())
        })
    }
}

pub fn nodes(world: &World) -> Vec<Value> {
    let ran = world.done(&["node", "list", "--json"]);
    ran.json()["nodes"].as_array().unwrap().clone()
}

pub fn leader(world: &World) -> Option<String> {
    let all = nodes(world);
    let leader = all.iter().find(|node| node["leads"] == true)?;
    Some(leader["name"].as_str().unwrap().to_owned())
}

#[test]
fn work_is_spread_and_every_node_tells_the_same() {
    let Some(fleet) = Fleet::new() else { return };
    let names = ["a", "b", "c"];
    let worlds = names.map(|name| fleet.node(name, ""));
    let tasks: Vec<String> = (0..6).map(|n| format!("t{n}")).collect();
    for (world, name) in worlds.iter().zip(names) {
        tasks.iter().for_each(|task| fleet.patient(world, name, task));
    }
    let sections: Vec<String> = tasks.iter().map(|task| section(task, "")).collect();
    worlds[0].save_tasks(&sections.iter().map(String::as_str).collect::<Vec<_>>());
    let _a = worlds[0].up();
    let _others = [worlds[1].up(), worlds[2].up()];
    for task in &tasks {
        fleet.until_at_it(&worlds[0], task, 1);
    }
    let at_it: BTreeSet<String> = fleet.lines().into_iter().map(|line| line.node).collect();
    assert_eq!(at_it, names.map(str::to_owned).into());
    let seen = worlds[1].status();
    assert_eq!(seen["slots"], serde_json::json!({ "used": 6, "total": 6 }));
    assert!(
        seen["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|t| t["session"] == "alive"),
        "{seen:#}"
    );
    fs::write(fleet.go(), "").unwrap();
    for task in &tasks {
        worlds[0].until_archived(task);
        assert_eq!(worlds[2].task(task)["state"], "completed");
    }
    fleet.assert_no_overlap();
}

#[test]
fn a_killed_node_s_task_goes_on_elsewhere_when_its_worker_is_dead() {
    let Some(fleet) = Fleet::new() else { return };
    let (a, b) = (fleet.node("a", ""), fleet.node("b", "labels = [\"other\"]\n"));
    fleet.patient(&a, "a", "t");
    fleet.patient(&b, "b", "t");
    a.save_tasks(&[&section("t", "")]);
    let mut up = a.up();
    assert_eq!(fleet.until_at_it(&a, "t", 1), "a");
    let _b = b.up();
    let copy = "SELECT task_id, progress FROM session_summary";
    a.until("a copy of its progress is kept", || {
        let kept = fleet.query(copy).into_iter();
        kept.map(|(_, text)| text)
            .find(|text| text.contains("half of it by a"))
    });
    up.kill();
    let killed = Instant::now();
    assert_eq!(fleet.until_at_it(&b, "t", 2), "b");
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(b.outcomes("t"), ["haiku:lost", "haiku:-"]);
    let progress = fs::read_to_string(b.root().join("progress/t.md")).unwrap();
    assert!(progress.contains("half of it by a"), "{progress}");
    assert_eq!(leader(&b).as_deref(), Some("b"));
    let lost = nodes(&b).into_iter().find(|node| node["name"] == "a").unwrap();
    assert_eq!(lost["state"], "lost");
    let problems = b.status()["problems"].to_string();
    assert!(problems.contains("queue-keeper-away"), "{problems}");
    let added = b.run(&["add", "more", "More"]);
    assert!(
        added.code == 4 && added.err.contains("node 'a' keeps the queue file"),
        "{added:?}"
    );
    fs::write(fleet.go(), "").unwrap();
    b.until_state("t", "completed");
    fleet.assert_no_overlap();
    // The keeper of the queue file comes back, and writes down what became of it.
    let _a = a.up();
    a.until_archived("t");
    assert_eq!(a.outcomes("t"), ["haiku:lost", "haiku:done"]);
}

#[test]
fn a_frozen_leader_is_followed_and_finds_its_tasks_elsewhere() {
    let Some(fleet) = Fleet::new() else { return };
    let (a, b) = (fleet.node("a", ""), fleet.node("b", ""));
    fleet.patient(&a, "a", "t");
    fleet.patient(&b, "b", "t");
    a.save_tasks(&[&section("t", "")]);
    let up = a.up();
    assert_eq!(fleet.until_at_it(&a, "t", 1), "a");
    let _b = b.up();
    signal(up.pid(), Signal::SIGSTOP);
    b.until("the other one leads", || (leader(&b)? == "b").then_some(()));
    assert_eq!(fleet.until_at_it(&b, "t", 2), "b");
    signal(up.pid(), Signal::SIGCONT);
    fs::write(fleet.go(), "").unwrap();
    a.until_archived("t");
    assert_eq!(a.outcomes("t"), ["haiku:lost", "haiku:done"]);
    assert_eq!(leader(&a).as_deref(), Some("b"), "whoever leads goes on to lead");
    fleet.assert_no_overlap();
}

#[test]
fn roles_and_labels_say_who_runs_what() {
    let Some(fleet) = Fleet::new() else { return };
    let (s, w, gpu) = (
        fleet.node("s", "role = \"scheduler\"\n"),
        fleet.node("w", ""),
        fleet.node("gpu", "labels = [\"gpu\"]\n"),
    );
    for (world, name) in [(&s, "s"), (&w, "w"), (&gpu, "gpu")] {
        fleet.patient(world, name, "plain");
        fleet.patient(world, name, "special");
    }
    s.save_tasks(&[&section("special", "- **Runs On:** gpu\n"), &section("plain", "")]);
    let _s = s.up();
    let _w = w.start(|command| {
        command.args(["--role", "worker"]);
    });
    assert_eq!(
        fleet.until_at_it(&w, "plain", 1),
        "w",
        "the only one that runs workers"
    );
    let waits = s.until_state("special", "pending");
    let why = waits["waiting"]["why"].to_string();
    assert!(why.contains("label gpu"), "{why}");
    let _gpu = gpu.up();
    assert_eq!(fleet.until_at_it(&gpu, "special", 1), "gpu");
    assert_eq!(leader(&s).as_deref(), Some("s"));
    fs::write(fleet.go(), "").unwrap();
    s.until_archived("plain");
    s.until_archived("special");
}

#[test]
fn a_node_is_emptied_and_its_work_goes_on_elsewhere_at_no_cost() {
    let Some(fleet) = Fleet::new() else { return };
    let (a, b) = (fleet.node("a", ""), fleet.node("b", ""));
    fleet.patient(&a, "a", "t");
    fleet.patient(&b, "b", "t");
    a.save_tasks(&[&section("t", "")]);
    let _a = a.up();
    assert_eq!(fleet.until_at_it(&a, "t", 1), "a");
    let _b = b.up();
    b.until("both are there", || (nodes(&b).len() == 2).then_some(()));
    let drained = b.done(&["node", "drain", "a", "--within", "100ms"]);
    assert!(drained.out.contains("1 worker stopped"), "{drained:?}");
    assert_eq!(fleet.until_at_it(&b, "t", 2), "b");
    assert_eq!(b.outcomes("t")[0], "haiku:killed");
    let emptied = nodes(&b).into_iter().find(|node| node["name"] == "a").unwrap();
    assert_eq!(emptied["cordoned_by"], "cli:mary");
    fs::write(fleet.go(), "").unwrap();
    a.until_archived("t");
    fleet.assert_no_overlap();
    assert_eq!(b.run(&["node", "remove", "a"]).code, 4, "it is there");
    assert_eq!(b.run(&["node", "cordon", "nobody"]).code, 3);
    a.done(&["node", "uncordon", "a"]);
    assert_eq!(nodes(&b)[0]["state"], "there");
}

/// Found by the stories of chaos: a driver that goes on with whatever it was preparing does the work twice.
#[test]
fn a_node_that_stood_still_before_it_started_a_worker_starts_none() {
    let Some(fleet) = Fleet::new() else { return };
    let (s, slow, c) = (
        fleet.node("s", "role = \"scheduler\"\n"),
        fleet.node("slow", "labels = [\"slow\"]\n"),
        fleet.node("c", ""),
    );
    for (world, name) in [(&slow, "slow"), (&c, "c")] {
        fleet.patient(world, name, "t");
        fleet.patient(world, name, "u");
    }
    // A git that waits, as one on a slow disk does.
    let (hold, bin) = (slow.path("hold"), slow.path("bin"));
    let path = std::env::var("PATH").unwrap();
    let git = std::env::split_paths(&path)
        .map(|dir| dir.join("git"))
        .find(|git| git.exists());
    let shim = format!(
        "#!/bin/sh\nwhile [ -e '{}' ]; do sleep 0.05; done\nexec '{}' \"$@\"\n",
        hold.display(),
        git.unwrap().display()
    );
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("git"), shim).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let _s = s.up();
    let node = slow.up_as(|command| {
        command.env("PATH", format!("{}:{path}", bin.display()));
    });
    fs::write(&hold, "").unwrap();
    s.save_tasks(&[&section("t", "")]);
    s.until_state("t", "in-progress");
    signal(node.pid(), Signal::SIGSTOP);
    let _c = c.up();
    assert_eq!(fleet.until_at_it(&c, "t", 2), "c");
    fs::remove_file(&hold).unwrap();
    signal(node.pid(), Signal::SIGCONT);
    s.edit(|queue| {
        queue.replacen(
            "## Archived",
            &format!("{}\n## Archived", section("u", "- **Runs On:** slow\n")),
            1,
        )
    });
    assert_eq!(fleet.until_at_it(&s, "u", 1), "slow", "it is of use again");
    fs::write(fleet.go(), "").unwrap();
    s.until_archived("t");
    s.until_archived("u");
    assert!(
        fleet
            .lines()
            .iter()
            .all(|line| line.task != "t" || line.node == "c"),
        "{:?}",
        fleet.lines()
    );
}

#[test]
fn without_a_fleet_there_are_no_nodes() {
    let world = World::new();
    let ran = world.run(&["node", "list"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("postgres://"), "{ran:?}");
    assert!(world.status().get("nodes").is_none());
}

#[test]
fn any_node_keeps_a_queue_that_is_in_a_repository() {
    let Some(fleet) = Fleet::new() else { return };
    let repo = Repo::new(fleet.folder.path(), &[&section("t", "")]);
    let queue = format!(
        "[queue]\nrepository = \"{}\"\npull = \"200ms\"\nbatch = \"50ms\"\n",
        repo.bare.display()
    );
    let (a, b) = (fleet.node("a", &queue), fleet.node("b", &queue));
    for (world, name) in [(&a, "a"), (&b, "b")] {
        fleet.patient(world, name, "t");
        fleet.patient(world, name, "more");
    }
    let mut up = a.up();
    assert_eq!(fleet.until_at_it(&a, "t", 1), "a");
    let said = |task: &str| repo.field(task, "Status");
    a.until("it is said", || (said("t")? == "in-progress").then_some(()));
    let _b = b.up();
    b.done(&["add", "more", "More"]);
    b.until_state("more", "in-progress");
    up.kill();
    let keeps = |node: &str| {
        let all = nodes(&b);
        let keeper = all.iter().find(|n| n["keeps_queue"] == true)?;
        (keeper["name"] == node).then_some(())
    };
    b.until("the other one keeps the queue", || keeps("b"));
    assert_eq!(fleet.until_at_it(&b, "t", 2), "b");
    b.done(&["add", "third", "Third"]);
    b.until_state("third", "pending");
    fs::write(fleet.go(), "").unwrap();
    repo.until_archived(&b, "third");
    repo.until_archived(&b, "t");
    repo.until_archived(&b, "more");
    assert_eq!(b.outcomes("t"), ["haiku:lost", "haiku:done"]);
    // Whoever kept it before is one of the others now.
    let _a = a.up();
    a.until("it is there again", || {
        nodes(&b).iter().all(|n| n["state"] == "there").then_some(())
    });
    keeps("b").unwrap();
    a.done(&["node", "queue", "a"]);
    b.done(&["add", "fourth", "Fourth"]);
    repo.until_archived(&a, "fourth");
    fleet.assert_no_overlap();
}
