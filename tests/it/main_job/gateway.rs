//! The role that only answers, and what every service answers by HTTP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use super::fleet::{Fleet, leader, nodes};
use super::world::{World, section};
use crate::private_postgres::Private;

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The status and the body of an answer; none where nobody answers.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

fn figure(page: &str, name: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

fn assert_figures(page: &str) {
    for (name, value) in [
        ("orchestrator_store_up", 1.0),
        ("orchestrator_slots_used", 1.0),
        ("orchestrator_slots", 2.0),
        ("orchestrator_nodes{state=\"there\"}", 2.0),
        ("orchestrator_leads", 0.0),
        ("orchestrator_lease_held", 1.0),
    ] {
        assert_eq!(figure(page, &format!("{name} ")), Some(value), "{name}: {page}");
    }
    assert!(
        figure(page, "orchestrator_lease_age_seconds ").unwrap() < 3.0,
        "{page}"
    );
    assert!(
        figure(page, "orchestrator_commits_total ").unwrap() >= 4.0,
        "{page}"
    );
    assert!(page.contains("role=\"gateway\""), "{page}");
}

#[test]
fn a_gateway_never_leads_nor_works_and_answers() {
    let Some(fleet) = Fleet::new() else { return };
    let port = free_port();
    let g = fleet.node(
        "g",
        &format!("role = \"gateway\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n"),
    );
    let (a, b) = (fleet.node("a", ""), fleet.node("b", ""));
    fleet.patient(&a, "a", "t");
    fleet.patient(&b, "b", "t");
    fleet.patient(&g, "g", "t");
    let _g = g.up();
    let alone = nodes(&g);
    assert_eq!(
        (alone.len(), &alone[0]["role"], &alone[0]["slots"]),
        (1, &"gateway".into(), &0.into())
    );
    assert_eq!(leader(&g), None);
    let (status, ready) = g.until("it is ready", || {
        get(port, "/readyz").filter(|(status, _)| *status == 200)
    });
    assert_eq!((status, ready.as_str()), (200, r#"{"status":"ok"}"#));
    assert_eq!(get(port, "/healthz").unwrap().0, 200);
    assert_eq!(get(port, "/").unwrap().0, 404);
    let mut up = a.up();
    a.save_tasks(&[&section("t", "")]);
    assert_eq!(fleet.until_at_it(&a, "t", 1), "a");
    let page = g.until("it tells of the task", || {
        let (_, page) = get(port, "/metrics")?;
        // The list of nodes is read less often than the tasks.
        let knows_the_node = figure(&page, "orchestrator_slots ").is_some_and(|slots| slots > 0.0);
        let runs = figure(&page, "orchestrator_tasks{state=\"running\"}") == Some(1.0);
        (runs && knows_the_node).then_some(page)
    });
    assert_figures(&page);
    assert_eq!(g.task("t")["state"], "in-progress");
    // Whoever could lead dies: nobody leads, until somebody comes who may.
    up.kill();
    g.until("nobody leads", || {
        let all = nodes(&g);
        let lost = all.iter().any(|node| node["state"] == "lost");
        (lost && all.iter().all(|node| node["leads"] == false)).then_some(())
    });
    assert_eq!(get(port, "/readyz").unwrap().0, 200);
    let _b = b.up();
    assert_eq!(fleet.until_at_it(&g, "t", 2), "b");
    assert_eq!(leader(&g).as_deref(), Some("b"));
    std::fs::write(fleet.go(), "").unwrap();
    g.until_state("t", "completed");
    fleet.assert_no_overlap();
}

#[test]
fn a_service_is_not_ready_without_its_database_and_says_why() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let Some(mut server) = runtime.block_on(Private::start()) else {
        return;
    };
    let port = free_port();
    let world = World::configured(
        "max_concurrent = 4\n",
        &format!(
            "[store]\nurl = \"{}\"\n[fleet]\nlease = \"3s\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n",
            server.url()
        ),
    );
    let _up = world.up();
    world.until("it is ready", || {
        get(port, "/readyz").filter(|(status, _)| *status == 200)
    });
    server.kill();
    let (_, problem) = world.until("it is not", || {
        let (status, body) = get(port, "/readyz")?;
        (status == 503 && body.contains("lease")).then_some((status, body))
    });
    let problem: Value = serde_json::from_str(&problem).unwrap();
    assert_eq!(
        problem["failed"],
        serde_json::json!(["store", "lease"]),
        "{problem}"
    );
    assert!(!problem.to_string().contains("pa55"), "{problem}");
    let (status, page) = get(port, "/metrics").unwrap();
    assert_eq!(
        (status, figure(&page, "orchestrator_store_up ")),
        (200, Some(0.0)),
        "{page}"
    );
    assert_eq!(figure(&page, "orchestrator_lease_held "), Some(0.0));
    assert_eq!(get(port, "/healthz").unwrap().0, 200, "a restart would not help");
    runtime.block_on(server.start_again());
    world.until("it is ready again", || {
        get(port, "/readyz").filter(|(status, _)| *status == 200)
    });
}

#[test]
fn one_machine_answers_too_and_an_address_that_was_chosen_must_be_free() {
    let port = free_port();
    let listen =
        |at: &str| World::configured("max_concurrent = 4\n", &format!("[server]\nlisten = \"{at}\"\n"));
    let world = listen(&format!("127.0.0.1:{port}"));
    world.save_tasks(&[&section("t", "")]);
    let mut up = world.up();
    world.until_archived("t");
    world.until("it is ready", || {
        get(port, "/readyz").filter(|(status, _)| *status == 200)
    });
    let (_, page) = get(port, "/metrics").unwrap();
    assert!(
        figure(&page, "orchestrator_commits_total ").unwrap() >= 5.0,
        "{page}"
    );
    assert!(
        !page.contains("orchestrator_nodes") && !page.contains("orchestrator_bus"),
        "{page}"
    );
    let other = listen(&format!("127.0.0.1:{port}"));
    let refused = other.run(&["up"]);
    assert!(
        refused.code == 1 && refused.err.contains("server.listen"),
        "{refused:?}"
    );
    assert_eq!(up.end(), 0);
    assert_eq!(get(port, "/healthz"), None);
    let off = listen("");
    let _up = off.up();
    assert!(!off.log().contains("HTTP"), "{}", off.log());
}
