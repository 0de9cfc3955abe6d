//! What people said while the service was away for longer than Slack tries: heard as if it had been there, or asked about.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::runtime::Runtime;

use crate::main_job::world::{World, section};
use crate::slack::stand_in::{APP_TOKEN, JANE, MAIN, Stage, TEAM};

struct Scene {
    world: World,
    stage: Stage,
    runtime: Runtime,
}

impl Scene {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let stage = runtime.block_on(Stage::set());
        let more =
            format!("app_token = \"{APP_TOKEN}\"\noperators = [\"{TEAM}:{JANE}\"]\nper_minute = 6000\n");
        let world = World::configured("max_concurrent = 4\n", &stage.section(&more));
        Self {
            world,
            stage,
            runtime,
        }
    }

    /// Until when everything was heard, as it is kept.
    fn place(&self) -> Option<DateTime<Utc>> {
        let row: Option<(String,)> = self.runtime.block_on(async {
            let file = self.world.state_dir().join("orchestrator.db");
            let mut conn = SqliteConnectOptions::new()
                .filename(file)
                .connect()
                .await
                .unwrap();
            let found = sqlx::query_as("SELECT value FROM flag WHERE name = 'heard-until:slack'");
            let found = found.fetch_optional(&mut conn).await.unwrap();
            conn.close().await.unwrap();
            found
        });
        row.map(|(value,)| serde_json::from_str(&value).unwrap())
    }

    /// As if the service had been away since then.
    fn away_since(&self, since: DateTime<Utc>) {
        self.runtime.block_on(async {
            let file = self.world.state_dir().join("orchestrator.db");
            let mut conn = SqliteConnectOptions::new()
                .filename(file)
                .connect()
                .await
                .unwrap();
            let set = sqlx::query("UPDATE flag SET value = $1 WHERE name = 'heard-until:slack'");
            let set = set
                .bind(json!(since).to_string())
                .execute(&mut conn)
                .await
                .unwrap();
            assert_eq!(set.rows_affected(), 1);
            conn.close().await.unwrap();
        });
    }

    /// Somebody writes, and Slack does not bring it: it has given up.
    fn said(&self, ago: TimeDelta, thread: Option<&str>, text: &str) -> String {
        let at = Utc::now() - ago;
        let mut world = self.stage.world();
        let ts = format!("{}.{:06}", at.timestamp(), at.timestamp_subsec_micros());
        let mut message = json!({ "type": "message", "user": JANE, "team": TEAM, "text": text, "ts": ts });
        if let Some(thread) = thread {
            message["thread_ts"] = json!(thread);
        }
        let messages = &mut world.channels.get_mut(MAIN).unwrap().messages;
        messages.push(message);
        messages.sort_by_key(|message| message["ts"].as_str().unwrap().to_owned());
        ts
    }

    fn answers(&self, words: &str) -> usize {
        let world = self.stage.world();
        let ours = world.ours(MAIN).into_iter();
        ours.filter(|message| message["blocks"].to_string().contains(words))
            .count()
    }

    fn until_answered(&self, words: &str) {
        self.world
            .until(words, || (self.answers(words) > 0).then_some(()));
    }
}

#[test]
fn the_young_is_done_the_old_is_asked_about_and_what_came_is_known() {
    let scene = Scene::new();
    scene.world.worker("idle", "sleep 60");
    let mut up = scene.world.up();
    scene.world.save_tasks(&[&section("idle", "")]);
    let card = scene.world.until("its card", || {
        let world = scene.stage.world();
        let mut ours = world.ours(MAIN).into_iter();
        let card = ours.find(|message| message["blocks"].to_string().contains("in progress"))?;
        Some(card["ts"].as_str().unwrap().to_owned())
    });
    let before = scene.stage.say(JANE, MAIN, "!show idle");
    scene.until_answered("idle: in progress");
    scene.world.until("its place in time is kept", || scene.place());
    assert_eq!(up.end(), 0);
    scene.away_since(Utc::now() - TimeDelta::hours(6));
    scene.said(TimeDelta::hours(30), None, "!new forgotten: Older than a day");
    scene.said(TimeDelta::hours(7), None, "!new before: It was there then");
    let old = scene.said(TimeDelta::hours(2), None, "!cancel idle");
    scene.said(TimeDelta::hours(2), None, "people talk among themselves");
    scene.said(TimeDelta::minutes(2), None, "!new young: Do it now");
    scene.said(TimeDelta::minutes(1), Some(&card), "use port 81");
    up = scene.world.up();
    scene.until_answered("young is in the queue");
    scene.until_answered("Noted: its");
    scene.until_answered("You wrote this while nobody listened");
    scene.world.until("whoever wrote it sees that it was heard", || {
        let message = scene.stage.world().message(MAIN, &old).cloned()?;
        (message["reactions"][0]["name"] == "eyes").then_some(())
    });
    assert_eq!(
        scene.answers("forgotten") + scene.answers("before is in the queue"),
        0
    );
    assert_ne!(scene.world.task("idle")["state"], "cancelled");
    // Again: all of it is known, so nothing is said twice.
    let kept = scene.world.until("its place in time moved on", || {
        scene
            .place()
            .filter(|place| Utc::now() - *place < TimeDelta::minutes(2))
    });
    assert_eq!(up.end(), 0);
    scene.away_since(Utc::now() - TimeDelta::hours(6));
    up = scene.world.up();
    scene
        .world
        .until("it has caught up", || scene.place().filter(|place| *place > kept));
    for once in [
        "young is in the queue",
        "Noted: its",
        "You wrote this while nobody listened",
        "idle: in progress",
    ] {
        assert_eq!(scene.answers(once), 1, "{once}");
    }
    assert!(scene.stage.world().message(MAIN, &before).is_some());
    assert_eq!(up.end(), 0);
}

#[test]
fn whoever_never_listened_has_missed_nothing() {
    let scene = Scene::new();
    scene.said(TimeDelta::minutes(1), None, "!new early: Before it was set up");
    let _up = scene.world.up();
    scene.world.until("its place in time is kept", || scene.place());
    scene.stage.say(JANE, MAIN, "!new later: Now");
    scene.until_answered("later is in the queue");
    assert_eq!(scene.answers("early"), 0);
    assert_eq!(scene.stage.world().calls_of("conversations.replies"), 0);
}
