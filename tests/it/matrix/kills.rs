//! A service that is killed again and again while it speaks (F15): a real process with real workers, a real homeserver, an
//! encrypted room, and somebody in it at an independent client who reads everything once, in order, and is answered once.
//! `ORCHESTRATOR_NIGHTLY=1` makes it 200 kills; `ORCHESTRATOR_CHAOS_SEED` plays the same moments again.

use std::time::Duration;

use orchestrator::chat::Chat;
use orchestrator::chat::message::Purpose;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::between::{Between, Fate};
use super::once::{Written, violations};
use super::scene::{Client, Scene};
use crate::main_job::world::{World, section};
use crate::simulation::dice::Dice;

/// More reports that wait would be told as a digest, which has stories of its own.
const FULL: i64 = 10;
/// Messages, edits and reactions that are sent.
const SAYING: &str = "/send/m.room.encrypted/";
/// Where nothing is sent for so long, it dies all the same.
const LONGEST: Duration = Duration::from_secs(6);

/// When it dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after its start.
    After(Duration),
    /// At a message, when the homeserver has not seen it yet.
    Before(usize),
    /// When the homeserver has taken it, and the answer is on its way.
    Between(usize),
    /// So long after the answer.
    Behind(usize, Duration),
}

impl Moment {
    fn of(dice: &mut Dice) -> Self {
        let (nth, soon) = (dice.roll(10), Duration::from_millis(dice.roll(40) as u64));
        match dice.roll(4) {
            0 => Self::After(Duration::from_millis(50 + dice.roll(3_000) as u64)),
            1 => Self::Before(nth),
            2 => Self::Between(nth),
            _ => Self::Behind(nth, soon),
        }
    }
}

struct Story {
    world: World,
    between: Between,
    jane: Client,
    room: String,
    bot: String,
    dice: Dice,
    tasks: usize,
    asked: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_it_dies_all_is_told_once_and_in_order() {
    let Some(scene) = Scene::shared() else { return };
    let kills = match std::env::var_os("ORCHESTRATOR_NIGHTLY") {
        Some(_) => 200,
        None => 6,
    };
    let chosen = std::env::var("ORCHESTRATOR_CHAOS_SEED").ok();
    let seed = chosen.and_then(|seed| seed.parse().ok());
    let seed: u32 = seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_fields().0);
    println!("matrix::kills: ORCHESTRATOR_CHAOS_SEED={seed}");
    let mut story = Story::set(&scene, seed).await;
    let mut amid = 0;
    for _ in 0..kills {
        amid += usize::from(story.dies().await);
    }
    let (rows, words) = story.ends().await;
    println!("matrix::kills: {kills} kills, {amid} amid a message; {rows} reports, {words} answers");
    assert!(amid > 0, "it never died while it spoke");
}

impl Story {
    async fn set(scene: &Scene, seed: u32) -> Self {
        let (account, owner) = (scene.account("bot").await, scene.account("jane").await);
        let mut jane = scene.person(&owner).await;
        let between = Between::before(&scene.url);
        let chat = format!(
            "[chat.home]\nkind = \"matrix\"\nhomeserver = {:?}\nuser = {:?}\npassword = {:?}\nspace = \"Lab\"\n\
             owners = [{:?}]\nper_minute = 6000\n",
            between.url, account.id, account.password, owner.id
        );
        let scheduler = "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\nlifetime_attempts = 200\n";
        let world = block_in_place(|| World::configured(scheduler, &chat));
        let room = {
            let folder = world.root().join(".orchestrator/chat/home");
            let bot = scene.bot(&account, &[&owner.id], &folder);
            bot.room(&Purpose::Project("default".to_owned())).await.unwrap()
        };
        jane.join(&room).await;
        world.save_tasks(&[]);
        Self {
            world,
            between,
            jane,
            room,
            bot: account.id,
            dice: Dice(seed.into()),
            tasks: 0,
            asked: Vec::new(),
        }
    }

