//! What only the embedded engine can be asked: cheating with raw SQL, the schema's history, kill -9.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use orchestrator::domain::gate::Verdict;
use orchestrator::domain::outcome::Outcome;
use orchestrator::store::migrate;
use orchestrator::store::{self, CommitError, OpenMode, StoreAddress, StoreError};
use rstest::rstest;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::store_fresh::{Engine, Fresh};
use crate::store_tasks::*;

pub fn address(path: &Path) -> StoreAddress {
    StoreAddress::Sqlite(path.to_owned())
}

pub fn path(fresh: &Fresh) -> &Path {
    let StoreAddress::Sqlite(path) = &fresh.address else {
        panic!("{} is no file", fresh.address)
    };
    path
}

pub async fn raw(path: &Path, foreign_keys: bool) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(foreign_keys);
    SqliteConnection::connect_with(&options).await.unwrap()
}

pub async fn run(conn: &mut SqliteConnection, sql: &str) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await?
        .rows_affected())
}

/// Whether a rule of the schema said no (and not, for example, the statement's own faults).
fn refused(answer: &Result<u64, sqlx::Error>) -> bool {
    let Err(sqlx::Error::Database(error)) = answer else {
        return false;
    };
    // The low byte of every code of SQLITE_CONSTRAINT.
    error
        .code()
        .and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == 19)
}

/// The failed run of the gate in [`a_court`]; a run has its event's number.
const RED: u32 = 4;
/// The passed one.
const GREEN: u32 = 8;

/// An instance with a task in the gate (`judged`, with a failed gate of its own), one that was never tried (`new`), and
/// a completed one (`done`).
async fn a_court() -> Fresh {
    let fresh = Fresh::open(Engine::Sqlite).await;
    let mut failed = retry(&fresh.validating("judged").await, Outcome::GateFailed);
    failed.attempt = None;
    failed.gate = Some(gate_record(1, 1, Verdict::Failed));
    fresh.commit(&failed).await.unwrap();
    fresh.completed("done").await;
    fresh.admitted("new").await;
    for (name, number) in [("judged", RED), ("done", GREEN)] {
        let run = fresh.store.latest_gate(&id(name)).await.unwrap().unwrap();
        assert_eq!(run.seq, u64::from(number));
    }
    fresh
}

fn ended(attempt: u32, epoch: u32, commit: &str) -> String {
    format!(
        r#"{{"kind":"ended","since":"2026-02-02T02:40:00.123456Z","end":{{"how":"completed","attempt":{attempt},"epoch":{epoch},"commit":"{commit}"}}}}"#
    )
}

fn archive(id: &str, gate: impl Display, state: &str) -> String {
    format!(
        "UPDATE task SET version = version + 1, seq = 1000, done_gate = {gate}, state = '{state}' WHERE id = '{id}'"
    )
}

