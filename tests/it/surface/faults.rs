//! What goes wrong between a service and its chat, as Slack's stand-in has it: killed before it could write down what Slack
//! took (F15), events that come again, late and in any order (F16), and a Slack that is slow, refuses, or is deaf (F17).

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::main_job::world::{World, section};
use crate::slack::stand_in::socket::Order;
use crate::slack::stand_in::world::Trouble;
use crate::slack::stand_in::{APP_TOKEN, JANE, MAIN, Stage, TEAM};

struct Scene {
    world: World,
    stage: Stage,
    _runtime: Runtime,
}

impl Scene {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let stage = runtime.block_on(Stage::set());
        stage.world().pace.off = true;
        let more = format!(
            "app_token = \"{APP_TOKEN}\"\noperators = [\"{TEAM}:{JANE}\"]\nper_minute = 6000\ntimeout = \"2s\"\n"
        );
        let world = World::configured("max_concurrent = 4\n", &stage.section(&more));
        world.save_tasks(&[]);
        Self {
            world,
            stage,
            _runtime: runtime,
        }
    }

    /// One more task.
    fn add(&self, task: &str) {
        let task = section(task, "");
        self.world
            .edit(|text| match text.split_once("## Archived Tasks") {
                Some((live, archived)) => format!("{live}{task}\n## Archived Tasks{archived}"),
                None => format!("{text}\n{task}"),
            });
    }

    fn until<T>(&self, what: &str, find: impl Fn(&Stage) -> Option<T>) -> T {
        self.world.until(what, || find(&self.stage))
    }

    /// How often each of our messages is there, by its key.
    fn told(&self) -> BTreeMap<String, usize> {
        let mut told = BTreeMap::new();
        for message in self.stage.world().ours(MAIN) {
            if let Some(key) = message["metadata"]["event_payload"]["key"].as_str() {
                *told.entry(key.to_owned()).or_default() += 1;
            }
        }
        told
    }

    /// Waits until the end of a task is told.
    fn until_told(&self, task: &str) {
        let end = format!("[{task}] - completed!");
        self.until(&end, |stage| {
            let world = stage.world();
            let mut ours = world.ours(MAIN).into_iter();
            ours.any(|message| message.to_string().contains(&end))
                .then_some(())
        });
    }

    /// Whoever said something was answered: as often, in public or alone.
    fn answers(&self, words: &str) -> usize {
        let world = self.stage.world();
        let public = world.ours(MAIN).into_iter();
        let public = public.filter(|message| message["blocks"].to_string().contains(words));
        let alone = world
            .whispers
            .iter()
            .filter(|whisper| whisper.text.contains(words));
        public.count() + alone.count()
    }
}

/// Numbers that look drawn, the same each time (SplitMix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % most as u64).unwrap()
    }
}

/// So many in `./test`; more at night.
fn rounds(handful: usize, night: usize) -> usize {
    match std::env::var_os("ORCHESTRATOR_NIGHTLY") {
        Some(_) => night,
        None => handful,
    }
}

/// F15: Slack took a message, and the service is killed before it hears of it. Each message is there once all the same.
#[test]
fn killed_between_slack_s_yes_and_our_record_it_says_nothing_twice() {
    let scene = Scene::new();
    let mut up = scene.world.up();
    let all = rounds(6, 200);
    for round in 0..all {
        let before = {
            let mut world = scene.stage.world();
            world.troubles.clear();
            // A card, the first line, the last line.
            (0..round % 3).for_each(|_| world.fail("chat.postMessage", Trouble::None));
            world.fail("chat.postMessage", Trouble::Hold);
            world.held
        };
        scene.add(&format!("t{round}"));
        scene.until("a message whose answer is held", |stage| {
            (stage.world().held > before).then_some(())
        });
        up.kill();
        up = scene.world.up();
    }
    scene.stage.world().troubles.clear();
    (0..all).for_each(|round| scene.until_told(&format!("t{round}")));
    let told = scene.told();
    let doubles: Vec<_> = told.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubles.is_empty(), "{doubles:?}");
    for round in 0..all {
        let of_card = |key: &&String| key.starts_with(&format!("card:t{round}:"));
        assert_eq!(
            told.keys().filter(of_card).count(),
            1,
            "one card for t{round}: {told:?}"
        );
    }
    assert_eq!(up.end(), 0);
}