    /// New work, a question, a start and a death; whether it died amid a message.
    async fn dies(&mut self) -> bool {
        if self.waiting().await < FULL {
            self.add_task();
        }
        if self.unanswered().await < FULL {
            let words = format!("!why k{}", self.dice.roll(self.tasks));
            let asked = self.jane.say(&self.room, &words).await;
            self.asked.push(asked);
        }
        let moment = Moment::of(&mut self.dice);
        match moment {
            Moment::After(_) => {}
            Moment::Before(nth) => self.between.strike(SAYING, nth, 1, Fate::Swallow),
            Moment::Between(nth) => self.between.strike(SAYING, nth, 1, Fate::Keep),
            Moment::Behind(nth, _) => self.between.strike(SAYING, nth, 1, Fate::Pass),
        }
        let mut up = block_in_place(|| self.world.up_at_once());
        // The moment of the fault; nothing is waited for.
        let amid = match moment {
            Moment::After(time) => {
                sleep(time).await;
                false
            }
            _ => timeout(LONGEST, self.between.struck()).await.is_ok(),
        };
        if let Moment::Behind(_, soon) = moment {
            sleep(soon).await;
        }
        block_in_place(|| up.kill());
        self.between.calm();
        // One answer of the homeserver has a hundred events at most.
        self.jane.sync().await;
        amid
    }

    /// A task that is done at once, in a moment, or at the second try.
    fn add_task(&mut self) {
        let id = format!("k{}", self.tasks);
        self.tasks += 1;
        let done = "date > done.txt";
        match self.dice.roll(3) {
            0 => self.world.worker(&id, done),
            1 => self.world.worker(&id, &format!("sleep 0.7; {done}")),
            _ => self
                .world
                .worker(&id, &format!("[ \"$ORCHESTRATOR_ATTEMPT\" = 1 ] || {done}")),
        }
        let section = section(&id, "");
        block_in_place(|| {
            self.world
                .edit(|text| text.replacen("## Archived Tasks", &format!("{section}\n## Archived Tasks"), 1));
        });
    }

    /// It is left alone until it has nothing to say any more; then what was read is held against what is written down.
    async fn ends(mut self) -> (usize, usize) {
        let up = block_in_place(|| self.world.up());
        // Below the archive's heading, or, the older ones, in the file of the month.
        block_in_place(|| {
            self.world.until("all are archived", || {
                let text = self.world.queue();
                let (active, _) = text.split_once("## Archived Tasks")?;
                (!active.contains("### k")).then_some(())
            });
        });
        let deadline = std::time::Instant::now() + Duration::from_secs(120);
        while self.waiting().await + self.unanswered().await > 0 {
            assert!(std::time::Instant::now() < deadline, "{}", self.world.log());
            self.jane.sync().await;
        }
        let reports = self
            .rows("SELECT task_id, key FROM outbox WHERE kind = 'to:home' ORDER BY seq")
            .await;
        let cards = self
            .rows("SELECT task_id, message FROM card WHERE surface = 'home'")
            .await;
        assert_eq!(cards.len(), self.tasks, "{cards:#?}");
        let last = reports.last().unwrap().1.clone();
        let is_last = |event: &Value| event["content"]["org.orchestrator.key"] == last.as_str();
        let seen = { self.jane.read_until(&self.room, |seen| seen.iter().any(is_last)) }.await;
        drop(up);
        let written = Written {
            bot: &self.bot,
            reports: &reports,
            cards: &cards,
            asked: &self.asked,
        };
        let wrong = violations(&written, &seen);
        assert!(wrong.is_empty(), "{wrong:#?}\n{}", self.world.log());
        (reports.len(), self.asked.len())
    }

    /// Reports that were not told yet.
    async fn waiting(&self) -> i64 {
        self.count(
            "SELECT count(*) FROM outbox WHERE done_at IS NULL AND (kind = 'report' OR kind = 'to:home')",
        )
        .await
    }

    /// Questions that were not answered yet, or not even heard.
    async fn unanswered(&self) -> i64 {
        let told = "SELECT count(*) FROM heard WHERE surface = 'home' AND told_at IS NOT NULL";
        self.asked.len() as i64 - self.count(told).await
    }

    async fn count(&self, sql: &'static str) -> i64 {
        match self.pool().await {
            Some(pool) => sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap_or(0),
            None => 0,
        }
    }

    async fn rows(&self, sql: &'static str) -> Vec<(String, String)> {
        let pool = self.pool().await.unwrap();
        sqlx::query_as(sql).fetch_all(&pool).await.unwrap()
    }

    /// The instance's store; none where there is none yet.
    async fn pool(&self) -> Option<sqlx::SqlitePool> {
        let options = SqliteConnectOptions::new()
            .filename(self.world.state_dir().join("orchestrator.db"))
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(1);
        pool.connect_with(options).await.ok()
    }
}
