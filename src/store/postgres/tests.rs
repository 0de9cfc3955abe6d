//! How the server plans what is asked often: on an empty ledger, on a full one after ANALYZE, and when every task is leased.

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::{apply, migrate, sides, tasks};
use crate::store::postgres::server::Server;

/// A database of the test's own; none where `./test` names no server.
async fn database() -> Option<(String, PgConnection, PgConnection)> {
    let url = std::env::var("ORCHESTRATOR_TEST_DATABASE_URL").ok();
    let Some(url) = url.filter(|url| !url.is_empty()) else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "nothing may be skipped"
        );
        println!("skipped: ORCHESTRATOR_TEST_DATABASE_URL is not set");
        return None;
    };
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let mut outer = options.connect().await.unwrap();
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    run(&mut outer, &format!("CREATE DATABASE {name}")).await;
    let (place, _) = url.rsplit_once('/').unwrap();
    let address = crate::config::section::PostgresServer::new(
        format!("{place}/{name}").into(),
        crate::config::section::PostgresLimits::default(),
    );
    let server = Server::of(&address, false).unwrap();
    let mut conn = server.connect().await.unwrap();
    migrate::apply_on(&server, &mut conn).await.unwrap();
    Some((name, outer, conn))
}

async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .unwrap();
}

/// The plan that a prepared statement has once the server no longer looks at its parameters.
async fn plan(conn: &mut PgConnection, sql: &str, types: &str, parameters: &str) -> String {
    run(conn, "SET plan_cache_mode = force_generic_plan").await;
    run(conn, &format!("PREPARE hot ({types}) AS {sql}")).await;
    let explain = format!("EXPLAIN EXECUTE hot ({parameters})");
    let lines: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain))
        .persistent(false)
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    run(conn, "DEALLOCATE hot").await;
    lines.join("\n")
}

/// Tasks by the thousand: `done` of them completed long ago, the others in a state, with an open attempt where one works on them.
async fn fill(conn: &mut PgConnection, kind: &str, tasks: u32, leased: bool) {
    let state = format!(r#"{{"kind":"{kind}","since":"2026-02-02T02:40:00Z"}}"#);
    let ended = if leased { "NULL, NULL" } else { "1, 'done'" };
    // One transaction: an attempt opens with a step of its task.
    run(
        conn,
        &format!(
            "INSERT INTO definition SELECT 'k-{kind}-' || n, 'h', 1, '{{}}' FROM generate_series(1, {tasks}) AS n; \
             INSERT INTO task (id, version, epoch, seq, definition_hash, project, priority, created_at, updated_at, \
             body_version, state, history) SELECT 'k-{kind}-' || n, 1, 1, nextval('event_seq'), 'h', 'p', 1, n, n, 1, \
             '{state}', '{{}}' FROM generate_series(1, {tasks}) AS n; \
             INSERT INTO attempt (task_id, epoch, n, started_at, ended_at, outcome, opening) \
             SELECT id, 1, 1, 0, {ended}, '{{}}' FROM task WHERE kind = '{kind}'; ANALYZE"
        ),
    )
    .await;
}

/// The hot statements, with their parameters and the tables that they must never read as a whole.
async fn all_plans(conn: &mut PgConnection) -> Vec<(&'static str, String)> {
    let texts = "ARRAY['a','b']";
    let numbers = "ARRAY[1,2]::bigint[]";
    let close = format!("{texts}, {numbers}, {numbers}, {texts}, {texts}, {texts}");
    let close_types = "text[], bigint[], bigint[], text[], text[], text[]";
    let beat = format!("{texts}, {numbers}, {numbers}, {numbers}, {texts}");
    let beat_types = "text[], bigint[], bigint[], bigint[], text[]";
    let moved = format!(
        "{texts}, {numbers}, {numbers}, {numbers}, {numbers}, {texts}, {texts}, {numbers}, {numbers}, {texts}, 1"
    );
    let move_types =
        "text[], bigint[], bigint[], bigint[], bigint[], text[], text[], bigint[], bigint[], text[], bigint";
    let mut plans = Vec::new();
    for (name, sql, types, parameters) in [
        ("heads", apply::HEADS, "text[]", texts),
        ("move", apply::MOVE, move_types, moved.as_str()),
        ("close", apply::CLOSE, close_types, close.as_str()),
        ("beat", sides::BEAT, beat_types, beat.as_str()),
        ("changed", tasks::CHANGED, "bigint", "99999999999"),
    ] {
        plans.push((name, plan(conn, sql, types, parameters).await));
    }
    plans
}

fn reads_no_table_whole(when: &str, plans: Vec<(&'static str, String)>) {
    for (name, plan) in plans {
        for table in ["task", "attempt"] {
            assert!(
                !plan.contains(&format!("Seq Scan on {table} ")),
                "{name}, {when}:\n{plan}"
            );
        }
        // The trap: for each change of a batch, all entries of the index of what is live.
        assert!(!plan.contains("task_live"), "{name}, {when}:\n{plan}");
    }
}

#[tokio::test]
async fn what_is_asked_often_reads_no_table_as_a_whole() {
    let Some((name, mut outer, mut conn)) = database().await else {
        return;
    };
    // An empty table is cheaper read as a whole; what is asked of it first must still be right a moment later.
    run(&mut conn, "SET enable_seqscan = off").await;
    reads_no_table_whole("empty", all_plans(&mut conn).await);
    run(&mut conn, "SET enable_seqscan = on").await;
    fill(&mut conn, "ready", 20_000, false).await;
    reads_no_table_whole("a full backlog", all_plans(&mut conn).await);
    fill(&mut conn, "running", 20_000, true).await;
    run(&mut conn, "UPDATE attempt SET reason = '' WHERE false").await;
    reads_no_table_whole("as many leased", all_plans(&mut conn).await);
    conn.close().await.unwrap();
    run(&mut outer, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
}
