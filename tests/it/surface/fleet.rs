//! A chat that brings everything by requests, and a fleet: whichever node takes one, the node that leads acts and answers.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::main_job::fleet::Fleet;
use crate::main_job::gateway::free_port;
use crate::main_job::world::{World, section};
use crate::slack::stand_in::{JANE, MAIN, SIGNING_SECRET, Stage, TEAM};

/// Slack gives up a request after so long.
const SLACK_WAITS: Duration = Duration::from_secs(3);

struct Scene {
    /// Where Slack's requests come.
    gateway: World,
    leader: World,
    stage: Stage,
    runtime: Runtime,
    url: String,
    _fleet: Fleet,
}

impl Scene {
    fn new() -> Option<Self> {
        let fleet = Fleet::new()?;
        let (runtime, port) = (Runtime::new().unwrap(), free_port());
        let stage = runtime.block_on(Stage::set());
        let chat = stage.section(&format!(
            "signing_secret = \"{SIGNING_SECRET}\"\noperators = [\"{TEAM}:{JANE}\"]\nper_minute = 6000\n"
        ));
        let listen = format!("role = \"gateway\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n{chat}");
        Some(Self {
            gateway: fleet.node("g", &listen),
            leader: fleet.node("a", &format!("[server]\nlisten = \"\"\n{chat}")),
            stage,
            runtime,
            url: format!("http://127.0.0.1:{port}/chat/slack"),
            _fleet: fleet,
        })
    }

    /// Has Slack bring everything to the gateway, as soon as that answers.
    fn brings(&self) {
        let ready = self.url.replace("/chat/slack", "/readyz");
        self.gateway.until("the gateway is ready", || {
            let answer = self.runtime.block_on(async { reqwest::get(&ready).await.ok() })?;
            answer.status().is_success().then_some(())
        });
        self.runtime.block_on(self.stage.tell_by_requests(&self.url));
    }

    fn until<T>(&self, what: &str, find: impl Fn(&Stage) -> Option<T>) -> T {
        self.leader.until(what, || find(&self.stage))
    }

    /// How long it takes until Slack's requests are all taken.
    fn taken(&self, since: Instant) -> Duration {
        self.until("everything is taken", |stage| {
            stage.world().pending.is_empty().then(|| since.elapsed())
        })
    }
}

fn ours(stage: &Stage, words: &str) -> Option<Value> {
    let world = stage.world();
    let mut ours = world.ours(MAIN).into_iter();
    ours.find(|message| message.to_string().contains(words)).cloned()
}

fn nonce(card: &Value, word: &str) -> String {
    let blocks = card["blocks"].as_array().unwrap().iter();
    let mut buttons = blocks.flat_map(|block| block["elements"].as_array().cloned().unwrap_or_default());
    let button = buttons.find(|button| button["text"]["text"].to_string().contains(word));
    button.unwrap()["value"].as_str().unwrap().to_owned()
}

#[test]
fn whichever_node_takes_a_request_the_leader_acts_and_answers() {
    let Some(scene) = Scene::new() else { return };
    scene.leader.worker("idle", "sleep 60");
    let (_g, _a) = (scene.gateway.up(), scene.leader.up());
    scene.brings();
    scene.leader.save_tasks(&[&section("idle", "")]);
    let card = scene.until("its card", |stage| {
        ours(stage, "in progress").filter(|card| card.to_string().contains("\"button\""))
    });
    let ts = card["ts"].as_str().unwrap();
    let since = Instant::now();
    scene.stage.press(JANE, MAIN, ts, &nonce(&card, "Pause"));
    assert!(scene.taken(since) < SLACK_WAITS, "{:?}", since.elapsed());
    scene.leader.until_state("idle", "paused");
    // The leader was woken; it did not come by some time.
    assert!(since.elapsed() < Duration::from_secs(6), "{:?}", since.elapsed());
    // Where the app is no member only the address that came to the gateway works.
    let since = Instant::now();
    scene.stage.command(JANE, "C0ELSE", "status");
    assert!(scene.taken(since) < SLACK_WAITS, "{:?}", since.elapsed());
    let told = scene.until("an answer", |stage| stage.world().whispers.first().cloned());
    assert!(told.by_address && told.text.contains("1 paused"), "{told:?}");
    let said = scene.stage.reply(JANE, MAIN, ts, "use port 81");
    scene.until("an acknowledgement", |stage| {
        let message = stage.world().message(MAIN, &said).cloned()?;
        (message["reactions"][0]["name"] == "eyes").then_some(())
    });
    scene.until("the answer", |stage| {
        ours(stage, "Noted: its next worker is told.")
    });
    // The round trip of the one comes back to the other.
    let up = scene.leader.until("it is heard", || {
        let surfaces = scene.leader.status()["surfaces"].clone();
        (surfaces[0]["standing"] == "up").then_some(surfaces)
    });
    assert_eq!(up[0]["name"], "slack", "{up}");
    let world = scene.stage.world();
    assert_eq!(
        world.whispers.len(),
        1,
        "it is answered once: {:?}",
        world.whispers
    );
    let noted = world
        .ours(MAIN)
        .into_iter()
        .filter(|message| message.to_string().contains("Noted:"));
    assert_eq!(noted.count(), 1);
}

#[test]
fn what_comes_while_nobody_leads_is_kept_and_answered_by_the_next_leader() {
    let Some(scene) = Scene::new() else { return };
    let _g = scene.gateway.up();
    scene.brings();
    let since = Instant::now();
    scene.stage.command(JANE, "C0ELSE", "status");
    assert!(scene.taken(since) < SLACK_WAITS, "{:?}", since.elapsed());
    assert!(scene.stage.world().whispers.is_empty(), "nobody leads");
    let _a = scene.leader.up();
    let told = scene.until("an answer", |stage| stage.world().whispers.first().cloned());
    assert!(
        told.by_address && told.text.contains("Nothing is to be done."),
        "{told:?}"
    );
}
