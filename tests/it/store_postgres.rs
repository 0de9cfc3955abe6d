//! What only the PostgreSQL engine can be asked: cheating with raw SQL, the schema's history, the order of commits, who leads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use orchestrator::domain::decide::Decision;
use orchestrator::domain::gate::Verdict;
use orchestrator::domain::node::{Announcement, Lease, NodeName, Role};
use orchestrator::domain::outcome::Outcome;
use orchestrator::domain::task::{End, State, Task};
use orchestrator::store::{self, CommitError, Joined, OpenMode, OutboxKind, StoreError};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::postgres::{Database, is_there};
use crate::store_cheats::{C0FFEE, CHEATS};
use crate::store_fresh::{Engine, Fresh};
use crate::store_tasks::*;

pub async fn run(conn: &mut PgConnection, sql: &str) -> Result<u64, sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    Ok(sqlx::raw_sql(sql).execute(conn).await?.rows_affected())
}

/// Whether a rule of the schema said no (and not, for example, the statement's own faults).
fn refused(answer: &Result<u64, sqlx::Error>) -> bool {
    let code = |error: &sqlx::Error| error.as_database_error()?.code().map(|code| code.to_string());
    answer
        .as_ref()
        .err()
        .and_then(code)
        .is_some_and(|code| code.starts_with("23"))
}

pub async fn fresh() -> Fresh {
    Fresh::open(Engine::Postgres).await
}

/// A task in the gate (`judged`, with a failed gate of its own), one that was never tried (`new`), one at work (`working`), and a
/// completed one (`done`); with the numbers of the two gates.
async fn a_court() -> (Fresh, u64, u64) {
    let fresh = fresh().await;
    let mut failed = retry(&fresh.validating("judged").await, Outcome::GateFailed);
    failed.attempt = None;
    failed.gate = Some(gate_record(1, 1, Verdict::Failed));
    fresh.commit(&failed).await.unwrap();
    fresh.completed("done").await;
    fresh.admitted("new").await;
    fresh.claimed("working").await;
    let failed = fresh.store.latest_gate(&id("judged")).await.unwrap().unwrap().seq;
    let passed = fresh.store.latest_gate(&id("done")).await.unwrap().unwrap().seq;
    (fresh, failed, passed)
}

