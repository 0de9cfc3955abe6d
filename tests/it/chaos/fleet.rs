//! Three nodes as processes of their own, each in a home of its own, on one private PostgreSQL and one private Valkey, each
//! behind wires of its own; and what a story may ask of them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

use super::clock::{Clock, Clocks};
use super::evidence::{self, Evidence};
use super::ledger::{self, Line};
use super::wire::Wire;
use crate::bus;
use crate::main_job::world::{self, Ran, World, section};
use crate::private_postgres::Private;

/// The longest that a fleet may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);
const NAMES: [&str; 3] = ["a", "b", "c"];

/// A fleet, its servers, and the ledger of its workers.
pub struct Fleet {
    pub nodes: Vec<Node>,
    pub postgres: Private,
    pub valkey: bus::server::Private,
    pub runtime: tokio::runtime::Runtime,
    pub lease: Duration,
    /// Tasks that were taken.
    pub accepted: BTreeSet<String>,
    /// Attempts that were stopped together with their supervisors, and when they went on.
    pub paused: Vec<evidence::Pause>,
    /// Whether a leader may have been followed by another one between printing something and writing that down.
    pub may_repeat: bool,
    written: usize,
    folder: tempfile::TempDir,
    clocks: Clocks,
}

/// A node.
pub struct Node {
    pub name: &'static str,
    pub world: World,
    pub store: Wire,
    pub bus: Wire,
    pub clock: Clock,
    pub exe: PathBuf,
    child: Option<Child>,
}

