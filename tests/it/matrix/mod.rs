//! The adapter of Matrix against a real homeserver, read and written to by an independent client.

mod between;
mod faults;
mod keys;
mod kills;
mod once;
mod powers;
mod retention;
mod rooms;
mod said;
pub mod scene;
mod told;
mod verbs;

use orchestrator::chat::Chat;
use orchestrator::chat::matrix::Matrix;
use orchestrator::chat::message::{Message, Place, Purpose, Text};

use between::Between;
use scene::{Account, Client, Notebook, Scene};

/// A bot and one owner in the room of a project.
struct Stage {
    scene: Scene,
    /// The homeserver as the bot sees it.
    through: Scene,
    account: Account,
    folder: tempfile::TempDir,
    bot: Matrix,
    owner: Account,
    jane: Client,
    room: String,
    ear: Notebook,
}

impl Stage {
    async fn new() -> Option<Self> {
        let scene = Scene::shared()?;
        Some(Self::of(scene.clone(), scene).await)
    }

    /// The bot alone has something between itself and its homeserver.
    async fn behind() -> Option<(Self, Between)> {
        let scene = Scene::shared()?;
        let between = Between::before(&scene.url);
        let mut through = scene.clone();
        through.url.clone_from(&between.url);
        Some((Self::of(scene, through).await, between))
    }

    async fn of(scene: Scene, through: Scene) -> Self {
        let (account, owner) = tokio::join!(scene.account("bot"), scene.account("jane"));
        let folder = tempfile::tempdir().unwrap();
        let mut jane = scene.person(&owner).await;
        let bot = through.bot(&account, &[&owner.id], &folder.path().join("state"));
        let room = bot.room(&Purpose::Project("site".to_owned())).await.unwrap();
        jane.join(&room).await;
        let stage = Self {
            scene,
            through,
            account,
            folder,
            bot,
            owner,
            jane,
            room,
            ear: Notebook::default(),
        };
        stage.settled().await;
        stage
    }

    /// Listens until it knows what there was until now: a canary comes back.
    async fn settled(&self) {
        let nonce = uuid::Uuid::new_v4().to_string();
        let sent = self.bot.canary(&nonce);
        let heard = {
            self.ear
                .listen_until(&self.bot, |ear| ear.echoes().contains(&nonce))
        };
        let (sent, _) = tokio::join!(sent, heard);
        sent.unwrap();
    }

    /// The process ends and begins again, with the same state.
    fn restart(self) -> Self {
        let Self { bot, .. } = self;
        drop(bot);
        let bot = self.through.bot(
            &self.account,
            &[&self.owner.id],
            &self.folder.path().join("state"),
        );
        Self { bot, ..self }
    }

    fn place(&self) -> Place {
        Place {
            room: self.room.clone(),
            thread: None,
        }
    }

    async fn post(&self, words: &str, key: &str) -> String {
        let message = Message::Text(Text::of(words));
        self.bot.post(&self.place(), &message, key, None).await.unwrap()
    }
}

/// The messages among events, by what they say.
fn words(events: &[serde_json::Value]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| event["words"].as_str())
        .collect()
}
