//! The history of the embedded engine's schema: plans, faults, and databases of earlier versions, whose tasks go on.

use orchestrator::domain::decide::Decision;
use orchestrator::domain::gate::Verdict;
use orchestrator::domain::outcome::Outcome;
use orchestrator::domain::task::Task;
use orchestrator::store::migrate::{self, MigrationStep};
use orchestrator::store::{self, OpenMode, Scope, StoreError};
use rstest::rstest;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::store_fresh::{Engine, Fresh};
use crate::store_sqlite::{address, path, raw, run};
use crate::store_tasks::*;

#[tokio::test]
async fn a_plan_becomes_an_applied_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let plan = migrate::plan(&address(&path)).await.unwrap();
    assert_eq!(
        plan[0],
        MigrationStep {
            version: 1,
            name: "ledger".into(),
            applied: false
        }
    );
    assert_eq!(migrate::apply(&address(&path)).await.unwrap(), plan);
    assert_eq!(migrate::apply(&address(&path)).await.unwrap(), vec![]);
    migrate::check(&address(&path)).await.unwrap();
    assert!(
        migrate::plan(&address(&path))
            .await
            .unwrap()
            .iter()
            .all(|step| step.applied)
    );
    store::open(&address(&path), OpenMode::Existing).await.unwrap();
}

#[tokio::test]
async fn an_empty_database_is_older_and_is_not_touched_by_a_look() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.db");
    std::fs::write(&path, "").unwrap();
    let answer = store::open(&address(&path), OpenMode::ReadOnly).await;
    assert!(
        matches!(
            answer,
            Err(StoreError::OlderSchema {
                found: 0,
                known: 1..,
                ..
            })
        ),
        "{answer:?}"
    );
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
}

async fn tampered(sql: &str) -> (Fresh, String) {
    let fresh = Fresh::open(Engine::Sqlite).await;
    fresh.store.close().await;
    let mut conn = raw(path(&fresh), true).await;
    run(&mut conn, sql).await.unwrap();
    conn.close().await.unwrap();
    let mut words = Vec::new();
    for mode in [OpenMode::Migrate, OpenMode::Existing, OpenMode::ReadOnly] {
        words.push(store::open(&fresh.address, mode).await.unwrap_err().to_string());
    }
    words.push(migrate::plan(&fresh.address).await.unwrap_err().to_string());
    words.push(migrate::apply(&fresh.address).await.unwrap_err().to_string());
    words.dedup();
    assert_eq!(words.len(), 1, "{words:?}");
    (fresh, words.remove(0))
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_the_version_that_wrote_it() {
    let sql = "UPDATE flag SET value = '\"9.8.7\"' WHERE name = 'schema_written_by'; \
        INSERT INTO _sqlx_migrations SELECT 9999, 'future', installed_on, true, checksum, 0 FROM _sqlx_migrations LIMIT 1";
    let (_fresh, words) = tampered(sql).await;
    assert!(
        words.contains("schema 9999, written by orchestrator 9.8.7"),
        "{words}"
    );
    assert!(words.contains("upgrade orchestrator"), "{words}");
}

#[rstest]
#[case::edited(
    "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1",
    "its text was changed"
)]
#[case::half(
    "UPDATE _sqlx_migrations SET success = false WHERE version = 1",
    "applied only in part"
)]
#[case::foreign(
    "UPDATE _sqlx_migrations SET version = 0 WHERE version = 1",
    "out of its order"
)]
#[tokio::test]
async fn an_edited_history_is_found(#[case] sql: &str, #[case] expected: &str) {
    let (_fresh, words) = tampered(sql).await;
    assert!(words.contains(expected) && words.contains("restore"), "{words}");
}

/// A new database with the schema of an earlier version.
async fn schema(options: SqliteConnectOptions, version: i64) -> SqliteConnection {
    let mut conn = SqliteConnection::connect_with(&options.create_if_missing(true))
        .await
        .unwrap();
    sqlx::migrate!("migrations/sqlite")
        .run_to(version, &mut conn)
        .await
        .unwrap();
    conn
}

/// Writes a task as schema 4 had it: `decisions` led to it, the last one is what it is now.
async fn write_4(conn: &mut SqliteConnection, first: &Task, decisions: &[Decision]) {
    let json = |value: serde_json::Value| value.to_string();
    let now = decisions.last().map_or(first, |decision| &decision.task);
    sqlx::query("INSERT INTO definition VALUES ($1, $2, 1, $3)")
        .bind(now.id.as_str())
        .bind(&now.definition_hash)
        .bind(json(serde_json::to_value(&now.definition).unwrap()))
        .execute(&mut *conn)
        .await
        .unwrap();
    let mut seq = 0;
    for (n, kind) in (1..).zip(
        ["read"]
            .into_iter()
            .chain(decisions.iter().map(|d| d.entry.kind.as_str())),
    ) {
        let log = "INSERT INTO event_log (task_id, version, epoch, at, kind, from_state, to_state, why) \
            VALUES ($1, $2, 0, 0, $3, '', '', '')";
        let done = sqlx::query(log)
            .bind(now.id.as_str())
            .bind(n)
            .bind(kind)
            .execute(&mut *conn)
            .await;
        seq = done.unwrap().last_insert_rowid();
    }
    let gate = decisions.iter().find_map(|decision| decision.gate.as_ref());
    // The task is there before its gate and refers to it afterwards.
    let row = "INSERT INTO task (id, version, epoch, seq, definition_hash, project, priority, created_at, updated_at, \
        body_version, state, history, done_gate) VALUES ($1, $2, $3, $4, $5, 'house', 2, $6, $6, 1, $7, $8, $9)";
    let gate_seq = gate.map(|_| 1_i64);
    if let Some(gate) = gate {
        sqlx::query("INSERT INTO gate VALUES ($1, $2, 1, 1, $3, $4, 'passed', $5, $5)")
            .bind(gate_seq)
            .bind(now.id.as_str())
            .bind(&gate.report.commit)
            .bind(&gate.report.tree)
            .bind(at().timestamp_micros())
            .execute(&mut *conn)
            .await
            .unwrap();
    }
    sqlx::query(row)
        .bind(now.id.as_str())
        .bind(now.version as i64)
        .bind(now.epoch as i64)
        .bind(seq)
        .bind(&now.definition_hash)
        .bind(at().timestamp_micros())
        .bind(json(serde_json::to_value(&now.state).unwrap()))
        .bind(json(serde_json::to_value(&now.history).unwrap()))
        .bind(gate_seq)
        .execute(&mut *conn)
        .await
        .unwrap();
    if now.epoch == 1 {
        attempt_4(conn, now, decisions.len() > 1).await;
    }
}

