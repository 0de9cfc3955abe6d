//! An instance with its service in this process, that speaks in a chat in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator::clock::Clock;
use orchestrator::config::{self, Config, Environment, Home};
use orchestrator::domain::report::Surface;
use orchestrator::service::instance::{Instance, Opening};
use orchestrator::service::run;
use orchestrator::service::surface::Tongue;
use orchestrator::store::OpenMode;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::room::Room;
use crate::main_job::world::{EXE, World};

const PATIENCE: Duration = Duration::from_secs(40);

/// People of the tests, with the roles that they have.
pub const OWNER: &str = "T1:OWNER";
pub const OPERATOR: &str = "T1:OPERATOR";
pub const VIEWER: &str = "T1:VIEWER";
/// An operator of the project `site` alone.
pub const OF_SITE: &str = "T1:SITE";
pub const STRANGER: &str = "T1:STRANGER";

const CHAT: &str = "[chat.team]\nkind = \"slack\"\nbot_token = \"xoxb-none\"\nsigning_secret = \"none\"\nteam = \"T1\"\nchannel = \"C1\"\n\
    owners = [\"T1:OWNER\"]\noperators = [\"T1:OPERATOR\"]\nviewers = [\"T1:VIEWER\"]\n";
const OF_PROJECT: &str = "[chat.team.project.site]\noperators = [\"T1:SITE\"]\n";

/// The scene.
pub struct Scene {
    pub world: World,
    pub room: Arc<Room>,
    pub runtime: Runtime,
    pub instance: Option<Arc<Instance>>,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Scene {
    pub fn new() -> Self {
        Self::configured("", "")
    }

    /// With more lines for the chat, and more behind it.
    pub fn configured(chat: &str, more: &str) -> Self {
        let fast = match chat.contains("per_minute") {
            true => "",
            false => "per_minute = 6000\n",
        };
        let scheduler = "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n";
        let world = World::configured(scheduler, &format!("{CHAT}{fast}{chat}{OF_PROJECT}{more}"));
        let mut scene = Self {
            world,
            room: Arc::new(Room::new()),
            runtime: Runtime::new().unwrap(),
            instance: None,
            running: None,
        };
        scene.start();
        scene
    }

    /// Starts the service.
    pub fn start(&mut self) {
        let instance = self.runtime.block_on(open(self.world.root(), &self.room));
        let (over, started) = (CancellationToken::new(), oneshot::channel());
        let up = run::up(instance.clone(), over.clone(), started.0);
        let running = self.runtime.spawn(async move {
            up.await.unwrap();
        });
        self.runtime.block_on(started.1).unwrap();
        self.instance = Some(instance);
        self.running = Some((over, running));
    }

    /// Ends it; workers go on.
    pub fn stop(&mut self) {
        if let Some((over, running)) = self.running.take() {
            over.cancel();
            self.runtime.block_on(running).unwrap();
        }
        if let Some(instance) = self.instance.take() {
            self.runtime.block_on(instance.store.close());
        }
    }

    pub fn instance(&self) -> &Arc<Instance> {
        self.instance.as_ref().unwrap()
    }

    /// Waits until something is so.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            if Instant::now() > deadline {
                let posted: Vec<String> = self
                    .room
                    .posted()
                    .iter()
                    .map(|p| format!("{:?}", (&p.key, p.text())))
                    .collect();
                panic!(
                    "{what}: not within {PATIENCE:?}\n{}\n{:#?}",
                    posted.join("\n"),
                    self.room.whispers()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the answer to a message, given there or to its writer alone.
    pub fn answer(&self, message: &str) -> String {
        self.until(&format!("an answer to {message}"), || {
            let whispers = self.room.whispers().into_iter();
            let private = whispers
                .filter(|(event, _)| event == message)
                .map(|(_, text)| text);
            self.room.answers(message).into_iter().chain(private).next()
        })
    }

    /// Says something, and waits for the answer.
    pub fn say(&self, by: &str, thread: Option<&str>, text: &str) -> String {
        let message = self.room.write(by, thread, text);
        self.answer(&message)
    }

    /// Waits for a state of a task's card.
    pub fn card(&self, task: &str, icon: &str) -> super::room::Posted {
        self.until(&format!("{task} {icon}"), || {
            self.room
                .card(task)
                .filter(|posted| posted.card().unwrap().icon == icon)
        })
    }

    /// What came of an event, as it is recorded.
    pub fn outcome(&self, event: &str) -> serde_json::Value {
        let (store, surface) = (self.instance().store.clone(), team());
        self.until(&format!("an outcome of {event}"), || {
            let row = self.runtime.block_on(store.heard(&surface, event)).unwrap();
            row.and_then(|row| row.outcome)
        })
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn team() -> Surface {
    Surface::parse("team").unwrap()
}

async fn open(root: PathBuf, room: &Arc<Room>) -> Arc<Instance> {
    let home = Home::at(&root);
    let config: Config = config::load(&home, &Environment::capture(), &[]).unwrap().config;
    let opening = Opening {
        layout: home.layout(),
        config,
        clock: Clock::system(),
        exe: EXE.into(),
        environment: std::env::vars_os().collect::<BTreeMap<_, _>>(),
        reports_on_console: false,
    };
    let instance = Instance::open(opening, OpenMode::Migrate).await.unwrap();
    instance.surfaces.lend(&team(), Tongue::Chat(room.clone()));
    Arc::new(instance)
}
