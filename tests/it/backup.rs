//! Backups of a store, of each engine into each: whole, verified, refused when damaged or newer, put back without a loss.

use std::path::{Path, PathBuf};

use orchestrator::domain::task::Task;
use orchestrator::store::backup::{self, BackupError, Kept, PutBack, Restore};
use orchestrator::store::{self, Filter, OpenMode, OutboxKind, Scope, Store, StoreAddress};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::store_fresh::{Engine, Fresh, on_every_engine};
use crate::store_tasks::*;

on_every_engine! {
    everything_comes_back_in_either_engine,
    what_is_there_is_not_overwritten_and_is_put_aside_whole,
}

/// A store with a task in each part of its way.
async fn lived_in(engine: Engine) -> Fresh {
    let fresh = Fresh::open(engine).await;
    fresh.completed("done").await;
    fresh.validating("judged").await;
    let live = fresh.claimed("works").await;
    fresh.store.beat(vec![beat(&live, 1, 60)]).await.unwrap();
    fresh.store.progress(vec![mark(&live, 1, 900)]).await.unwrap();
    let gone = cancel(&fresh.admitted("gone").await);
    fresh.commit(&gone).await.unwrap();
    fresh.admitted("new").await;
    fresh
        .store
        .set_flag("queue-keeper", Some(json!("a")), at())
        .await
        .unwrap();
    fresh
}

/// Everything that the verbs of a store tell of it.
async fn told(store: &dyn Store) -> String {
    let all = Filter {
        scope: Scope::All,
        limit: 100,
        ..Filter::default()
    };
    let mut tasks: Vec<Task> = store.tasks(&all).await.unwrap().rows;
    tasks.sort_by_key(|task| task.id.clone());
    let mut text = String::new();
    for task in tasks {
        let (attempts, gates) = (
            store.attempts(&task.id).await.unwrap(),
            store.gates(&task.id).await.unwrap(),
        );
        let events = store.events(&task.id, 100).await.unwrap();
        text.push_str(&format!("{task:?}\n{attempts:?}\n{gates:?}\n{events:?}\n"));
    }
    for kind in [OutboxKind::Report, OutboxKind::Mirror, OutboxKind::Progress] {
        text.push_str(&format!(
            "{:?}\n",
            store.outbox_due(kind, at(), 100).await.unwrap()
        ));
    }
    format!("{text}{:?}", store.flag("queue-keeper").await.unwrap())
}

fn files() -> Vec<Kept> {
    vec![Kept {
        path: "PROACTIVE-JOBS.md".into(),
        written_at: at(),
        bytes: b"# Proactive Jobs\n\xff\x00".to_vec(),
    }]
}

async fn put(backup: &Path, address: &StoreAddress, replace: bool) -> Result<PutBack, BackupError> {
    let restore = Restore {
        backup,
        work: backup.parent().unwrap(),
        replace,
        hold: ("stopped", &json!("a test")),
        now: at(),
    };
    backup::put_back(&restore, address).await
}

async fn everything_comes_back_in_either_engine(engine: Engine) {
    let fresh = lived_in(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.backup");
    let made = backup::take(&fresh.address, &files(), &file, at()).await.unwrap();
    assert_eq!(backup::verify(&file).await.unwrap(), made);
    let rows = |name: &str| {
        made.tables
            .iter()
            .find(|part| part.name == name)
            .map(|part| part.size)
    };
    assert_eq!((rows("task"), rows("gate")), (Some(5), Some(1)));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing lies beside it"
    );
    let again = backup::take(&fresh.address, &[], &file, at()).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    let before = told(&*fresh.store).await;
    for other in [Engine::Sqlite, Engine::Postgres] {
        if matches!(other, Engine::Postgres) && !crate::postgres::is_there() {
            continue;
        }
        let target = Fresh::open(other).await;
        target.store.close().await;
        assert_eq!(
            put(&file, &target.address, false).await.unwrap().aside,
            None,
            "it was empty"
        );
        let restored = store::open(&target.address, OpenMode::Existing).await.unwrap();
        assert_eq!(told(&*restored).await, before, "{engine:?} into {other:?}");
        assert_eq!(
            restored.flag("stopped").await.unwrap().unwrap().value,
            json!("a test")
        );
        // Numbers go on behind those that came back.
        let task = task("later");
        let seq = restored
            .admit(&task, entry("read", &task), vec![])
            .await
            .unwrap()
            .seq;
        let before = fresh.store.events(&id("new"), 1).await.unwrap();
        assert!(seq > before[0].seq, "{engine:?} into {other:?}");
        restored.close().await;
    }
    assert_eq!(backup::files(&file).await.unwrap(), files());
}

