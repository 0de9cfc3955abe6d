//! The ground of the store's stories: an empty store of each engine, and a task's first steps in it.

use std::sync::Arc;

use orchestrator::domain::decide::Decision;
use orchestrator::domain::task::Task;
use orchestrator::store::{self, CommitError, OpenMode, Store, StoreAddress};
use tempfile::TempDir;

use crate::postgres::Database;
use crate::store_tasks::*;

/// Makes a test of each story for each engine, `sqlite::the_name_of_the_story`.
macro_rules! on_every_engine {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $story() { super::$story(super::Engine::Sqlite).await; })+
        }
        mod postgres {
            $(#[tokio::test] async fn $story() {
                if crate::postgres::is_there() { super::$story(super::Engine::Postgres).await; }
            })+
        }
    };
}
pub(crate) use on_every_engine;

/// An engine that the stories are told of.
#[derive(Debug, Clone, Copy)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// Whether the changes that were told are the expected ones. PostgreSQL may tell one again that was told before.
    pub fn told(self, changes: &[Task], expected: &[Task]) -> bool {
        match self {
            Engine::Sqlite => changes == expected,
            Engine::Postgres => changes.ends_with(expected),
        }
    }
}

/// An empty store of its own.
pub struct Fresh {
    pub store: Arc<dyn Store>,
    pub address: StoreAddress,
    _folder: TempDir,
    database: Option<Database>,
}

impl Fresh {
    pub async fn open(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, database) = match engine {
            Engine::Sqlite => {
                let path = folder.path().join("state/orchestrator.db");
                (StoreAddress::Sqlite(path), None)
            }
            Engine::Postgres => {
                let database = Database::create().await;
                (database.address(), Some(database))
            }
        };
        let store = store::open(&address, OpenMode::Migrate).await.unwrap();
        Self {
            store,
            address,
            _folder: folder,
            database,
        }
    }

    /// Its database on a server.
    pub fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    /// The same store as another process has it.
    pub async fn second(&self) -> Arc<dyn Store> {
        store::open(&self.address, OpenMode::Existing).await.unwrap()
    }

    pub async fn admitted(&self, id: &str) -> Task {
        let task = task(id);
        self.store
            .admit(&task, entry("read", &task), vec![])
            .await
            .unwrap();
        task
    }

    pub async fn commit(&self, decision: &Decision) -> Result<u64, CommitError> {
        let expected = decision.task.version - 1;
        self.store
            .commit(decision.clone(), expected)
            .await
            .map(|done| done.seq)
    }

    pub async fn claimed(&self, id: &str) -> Task {
        let decision = claim(&self.admitted(id).await);
        self.commit(&decision).await.unwrap();
        decision.task
    }

    pub async fn validating(&self, id: &str) -> Task {
        let decision = finish(&self.claimed(id).await);
        self.commit(&decision).await.unwrap();
        decision.task
    }

    pub async fn completed(&self, id: &str) -> Task {
        let decision = complete(&self.validating(id).await);
        self.commit(&decision).await.unwrap();
        decision.task
    }
}
