//! The main job on a PostgreSQL server: the same path, death without warning, and no second scheduler.

use std::fs;

use crate::postgres::{self, Database};
use crate::private_postgres::Private;

use super::world::{World, section};

const PATIENT: &str = "echo $$ > \"$home/pid.tmp\"; mv \"$home/pid.tmp\" \"$home/pid\"
    while [ ! -e \"$home/go\" ]; do sleep 0.05; done; date > done.txt";

/// An instance on a database of its own; none where there is no server.
struct Fleet {
    database: Database,
    runtime: tokio::runtime::Runtime,
}

impl Fleet {
    fn new() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let database = postgres::is_there().then(|| runtime.block_on(Database::create()))?;
        Some(Self { database, runtime })
    }

    fn world(&self) -> World {
        World::configured(
            "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n",
            &format!("[store]\nurl = \"{}\"\n", self.database.url()),
        )
    }

    /// Two columns of each row.
    fn query(&self, sql: &'static str) -> Vec<(String, String)> {
        self.runtime.block_on(async {
            let mut conn = self.database.raw().await;
            sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
        })
    }
}

#[test]
fn work_goes_its_whole_way_on_a_server() {
    let Some(fleet) = Fleet::new() else { return };
    let world = fleet.world();
    world.save_tasks(&[&section("one", ""), &section("two", "- **Depends On:** one\n")]);
    let _up = world.up();
    world.until_archived("one");
    world.until_archived("two");
    let rows = fleet.query("SELECT id, kind FROM task ORDER BY id");
    let expected = [("one", "completed"), ("two", "completed")];
    assert_eq!(rows, expected.map(|(id, kind)| (id.to_owned(), kind.to_owned())));
    let status = world.run(&["status", "--json"]);
    assert_eq!(status.code, 0, "{status:?}");
    let shown = world.run(&["config", "show"]);
    assert!(shown.out.contains(":[secret]@"), "{}", shown.out);
    let password = fleet.database.url().split([':', '@']).nth(2).unwrap();
    for said in [&shown.out, &status.out, &world.run(&["show", "one"]).out] {
        assert!(!said.contains(password), "{said}");
    }
}

#[test]
fn a_killed_service_is_followed_by_the_next_at_once_and_its_worker_goes_on() {
    let Some(fleet) = Fleet::new() else { return };
    let world = fleet.world();
    world.worker("long", PATIENT);
    world.save_tasks(&[&section("long", "")]);
    let mut up = world.up();
    let pid = world.until("the worker is at it", || {
        fs::read_to_string(world.root().join("pid")).ok()
    });
    up.kill();
    let _next = world.up();
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("long");
    assert_eq!(
        fs::read_to_string(world.root().join("pid")).unwrap(),
        pid,
        "started twice"
    );
    let attempts = fleet.query("SELECT task_id, epoch::text FROM attempt");
    assert_eq!(attempts, [("long".to_owned(), "1".to_owned())]);
}

#[test]
fn a_second_node_of_the_same_name_is_refused_and_let_in_when_the_first_has_gone() {
    let Some(fleet) = Fleet::new() else { return };
    let (first, second) = (fleet.world(), fleet.world());
    let mut up = first.up();
    let refused = second.run(&["up"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("is there already"), "{refused:?}");
    assert_eq!(second.run(&["tick"]).code, 4, "a fleet has no single passes");
    assert_eq!(up.end(), 0);
    let _next = second.up();
}

#[test]
fn a_service_outlives_the_death_of_its_server() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let Some(mut server) = runtime.block_on(Private::start()) else {
        return;
    };
    let world = World::configured(
        "max_concurrent = 4\nheartbeat_stale_after = \"1m\"\n",
        &format!("[store]\nurl = \"{}\"\n", server.url()),
    );
    world.worker("long", PATIENT);
    world.save_tasks(&[&section("long", ""), &section("next", "- **Depends On:** long\n")]);
    let mut up = world.up();
    let pid = world.until("the worker is at it", || {
        fs::read_to_string(world.root().join("pid")).ok()
    });
    server.kill();
    // Its worker ends while nobody can write that down.
    fs::write(world.root().join("go"), "").unwrap();
    world.until("it is said", || {
        world.log().contains("is not reachable").then_some(())
    });
    assert!(up.is_running() && !world.log().contains("pa55"));
    runtime.block_on(server.start_again());
    world.until_archived("next");
    assert!(up.is_running(), "the same service went on");
    assert_eq!(
        fs::read_to_string(world.root().join("pid")).unwrap(),
        pid,
        "started twice"
    );
}