/// F16: an event is delivered one to five times, in any order, also while the service is killed and started: it counts once.
#[test]
fn an_event_that_comes_again_in_any_order_counts_once() {
    let scene = Scene::new();
    let mut up = scene.world.up();
    scene.add("there");
    scene.until_told("there");
    up.kill();
    let (mut draw, all) = (Draw(11), 12);
    let (mut deliveries, mut said): (Vec<Value>, Vec<String>) = Default::default();
    for n in 0..all {
        said.push(scene.stage.say(JANE, MAIN, &format!("!new n{n}: Do it")));
        let payload = scene.stage.world().pending.pop_back().unwrap().envelope["payload"].clone();
        (0..=draw.below(5)).for_each(|_| deliveries.push(payload.clone()));
    }
    scene.stage.world().pending.clear();
    while !deliveries.is_empty() {
        let next = deliveries.swap_remove(draw.below(deliveries.len()));
        scene.stage.world().envelope("events_api", next);
    }
    scene.stage.world().tries = 1_000;
    for some in [3, 5, 7] {
        let before = scene.stage.world().acknowledged.len();
        up = scene.world.up_at_once();
        scene.until("some of it is taken", |stage| {
            let world = stage.world();
            (world.acknowledged.len() >= before + some || world.pending.is_empty()).then_some(())
        });
        up.kill();
    }
    up = scene.world.up();
    scene.until("all of it is taken", |stage| {
        stage.world().pending.is_empty().then_some(())
    });
    for (n, ts) in said.iter().enumerate() {
        scene.until_told(&format!("n{n}"));
        let answer = format!("answer:message:{MAIN}:{ts}");
        scene.until("its answer", |_| scene.told().contains_key(&answer).then_some(()));
    }
    let doubles: Vec<_> = scene.told().into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(doubles.is_empty(), "{doubles:?}");
    assert_eq!(up.end(), 0);
}

/// F16: what comes an hour late is asked about, and a button of what is over is refused where its presser sees it.
#[test]
fn what_comes_too_late_is_asked_about_or_refused() {
    let scene = Scene::new();
    let go = scene.world.path("go");
    let script = format!(
        "echo x > done.txt; while [ ! -e {:?} ]; do sleep 0.05; done",
        go.display().to_string()
    );
    scene.world.worker("work", &script);
    let _up = scene.world.up();
    scene.add("work");
    let card = scene.until("its card", |stage| {
        let world = stage.world();
        let mut ours = world.ours(MAIN).into_iter();
        ours.find(|message| {
            let text = message["blocks"].to_string();
            text.contains("in progress") && text.contains("\"button\"")
        })
        .cloned()
    });
    let ts = card["ts"].as_str().unwrap();
    let buttons = card["blocks"].as_array().unwrap().iter();
    let mut buttons = buttons.flat_map(|block| block["elements"].as_array().cloned().unwrap_or_default());
    let cancel = buttons
        .find(|button| button["text"]["text"].to_string().contains("Cancel"))
        .unwrap();
    let press = scene
        .stage
        .pressed(JANE, MAIN, ts, cancel["value"].as_str().unwrap());
    let late = Utc::now() - TimeDelta::hours(1);
    let event = json!({
        "type": "message", "channel": MAIN, "channel_type": "channel", "user": JANE, "team": TEAM,
        "text": "!cancel work", "ts": format!("{}.000100", late.timestamp()),
    });
    for _ in 0..3 {
        let payload = scene.stage.world().callback(event.clone());
        scene.stage.world().envelope("events_api", payload);
    }
    let asked = "You wrote this while nobody listened";
    scene.until("it is asked about", |_| (scene.answers(asked) > 0).then_some(()));
    std::fs::write(&go, "").unwrap();
    scene.until_told("work");
    for _ in 0..5 {
        scene.stage.world().envelope("interactive", press.clone());
    }
    let changed = "That has changed meanwhile.";
    scene.until("it is refused", |_| (scene.answers(changed) > 0).then_some(()));
    scene.until("all of it is taken", |stage| {
        stage.world().pending.is_empty().then_some(())
    });
    assert_eq!((scene.answers(asked), scene.answers(changed)), (1, 1));
    assert_eq!(scene.world.task("work")["state"], "completed");
}