async fn what_is_there_is_not_overwritten_and_is_put_aside_whole(engine: Engine) {
    let old = lived_in(engine).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.backup");
    backup::take(&old.address, &[], &file, at()).await.unwrap();
    old.admitted("since").await;
    old.store.close().await;
    let refused = put(&file, &old.address, false).await;
    assert!(
        matches!(refused, Err(BackupError::Occupied { tasks: 6, .. })),
        "{refused:?}"
    );
    let aside = put(&file, &old.address, true).await.unwrap().aside.unwrap();
    let restored = store::open(&old.address, OpenMode::Migrate).await.unwrap();
    assert_eq!(restored.task(&id("since")).await.unwrap(), None);
    assert!(restored.task(&id("works")).await.unwrap().is_some());
    restored.close().await;
    match &old.address {
        StoreAddress::Sqlite(_) => {
            let aside = StoreAddress::Sqlite(PathBuf::from(aside));
            let aside = store::open(&aside, OpenMode::Existing).await.unwrap();
            assert!(aside.task(&id("since")).await.unwrap().is_some());
        }
        StoreAddress::Postgres(_) => {
            let schema = aside.strip_prefix("the schema ").unwrap();
            let count = AssertSqlSafe(format!("SELECT count(*) FROM {schema}.task WHERE id = 'since'"));
            let mut conn = old.database().raw().await;
            let count: i64 = sqlx::query_scalar(count).fetch_one(&mut conn).await.unwrap();
            assert_eq!(count, 1);
        }
    }
}

