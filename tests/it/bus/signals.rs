//! The bus beneath a running service: commits of others wake it, its own are told, and `status` and `doctor` know how it stands.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use orchestrator::bus::{Bus, Heard, Listener};
use orchestrator::clock::Clock;
use orchestrator::config::{self, Environment};
use orchestrator::domain::decide::LogEntry;
use orchestrator::domain::id::TaskId;
use orchestrator::service::signals::{EVENTS, Here, Logged, Signals};
use orchestrator::store::{self, OpenMode, StoreAddress};
use serde_json::Value;

use super::server::Private;
use super::{PATIENCE, Server, rules, until, up};
use crate::main_job::world::{World, section};

/// No tick in the time of a test.
const SCHEDULER: &str = "max_concurrent = 4\ncron = \"0 0 1 1 *\"\n";
const PREFIX: &str = "signals";

/// An instance at a server, which commands cannot wake by its file.
fn deaf(url: &str) -> World {
    let bus = format!("[bus]\nurl = \"{url}\"\nprefix = \"{PREFIX}\"\n");
    let world = World::configured(SCHEDULER, &bus);
    let wake = world.state_dir().join("wake");
    fs::create_dir_all(wake.join("in the way")).unwrap();
    world
}

async fn hear(listener: &mut Listener) -> Logged {
    loop {
        let heard = tokio::time::timeout(PATIENCE, listener.next())
            .await
            .expect("nothing is heard");
        if let Heard::Message(message) = heard.unwrap() {
            return message.open().unwrap();
        }
    }
}

