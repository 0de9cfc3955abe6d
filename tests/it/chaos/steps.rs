//! Death at each step (F02): `kill -9` before and after everything that the world outside can see of a task's whole life.
//!
//! A fleet's node is killed by the wire to its server, at its n-th COMMIT: before it arrives, when it was sent, or when it has
//! taken effect and its answer is on its way. A service with the embedded store is killed by a few lines of C that stand before
//! the C library's, at the n-th thing that it makes durable, puts into place, starts, or says. The program itself has no points
//! of failure built in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::evidence::{self, Evidence};
use super::fleet::Fleet;
use super::ledger;
use super::story::{LEASE, conclude, number, proven, rand_seed};
use super::wire::Cut;
use crate::main_job::world::{Up, World, section};
use crate::simulation::dice::Dice;

/// A task of a tenth of a second.
const KIND: &str = "plain";
const TENTHS: usize = 1;
/// How many deaths a story of `./test` has; the long one has all.
const SAMPLE: usize = 8;

/// The n-th step of a life, and when about it.
type Death<W> = (u32, W);

/// The deaths to die: all, by turns, or a few by a seed.
fn deaths<W: Copy>(name: &str, steps: u32, whens: &[W]) -> Vec<Death<W>> {
    let all: Vec<Death<W>> = (1..=steps)
        .flat_map(|n| whens.iter().map(move |when| (n, *when)))
        .collect();
    if is_nightly() {
        return all;
    }
    let seed = number("ORCHESTRATOR_CHAOS_SEED").unwrap_or_else(|| u64::from(rand_seed()));
    println!(
        "{name}: ORCHESTRATOR_CHAOS_SEED={seed}, {SAMPLE} of {} deaths",
        all.len()
    );
    let mut dice = Dice(seed);
    (0..SAMPLE).map(|_| dice.pick(&all)).collect()
}

fn is_nightly() -> bool {
    std::env::var("ORCHESTRATOR_NIGHTLY").is_ok_and(|value| value == "1")
}

#[test]
fn a_node_dies_at_any_commit_of_a_tasks_life() {
    let Some(mut fleet) = Fleet::new(LEASE) else {
        return;
    };
    fleet.nodes.truncate(1);
    fleet.start(0);
    fleet.until("a leader", |fleet| fleet.leader());
    fleet.may_repeat = true;
    let before = fleet.nodes[0].store.commits();
    let whole_life = fleet.add(KIND, TENTHS);
    fleet.until("a life without a death", |fleet| {
        fleet.is_settled().filter(|settled| *settled)
    });
    let commits = fleet.nodes[0].store.commits() - before;
    let events = fleet.events_of(&whole_life);
    let (mut died_at, mut deaths_died) = (BTreeMap::<String, u32>::new(), 0);
    for (n, cut) in deaths("commits", commits, &[Cut::Before, Cut::Amid, Cut::After]) {
        if let Some(last) = die_at_commit(&mut fleet, n, cut) {
            deaths_died += 1;
            *died_at.entry(last).or_default() += 1;
        }
    }
    println!(
        "commits: {deaths_died} deaths in a life of {commits} commits; the last event before them: {died_at:?}"
    );
    assert!(deaths_died > 0);
    if is_nightly() {
        let missing: BTreeSet<&String> = events
            .iter()
            .filter(|kind| !died_at.contains_key(*kind))
            .collect();
        assert!(missing.is_empty(), "nobody died behind {missing:?} of {events:?}");
    }
    conclude(&mut fleet);
}

/// The last event of the task when its node died; none where its life was shorter this time.
fn die_at_commit(fleet: &mut Fleet, n: u32, cut: Cut) -> Option<String> {
    fleet.until("the node leads", |fleet| {
        fleet.is_there(0).then(|| fleet.leader()).flatten()
    });
    let pid = fleet.nodes[0].pid();
    fleet.nodes[0].store.arm_death(n, cut, pid);
    let id = fleet.add(KIND, TENTHS);
    let mut has_died = false;
    for_as_long(|| {
        has_died = !fleet.nodes[0].is_running();
        !has_died && fleet.is_settled() != Some(true)
    });
    fleet.nodes[0].store.disarm();
    let last = has_died.then(|| fleet.events_of(&id).pop().unwrap_or_else(|| "none".to_owned()));
    if !fleet.nodes[0].is_running() {
        fleet.start(0);
    }
    fleet.until("the task goes on and ends", |fleet| {
        fleet.is_settled().filter(|settled| *settled)
    });
    last
}