#[rstest]
#[case::with_foreign_keys(true)]
#[case::without(false)]
#[tokio::test]
async fn raw_sql_cannot_archive_without_the_gate(#[case] foreign_keys: bool) {
    let fresh = a_court().await;
    let mut conn = raw(path(&fresh), foreign_keys).await;
    let proven = ended(1, 1, "c0ffee");
    let wording =
        "INSERT INTO definition SELECT 'fresh', hash, 1, body FROM definition WHERE task_id = 'new'";
    run(&mut conn, wording).await.unwrap();
    let inserted = |gate: &dyn Display| {
        format!(
            "INSERT INTO task (id, version, epoch, seq, definition_hash, project, priority, created_at, updated_at, \
             body_version, state, history, done_gate) SELECT 'fresh', 1, 1, 999, definition_hash, project, 0, 0, 0, 1, \
             '{proven}', '{{}}', {gate} FROM task WHERE id = 'new'"
        )
    };
    let cheats = [
        ("update without a gate", archive("judged", "NULL", &proven)),
        ("update with a failed gate", archive("judged", RED, &proven)),
        (
            "update with another task's gate",
            archive("judged", GREEN, &proven),
        ),
        (
            "update with a gate that is not there",
            archive("judged", 77, &proven),
        ),
        (
            "never tried, another's gate",
            archive("new", GREEN, &ended(0, 0, "c0ffee")),
        ),
        (
            "another epoch than the task's",
            archive("judged", GREEN, &ended(1, 9, "c0ffee")),
        ),
        (
            "no commit",
            archive("judged", GREEN, &proven.replace(r#","commit":"c0ffee""#, "")),
        ),
        (
            "completed under another name",
            archive("judged", "NULL", r#"{"kind":"completed"}"#),
        ),
        (
            "ended as something live",
            archive("judged", "NULL", r#"{"kind":"ended","end":{"how":"running"}}"#),
        ),
        (
            "a state that nobody knows",
            archive("judged", "NULL", r#"{"kind":"perfect"}"#),
        ),
        ("no state at all", archive("judged", "NULL", "{}")),
        ("insert without a gate", inserted(&"NULL")),
        ("insert with another's gate", inserted(&GREEN)),
        (
            "the completed one with another commit",
            archive("done", GREEN, &ended(1, 1, "beef")),
        ),
        (
            "the completed one with another attempt",
            archive("done", GREEN, &ended(2, 1, "c0ffee")),
        ),
        (
            "the gate's commit afterwards",
            format!("UPDATE gate SET commit_id = 'beef' WHERE seq = {GREEN}"),
        ),
        (
            "the gate's verdict beforehand",
            format!("UPDATE gate SET verdict = 'passed' WHERE seq = {RED}"),
        ),
        (
            "the gate deleted",
            format!("DELETE FROM gate WHERE seq = {GREEN}"),
        ),
        (
            "the gate replaced",
            format!(
                "INSERT OR REPLACE INTO gate SELECT seq, 'judged', attempt, epoch, commit_id, tree, verdict, 0, 0 \
             FROM gate WHERE seq = {GREEN}"
            ),
        ),
        (
            "a red receipt in a passed gate",
            receipt(GREEN, "failed", "c0ffee"),
        ),
        ("a receipt of another commit", receipt(GREEN, "passed", "beef")),
        (
            "a receipt changed",
            "UPDATE receipt SET exit_code = 0, command = 'true'".into(),
        ),
        ("receipts deleted", "DELETE FROM receipt".into()),
    ];
    for (name, sql) in cheats {
        let answer = run(&mut conn, &sql).await;
        assert!(refused(&answer), "{name}: {answer:?}");
    }
    let done: i64 = sqlx::query_scalar("SELECT count(*) FROM task WHERE kind = 'completed'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(done, 1);
}

#[tokio::test]
async fn the_foreign_key_alone_keeps_the_proof() {
    let fresh = a_court().await;
    let mut conn = raw(path(&fresh), true).await;
    for trigger in [
        "task_inserted_unproven",
        "task_updated_unproven",
        "gate_is_final",
        "gate_stays",
        "gate_is_not_replaced",
    ] {
        run(&mut conn, &format!("DROP TRIGGER {trigger}")).await.unwrap();
    }
    let proven = ended(1, 1, "c0ffee");
    for sql in [
        &archive("judged", RED, &proven),
        &archive("judged", GREEN, &proven),
        &archive("judged", 77, &proven),
        &archive("done", GREEN, &ended(1, 1, "beef")),
        &archive("done", GREEN, &ended(2, 1, "c0ffee")),
        &format!("UPDATE gate SET commit_id = 'beef' WHERE seq = {GREEN}"),
        &format!("UPDATE gate SET verdict = 'failed' WHERE seq = {GREEN}"),
        &format!("UPDATE gate SET task_id = 'judged' WHERE seq = {GREEN}"),
        &format!("DELETE FROM gate WHERE seq = {GREEN}"),
    ] {
        let answer = run(&mut conn, sql).await;
        assert!(refused(&answer), "{sql}: {answer:?}");
    }
}

fn receipt(gate: u32, verdict: &str, commit: &str) -> String {
    format!(
        "INSERT INTO receipt VALUES ({gate}, 9, 'x', 'build', 'task', '/', '{commit}', 'x', 1, '{verdict}', 0, 0, '', '', '', '', '', 0, '[]')"
    )
}

#[tokio::test]
async fn numbers_never_fall_and_the_log_is_append_only() {
    let fresh = a_court().await;
    let mut conn = raw(path(&fresh), false).await;
    for sql in [
        "UPDATE task SET version = version - 1, seq = 1000 WHERE id = 'judged'",
        "UPDATE task SET project = 'other' WHERE id = 'judged'",
        "UPDATE task SET version = version + 1, epoch = 0, seq = 1000 WHERE id = 'judged'",
        "UPDATE task SET version = version + 1, seq = 1 WHERE id = 'judged'",
        "DELETE FROM task WHERE id = 'new'",
        "UPDATE event_log SET why = 'nicer'",
        "DELETE FROM event_log WHERE task_id = 'judged'",
        "DELETE FROM event_log WHERE task_id = 'done'",
        "UPDATE attempt SET epoch = 9 WHERE task_id = 'judged'",
        "UPDATE attempt SET ended_at = NULL, outcome = NULL WHERE task_id = 'judged'",
    ] {
        let answer = run(&mut conn, sql).await;
        assert!(refused(&answer), "{sql}: {answer:?}");
    }
    let first_of_done =
        "DELETE FROM event_log WHERE seq = (SELECT min(seq) FROM event_log WHERE task_id = 'done')";
    assert_eq!(run(&mut conn, first_of_done).await.unwrap(), 1);
}

#[tokio::test]
async fn no_database_is_made_where_one_must_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    for mode in [OpenMode::Existing, OpenMode::ReadOnly] {
        let answer = store::open(&address(&path), mode).await;
        assert!(matches!(answer, Err(StoreError::Missing { .. })), "{answer:?}");
    }
    assert!(matches!(
        migrate::check(&address(&path)).await,
        Err(StoreError::Missing { .. })
    ));
    assert!(
        migrate::plan(&address(&path))
            .await
            .unwrap()
            .iter()
            .all(|step| !step.applied)
    );
    assert!(!path.exists());
}

#[tokio::test]
async fn reading_only_reads_and_refuses_to_write() {
    let fresh = Fresh::open(Engine::Sqlite).await;
    let task = fresh.claimed("look").await;
    for closed in [false, true] {
        if closed {
            fresh.store.close().await;
        }
        let reader = store::open(&fresh.address, OpenMode::ReadOnly).await.unwrap();
        assert_eq!(reader.live().await.unwrap(), vec![task.clone()]);
        let answer = reader.commit(finish(&task), task.version).await;
        assert!(
            matches!(answer, Err(CommitError::Store(StoreError::ReadOnly))),
            "{answer:?}"
        );
        reader.close().await;
    }
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    let fresh = Fresh::open(Engine::Sqlite).await;
    fresh.admitted("secret").await;
    let state = path(&fresh).parent().unwrap().to_owned();
    let mut seen = 0;
    for file in std::fs::read_dir(state).unwrap() {
        seen += 1;
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o077, 0);
    }
    assert_eq!(seen, 3, "the database, its log, its index");
}

#[tokio::test]
async fn what_is_no_database_is_damaged_and_what_cannot_be_opened_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.db");
    std::fs::write(
        &path,
        "this is a text, and a long one, not a database at all\n".repeat(40),
    )
    .unwrap();
    let answer = store::open(&address(&path), OpenMode::Existing).await;
    assert!(matches!(answer, Err(StoreError::Damaged { .. })), "{answer:?}");
    let answer = store::open(&address(folder.path()), OpenMode::Migrate).await;
    let text = answer.unwrap_err().to_string();
    assert!(text.contains(&folder.path().display().to_string()), "{text}");
}

#[tokio::test]
async fn two_processes_may_make_the_database_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let address = address(&folder.path().join("both.db"));
        let (one, two) = tokio::join!(
            store::open(&address, OpenMode::Migrate),
            store::open(&address, OpenMode::Migrate)
        );
        let task = task("both");
        one.unwrap()
            .admit(&task, entry("read", &task), vec![])
            .await
            .unwrap();
        assert_eq!(two.unwrap().live().await.unwrap(), vec![task]);
    }
}

#[tokio::test]
async fn a_body_of_a_later_shape_is_refused_and_not_guessed() {
    let fresh = Fresh::open(Engine::Sqlite).await;
    fresh.admitted("later").await;
    let mut conn = raw(path(&fresh), true).await;
    run(
        &mut conn,
        "UPDATE task SET body_version = 2, version = 2, seq = 1000",
    )
    .await
    .unwrap();
    let words = fresh.store.live().await.unwrap_err().to_string();
    assert!(
        words.contains("task later") && words.contains("upgrade orchestrator"),
        "{words}"
    );
}

const CRASH_DB: &str = "ORCHESTRATOR_TEST_CRASH_DB";

#[tokio::test]
#[ignore = "the child of kill_9_loses_nothing_that_was_acknowledged"]
async fn crash_child() {
    let path = PathBuf::from(std::env::var(CRASH_DB).unwrap());
    let store = store::open(&address(&path), OpenMode::Migrate).await.unwrap();
    let round = store.newest_seq().await.unwrap();
    let write = async |lane: u32| {
        for n in 0_u32.. {
            let task = task(&format!("r{round}-{lane}-{n}"));
            store.admit(&task, entry("read", &task), vec![]).await.unwrap();
            let claimed = claim(&task);
            store.commit(claimed, 1).await.unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "ack {}", task.id).unwrap();
            out.flush().unwrap();
        }
    };
    tokio::join!(write(0), write(1), write(2), write(3));
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crash.db");
    let mut acknowledged = Vec::new();
    for lines in [1, 7, 40, 90, 150] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store_sqlite::crash_child", "--ignored", "--nocapture"])
            .env(CRASH_DB, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let ack = |line: String| line.split_once("ack ").map(|(_, id)| id.to_owned());
        acknowledged.extend(output.by_ref().filter_map(ack).take(lines));
        child.kill().unwrap();
        acknowledged.extend(output.filter_map(ack));
        child.wait().unwrap();

        let mut conn = raw(&path, true).await;
        let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(sound, "ok");
        let torn: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM event_log) - (SELECT sum(version) FROM task) \
             + (SELECT count(*) FROM task WHERE epoch = 1) - (SELECT count(*) FROM attempt)",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert_eq!(torn, 0, "a change without its event or its attempt");
        conn.close().await.unwrap();
        let store = store::open(&address(&path), OpenMode::Existing).await.unwrap();
        let live = store.live().await.unwrap();
        for name in &acknowledged {
            let found = live.iter().find(|task| task.id.as_str() == name);
            assert_eq!(found.map(|task| task.version), Some(2), "{name} was acknowledged");
        }
        store.close().await;
    }
    assert!(acknowledged.len() >= 288, "{}", acknowledged.len());
}
