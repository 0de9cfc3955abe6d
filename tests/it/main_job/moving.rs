//! Moving house: what an embedded store holds goes on on a server, whole or not at all.

use crate::postgres::{self, Database};

use super::world::{World, section};

fn database() -> Option<(Database, tokio::runtime::Runtime)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = postgres::is_there().then(|| runtime.block_on(Database::create()))?;
    Some((database, runtime))
}

const SCHEDULER: &str = "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n";

#[test]
fn a_store_moves_to_a_server_and_its_work_goes_on_there() {
    let Some((database, runtime)) = database() else {
        return;
    };
    let world = World::configured(SCHEDULER, "");
    world.worker("red", "exit 1");
    world.save_tasks(&[
        &section("done", ""),
        &section("red", ""),
        &section("waits", "- **Depends On:** red\n"),
    ]);
    world.done(&["tick", "--wait"]);
    let before = world.done(&["status", "--json", "--all"]).json();
    let file = std::fs::read(world.root().join(".orchestrator/orchestrator.db")).unwrap();
    let moving = ["migrate", "--from", "sqlite", "--to", database.url()];
    let moved = world.done(&moving);
    assert!(moved.out.contains("everything is in postgres://"), "{moved:?}");
    let password = database.url().split([':', '@']).nth(2).unwrap();
    assert!(!moved.out.contains(password), "{moved:?}");
    let after = std::fs::read(world.root().join(".orchestrator/orchestrator.db")).unwrap();
    assert!(file == after, "the old store is as it was");
    let again = world.run(&moving);
    assert_eq!(again.code, 4, "{again:?}");
    assert!(again.err.contains("is not empty"), "{again:?}");

    let config = world.root().join("orchestrator.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        format!("{text}\n[store]\nurl = \"{}\"\n", database.url()),
    )
    .unwrap();
    let on_server = world.done(&["status", "--json", "--all"]).json();
    assert_eq!(on_server["tasks"], before["tasks"]);
    let count = "SELECT count(*) FROM event_log";
    let count = || -> i64 {
        runtime.block_on(async {
            let mut conn = database.raw().await;
            sqlx::query_scalar(count).fetch_one(&mut conn).await.unwrap()
        })
    };
    let events = count();
    world.worker("red", "date > done.txt");
    world.done(&["retry", "red"]);
    let _up = world.up();
    world.until_archived("waits");
    assert!(count() > events, "it goes on on the server");
}

#[test]
fn a_house_is_not_moved_under_a_service_or_in_another_direction() {
    let Some((database, _)) = database() else { return };
    let world = World::configured(SCHEDULER, "");
    world.save_tasks(&[]);
    let _up = world.up();
    let refused = world.run(&["migrate", "--from", "sqlite", "--to", database.url()]);
    assert_eq!(refused.code, 4, "{refused:?}");
    let back = world.run(&["migrate", "--from", database.url(), "--to", "sqlite"]);
    assert_eq!(back.code, 2, "{back:?}");
    let password = database.url().split([':', '@']).nth(2).unwrap();
    assert!(!back.err.contains(password), "{back:?}");
}

#[test]
fn a_look_before_an_upgrade_tells_what_would_run_and_changes_nothing() {
    let Some((database, runtime)) = database() else {
        return;
    };
    let world = World::configured(SCHEDULER, &format!("[store]\nurl = \"{}\"\n", database.url()));
    let look = world.run(&["migrate", "--check"]);
    assert!(
        look.code == 1 && look.out.contains("ledger") && look.out.contains("to be done"),
        "{look:?}"
    );
    let steps = world.run(&["migrate", "--check", "--json"]).json();
    assert!(
        steps["steps"]
            .as_array()
            .unwrap()
            .iter()
            .all(|step| step["standing"] == "pending"),
        "{steps}"
    );
    let there: bool = runtime.block_on(async {
        let mut conn = database.raw().await;
        sqlx::query_scalar("SELECT to_regclass('task') IS NOT NULL")
            .fetch_one(&mut conn)
            .await
            .unwrap()
    });
    assert!(!there, "nothing was made");
    let ran = world.done(&["migrate"]);
    assert!(
        ran.out.contains("done") && !ran.out.contains("to be done"),
        "{ran:?}"
    );
    assert_eq!(world.run(&["migrate", "--check"]).code, 0);
}
