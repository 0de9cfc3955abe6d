//! The schema's history on a PostgreSQL server: planned, applied, edited by hand, adopted.

use orchestrator::store::migrate;
use orchestrator::store::{self, OpenMode, StoreError};
use rstest::rstest;

use crate::postgres::{Database, is_there};
use crate::store_postgres::{fresh, run};
use crate::store_tasks::*;

#[tokio::test]
async fn a_plan_becomes_an_applied_history_and_two_may_make_it_at_once() {
    if !is_there() {
        return;
    }
    let database = Database::create().await;
    let address = database.address();
    let plan = migrate::plan(&address).await.unwrap();
    assert!(!plan.is_empty() && plan.iter().all(|step| !step.applied));
    assert!(matches!(
        migrate::check(&address).await,
        Err(StoreError::OlderSchema { found: 0, .. })
    ));
    let looked = store::open(&address, OpenMode::Existing).await;
    assert!(
        matches!(looked, Err(StoreError::OlderSchema { .. })),
        "{looked:?}"
    );
    let (one, two) = tokio::join!(
        store::open(&address, OpenMode::Migrate),
        store::open(&address, OpenMode::Beside)
    );
    let task = task("both");
    one.unwrap()
        .admit(&task, entry("read", &task), vec![])
        .await
        .unwrap();
    assert_eq!(two.unwrap().live().await.unwrap(), vec![task]);
    assert_eq!(migrate::apply(&address).await.unwrap(), vec![]);
    migrate::check(&address).await.unwrap();
}

#[rstest]
#[case::edited(
    "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1",
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
#[case::newer(
    "UPDATE flag SET value = '\"9.8.7\"' WHERE name = 'schema_written_by'; INSERT INTO _sqlx_migrations \
     SELECT 9999, 'future', now(), true, checksum, 0 FROM _sqlx_migrations LIMIT 1",
    "schema 9999, written by orchestrator 9.8.7"
)]
#[tokio::test]
async fn an_edited_history_is_found(#[case] sql: &str, #[case] expected: &str) {
    if !is_there() {
        return;
    }
    let fresh = fresh().await;
    fresh.store.close().await;
    run(&mut fresh.database().raw().await, sql).await.unwrap();
    for mode in [OpenMode::Migrate, OpenMode::Existing, OpenMode::ReadOnly] {
        let words = store::open(&fresh.address, mode).await.unwrap_err().to_string();
        assert!(words.contains(expected), "{words}");
    }
    for words in [
        migrate::plan(&fresh.address).await.unwrap_err(),
        migrate::apply(&fresh.address).await.unwrap_err(),
        migrate::check(&fresh.address).await.unwrap_err(),
    ] {
        assert!(words.to_string().contains(expected), "{words}");
    }
}

/// The schema as it was at an earlier number.
const EARLY: [&str; 3] = [
    include_str!("../../migrations/postgres/0001_ledger.sql"),
    include_str!("../../migrations/postgres/0002_receipts.sql"),
    include_str!("../../migrations/postgres/0003_persons_word.sql"),
];

#[tokio::test]
async fn a_schema_without_its_history_is_adopted_when_it_is_the_right_one_and_at_its_own_number() {
    if !is_there() {
        return;
    }
    let fresh = fresh().await;
    fresh.admitted("kept").await;
    let mut conn = fresh.database().raw().await;
    let again = migrate::baseline(&fresh.address).await.unwrap_err();
    assert!(again.to_string().contains("it has a history"), "{again}");
    let newest = migrate::plan(&fresh.address).await.unwrap().len();

    run(&mut conn, "DROP TABLE _sqlx_migrations").await.unwrap();
    for orphaned in [
        migrate::check(&fresh.address).await.unwrap_err(),
        migrate::plan(&fresh.address).await.unwrap_err(),
        migrate::apply(&fresh.address).await.unwrap_err(),
    ] {
        assert!(orphaned.to_string().contains("migrate --baseline"), "{orphaned}");
    }
    run(&mut conn, "ALTER TABLE task ADD COLUMN mood text")
        .await
        .unwrap();
    let words = migrate::baseline(&fresh.address).await.unwrap_err().to_string();
    assert!(words.contains("not known: column task.mood text"), "{words}");
    run(
        &mut conn,
        "ALTER TABLE task DROP COLUMN mood; DROP TRIGGER receipt_is_final ON receipt",
    )
    .await
    .unwrap();
    let words = migrate::baseline(&fresh.address).await.unwrap_err().to_string();
    assert!(words.contains("missing: trigger receipt"), "{words}");
    run(
        &mut conn,
        "CREATE TRIGGER receipt_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON receipt \
         FOR EACH STATEMENT EXECUTE FUNCTION refuse('a receipt is never changed or deleted')",
    )
    .await
    .unwrap();
    let adopted = migrate::baseline(&fresh.address).await.unwrap();
    assert!(adopted.len() == newest && adopted.iter().all(|step| step.applied));
    migrate::check(&fresh.address).await.unwrap();
    let scratch: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname = 'orchestrator_baseline'")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(scratch, 0, "nothing of the comparison stays");

    // One that stands at an earlier number is adopted there, and goes on from it.
    let early = Database::create().await;
    let mut conn = early.raw().await;
    for sql in EARLY {
        run(&mut conn, sql).await.unwrap();
    }
    let adopted = migrate::baseline(&early.address()).await.unwrap();
    assert_eq!(adopted.iter().filter(|step| step.applied).count(), EARLY.len());
    migrate::apply(&early.address()).await.unwrap();
    let store = store::open(&early.address(), OpenMode::Existing).await.unwrap();
    assert!(store.live().await.unwrap().is_empty());
}