#[tokio::test]
async fn raw_sql_cannot_archive_without_the_gate() {
    if !is_there() {
        return;
    }
    let (fresh, failed, passed) = a_court().await;
    let mut conn = fresh.database().raw().await;
    let with_numbers = |sql: &str| {
        sql.replace("FAILED", &failed.to_string())
            .replace("PASSED", &passed.to_string())
    };
    for (name, sql) in CHEATS {
        let answer = run(&mut conn, &with_numbers(sql)).await;
        assert!(refused(&answer), "{name}: {answer:?}");
    }
    // The same statement with the right proof goes through: it is the proof that was missing.
    assert_eq!(run(&mut conn, &with_numbers(C0FFEE)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_change_that_is_committed_late_is_not_missed() {
    if !is_there() {
        return;
    }
    let fresh = fresh().await;
    fresh.admitted("template").await;
    let mut slow = fresh.database().raw().await;
    let mut transaction = slow.begin().await.unwrap();
    // Its number is drawn, and its row is written; only the commit is late.
    let late = "INSERT INTO definition SELECT 'late', hash, body_version, body FROM definition WHERE task_id = 'template'; \
        INSERT INTO task (id, version, epoch, seq, definition_hash, project, priority, created_at, updated_at, body_version, \
        state, history) SELECT 'late', 1, 0, nextval('event_seq'), definition_hash, project, priority, created_at, \
        updated_at, body_version, state, history FROM task WHERE id = 'template'; \
        INSERT INTO event_log (seq, task_id, version, epoch, at, kind, from_state, to_state, why) \
        SELECT nextval('event_seq'), 'late', version, epoch, at, kind, from_state, to_state, why FROM event_log \
        WHERE task_id = 'template'";
    run(&mut transaction, late).await.unwrap();
    let mark = fresh.store.newest_seq().await.unwrap();
    fresh.admitted("early").await;
    let (told, mark) = fresh.store.changed_since(mark).await.unwrap();
    let names = |tasks: &[orchestrator::domain::task::Task]| -> Vec<String> {
        tasks.iter().map(|task| task.id.to_string()).collect()
    };
    assert!(names(&told).contains(&"early".to_owned()), "{:?}", names(&told));
    assert!(!names(&told).contains(&"late".to_owned()));
    let (told, mark) = fresh.store.changed_since(mark).await.unwrap();
    assert!(!names(&told).contains(&"late".to_owned()), "not yet");
    transaction.commit().await.unwrap();
    let (told, _) = fresh.store.changed_since(mark).await.unwrap();
    assert!(names(&told).contains(&"late".to_owned()), "{:?}", names(&told));
}

#[tokio::test]
async fn what_a_program_prints_is_stored_whatever_it_is() {
    if !is_there() {
        return;
    }
    let fresh = fresh().await;
    let task = fresh.validating("nul").await;
    let mut done = complete(&task);
    done.entry.why = "it said \0 and \\u0000".into();
    if let Some(gate) = done.gate.as_mut() {
        gate.report.receipts[0].output_tail = "a\0b\u{1f600}\\".into();
    }
    fresh.commit(&done).await.unwrap();
    let gate = fresh.store.latest_gate(&task.id).await.unwrap().unwrap();
    assert_eq!(
        gate.record.report.receipts[0].output_tail,
        "a\u{fffd}b\u{1f600}\\"
    );
    let events = fresh.store.events(&task.id, 1).await.unwrap();
    assert_eq!(events[0].entry.why, "it said \u{fffd} and \\u0000");

    let mut cancelled = cancel(&fresh.admitted("nul-state").await);
    cancelled.task.state = State::Ended {
        since: at(),
        end: End::Cancelled {
            by: "jane".into(),
            reason: "a\0b \\u0000".into(),
        },
    };
    fresh.commit(&cancelled).await.unwrap();
    let found = fresh.store.task(&cancelled.task.id).await.unwrap().unwrap();
    let State::Ended {
        end: End::Cancelled { reason, .. },
        ..
    } = found.state
    else {
        panic!("{found:?}")
    };
    assert_eq!(reason, "a\u{fffd}b \\u0000");
}

#[tokio::test]
async fn one_leads_and_what_a_deposed_one_decided_is_refused_alone() {
    if !is_there() {
        return;
    }
    let fresh = fresh().await;
    let (one, two) = (fresh.store.roster().unwrap(), fresh.store.roster().unwrap());
    let (a, b) = (NodeName::parse("a").unwrap(), NodeName::parse("b").unwrap());
    let lease = Duration::from_secs(60);
    let first = one.lead(&a, 1, lease).await.unwrap();
    assert_eq!(first, Some(1));
    assert_eq!(two.lead(&b, 1, lease).await.unwrap(), None, "another one leads");
    assert_eq!(one.lead(&a, 1, lease).await.unwrap(), first, "it goes on");
    assert_eq!(
        one.lead(&a, 2, lease).await.unwrap(),
        Some(2),
        "its next start is another leader"
    );
    let task = fresh.admitted("t").await;
    let other = fresh.admitted("other").await;
    let mut conn = fresh.database().raw().await;
    run(
        &mut conn,
        "UPDATE leader SET lease_until = clock_timestamp() - interval '1 s'",
    )
    .await
    .unwrap();
    assert_eq!(one.leader().await.unwrap(), None);
    assert_eq!(two.lead(&b, 1, lease).await.unwrap(), Some(3));
    assert_eq!(one.leader().await.unwrap(), Some(b.clone()));
    let led = |task: &Task, term| Decision {
        led: Some(term),
        ..claim(task)
    };
    let both = fresh
        .store
        .commit_all(vec![
            (led(&task, 2), task.version),
            (claim(&other), other.version),
        ])
        .await;
    assert!(matches!(both[0], Err(CommitError::Deposed)), "{both:?}");
    assert!(both[1].is_ok(), "{both:?}");
    fresh.commit(&led(&task, 3)).await.unwrap();
    two.resign(&b, 1).await.unwrap();
    assert_eq!(
        one.lead(&a, 2, lease).await.unwrap(),
        Some(4),
        "handed over at once"
    );
}

/// What a node of that name says of itself.
fn said(name: &str) -> Announcement {
    Announcement {
        name: NodeName::parse(name).unwrap(),
        role: Role::All,
        labels: BTreeSet::new(),
        slots: 2,
        runtimes: BTreeMap::new(),
        version: "1".into(),
        host: format!("host-of-{name}"),
        pid: 7,
        bus: None,
    }
}

#[tokio::test]
async fn a_node_s_lease_is_the_server_s_to_judge_and_its_term_fences_it() {
    if !is_there() {
        return;
    }
    let fresh = fresh().await;
    let roster = fresh.store.roster().unwrap();
    let (a, lease, now) = (said("a"), Duration::from_secs(60), chrono::Utc::now());
    assert_eq!(
        roster.join(&a, "home-1", lease, now).await.unwrap(),
        Joined::As(1)
    );
    let taken = roster.join(&a, "home-2", lease, now).await.unwrap();
    assert_eq!(taken, Joined::Taken(Some("host-of-a".into())));
    assert_eq!(
        roster.join(&a, "home-1", lease, now).await.unwrap(),
        Joined::As(2),
        "a restart"
    );
    assert!(
        !roster.renew(&a, 1, lease).await.unwrap(),
        "what ran before the restart"
    );
    assert!(roster.renew(&a, 2, lease).await.unwrap());
    assert!(!roster.remove(&a.name).await.unwrap(), "it is there");
    let mut conn = fresh.database().raw().await;
    run(
        &mut conn,
        "UPDATE node SET lease_until = clock_timestamp() - interval '1 s'",
    )
    .await
    .unwrap();
    assert!(
        !roster.renew(&a, 2, lease).await.unwrap(),
        "too late: others may have its tasks"
    );
    assert!(matches!(
        roster.nodes().await.unwrap()[0].lease,
        Lease::Expired(_)
    ));
    assert_eq!(
        roster.join(&a, "home-2", lease, now).await.unwrap(),
        Joined::As(3)
    );
    assert!(roster.cordon(&a.name, Some("jane")).await.unwrap());
    assert!(!roster.cordon(&NodeName::parse("x").unwrap(), None).await.unwrap());
    let seen = roster.nodes().await.unwrap();
    assert_eq!(
        (seen[0].cordoned.as_deref(), &seen[0].announcement),
        (Some("jane"), &a)
    );
    roster.leave(&a.name, 3).await.unwrap();
    assert_eq!(roster.nodes().await.unwrap()[0].lease, Lease::Left);
    assert!(roster.remove(&a.name).await.unwrap());
    assert_eq!(roster.nodes().await.unwrap(), []);
}

#[tokio::test]
async fn whoever_waits_is_woken_by_another_and_not_by_itself() {
    if !is_there() {
        return;
    }
    let fresh = fresh().await;
    fresh.store.data_version().await.unwrap();
    let other = fresh.second().await;
    let task = task("news");
    let waiting = fresh.store.another_wrote();
    let writing = async {
        other.admit(&task, entry("read", &task), vec![]).await.unwrap();
        other.announce().await;
    };
    let both = async { tokio::join!(waiting, writing) };
    tokio::time::timeout(std::time::Duration::from_secs(10), both)
        .await
        .expect("it was never woken");
}

#[tokio::test]
async fn an_old_day_is_given_up_as_a_whole_and_what_must_stay_stays() {
    if !is_there() {
        return;
    }
    let fresh = fresh().await;
    let mut conn = fresh.database().raw().await;
    // A day of the past with a partition of its own.
    let day = "CREATE TABLE event_log_20260202 PARTITION OF event_log \
        FOR VALUES FROM (1769990400000000) TO (1770076800000000)";
    run(&mut conn, day).await.unwrap();
    let done = fresh.completed("done").await;
    let live = fresh.claimed("live").await;
    let days = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'event_log'::regclass";
    let before: i64 = sqlx::query_scalar(days).fetch_one(&mut conn).await.unwrap();
    let trimmed = fresh.store.trim(Utc::now(), TimeDelta::days(30)).await.unwrap();
    assert_eq!(trimmed.events, 3);
    let after: i64 = sqlx::query_scalar(days).fetch_one(&mut conn).await.unwrap();
    assert_eq!(after, before - 1);
    let events = fresh.store.events(&done.id, 10).await.unwrap();
    assert_eq!(
        events.iter().map(|e| e.entry.kind.as_str()).collect::<Vec<_>>(),
        ["judged"]
    );
    assert_eq!(fresh.store.events(&live.id, 10).await.unwrap().len(), 2);
    assert!(before >= 9, "today and the coming week are made ahead: {before}");
}

#[tokio::test]
async fn reading_only_reads_and_refuses_to_write() {
    if !is_there() {
        return;
    }
    let fresh = fresh().await;
    let task = fresh.admitted("look").await;
    let looker = store::open(&fresh.address, OpenMode::ReadOnly).await.unwrap();
    assert_eq!(looker.live().await.unwrap(), vec![task.clone()]);
    let answer = looker.commit(claim(&task), 1).await;
    assert!(
        matches!(answer, Err(CommitError::Store(StoreError::ReadOnly))),
        "{answer:?}"
    );
    assert!(
        looker
            .outbox_due(OutboxKind::Mirror, at(), 1)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_where_and_not_the_password() {
    if !is_there() {
        return;
    }
    let database = Database::create().await;
    let url = database.url();
    let (_, rest) = url.split_once("://").unwrap();
    let (user, place) = rest.rsplit_once('@').unwrap();
    let wrong = format!("postgres://{}:wr0ng@{place}", user.split(':').next().unwrap());
    let nowhere = format!("postgres://me:wr0ng@127.0.0.1:1/{}", database.name);
    let missing = url.replace(&database.name, "no_such_database");
    for (url, expected) in [
        (&wrong, "cannot be used"),
        (&missing, "cannot be used"),
        (&nowhere, "not reachable"),
    ] {
        let error = store::open(&crate::postgres::address(url), OpenMode::Migrate).await;
        let words = error.unwrap_err().to_string();
        let password = url.split([':', '@']).nth(2).unwrap();
        assert!(words.contains(expected) && !words.contains(password), "{words}");
    }
}
