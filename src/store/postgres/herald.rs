//! The wake-up between processes: a NOTIFY after commits, never in one: at once after a time of silence, and one for all that
//! happens in the milliseconds after it.
//!
//! Invariant: nothing depends on it. A notification may be lost with its connection; whoever waits also asks every two seconds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use sqlx::types::Uuid;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::PostgresStore;

/// The channel of all processes on a database.
const CHANNEL: &str = "orchestrator";
/// What happens within it after a word is one further word.
const TOGETHER: Duration = Duration::from_millis(10);
/// How often whoever waits asks by itself.
const POLL: Duration = Duration::from_secs(2);
/// The wait before a lost listener is set up again.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells other processes that this one wrote, and hears of them.
#[derive(Debug, Clone)]
pub(super) struct Herald(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    own: String,
    unsaid: AtomicBool,
    speak: Arc<Notify>,
    heard: Notify,
    speaking: AtomicBool,
    listening: AtomicBool,
    tasks: Mutex<JoinSet<()>>,
}

impl Herald {
    /// The herald of a writer, on a pool of its own; it connects with the first thing that is to be said or heard.
    pub(super) fn new(pool: PgPool, own: Uuid) -> Self {
        Self(Arc::new(Inner {
            pool,
            own: own.to_string(),
            unsaid: AtomicBool::new(false),
            speak: Arc::new(Notify::new()),
            heard: Notify::new(),
            speaking: AtomicBool::new(false),
            listening: AtomicBool::new(false),
            tasks: Mutex::new(JoinSet::new()),
        }))
    }

    /// This process wrote: the others are told soon.
    pub(super) fn wrote(&self) {
        self.0.unsaid.store(true, Ordering::Release);
        self.0.speak.notify_one();
        if !self.0.speaking.swap(true, Ordering::AcqRel) {
            self.spawn(speak(Arc::downgrade(&self.0), self.0.speak.clone()));
        }
    }

    /// Waits until another process says that it wrote.
    async fn heard(&self) {
        if !self.0.listening.swap(true, Ordering::AcqRel) {
            self.spawn(listen(Arc::downgrade(&self.0), self.0.pool.clone()));
        }
        self.0.heard.notified().await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(task);
    }

    /// Says at once what is unsaid.
    pub(super) async fn announce(&self) {
        self.0.say().await;
    }

    /// Says what is unsaid, and ends.
    pub(super) async fn close(&self) {
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        drop(tasks);
        self.0.say().await;
        self.0.pool.close().await;
    }
}

impl Inner {
    async fn say(&self) {
        if !self.unsaid.swap(false, Ordering::AcqRel) {
            return;
        }
        let said = sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(&self.own)
            .execute(&self.pool)
            .await;
        if let Err(error) = said {
            tracing::debug!(%error, "other processes were not told; they ask by themselves");
        }
    }
}

async fn speak(herald: Weak<Inner>, word: Arc<Notify>) {
    loop {
        word.notified().await;
        let Some(herald) = herald.upgrade() else { return };
        herald.say().await;
        drop(herald);
        sleep(TOGETHER).await;
    }
}

async fn listen(herald: Weak<Inner>, pool: PgPool) {
    loop {
        if let Err(error) = hear(&herald, &pool).await {
            tracing::debug!(%error, "nothing is heard of other processes; trying again");
        }
        sleep(PAUSE).await;
        if herald.strong_count() == 0 {
            return;
        }
    }
}

async fn hear(herald: &Weak<Inner>, pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let word = listener.recv().await?;
        let Some(herald) = herald.upgrade() else {
            return Ok(());
        };
        if word.payload() != herald.own {
            herald.heard.notify_one();
        }
    }
}

impl PostgresStore {
    /// Waits until another process has written since [`PostgresStore::data_version`] was last asked.
    pub(super) async fn another_wrote(&self) {
        loop {
            tokio::select! {
                () = self.herald.heard() => return,
                () = sleep(POLL) => {}
            }
            let known = self.told.load(Ordering::Acquire);
            // A server that is away is no news; the pass that asks it next tells what is wrong.
            if self.count_of_others().await.is_ok_and(|count| count != known) {
                return;
            }
        }
    }
}