/// Polls while something holds.
fn for_as_long(mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while holds() {
        assert!(std::time::Instant::now() < deadline, "neither an end nor a death");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// When a process dies about a step of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    Before,
    After,
}

/// The library, and the file by which it is told.
struct Steps {
    library: PathBuf,
    file: PathBuf,
}

impl Steps {
    fn build(folder: &Path) -> Self {
        let (source, library) = (folder.join("steps.c"), folder.join("steps.so"));
        fs::write(&source, include_str!("steps.c")).unwrap();
        let ran = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        let file = folder.join("steps");
        fs::write(&file, [0; 32]).unwrap();
        Self { library, file }
    }

    fn give(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("CHAOS_STEPS", &self.file);
    }

    /// The n-th step from now on.
    fn choose(&self, n: u32, when: When) {
        let file = File::options().write(true).open(&self.file).unwrap();
        let put = |at: u64, value: i64| file.write_all_at(&value.to_ne_bytes(), 8 * at).unwrap();
        put(3, 0);
        put(1, i64::from(when == When::After));
        put(0, i64::from(n));
    }

    fn number(&self, at: usize) -> i64 {
        let bytes = fs::read(&self.file).unwrap();
        i64::from_ne_bytes(bytes[8 * at..8 * at + 8].try_into().unwrap())
    }

    fn seen(&self) -> u32 {
        self.number(2).try_into().unwrap()
    }

    fn struck(&self) -> Option<&'static str> {
        [None, Some("sync"), Some("rename"), Some("start"), Some("say")]
            [usize::try_from(self.number(3)).unwrap()]
    }
}

/// A service with the embedded store, whose workers tell a ledger.
struct Alone {
    world: World,
    steps: Steps,
    up: Up,
    written: usize,
}

impl Alone {
    fn new() -> Self {
        let world = World::configured(
            "max_concurrent = 2\nheartbeat_stale_after = \"1m\"\nlifetime_attempts = 100\n",
            "",
        );
        let locks = world.path("locks");
        fs::create_dir(&locks).unwrap();
        let worker = format!(
            "NODE=alone\nLEDGER={}\nLOCKS={}\n{}",
            world.path("ledger").display(),
            locks.display(),
            include_str!("worker.sh")
        );
        fs::write(world.root().join("worker.sh"), worker).unwrap();
        let steps = Steps::build(&world.path("."));
        let up = world.up_as(|command| steps.give(command));
        Self {
            world,
            steps,
            up,
            written: 0,
        }
    }

    fn add(&mut self) -> String {
        self.written += 1;
        let id = format!("{KIND}-{}-{TENTHS}", self.written);
        let text = section(&id, "");
        self.world
            .edit(|queue| queue.replacen("## Archived Tasks", &format!("{text}\n## Archived Tasks"), 1));
        id
    }

    /// Whether its section is where ended tasks are, and nothing is left to be told.
    fn is_over(&self, id: &str) -> bool {
        let queue = self.world.queue();
        let archived = queue
            .split_once("## Archived Tasks")
            .map_or("", |(_, archived)| archived);
        let mark = format!("### {id}:");
        (archived.contains(&mark) || self.world.archive().contains(&mark))
            && self.world.reports().contains(&format!("[{id}]"))
            && self.evidence().outbox.iter().all(|row| row.is_done)
    }

    fn evidence(&self) -> Evidence {
        let path = self.world.state_dir().join("orchestrator.db");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let options = SqliteConnectOptions::new()
                .filename(path)
                .busy_timeout(Duration::from_secs(10));
            let mut conn = options.connect().await.unwrap();
            Evidence::of_embedded(&mut conn).await.unwrap()
        })
    }

    /// What was done when the process died; none where the task's life was shorter this time.
    fn die_at(&mut self, n: u32, when: When) -> Option<&'static str> {
        self.steps.choose(n, when);
        let id = self.add();
        for_as_long(|| self.up.is_running() && !self.is_over(&id));
        let struck = self.steps.struck();
        self.steps.choose(0, when);
        if struck.is_some() {
            self.world
                .until("its end", || (!self.up.is_running()).then_some(()));
            self.up = self.world.up_as(|command| self.steps.give(command));
        }
        self.world
            .until("the task goes on and ends", || self.is_over(&id).then_some(()));
        struck
    }
}

#[test]
fn a_service_dies_at_any_step_of_a_tasks_life() {
    let mut alone = Alone::new();
    let before = alone.steps.seen();
    let first = alone.add();
    alone
        .world
        .until("a life without a death", || alone.is_over(&first).then_some(()));
    let steps = alone.steps.seen() - before;
    let mut died = BTreeMap::<(&str, When), u32>::new();
    for (n, when) in deaths("steps", steps, &[When::Before, When::After]) {
        if let Some(what) = alone.die_at(n, when) {
            *died.entry((what, when)).or_default() += 1;
        }
    }
    println!("steps: deaths in a life of {steps} steps: {died:?}");
    assert!(!died.is_empty());
    if is_nightly() {
        for what in ["sync", "rename", "start", "say"] {
            for when in [When::Before, When::After] {
                assert!(
                    died.contains_key(&(what, when)),
                    "nobody died {when:?} {what}: {died:?}"
                );
            }
        }
    }
    assert_eq!(alone.up.end(), 0);
    let mut evidence = alone.evidence();
    evidence.accepted = (1..=alone.written)
        .map(|n| format!("{KIND}-{n}-{TENTHS}"))
        .collect();
    evidence.ledger = ledger::read(&alone.world.path("ledger"));
    let (queue, archive) = (alone.world.queue(), alone.world.archive());
    evidence.sections = evidence::sections([queue.as_str(), archive.as_str()]);
    evidence.printed = evidence::printed(&alone.world.path("up.out"));
    evidence.may_repeat = true;
    proven(&evidence);
}