impl Fleet {
    /// None where there are no servers. Nothing runs yet.
    pub fn new(lease: Duration) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let postgres = runtime.block_on(Private::start())?;
        let valkey = bus::server::Private::start(&[])?;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("locks")).unwrap();
        let mut fleet = Self {
            nodes: Vec::new(),
            clocks: Clocks::build(folder.path()),
            postgres,
            valkey,
            runtime,
            lease,
            accepted: BTreeSet::new(),
            paused: Vec::new(),
            may_repeat: false,
            written: 0,
            folder,
        };
        fleet.nodes = NAMES.map(|name| fleet.node(name)).into();
        Some(fleet)
    }

    fn node(&self, name: &'static str) -> Node {
        let store = self.runtime.block_on(Wire::before(self.postgres.port()));
        let bus = self.runtime.block_on(Wire::before(self.valkey.port()));
        let world = World::configured("", "");
        let worker = format!(
            "NODE={name}\nLEDGER={}\nLOCKS={}\n{}",
            self.ledger_path().display(),
            self.folder.path().join("locks").display(),
            include_str!("worker.sh")
        );
        fs::write(world.root().join("worker.sh"), worker).unwrap();
        let config = self.config(name, &world, store.port, bus.port);
        fs::write(world.root().join("orchestrator.toml"), config).unwrap();
        Node {
            name,
            clock: Clock::new(world.path("clock")),
            world,
            store,
            bus,
            exe: world::EXE.into(),
            child: None,
        }
    }

    fn config(&self, name: &str, world: &World, store: u16, bus: u16) -> String {
        let tier =
            |name| format!("[[tiers]]\nname = \"{name}\"\nmodel = \"{name}\"\nruntimes = [\"script\"]\n");
        format!(
            "[scheduler]\nmax_concurrent = 3\nheartbeat_stale_after = \"1m\"\nlifetime_attempts = 100\n\
             [policy]\nstart = \"lowest\"\ncontinuation_delay = \"50ms\"\n\
             backoff_initial = \"50ms\"\nbackoff_max = \"200ms\"\nkill_grace = \"5s\"\n\
             {}{}[gate]\nchecks = [ {{ name = \"work\", run = \"test -f done.txt\" }} ]\n\
             [runtimes.script]\nkind = \"command\"\ncommand = [\"sh\", {:?}]\n\
             [store]\nurl = \"{}\"\nconnect_timeout = \"2s\"\nstatement_timeout = \"3s\"\n[bus]\nurl = \"redis://127.0.0.1:{bus}\"\n\
             [fleet]\nnode = \"{name}\"\nlease = \"{}s\"\n",
            tier("low"),
            tier("high"),
            world.root().join("worker.sh").display().to_string(),
            Private::url_by(store),
            self.lease.as_secs(),
        )
    }

    fn ledger_path(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    fn printed_path(&self) -> PathBuf {
        self.folder.path().join("printed")
    }

    pub fn ledger(&self) -> Vec<Line> {
        ledger::read(&self.ledger_path())
    }

    /// Starts a node, at its own program.
    pub fn start(&mut self, n: usize) {
        let printed = append(&self.printed_path());
        let node = &mut self.nodes[n];
        let shown = node.world.command(&["up"]);
        let mut command = Command::new(&node.exe);
        command
            .args(shown.get_args())
            .current_dir(node.world.root())
            .env_clear();
        command.envs(shown.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.clocks.give(&node.clock, &mut command);
        let log = append(&node.world.path("up.err"));
        command.stdin(Stdio::null()).stdout(printed).stderr(log);
        node.child = Some(command.spawn().unwrap());
    }

    /// Starts the first node, and the others when it leads and keeps the queue file.
    pub fn start_all(&mut self) {
        self.start(0);
        self.until("a leader", |fleet| fleet.leader());
        (1..self.nodes.len()).for_each(|n| self.start(n));
        self.until("all nodes are there", |fleet| {
            (fleet.number("SELECT count(*) FROM node WHERE lease_until > clock_timestamp()")? == 3)
                .then_some(())
        });
    }

    /// Starts whoever does not run.
    pub fn start_missing(&mut self) {
        for n in 0..self.nodes.len() {
            if !self.nodes[n].is_running() {
                self.start(n);
            }
        }
    }

    /// Adds a task of a kind, by a person's edit of the queue file.
    pub fn add(&mut self, kind: &str, tenths: usize) -> String {
        self.written += 1;
        let id = format!("{kind}-{}-{tenths}", self.written);
        let text = section(&id, "");
        let keeper = &self.nodes[0].world;
        keeper.edit(|queue| queue.replacen("## Archived Tasks", &format!("{text}\n## Archived Tasks"), 1));
        self.accepted.insert(id.clone());
        id
    }

    /// Adds a task by a command; it counts where that says that it is done.
    pub fn add_by_command(&mut self, tenths: usize) -> Ran {
        self.written += 1;
        let id = format!("said-{}-{tenths}", self.written);
        let ran = self.nodes[0].world.run(&["add", &id, "Do it"]);
        if ran.code == 0 {
            self.accepted.insert(id);
        }
        ran
    }

    /// How many tenths of a second so many leases are.
    pub fn tenths_of(&self, leases: u32) -> usize {
        usize::try_from((self.lease * leases).as_millis() / 100).unwrap()
    }

    /// Whether a node that was started is a member of its fleet.
    pub fn is_there(&self, n: usize) -> bool {
        let (name, pid) = (self.nodes[n].name, i64::from(self.nodes[n].pid()));
        self.runtime.block_on(async {
            let Ok(mut conn) = self.connect().await else {
                return false;
            };
            let sql = "SELECT EXISTS (SELECT FROM node WHERE name = $1 AND (announcement ->> 'pid')::bigint = $2 \
                       AND lease_until > clock_timestamp())";
            let there = sqlx::query_scalar(sql).bind(name).bind(pid).fetch_one(&mut conn).await;
            there.unwrap_or(false)
        })
    }

    /// A connection past all wires.
    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options: PgConnectOptions = self.postgres.url().parse().unwrap();
        options.connect().await
    }

    /// A number, where the server answers.
    pub fn number(&self, sql: &'static str) -> Option<i64> {
        self.runtime.block_on(async {
            let mut conn = self.connect().await.ok()?;
            sqlx::query_scalar(sql).fetch_optional(&mut conn).await.ok()?
        })
    }

    /// A task's events in their order, each with the state that it led to.
    pub fn events_of(&self, id: &str) -> Vec<String> {
        let sql = "SELECT kind || ': ' || to_state FROM event_log WHERE task_id = $1 ORDER BY version";
        self.runtime.block_on(async {
            let mut conn = self.connect().await.unwrap();
            sqlx::query_scalar(sql)
                .bind(id)
                .fetch_all(&mut conn)
                .await
                .unwrap()
        })
    }

    pub fn execute(&self, sql: &str) {
        self.runtime.block_on(async {
            let mut conn = self.connect().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                .execute(&mut conn)
                .await
                .unwrap();
        });
    }

    /// The number of the node that leads.
    pub fn leader(&self) -> Option<usize> {
        let name: String = self.runtime.block_on(async {
            let mut conn = self.connect().await.ok()?;
            let sql = "SELECT node FROM leader WHERE lease_until >= clock_timestamp()";
            sqlx::query_scalar(sql).fetch_optional(&mut conn).await.ok()?
        })?;
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Whether all that was accepted has ended, and all is told and written.
    pub fn is_settled(&self) -> Option<bool> {
        let evidence = self.runtime.block_on(async {
            let mut conn = self.connect().await.ok()?;
            Evidence::of_store(&mut conn).await.ok()
        })?;
        let ended = |id: &String| {
            let mut tasks = evidence.tasks.iter();
            tasks.any(|t| t.id == *id && matches!(t.kind.as_str(), "completed" | "cancelled"))
        };
        Some(self.accepted.iter().all(ended) && evidence.outbox.iter().all(|row| row.is_done))
    }

    /// Whether a task is completed.
    pub fn is_completed(&self, id: &str) -> bool {
        let events = self.events_of(id);
        events.last().is_some_and(|event| event.ends_with(": completed"))
    }

    /// What a person does who is asked about a task that was interrupted too often.
    fn ask_again(&self) {
        let blocked: Vec<String> = self.runtime.block_on(async {
            let Ok(mut conn) = self.connect().await else {
                return Vec::new();
            };
            let sql = "SELECT id FROM task WHERE kind = 'blocked'";
            sqlx::query_scalar(sql)
                .fetch_all(&mut conn)
                .await
                .unwrap_or_default()
        });
        for id in blocked {
            println!(
                "{id} waits for a person: {}",
                self.nodes[0].world.run(&["retry", &id]).out
            );
        }
    }

    /// Waits until all is done that was accepted, ends the nodes in good order, and gathers what is left of it all.
    pub fn settle(&mut self) -> Evidence {
        self.until("all is done", |fleet| {
            fleet.ask_again();
            fleet.is_settled().filter(|settled| *settled)
        });
        for node in &mut self.nodes {
            assert_eq!(node.end(), Some(0), "node {} ends in good order", node.name);
        }
        let mut evidence = self.runtime.block_on(async {
            let mut conn = self.connect().await.unwrap();
            Evidence::of_store(&mut conn).await.unwrap()
        });
        let keeper = &self.nodes[0].world;
        let months = fs::read_dir(keeper.root().join("archive"))
            .into_iter()
            .flatten()
            .flatten();
        let mut texts: Vec<String> = months.map(|m| fs::read_to_string(m.path()).unwrap()).collect();
        texts.push(keeper.queue());
        evidence.sections = evidence::sections(texts.iter().map(String::as_str));
        evidence.accepted = self.accepted.clone();
        evidence.ledger = self.ledger();
        evidence.printed = evidence::printed(&self.printed_path());
        evidence.paused = self.paused.clone();
        evidence.may_repeat = self.may_repeat;
        evidence
    }

    /// Polls until there is an answer.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "never: {what}\n{}", self.scene());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What one wants to see of a fleet in which something did not come, or was wrong.
    pub fn scene(&self) -> String {
        let tail = |text: String| {
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(60)..].join("\n")
        };
        let mut scene = String::new();
        for node in &self.nodes {
            let log = fs::read_to_string(node.world.path("up.err")).unwrap_or_default();
            scene += &*format!("--- node {} logs\n{}\n", node.name, tail(log));
        }
        let status = self.nodes[0].world.run(&["status"]);
        scene += &*format!("--- status\n{}{}\n", status.out, status.err);
        scene + &*format!("--- queue\n{}\n", tail(self.nodes[0].world.queue()))
    }

    /// What is known of a task, for the eyes of whoever looks for a bug.
    pub fn story_of(&self, id: &str) -> String {
        let lines = self.ledger().into_iter().filter(|line| line.task == id);
        let lines: Vec<String> = lines.map(|line| format!("{line:?}")).collect();
        let shown = self.nodes[0].world.run(&["show", id]);
        format!(
            "--- ledger of {id}\n{}\n{}{}",
            lines.join("\n"),
            shown.out,
            shown.err
        )
    }
}

impl Node {
    pub fn is_running(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: Signal) {
        world::signal(self.pid(), signal);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM; its exit code.
    pub fn end(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        world::signal(child.id(), Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("node {} does not end on SIGTERM", self.name);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn append(path: &Path) -> File {
    File::options().create(true).append(true).open(path).unwrap()
}