async fn present(bus: &Arc<dyn Bus>) -> Vec<Here> {
    let present = bus.present().await.unwrap();
    present.iter().map(|(_, here)| here.open().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_others_wake_the_service_and_each_entry_is_told_after_its_commit() {
    let Some(server) = Private::start(&[]) else {
        return;
    };
    let bus = up(&server.url(), PREFIX, rules()).await;
    let mut events = bus.listen(EVENTS).await;
    let world = deaf(&server.url());
    world.save_tasks(&[&section("u", "").replace("pending", "paused")]);
    let mut service = world.up();
    world.until_state("u", "paused");
    let here = until("present", async || present(&bus).await.pop()).await;
    assert_eq!(here.pid, service.pid());
    let admitted = hear(&mut events).await;
    assert_eq!(admitted.task, "u");
    // Another process commits. Without the bus the service would see it in a year.
    world.done(&["resume", "u"]);
    world.until_state("u", "completed");
    let mut last = admitted;
    let mut kinds = Vec::new();
    while last.entry.to != "completed" {
        let next = hear(&mut events).await;
        assert!(
            next.seq > last.seq && next.version == last.version + 1,
            "{last:?} {next:?}"
        );
        kinds.push(next.entry.kind.clone());
        last = next;
    }
    assert!(kinds.len() > 3, "{kinds:?}");
    let status = world.status();
    assert_eq!(status["bus"]["standing"], "up", "{status}");
    assert!(status["bus"]["since"].is_string(), "{status}");
    assert!(world.done(&["status"]).out.contains("bus up"));
    assert_eq!(service.end(), 0);
    assert_eq!(present(&bus).await, []);
    assert_eq!(world.status()["bus"]["since"], Value::Null, "a look of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_bus_away_work_goes_on_status_says_so_and_what_was_missed_is_caught_up() {
    let Some(mut server) = Private::start(&[]) else {
        return;
    };
    let world = deaf(&server.url());
    world.save_tasks(&[&section("u", "").replace("pending", "paused")]);
    let _service = world.up();
    world.until_state("u", "paused");
    world.until("up", || (world.status()["bus"]["standing"] == "up").then_some(()));
    server.kill();
    let status = world.until("away", || {
        let status = world.status();
        (status["bus"]["standing"] == "away").then_some(status)
    });
    let bus = &status["bus"];
    assert!(bus["since"].is_string() && bus["why"].is_string(), "{bus}");
    assert!(bus["means"].as_str().unwrap().contains("work goes on"), "{bus}");
    assert!(world.done(&["status"]).out.contains("bus away since"));
    // What the service itself sees goes on as ever.
    world.edit(|text| {
        let after = section("v", "");
        text.replace("### u", &format!("{after}\n### u"))
    });
    world.until_state("v", "completed");
    // What another process does meanwhile is committed, though nobody can be woken.
    let began = std::time::Instant::now();
    world.done(&["resume", "u"]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    server.restart();
    world.until_state("u", "completed");
    world.until("up again", || {
        (world.status()["bus"]["standing"] == "up").then_some(())
    });
}

#[test]
fn doctor_looks_at_the_bus_and_nothing_shows_its_password() {
    let Some(mut server) = Private::start(&["--requirepass", "s3cret-word"]) else {
        return;
    };
    let port = server.port();
    let world = World::configured(
        SCHEDULER,
        "[bus]\nurl = \"redis://:${BUS_PASSWORD}@127.0.0.1:PORT\"\n"
            .replace("PORT", &port.to_string())
            .as_str(),
    );
    let run = |args: &[&str], password: Option<&str>| {
        let mut command = world.command(args);
        if let Some(password) = password {
            command.env("BUS_PASSWORD", password);
        }
        let ran = crate::main_job::world::finished(&mut command);
        assert!(!format!("{ran:?}").contains("s3cret"), "{ran:?}");
        ran
    };
    let bus = |password: Option<&str>| {
        let found = run(&["doctor", "--json"], password).json();
        let findings = found["findings"].as_array().unwrap().clone();
        findings
            .into_iter()
            .find(|f| f["name"] == "bus")
            .expect("a finding about the bus")
    };
    let well = bus(Some("s3cret-word"));
    assert_eq!(well["level"], "ok", "{well}");
    assert!(
        well["detail"].as_str().unwrap().contains(&port.to_string()),
        "{well}"
    );
    let wrong = bus(Some("s3cret-other"));
    assert_eq!(wrong["level"], "warn", "{wrong}");
    assert!(
        wrong["detail"].as_str().unwrap().contains("does not let us in"),
        "{wrong}"
    );
    let unset = bus(None);
    assert!(
        unset["detail"]
            .as_str()
            .unwrap()
            .contains("BUS_PASSWORD is not set"),
        "{unset}"
    );
    run(&["config", "show"], Some("s3cret-word"));
    run(&["status", "--json"], Some("s3cret-word"));
    server.kill();
    let gone = bus(Some("s3cret-word"));
    assert!(gone["detail"].as_str().unwrap().contains("refused"), "{gone}");
    assert!(gone["cure"].as_str().unwrap().contains("bus.url"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn within_one_process_what_is_committed_is_told_to_whoever_asked_for_the_bus() {
    let folder = tempfile::tempdir().unwrap();
    let address = StoreAddress::Sqlite(folder.path().join("db"));
    let store = store::open(&address, OpenMode::Migrate).await.unwrap();
    let nothing = config::parse(Path::new("orchestrator.toml"), "", &Environment::default(), &[]);
    let clock = Clock::system();
    let signals = Signals::new(&nothing.unwrap().config.bus, &store, clock.clone());
    let entry = |why: &str| LogEntry {
        at: clock.now(),
        kind: "paused".into(),
        from: "pending".into(),
        to: "paused".into(),
        epoch: 0,
        why: why.into(),
    };
    let task: TaskId = "t".parse().unwrap();
    signals.logged(1, &task, 1, entry("nobody can hear this"));
    let bus = signals.bus().await.unwrap();
    let mut events = bus.listen(EVENTS).await;
    signals.attend(None).await.unwrap();
    for seq in 2..500 {
        signals.logged(seq, &task, seq, entry("later"));
    }
    for seq in 2..500 {
        let logged = hear(&mut events).await;
        assert_eq!((logged.seq, logged.task.as_str()), (seq, "t"));
    }
    signals.farewell().await;
    signals.leave().await.unwrap();
    assert_eq!(store.flag("bus").await.unwrap(), None);
}

#[test]
fn without_a_server_nobody_hears_of_a_bus() {
    let world = World::new();
    assert_eq!(world.status().get("bus"), None);
    assert!(!world.done(&["status"]).out.contains("bus"));
    let found = world.run(&["doctor", "--json"]).json();
    assert!(
        found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| f["name"] != "bus")
    );
}

#[test]
fn two_instances_that_share_a_server_do_not_wake_each_other() {
    let Some(server) = Server::shared() else {
        return;
    };
    // Without a prefix each has the name of its own store.
    let of = |_| World::configured(SCHEDULER, &format!("[bus]\nurl = \"{}\"\n", server.url));
    let worlds: Vec<World> = (0..2).map(of).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut names = Vec::new();
    for world in &worlds {
        let mut service = world.up();
        world.until("up", || (world.status()["bus"]["standing"] == "up").then_some(()));
        names.push(runtime.block_on(store_name(world)));
        assert_eq!(service.end(), 0);
    }
    assert_ne!(names[0], names[1]);
}

async fn store_name(world: &World) -> String {
    let path = world.state_dir().join("orchestrator.db");
    let address = StoreAddress::Sqlite(path);
    let store = store::open(&address, OpenMode::Beside).await.unwrap();
    let name = store.flag("store").await.unwrap().expect("its name").value;
    store.close().await;
    name.as_str().unwrap().to_owned()
}
