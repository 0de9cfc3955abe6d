//! A fleet with a bus: nodes are told what concerns them, what workers put out is read everywhere, and the bus may be killed,
//! flushed and full in the middle of it.

use std::fs;

use nix::sys::signal::Signal;
use orchestrator::bus::{Address, Bus, Envelope, Rules, Valkey};
use orchestrator::clock::Clock;
use redis::Value as Answer;
use serde_json::Value;

use super::fleet::{Fleet, leader, nodes};
use super::world::{World, section, signal};
use crate::bus::server::Private;

const PREFIX: &str = "fleet";

/// A fleet and its bus.
struct Bussed {
    fleet: Fleet,
    server: Private,
    runtime: tokio::runtime::Runtime,
}

impl Bussed {
    /// None where there are no servers.
    fn new() -> Option<Self> {
        Some(Self {
            fleet: Fleet::new()?,
            server: Private::start(&["--maxmemory-policy", "noeviction"])?,
            runtime: tokio::runtime::Runtime::new().unwrap(),
        })
    }

    fn node(&self, name: &str, more: &str) -> World {
        let url = self.server.url();
        self.fleet.node(
            name,
            &format!("{more}[bus]\nurl = \"{url}\"\nprefix = \"{PREFIX}\"\n"),
        )
    }

    fn say(&self, words: &[&str]) -> Answer {
        self.runtime.block_on(self.server.say(words))
    }

    /// How many messages a stream was given so far, how many its group holds, and how many are left.
    fn stream(&self, stream: &str) -> (i64, i64, i64) {
        let key = format!("{{{PREFIX}}}:stream:{stream}");
        // A key that is not there yet has no groups.
        let ask = |what: &str| {
            let script = format!(
                "if redis.call('EXISTS', KEYS[1]) == 0 then return {{}} end return redis.call('XINFO', '{what}', KEYS[1])"
            );
            self.say(&["EVAL", &script, "1", &key])
        };
        let whole: Vec<Answer> = redis::from_redis_value(ask("STREAM")).unwrap();
        let groups: Vec<Vec<Answer>> = redis::from_redis_value(ask("GROUPS")).unwrap();
        let pending = groups.first().map_or(0, |group| field(group, "pending"));
        (field(&whole, "entries-added"), pending, field(&whole, "length"))
    }

    /// Puts something on a stream that nobody of the fleet would.
    fn publish(&self, stream: &str, message: &Envelope) {
        let address = Address::parse(&self.server.url());
        self.runtime.block_on(async {
            let bus = Valkey::open(address, PREFIX, Rules::default(), Clock::system());
            let mut standing = bus.standing();
            standing.wait_for(|s| s.is_up()).await.unwrap();
            bus.publish(stream, message).await.unwrap();
            bus.close().await;
        });
    }
}

/// A number of a list of names and values; 0 where it is not there.
fn field(list: &[Answer], name: &str) -> i64 {
    let at = list.iter().position(|value| text(value) == name);
    match at.and_then(|at| list.get(at + 1)) {
        Some(Answer::Int(n)) => *n,
        _ => 0,
    }
}

fn text(value: &Answer) -> String {
    match value {
        Answer::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Answer::SimpleString(text) => text.clone(),
        _ => String::new(),
    }
}

fn problem(world: &World, code: &str) -> Option<Value> {
    let status = world.status();
    let problems = status["problems"].as_array().unwrap();
    problems.iter().find(|p| p["code"] == code).cloned()
}

fn of_node(world: &World, name: &str) -> Value {
    let all = nodes(world);
    all.into_iter()
        .find(|node| node["name"] == name)
        .unwrap_or_default()
}

/// A worker that counts aloud until it may end; its last line says how far it came.
fn counter(world: &World, task: &str, go: &str) {
    let script = format!(
        r#"i=0
while [ ! -e "{go}" ]; do i=$((i+1)); echo "line $i"; [ $((i % 10)) -eq 0 ] && echo "trouble $i" >&2; sleep 0.01; done
echo "the end at $i"
echo x > done.txt
"#
    );
    world.worker(task, &script);
}