/// The first attempt, still at work or closed.
async fn attempt_4(conn: &mut SqliteConnection, task: &Task, over: bool) {
    sqlx::query("INSERT INTO attempt VALUES ($1, 1, 1, $2, $3, $4, $5, $6, $7)")
        .bind(task.id.as_str())
        .bind(at().timestamp_micros())
        .bind(over.then_some(at().timestamp_micros()))
        .bind(over.then_some("done"))
        .bind(over.then_some("it says so"))
        .bind(serde_json::to_string(&live_attempt(1, 1)).unwrap())
        .bind(over.then(|| serde_json::to_string(&report(Outcome::Done)).unwrap()))
        .execute(&mut *conn)
        .await
        .unwrap();
    let seen = "INSERT INTO attempt_live (task_id, epoch, beat_at, progress_pct, phase, transcript_offset, session) \
        VALUES ($1, 1, $2, 30, 'testing', 900, 's-1')";
    sqlx::query(seen)
        .bind(task.id.as_str())
        .bind(at().timestamp_micros())
        .execute(&mut *conn)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_schema_4_held_is_there_and_work_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    // As a connection with foreign keys switched off would: the rows come in any order.
    let options = SqliteConnectOptions::new().filename(&path).foreign_keys(false);
    let mut conn = schema(options, 4).await;
    let (new, working, done) = (task("new"), task("working"), task("done"));
    let claimed = claim(&working);
    let (first, second) = (claim(&done), finish(&claim(&done).task));
    let third = complete(&second.task);
    write_4(&mut conn, &done, &[first, second, third.clone()]).await;
    write_4(&mut conn, &new, &[]).await;
    write_4(&mut conn, &working, std::slice::from_ref(&claimed)).await;
    conn.close().await.unwrap();

    let address = address(&path);
    let store = store::open(&address, OpenMode::Migrate).await.unwrap();
    assert_eq!(
        store.live().await.unwrap(),
        vec![new.clone(), claimed.task.clone()]
    );
    assert_eq!(store.task(&done.id).await.unwrap(), Some(third.task));
    let ended = store::Filter {
        scope: Scope::Ended,
        ..store::Filter::default()
    };
    assert_eq!(store.tasks(&ended).await.unwrap().rows.len(), 1);
    let facts = store.attempt_facts(&working.id).await.unwrap().unwrap();
    assert_eq!((facts.beat_at, facts.progress_pct), (Some(at()), Some(30)));
    assert_eq!(
        (facts.session.as_deref(), facts.transcript_offset),
        (Some("s-1"), 900)
    );
    let record = store.attempts(&done.id).await.unwrap().remove(0);
    assert_eq!(
        (record.outcome, record.report),
        (Some(Outcome::Done), Some(report(Outcome::Done)))
    );
    let gate = store.latest_gate(&done.id).await.unwrap().unwrap();
    assert_eq!((gate.seq, gate.record.verdict), (1, Verdict::Passed));

    let finished = finish(&claimed.task);
    store.commit(finished.clone(), 2).await.unwrap();
    store.commit(complete(&finished.task), 3).await.unwrap();
    store.commit(claim(&new), 1).await.unwrap();
    let run = store.latest_gate(&working.id).await.unwrap().unwrap();
    assert!(run.seq > gate.seq, "a later run has a higher number");
    store.close().await;

    let mut conn = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path))
        .await
        .unwrap();
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(sound, "ok");
    assert!(
        sqlx::query("PRAGMA foreign_key_check")
            .fetch_optional(&mut conn)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_reference_that_leads_nowhere_stops_the_migration_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.db");
    let options = SqliteConnectOptions::new().filename(&path).foreign_keys(false);
    let mut conn = schema(options, 4).await;
    sqlx::query("INSERT INTO mirror VALUES ('nobody', 1, '{}')")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let address = address(&path);
    let words = store::open(&address, OpenMode::Migrate)
        .await
        .unwrap_err()
        .to_string();
    assert!(words.contains("restore it from a backup"), "{words}");
    let plan = store::migrate::plan(&address).await.unwrap();
    assert_eq!(plan.iter().filter(|step| step.applied).count(), 4);
}
