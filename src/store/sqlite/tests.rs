//! What only this engine can be asked from inside: a full disk, and how the engine means to run a statement.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Row};
use tempfile::TempDir;

use super::bulk::Bulk;
use super::outbox::DUE;
use super::tasks::{CHANGED, ENDED_PAGE, LIVE, LIVE_PAGE, STANDINGS};
use super::{SqliteStore, attempts, commit};
use crate::domain::decide::LogEntry;
use crate::domain::definition::Definition;
use crate::domain::id::TaskId;
use crate::domain::task::{History, State, Task};
use crate::store::OpenMode;
use crate::store::error::{CommitError, StoreError};

struct Fresh {
    store: SqliteStore,
    _folder: TempDir,
}

async fn fresh() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("o.db");
    let store = SqliteStore::open(&path, OpenMode::Migrate).await.unwrap();
    Fresh {
        store,
        _folder: folder,
    }
}

impl SqliteStore {
    async fn raw(&self, sql: &str) -> Result<(), StoreError> {
        let sql = sql.to_owned();
        self.writer
            .run(move |conn| {
                Box::pin(async move {
                    sqlx::query(AssertSqlSafe(sql)).execute(conn).await?;
                    Ok(())
                })
            })
            .await
    }

    async fn fill(&self, name: &str, bytes: usize) -> Result<(), CommitError> {
        let at: DateTime<Utc> = DateTime::UNIX_EPOCH;
        let task = Task {
            id: TaskId::parse(name).unwrap(),
            version: 1,
            epoch: 0,
            definition: Definition {
                description: "x".repeat(bytes),
                ..Definition::default()
            },
            definition_hash: "h".into(),
            state: State::Pending { since: at },
            history: History::default(),
            created_at: at,
            updated_at: at,
        };
        let word = |text: &str| text.to_owned();
        let entry = LogEntry {
            at,
            kind: word("read"),
            from: word(""),
            to: word("pending"),
            epoch: 0,
            why: word("new"),
        };
        self.admit(&task, entry, vec![]).await.map(|_| ())
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_the_store_works_again_when_there_is_space() {
    let Fresh { store, _folder } = fresh().await;
    store.fill("before", 10).await.unwrap();
    // The engine reports SQLITE_FULL for its own limit exactly as for the disk's.
    store.raw("PRAGMA max_page_count = 1").await.unwrap();
    let (one, two) = tokio::join!(store.fill("one", 500_000), store.fill("two", 500_000));
    for answer in [one, two] {
        assert!(
            matches!(answer, Err(CommitError::Store(StoreError::Full))),
            "{answer:?}"
        );
    }
    assert_eq!(store.live().await.unwrap().len(), 1);
    store.raw("PRAGMA max_page_count = 1000000").await.unwrap();
    store.fill("one", 500_000).await.unwrap();
    assert_eq!(store.live().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_harms_nobody() {
    let Fresh { store, _folder } = fresh().await;
    drop(Box::pin(store.fill("never-polled", 10)));
    let mut gone = Box::pin(store.fill("gone", 10));
    assert!(futures_util::poll!(&mut gone).is_pending());
    drop(gone);
    store.fill("next", 10).await.unwrap();
    let ids: Vec<String> = store
        .live()
        .await
        .unwrap()
        .into_iter()
        .map(|task| task.id.to_string())
        .collect();
    assert_eq!(ids, ["gone", "next"]);
}

const ARCHIVE: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
    INSERT INTO task (id, version, epoch, seq, definition_hash, project, priority, created_at, updated_at, \
    body_version, state, history) SELECT 'old-' || i, 1, 0, 1000 + i, 'h', 'p', 2, 0, 0, 1, \
    '{\"kind\":\"ended\",\"end\":{\"how\":\"cancelled\"}}', '{}' FROM n";

const DEFINITIONS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
    INSERT INTO definition SELECT 'old-' || i, 'h', 1, '{}' FROM n";

/// The steps of a plan that would go through a whole table, or sort one.
async fn whole_tables(store: &SqliteStore, sql: &str) -> Vec<String> {
    let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let rows = sqlx::query(sql).fetch_all(&store.readers).await.unwrap();
    assert!(!rows.is_empty());
    let step = |row: &sqlx::sqlite::SqliteRow| row.get::<String, _>("detail");
    let narrow = [
        "USING INDEX task_live",
        "COVERING INDEX task_live",
        "VIRTUAL TABLE",
        "USING INDEX attempt_open",
        "VALUES CLAUSE",
    ];
    // The statement's own rows, and a page's.
    let own = ["SCAN CONSTANT ROW", "SCAN v", "SCAN p"];
    rows.iter()
        .map(step)
        .filter(|detail| !detail.starts_with("SEARCH") && !narrow.iter().any(|part| detail.contains(part)))
        .filter(|detail| !own.contains(&detail.as_str()))
        .filter(|detail| detail.starts_with("SCAN") || detail.contains("TEMP B-TREE"))
        .collect()
}

/// The statements that change rows which are there.
fn bulks() -> [(&'static str, &'static Bulk); 6] {
    [
        ("advance", &commit::ADVANCE),
        ("rewrite", &commit::REWRITE),
        ("close", &attempts::CLOSE),
        ("refuse", &attempts::REFUSE),
        ("beat", &attempts::BEAT),
        ("mark", &attempts::MARK),
    ]
}

#[tokio::test]
async fn what_is_asked_often_costs_what_is_live_or_changed_and_not_what_is_archived() {
    let Fresh { store, _folder } = fresh().await;
    for n in 0..20 {
        store.fill(&format!("live-{n}"), 10).await.unwrap();
    }
    let control = whole_tables(&store, "SELECT * FROM event_log WHERE why = 'new'").await;
    assert_eq!(control.len(), 1, "the test sees no whole table when there is one");
    let often = [
        ("live", LIVE),
        ("changed", CHANGED),
        ("due", DUE),
        ("standings", STANDINGS),
        ("live page", LIVE_PAGE),
        ("ended page", ENDED_PAGE),
        ("mirrored", super::instance::MIRRORED_LIVE),
        ("facts", attempts::OPEN_FACTS),
    ];
    for filled in [false, true] {
        if filled {
            store.raw(DEFINITIONS).await.unwrap();
            store.raw(ARCHIVE).await.unwrap();
            store.raw("ANALYZE").await.unwrap();
        }
        for (name, bulk) in bulks() {
            assert_eq!(
                whole_tables(&store, bulk.single()).await,
                Vec::<String>::new(),
                "{name}, filled: {filled}"
            );
        }
        for (name, sql) in often {
            assert_eq!(
                whole_tables(&store, sql).await,
                Vec::<String>::new(),
                "{name}, filled: {filled}"
            );
        }
    }
    assert_eq!(store.live().await.unwrap().len(), 20);
}