async fn backed_up() -> (tempfile::TempDir, PathBuf) {
    let fresh = lived_in(Engine::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.backup");
    backup::take(&fresh.address, &files(), &file, at()).await.unwrap();
    (folder, file)
}

async fn changed(file: &Path, sql: &str) {
    let mut conn = SqliteConnection::connect(&format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_damaged_backup_is_refused_whatever_was_damaged() {
    let (folder, file) = backed_up().await;
    let whole = std::fs::read(&file).unwrap();
    let copy = folder.path().join("damaged.backup");
    for sql in [
        "UPDATE definition SET body = body || ' '",
        "DROP TRIGGER receipt_stays; DELETE FROM receipt",
        "UPDATE backup_file SET bytes = CAST(bytes || ' ' AS BLOB)",
        "DELETE FROM backup_file",
        "CREATE TABLE more (a)",
        "UPDATE backup_manifest SET body = replace(body, 'sqlite', 'postgres')",
        "UPDATE flag SET set_at = set_at + 1",
    ] {
        std::fs::write(&copy, &whole).unwrap();
        changed(&copy, sql).await;
        let refused = backup::verify(&copy).await;
        assert!(
            matches!(refused, Err(BackupError::Damaged { .. })),
            "{sql}: {refused:?}"
        );
    }
    // Anywhere in the file: what a bit turned means is another thing each time, and never that all is well.
    let page = 4096;
    for at in (100..whole.len()).step_by(page / 2 + 7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        std::fs::write(&copy, &bytes).unwrap();
        let Ok(manifest) = backup::verify(&copy).await else {
            continue;
        };
        // Free space of a page holds nothing.
        let fresh = tempfile::tempdir().unwrap();
        assert_eq!(manifest, backup::verify(&file).await.unwrap(), "byte {at}");
        backup::unpack(&copy, fresh.path()).await.unwrap();
    }
    for part in [0, 10, 5000, whole.len() / 2] {
        std::fs::write(&copy, &whole[..part]).unwrap();
        let refused = backup::verify(&copy).await;
        let known = matches!(
            refused,
            Err(BackupError::Damaged { .. } | BackupError::Foreign(_))
        );
        assert!(known, "{part} bytes: {refused:?}");
    }
}

#[tokio::test]
async fn what_is_newer_or_something_else_is_named() {
    let (folder, file) = backed_up().await;
    let resealed = |change: &str| {
        format!(
            "UPDATE backup_manifest SET body = {change}; UPDATE backup_manifest SET digest = '{}'",
            "0".repeat(64)
        )
    };
    // A newer program would seal it rightly; the digest is looked at first.
    changed(&file, &resealed("json_set(body, '$.form', 99)")).await;
    assert!(matches!(
        backup::verify(&file).await,
        Err(BackupError::Damaged { .. })
    ));
    for (path, change) in [("$.form", 99), ("$.schema", 9999)] {
        let (_folder, file) = backed_up().await;
        let mut conn = SqliteConnection::connect(&format!("sqlite:{}", file.display()))
            .await
            .unwrap();
        let body: String = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT json_set(body, '{path}', {change}) FROM backup_manifest"
        )))
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let digest: String = sha2_hex(body.as_bytes());
        sqlx::query("UPDATE backup_manifest SET body = $1, digest = $2")
            .bind(body)
            .bind(digest)
            .execute(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
        let refused = backup::verify(&file).await;
        assert!(
            matches!(refused, Err(BackupError::Newer { .. })),
            "{path}: {refused:?}"
        );
    }
    let other = folder.path().join("other");
    for bytes in [b"no database".as_slice(), b""] {
        std::fs::write(&other, bytes).unwrap();
        let refused = backup::verify(&other).await;
        assert!(matches!(refused, Err(BackupError::Foreign(_))), "{refused:?}");
    }
    let fresh = Fresh::open(Engine::Sqlite).await;
    let StoreAddress::Sqlite(path) = &fresh.address else {
        unreachable!()
    };
    assert!(matches!(backup::verify(path).await, Err(BackupError::Foreign(_))));
    let missing = backup::verify(&folder.path().join("none")).await;
    assert!(matches!(missing, Err(BackupError::File { .. })), "{missing:?}");
}

fn sha2_hex(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Tables that a server has for its own sake. Every other one is carried when a house is moved or kept in a backup.
const A_SERVER_S_OWN: [&str; 5] = ["_sqlx_migrations", "leader", "node", "worker_output", "writer"];

#[tokio::test]
async fn every_table_of_a_server_is_carried_or_its_own() {
    if !crate::postgres::is_there() {
        return;
    }
    let fresh = lived_in(Engine::Postgres).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.backup");
    backup::take(&fresh.address, &[], &file, at()).await.unwrap();
    let target = Fresh::open(Engine::Postgres).await;
    target.store.close().await;
    put(&file, &target.address, false).await.unwrap();
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
        AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1";
    let mut conn = fresh.database().raw().await;
    let names: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await.unwrap();
    let mut other = target.database().raw().await;
    let mut compared = 0;
    for name in names
        .iter()
        .filter(|name| !A_SERVER_S_OWN.contains(&name.as_str()))
    {
        let count = || AssertSqlSafe(format!("SELECT count(*) FROM {name}"));
        let before: i64 = sqlx::query_scalar(count()).fetch_one(&mut conn).await.unwrap();
        let after: i64 = sqlx::query_scalar(count()).fetch_one(&mut other).await.unwrap();
        let hold = i64::from(name == "flag");
        assert_eq!(before + hold, after, "{name}");
        compared += 1;
        let listed = include_str!("../../src/store/carry/tables.rs");
        assert!(
            listed.contains(&format!("name: \"{name}\"")),
            "{name} is not in carry/tables.rs"
        );
    }
    assert!(compared > 8, "{names:?}");
}