/// What befalls Slack, and how.
type Mood<'a> = (&'static str, Box<dyn Fn() + 'a>);

/// F17: Slack limits, falls over, loses sockets, and is deaf, while tasks run and a person asks; nothing is lost or doubled.
#[test]
fn a_slack_that_refuses_falls_over_and_is_deaf_is_told_everything_once() {
    let scene = Scene::new();
    let _up = scene.world.up();
    let limited = |seconds: u32| Trouble::Refuse(429, vec![("retry-after", seconds.to_string())]);
    let moods: [Mood<'_>; 6] = [
        (
            "limits",
            Box::new(|| scene.stage.world().fail("chat.postMessage", limited(1))),
        ),
        (
            "falls over",
            Box::new(|| {
                let mut world = scene.stage.world();
                for trouble in [
                    Trouble::Refuse(500, Vec::new()),
                    Trouble::Refuse(503, Vec::new()),
                    Trouble::Lose,
                    Trouble::Say("fatal_error"),
                ] {
                    world.fail("chat.", trouble);
                }
            }),
        ),
        (
            "is slow",
            Box::new(|| {
                scene
                    .stage
                    .world()
                    .fail("chat.", Trouble::Slow(Duration::from_secs(3)))
            }),
        ),
        (
            "loses its sockets",
            Box::new(|| scene.stage.order(|| Order::Drop)),
        ),
        ("is deaf", Box::new(|| scene.stage.order(|| Order::Freeze))),
        (
            "renews its sockets",
            Box::new(|| scene.stage.disconnect("refresh_requested")),
        ),
    ];
    scene.stage.world().tries = 1_000;
    for (n, (mood, strike)) in moods.iter().enumerate() {
        strike();
        let said = scene
            .stage
            .say(JANE, MAIN, &format!("!new m{n}: While it {mood}"));
        scene.until_told(&format!("m{n}"));
        scene.until("it was seen", |stage| {
            let message = stage.world().message(MAIN, &said).cloned()?;
            (message["reactions"][0]["name"] == "eyes").then_some(())
        });
        assert_eq!(
            scene.answers(&format!("m{n} is in the queue")),
            1,
            "while it {mood}"
        );
    }
    let doubles: Vec<_> = scene.told().into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(doubles.is_empty(), "{doubles:?}");
}

/// F17: a pause that Slack asks for is kept, however long; tasks do not wait for it.
#[test]
fn a_pause_of_five_minutes_is_kept_and_slows_no_task() {
    let scene = Scene::new();
    let _up = scene.world.up();
    let pause = Trouble::Refuse(429, vec![("retry-after", "300".to_owned())]);
    scene.until("the first round trip", |stage| {
        (!stage.world().ours(MAIN).is_empty()).then_some(())
    });
    scene.stage.world().fail("chat.postMessage", pause);
    let before = scene.stage.world().calls_of("chat.postMessage");
    (0..3).for_each(|n| scene.add(&format!("p{n}")));
    (0..3).for_each(|n| scene.world.until_archived(&format!("p{n}")));
    scene.until("it was asked once", |stage| {
        stage.world().troubles.is_empty().then_some(())
    });
    assert_eq!(
        scene.stage.world().calls_of("chat.postMessage"),
        before,
        "it is not asked again"
    );
}