/// All that the worker wrote, each line once, in its order.
fn assert_whole(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let (last, counted) = lines.split_last().expect("lines");
    assert_eq!(*last, format!("the end at {}", counted.len()), "{text}");
    for (n, line) in counted.iter().enumerate() {
        assert_eq!(*line, format!("line {}", n + 1));
    }
}

fn log_of(world: &World, task: &str) -> String {
    world.done(&["logs", task, "--raw"]).out
}

#[test]
fn a_node_is_told_by_its_stream_to_start_and_to_stop_and_acknowledges() {
    let Some(it) = Bussed::new() else { return };
    let (a, b) = (
        it.node("a", "role = \"scheduler\"\n"),
        it.node("b", "role = \"worker\"\n"),
    );
    it.fleet.patient(&b, "b", "t");
    let (_a, _b) = (a.up(), b.up());
    a.until("both have the bus", || {
        let has = |name| (of_node(&a, name)["bus"]["standing"] == "up").then_some(());
        has("a").and(has("b"))
    });
    let (before, ..) = it.stream("node.b");
    a.save_tasks(&[&section("t", "")]);
    assert_eq!(it.fleet.until_at_it(&a, "t", 1), "b");
    let (told, ..) = a.until("it was told, and acknowledged", || {
        let (told, held, left) = it.stream("node.b");
        (told > before && held == 0 && left == 0).then_some((told, held, left))
    });
    // What the worker's node reports is for the leader.
    let (heard, ..) = it.stream("leader");
    a.set_status("t", "cancelled");
    a.until_state("t", "cancelled");
    a.until("it was told to stop, and the leader that it has", || {
        let (again, held, left) = it.stream("node.b");
        let (reported, ..) = it.stream("leader");
        (again > told && held == 0 && left == 0 && reported > heard).then_some(())
    });
    let (before, ..) = it.stream("node.b");
    a.until("everybody is told of the emergency stop", || {
        // A command does not wait long for the bus of a machine that is busy.
        a.done(&["stop", "--all"]);
        let (stopped, held, left) = it.stream("node.b");
        (stopped > before && held == 0 && left == 0).then_some(())
    });
}

/// Waits until a good deal more of a worker's output is there.
fn until_more(world: &World, what: &str) {
    let before = log_of(world, "t").lines().count();
    world.until(what, || {
        (log_of(world, "t").lines().count() > before + 20).then_some(())
    });
}

/// The bus dies while a worker is at it, and comes back.
fn kill_and_restart(it: &mut Bussed, a: &World) {
    it.server.kill();
    a.until("status says of each node that it lost the bus", || {
        let status = a.status();
        let nodes = status["nodes"].as_array()?.clone();
        let lost = nodes
            .iter()
            .filter(|node| node["bus"]["standing"] == "away")
            .count();
        (lost == 2 && status["bus"]["standing"] == "away").then_some(())
    });
    a.until("and where the output goes", || {
        let why = of_node(a, "b")["bus"]["bypassed"].clone();
        why.is_string().then_some(())
    });
    assert!(problem(a, "bus-away").is_some(), "{:#}", a.status());
    assert!(a.done(&["node", "list"]).out.contains("has lost the bus"));
    until_more(a, "straight to the database");
    it.server.restart();
    a.until("both have it again", || {
        let status = a.status();
        let nodes = status["nodes"].as_array()?.clone();
        let has = nodes
            .iter()
            .all(|node| node["bus"]["standing"] == "up" && node["bus"]["bypassed"].is_null());
        has.then_some(())
    });
    assert_eq!(problem(a, "bus-away"), None);
}

