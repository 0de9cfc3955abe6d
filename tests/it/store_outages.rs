//! The store while its server dies, restarts, falls silent, or loses an answer: nothing acknowledged is lost, nothing is doubled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use orchestrator::config::section::{PostgresLimits, PostgresServer};
use orchestrator::domain::decide::Decision;
use orchestrator::domain::task::Task;
use orchestrator::store::{self, CommitError, OpenMode, Store, StoreAddress, StoreError};
use sqlx::{ConnectOptions, PgConnection};

use crate::private_postgres::{Cut, Private, Proxy};
use crate::store_tasks::*;

fn nightly() -> bool {
    std::env::var("ORCHESTRATOR_NIGHTLY").is_ok_and(|value| value == "1")
}

async fn raw(server: &Private) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = server.url().parse().unwrap();
    options.connect().await.unwrap()
}

async fn opened(url: &str, mode: OpenMode) -> Arc<dyn Store> {
    store::open(&crate::postgres::address(url), mode).await.unwrap()
}

/// Every change has its event and every claim its attempt, once.
async fn is_sound(server: &Private) {
    let torn: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM event_log) - (SELECT sum(version)::bigint FROM task) \
         + (SELECT sum(epoch)::bigint FROM task) - (SELECT count(*) FROM attempt) \
         + (SELECT count(*) FROM (SELECT task_id, version FROM event_log GROUP BY 1, 2 HAVING count(*) > 1) AS doubled)",
    )
    .fetch_one(&mut raw(server).await)
    .await
    .unwrap();
    assert_eq!(
        torn, 0,
        "a change without its event, an event without its change, or one that is doubled"
    );
}

/// Does something until the store says that it is done, as the service does: what is refused as stale is looked at again.
async fn insist(store: &dyn Store, decision: &Decision, expected: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match store.commit(decision.clone(), expected).await {
            Ok(_) => return,
            // It was committed by an earlier try of ours: nobody else writes this task.
            Err(CommitError::Conflict { actual }) if actual == decision.task.version => return,
            Err(CommitError::Store(StoreError::Unavailable { .. } | StoreError::Busy)) => {}
            Err(other) => panic!("{other}"),
        }
        assert!(Instant::now() < deadline, "it never comes through");
    }
}

async fn admit(store: &dyn Store, task: &Task) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match store.admit(task, entry("read", task), vec![]).await {
            Ok(_) | Err(CommitError::Conflict { actual: 1 }) => return,
            Err(CommitError::Store(StoreError::Unavailable { .. } | StoreError::Busy)) => {}
            Err(other) => panic!("{other}"),
        }
        assert!(Instant::now() < deadline, "it never comes through");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_loses_and_doubles_nothing() {
    let Some(mut server) = Private::start().await else {
        return;
    };
    let store = opened(&server.url(), OpenMode::Migrate).await;
    let stop = AtomicBool::new(false);
    let lane = async |lane: u32| {
        let mut done = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let task = task(&format!("l{lane}-{}", done.len()));
            admit(&*store, &task).await;
            let claimed = claim(&task);
            insist(&*store, &claimed, 1).await;
            insist(&*store, &finish(&claimed.task), 2).await;
            done.push(task.id);
        }
        done
    };
    let kills = if nightly() { 40 } else { 3 };
    let killing = async {
        for round in 0..kills {
            let before = store.live().await.unwrap().len();
            // A load is under way again: more is there than after the last restart.
            let deadline = Instant::now() + Duration::from_secs(30);
            while store.live().await.unwrap().len() < before + 20 {
                assert!(Instant::now() < deadline, "nothing moves after restart {round}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            server.kill();
            server.start_again().await;
        }
        stop.store(true, Ordering::SeqCst);
    };
    let ((), one, two, three, four) = tokio::join!(killing, lane(0), lane(1), lane(2), lane(3));
    let live = store.live().await.unwrap();
    for id in [one, two, three, four].concat() {
        let found = live.iter().find(|task| task.id == id).map(|task| task.version);
        assert_eq!(found, Some(3), "{id} was acknowledged");
    }
    is_sound(&server).await;
    store.close().await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_read_back_and_not_repeated() {
    let Some(server) = Private::start().await else {
        return;
    };
    let proxy = Proxy::before(server.port()).await;
    let store = opened(&Private::url_by(proxy.port), OpenMode::Migrate).await;
    let rounds = if nightly() { 170 } else { 8 };
    let mut expected = 0;
    for round in 0..rounds {
        for cut in [Cut::Before, Cut::After, Cut::Amid] {
            let task = task(&format!("t{round}-{}", cut as u8));
            proxy.arm(cut);
            let admitted = store.admit(&task, entry("read", &task), vec![]).await.unwrap();
            proxy.arm(cut);
            let claimed = store.commit(claim(&task), 1).await.unwrap();
            proxy.arm(Cut::Nothing);
            expected += 2;
            assert_eq!(proxy.cuts(), expected, "both commits were cut");
            let events = store.events(&task.id, 10).await.unwrap();
            assert_eq!(
                events.iter().map(|event| event.seq).collect::<Vec<_>>(),
                [admitted.seq, claimed.seq],
                "what was acknowledged is what is there ({cut:?})"
            );
        }
    }
    is_sound(&server).await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_in_time_and_taken_again() {
    let Some(server) = Private::start().await else {
        return;
    };
    drop(opened(&server.url(), OpenMode::Migrate).await);
    let proxy = Proxy::before(server.port()).await;
    let short = PostgresLimits {
        connect_timeout: Duration::from_millis(300),
        statement_timeout: Duration::from_millis(300),
        lock_timeout: Duration::from_millis(300),
        ..PostgresLimits::default()
    };
    let url = Private::url_by(proxy.port);
    let address = StoreAddress::Postgres(PostgresServer::new(url.as_str().into(), short));
    let store = store::open(&address, OpenMode::Existing).await.unwrap();
    let task = task("quiet");
    store.admit(&task, entry("read", &task), vec![]).await.unwrap();
    assert_eq!(store.live().await.unwrap().len(), 1);
    proxy.arm(Cut::Silence);
    let started = Instant::now();
    let words = store.live().await.unwrap_err().to_string();
    assert!(
        words.contains("not reachable") && !words.contains("pa55"),
        "{words}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    proxy.arm(Cut::Nothing);
    let deadline = Instant::now() + Duration::from_secs(20);
    while store.live().await.is_err() {
        assert!(Instant::now() < deadline, "it is not taken again");
    }
    insist(&*store, &claim(&task), 1).await;
    is_sound(&server).await;
}

#[tokio::test]
async fn commits_that_a_failed_over_server_has_lost_are_noticed_and_work_goes_on() {
    let Some(server) = Private::start().await else {
        return;
    };
    let store = opened(&server.url(), OpenMode::Migrate).await;
    let task = task("behind");
    store.admit(&task, entry("read", &task), vec![]).await.unwrap();
    // What a replica that was behind would have: an older count in the writer's row.
    sqlx::query("UPDATE writer SET commits = 0")
        .execute(&mut raw(&server).await)
        .await
        .unwrap();
    store.commit(claim(&task), 1).await.unwrap();
    sqlx::query("DELETE FROM writer")
        .execute(&mut raw(&server).await)
        .await
        .unwrap();
    insist(&*store, &finish(&claim(&task).task), 2).await;
    assert_eq!(store.live().await.unwrap()[0].version, 3);
    is_sound(&server).await;
}