/// Each output is there from its beginning to its end, and no byte of it twice.
fn assert_no_gap(it: &Bussed, a: &World) {
    let rows = it.fleet.query(
        "SELECT source::text, (max(ends) = sum(ends - starts))::text FROM worker_output GROUP BY source ORDER BY source",
    );
    let gapless = [("1", "true"), ("2", "true")];
    assert_eq!(rows, gapless.map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert!(
        a.done(&["logs", "t"]).out.contains("trouble 10"),
        "standard error as well"
    );
}

#[test]
fn what_a_worker_put_out_is_whole_everywhere_though_the_bus_is_killed_flushed_and_full() {
    let Some(mut it) = Bussed::new() else { return };
    let (a, b) = (
        it.node("a", "role = \"scheduler\"\n"),
        it.node("b", "role = \"worker\"\n"),
    );
    let go = it.fleet.go();
    counter(&b, "t", &go.display().to_string());
    let (_a, mut up) = (a.up(), b.up());
    a.save_tasks(&[&section("t", "")]);
    a.until("it is at it", || {
        (a.task("t")["session"] == "alive" && log_of(&a, "t").lines().count() > 5).then_some(())
    });
    until_more(&a, "by the bus");
    kill_and_restart(&mut it, &a);
    for _ in 0..5 {
        it.say(&["FLUSHALL"]);
        until_more(&a, "after a flush");
    }
    it.say(&["CONFIG", "SET", "maxmemory", "1"]);
    a.until("status says that it is full", || problem(&a, "bus-bypassed"));
    until_more(&a, "while it is full");
    it.say(&["CONFIG", "SET", "maxmemory", "0"]);
    until_more(&a, "with room again");
    fs::write(&go, "").unwrap();
    a.until_archived("t");
    let whole = log_of(&a, "t");
    assert_whole(&whole);
    assert_eq!(whole, log_of(&b, "t"), "the worker's own file");
    assert_no_gap(&it, &a);
    // After the node that ran it is gone, too.
    up.kill();
    a.until("it is lost", || {
        (of_node(&a, "b")["state"] == "lost").then_some(())
    });
    assert_eq!(log_of(&a, "t"), whole);
    assert!(
        a.done(&["show", "t"]).out.contains("attempt 1 at haiku"),
        "{:?}",
        a.done(&["show", "t"])
    );
}

#[test]
fn without_a_bus_output_is_followed_on_another_node_as_it_comes() {
    let Some(fleet) = Fleet::new() else { return };
    let (a, b) = (
        fleet.node("a", "role = \"scheduler\"\n"),
        fleet.node("b", "role = \"worker\"\n"),
    );
    let go = fleet.go();
    counter(&b, "t", &go.display().to_string());
    let (_a, _b) = (a.up(), b.up());
    a.save_tasks(&[&section("t", "")]);
    a.until_task("t", "is at it", |task| task["session"] == "alive");
    let out = a.path("followed");
    let mut follows = a.command(&["logs", "t", "-f", "--raw"]);
    let mut follows = follows.stdout(fs::File::create(&out).unwrap()).spawn().unwrap();
    a.until("it follows", || {
        (fs::read_to_string(&out).ok()?.lines().count() > 30).then_some(())
    });
    fs::write(&go, "").unwrap();
    a.until("it has ended by itself", || follows.try_wait().unwrap());
    assert_whole(&fs::read_to_string(&out).unwrap());
    a.until_archived("t");
}

#[test]
fn a_service_that_is_killed_sends_on_where_it_had_come_to() {
    let Some(it) = Bussed::new() else { return };
    let (a, b) = (
        it.node("a", "role = \"scheduler\"\n"),
        it.node("b", "role = \"worker\"\n"),
    );
    let go = it.fleet.go();
    counter(&b, "t", &go.display().to_string());
    let (_a, mut up) = (a.up(), b.up());
    a.save_tasks(&[&section("t", "")]);
    a.until("it is at it", || {
        (a.task("t")["session"] == "alive" && log_of(&a, "t").lines().count() > 20).then_some(())
    });
    up.kill();
    let _b = b.up();
    let before = log_of(&a, "t").lines().count();
    a.until("it goes on", || {
        (log_of(&a, "t").lines().count() > before + 20).then_some(())
    });
    fs::write(&go, "").unwrap();
    a.until_archived("t");
    assert_eq!(a.outcomes("t"), ["haiku:done"]);
    assert_whole(&log_of(&a, "t"));
}

#[test]
fn what_nobody_can_do_with_is_parked_told_of_and_cleared() {
    let Some(it) = Bussed::new() else { return };
    let (a, b) = (it.node("a", ""), it.node("b", "role = \"worker\"\n"));
    let (_a, _b) = (a.up(), b.up());
    a.until("both are there", || (nodes(&a).len() == 2).then_some(()));
    let odd = |version, body: &str| Envelope {
        kind: "errand".into(),
        version,
        body: body.into(),
    };
    it.publish("node.b", &odd(99, "{}"));
    let found = a.until("status tells of it", || problem(&a, "parked-messages"));
    assert!(found["help"].as_str().unwrap().contains("node parked"), "{found}");
    let doctor = a.run(&["doctor"]);
    assert!(doctor.out.contains("1 message lie parked"), "{}", doctor.out);
    // A version of a task that never comes is given back, and parked in the end.
    it.fleet.patient(&a, "a", "t");
    it.fleet.patient(&b, "b", "t");
    a.save_tasks(&[&section("t", "")]);
    let node = it.fleet.until_at_it(&a, "t", 1);
    let body = r#"{"task":"t","version":999,"epoch":1,"kind":"claimed"}"#;
    it.publish(&format!("node.{node}"), &odd(1, body));
    let parked = a.until("both are parked", || {
        let shown = a.done(&["node", "parked", "--json"]).json();
        let parked = shown["parked"].as_array()?.clone();
        (parked.len() == 2).then_some(parked)
    });
    let never = parked.iter().find(|p| p["kind"] == "errand 1").unwrap();
    assert!(never["why"].as_str().unwrap().contains("this version"), "{never}");
    assert_eq!(never["deliveries"], 5);
    let page = a.done(&["node", "parked"]).out;
    assert!(page.contains("node.b") && page.contains("errand 99"), "{page}");
    a.done(&["node", "parked", "--clear"]);
    assert!(a.done(&["node", "parked"]).out.contains("Nothing is parked"));
    a.until("status tells no more", || {
        problem(&a, "parked-messages").is_none().then_some(())
    });
    fs::write(it.fleet.go(), "").unwrap();
    a.until_archived("t");
    let alone = World::new();
    assert_eq!(alone.run(&["node", "parked"]).code, 4);
}

#[test]
fn what_was_meant_for_a_node_that_is_gone_is_the_leader_s() {
    let Some(it) = Bussed::new() else { return };
    let (a, b) = (it.node("a", ""), it.node("b", "role = \"worker\"\n"));
    let (_a, up) = (a.up(), b.up());
    a.until("both have the bus", || {
        (of_node(&a, "b")["bus"]["standing"] == "up").then_some(())
    });
    // Frozen while it waits at its stream: what it is handed then is never acknowledged.
    signal(up.pid(), Signal::SIGSTOP);
    let body = r#"{"task":null,"version":0,"epoch":0,"kind":"stopped"}"#;
    let errand = Envelope {
        kind: "errand".into(),
        version: 1,
        body: body.into(),
    };
    it.publish("node.b", &errand);
    a.until("it is lost", || {
        (of_node(&a, "b")["state"] == "lost").then_some(())
    });
    a.until("it was claimed, and seen to", || {
        let (_, held, left) = it.stream("node.b");
        (held == 0 && left == 0).then_some(())
    });
    assert_eq!(leader(&a).as_deref(), Some("a"));
    signal(up.pid(), Signal::SIGCONT);
}
