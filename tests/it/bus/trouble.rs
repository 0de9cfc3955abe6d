//! What a server does to its users: killed, restarted, emptied, full, frozen, half open, a replica, loading.

use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator::bus::{Address, Bus, BusError, Checkup, Entry, Journal, Rules, Seat, Settled, Standing};

use super::server::{Private, Proxy};
use super::{at, number, order, rules, until, until_away, until_up, up};

const NOW: Duration = Duration::ZERO;

fn seat(consumer: &str) -> Seat {
    Seat::new("dispatch", "workers", consumer)
}

/// A call while the server is away fails, and at once.
async fn fails_fast(bus: &Arc<dyn Bus>) -> String {
    let began = Instant::now();
    let error = bus.publish("dispatch", &order(0)).await.unwrap_err();
    assert!(
        began.elapsed() < Duration::from_millis(100),
        "{:?}",
        began.elapsed()
    );
    assert!(matches!(error, BusError::Away { .. }), "{error}");
    let waits = bus.take(&seat("a"), 1, Duration::from_secs(60)).await;
    assert!(matches!(waits, Err(BusError::Away { .. })), "{waits:?}");
    assert!(
        began.elapsed() < Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_said_at_once_and_found_once_it_is() {
    let Some(mut server) = Private::start(&[]) else {
        return;
    };
    server.kill();
    let bus = at(&server.url(), "t", rules());
    let said = until("the first attempt", async || {
        let said = fails_fast(&bus).await;
        said.contains("refused").then_some(said)
    })
    .await;
    assert!(said.contains(&server.port().to_string()), "{said}");
    server.restart();
    until_up(&bus).await;
    bus.publish("dispatch", &order(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_restarted_with_its_log_nothing_acknowledged_comes_back_and_nothing_else_is_lost() {
    let Some(mut server) = Private::start(&["--appendonly", "yes", "--appendfsync", "always"]) else {
        return;
    };
    let bus = up(&server.url(), "t", rules()).await;
    for n in 0..4 {
        bus.publish("dispatch", &order(n)).await.unwrap();
    }
    let taken = bus.take(&seat("a"), 3, NOW).await.unwrap();
    assert_eq!(bus.ack(&taken.held[0]).await.unwrap(), Settled::Done);
    let journal = Journal::new("output", &["store"]);
    let end = bus
        .append(&journal, &[order(10), order(11), order(12)])
        .await
        .unwrap();
    let read = bus.read(&journal, None, 1, NOW).await.unwrap();
    bus.committed(&journal, "store", read[0].id).await.unwrap();
    // One is waiting when it happens.
    let waiting = Seat::new("empty", "workers", "w");
    let (waited, ()) = tokio::join!(bus.take(&waiting, 1, Duration::from_secs(60)), async {
        server.until_somebody_waits().await;
        server.kill();
    });
    assert!(matches!(waited, Err(BusError::Away { .. })), "{waited:?}");
    let why = until_away(&bus).await;
    assert!(!why.is_empty());
    fails_fast(&bus).await;
    server.restart();
    until_up(&bus).await;
    assert_eq!(
        bus.ack(&taken.held[1]).await.unwrap(),
        Settled::Done,
        "still held after the restart"
    );
    let stands = bus.committed_by(&journal, "store").await.unwrap();
    assert_eq!(stands, Some(read[0].id));
    let read = bus.read(&journal, stands, 9, NOW).await.unwrap();
    assert_eq!(
        read.iter().map(|e| number(&e.message)).collect::<Vec<_>>(),
        [11, 12]
    );
    assert_eq!(read[1].id, end);
    let mut left = Vec::new();
    until("the rest", async || {
        let taken = bus.take(&seat("b"), 9, Duration::from_millis(100)).await.unwrap();
        for held in &taken.held {
            assert_eq!(bus.ack(held).await.unwrap(), Settled::Done);
            left.push(number(&held.message));
        }
        left.sort();
        (left == [2, 3]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_groups_are_made_anew_and_journals_begin_again() {
    let Some(server) = Private::start(&[]) else {
        return;
    };
    let bus = up(&server.url(), "t", rules()).await;
    let journal = Journal::new("output", &["store"]);
    bus.publish("dispatch", &order(1)).await.unwrap();
    let lost = bus.take(&seat("a"), 1, NOW).await.unwrap().held.remove(0);
    let end = bus.append(&journal, &[order(1)]).await.unwrap();
    server.say(&["FLUSHALL"]).await;
    assert_eq!(bus.ack(&lost).await.unwrap(), Settled::NotHeld);
    assert_eq!(bus.nack(&lost, "x").await.unwrap(), Settled::NotHeld);
    assert_eq!(bus.park(&lost, "x").await.unwrap(), Settled::NotHeld);
    bus.leave(&seat("a")).await.unwrap();
    bus.publish("dispatch", &order(2)).await.unwrap();
    let taken = bus.take(&seat("a"), 9, NOW).await.unwrap();
    assert_eq!(
        number(&taken.held[0].message),
        2,
        "what came after it, before the group was there"
    );
    // While somebody waits.
    let waiting = seat("b");
    let (waited, ()) = tokio::join!(bus.take(&waiting, 1, Duration::from_secs(20)), async {
        server.until_somebody_waits().await;
        server.say(&["FLUSHALL"]).await;
        bus.publish("dispatch", &order(3)).await.unwrap();
    });
    assert_eq!(number(&waited.unwrap().held[0].message), 3);
    // A clock that went back with the restart gives lower places than the reader's own.
    server
        .say(&[
            "XADD",
            "{t}:journal:output",
            "5-0",
            "k",
            "order",
            "v",
            "2",
            "b",
            "{\"number\":7}",
        ])
        .await;
    let read = bus.read(&journal, Some(end), 9, NOW).await.unwrap();
    assert_eq!(
        read.iter()
            .map(|e: &Entry| number(&e.message))
            .collect::<Vec<_>>(),
        [7]
    );
    assert!(bus.standing().borrow().is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_so_still_takes_acknowledgements_and_loses_nothing() {
    let Some(server) = Private::start(&["--maxmemory-policy", "noeviction"]) else {
        return;
    };
    let bus = up(&server.url(), "t", rules()).await;
    for n in 0..3 {
        bus.publish("dispatch", &order(n)).await.unwrap();
    }
    let taken = bus.take(&seat("a"), 3, NOW).await.unwrap();
    server.say(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let full = bus.publish("dispatch", &order(9)).await.unwrap_err();
    assert!(matches!(full, BusError::Full { .. }), "{full}");
    assert!(full.to_string().contains("maxmemory"), "{full}");
    assert!(!full.to_string().contains("script"), "{full}");
    assert_eq!(bus.ack(&taken.held[0]).await.unwrap(), Settled::Done);
    assert!(matches!(
        bus.nack(&taken.held[1], "x").await,
        Err(BusError::Full { .. })
    ));
    assert!(matches!(
        bus.park(&taken.held[2], "x").await,
        Err(BusError::Full { .. })
    ));
    // Over some probes.
    let mut standing = bus.standing();
    let some_probes = Duration::from_millis(300);
    let away = tokio::time::timeout(some_probes, standing.wait_for(|s| !s.is_up())).await;
    assert!(away.is_err(), "{bus:?}");
    server.say(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let mut back = Vec::new();
    until("both", async || {
        let taken = bus.take(&seat("b"), 9, Duration::from_millis(100)).await.unwrap();
        for held in &taken.held {
            assert_eq!(bus.ack(held).await.unwrap(), Settled::Done);
            back.push(number(&held.message));
        }
        (back == [1, 2]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_away_within_its_time_and_found_again() {
    let Some(server) = Private::start(&[]) else {
        return;
    };
    let bus = up(&server.url(), "t", rules()).await;
    server.freeze();
    let began = Instant::now();
    let error = bus.publish("dispatch", &order(1)).await.unwrap_err();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(error.to_string().contains("does not answer"), "{error}");
    fails_fast(&bus).await;
    let since = |standing: &Standing| match standing {
        Standing::Away { since, .. } => *since,
        Standing::Up { .. } => panic!("up"),
    };
    let mut standing = bus.standing();
    let first = since(&standing.borrow_and_update());
    // The attempts to connect do not answer either; since when it is away stays.
    let other = tokio::time::timeout(
        Duration::from_millis(1300),
        standing.wait_for(|s| s.is_up() || since(s) != first),
    );
    assert!(other.await.is_err(), "{bus:?}");
    server.thaw();
    until_up(&bus).await;
    bus.publish("dispatch", &order(2)).await.unwrap();
    let taken = bus.take(&seat("a"), 9, NOW).await.unwrap();
    // Whether the first arrived nobody could know; none is doubled.
    let numbers: Vec<u32> = taken.held.iter().map(|held| number(&held.message)).collect();
    assert!(numbers == [2] || numbers == [1, 2], "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_swallows_everything_is_replaced() {
    let Some(server) = Private::start(&[]) else {
        return;
    };
    let proxy = Proxy::before(server.port()).await;
    let bus = up(&format!("redis://127.0.0.1:{}", proxy.port), "t", rules()).await;
    bus.publish("dispatch", &order(1)).await.unwrap();
    proxy.swallow(true);
    // Nobody asks: the probe finds it.
    let why = until_away(&bus).await;
    assert!(why.contains("does not answer"), "{why}");
    fails_fast(&bus).await;
    proxy.swallow(false);
    until_up(&bus).await;
    let taken = bus.take(&seat("a"), 1, NOW).await.unwrap();
    assert_eq!(number(&taken.held[0].message), 1);
    // While somebody waits at the server.
    let waiting = Seat::new("empty", "workers", "w");
    let began = Instant::now();
    let (waited, ()) = tokio::join!(bus.take(&waiting, 1, Duration::from_secs(60)), async {
        server.until_somebody_waits().await;
        proxy.swallow(true);
    });
    assert!(matches!(waited, Err(BusError::Away { .. })), "{waited:?}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_without_an_answer_may_have_happened_and_is_seen_once() {
    let Some(server) = Private::start(&[]) else {
        return;
    };
    let proxy = Proxy::before(server.port()).await;
    let bus = up(&format!("redis://127.0.0.1:{}", proxy.port), "t", rules()).await;
    // Once with answers: a server that does not know a script yet does nothing at the first word of it.
    bus.publish("dispatch", &order(0)).await.unwrap();
    let known = bus.take(&seat("a"), 1, NOW).await.unwrap();
    assert_eq!(bus.ack(&known.held[0]).await.unwrap(), Settled::Done);
    proxy.swallow_answers(true);
    let error = bus.publish("dispatch", &order(1)).await.unwrap_err();
    assert!(matches!(error, BusError::Away { .. }), "{error}");
    proxy.swallow_answers(false);
    until_up(&bus).await;
    let taken = bus.take(&seat("a"), 9, NOW).await.unwrap();
    assert_eq!(taken.held.len(), 1, "it arrived, and was not sent again");
    // An acknowledgement that took effect, though nobody was told.
    proxy.swallow_answers(true);
    assert!(bus.ack(&taken.held[0]).await.is_err());
    proxy.swallow_answers(false);
    until_up(&bus).await;
    assert_eq!(bus.ack(&taken.held[0]).await.unwrap(), Settled::NotHeld);
    // What was handed out on a way that swallowed it is claimed after its time.
    bus.publish("dispatch", &order(2)).await.unwrap();
    proxy.swallow_answers(true);
    assert!(bus.take(&seat("a"), 9, NOW).await.is_err());
    proxy.swallow_answers(false);
    until_up(&bus).await;
    let taken = bus.take(&seat("b"), 9, Duration::from_secs(20)).await.unwrap();
    let found = &taken.held[0];
    assert_eq!((number(&found.message), found.deliveries), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_of_no_use_until_it_is_the_primary() {
    let (Some(primary), Some(server)) = (Private::start(&[]), Private::start(&[])) else {
        return;
    };
    let bus = up(&server.url(), "t", rules()).await;
    let port = primary.port().to_string();
    server.say(&["REPLICAOF", "127.0.0.1", &port]).await;
    // Nobody asks: the probe writes.
    let why = until_away(&bus).await;
    assert!(
        why.contains("READONLY") || why.contains("MASTERDOWN") || why.contains("read only"),
        "{why}"
    );
    server.say(&["REPLICAOF", "NO", "ONE"]).await;
    until_up(&bus).await;
    bus.publish("dispatch", &order(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_loading_is_waited_for() {
    let Some(mut server) = Private::start(&[
        "--appendonly",
        "yes",
        "--key-load-delay",
        "1000",
        "--loading-process-events-interval-bytes",
        "1024",
    ]) else {
        return;
    };
    for chunk in 0..20 {
        let words: Vec<String> = (0..100)
            .flat_map(|n| [format!("k{chunk}-{n}"), "v".to_owned()])
            .collect();
        let mut command = vec!["MSET"];
        command.extend(words.iter().map(String::as_str));
        server.say(&command).await;
    }
    server.say(&["BGREWRITEAOF"]).await;
    until("rewritten", async || {
        let info = format!("{:?}", server.say(&["INFO", "persistence"]).await);
        let done = info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0");
        done.then_some(())
    })
    .await;
    let bus = up(&server.url(), "t", rules()).await;
    server.kill();
    until_away(&bus).await;
    server.restart();
    let mut standing = bus.standing();
    let loading = |s: &Standing| matches!(s, Standing::Away { why, .. } if why.contains("load")) || s.is_up();
    let seen = tokio::time::timeout(super::PATIENCE, standing.wait_for(loading))
        .await
        .unwrap()
        .unwrap();
    assert!(!seen.is_up(), "the server was up before anybody saw it load");
    drop(seen);
    until_up(&bus).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_to_a_server_without_it_is_away_and_nothing_worse() {
    let Some(server) = Private::start(&[]) else {
        return;
    };
    let bus = at(&format!("rediss://127.0.0.1:{}", server.port()), "t", rules());
    until("refused", async || {
        let said = bus.publish("dispatch", &order(1)).await.unwrap_err().to_string();
        (said.contains("(TLS)") && !said.contains("not reached yet")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_foreign_hand_wrote_is_parked_and_a_foreign_type_refused() {
    let Some(server) = Private::start(&[]) else {
        return;
    };
    let bus = up(&server.url(), "t", rules()).await;
    server
        .say(&["XADD", "{t}:stream:dispatch", "*", "odd", "thing"])
        .await;
    let taken = bus.take(&seat("a"), 1, NOW).await.unwrap();
    assert!(taken.held[0].message.open::<super::Order>().is_err());
    assert_eq!(bus.park(&taken.held[0], "odd").await.unwrap(), Settled::Parked);
    server.say(&["SET", "{t}:stream:other", "text"]).await;
    let error = bus.publish("other", &order(1)).await.unwrap_err();
    assert!(matches!(error, BusError::Refused { .. }), "{error}");
    let error = bus.take(&Seat::new("other", "g", "c"), 1, NOW).await.unwrap_err();
    assert!(matches!(error, BusError::Refused { .. }), "{error}");
    assert!(bus.standing().borrow().is_up());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_leaves_no_trace_at_the_server() {
    let Some(server) = Private::start(&[]) else {
        return;
    };
    let bus = up(&server.url(), "t", rules()).await;
    let other = Seat::new("dispatch", "auditors", "z");
    for consumers in [&[seat("a")][..], &[seat("a"), other]] {
        for n in 0..50 {
            bus.publish("dispatch", &order(n)).await.unwrap();
        }
        for seat in consumers {
            let taken = bus.take(seat, 99, NOW).await.unwrap();
            for held in &taken.held {
                assert_eq!(bus.ack(held).await.unwrap(), Settled::Done);
            }
        }
        let left = server.say(&["XLEN", "{t}:stream:dispatch"]).await;
        assert_eq!(left, redis::Value::Int(0), "with {} groups", consumers.len());
    }
    // A consumer that died is forgotten with the last message that it had.
    bus.publish("dispatch", &order(1)).await.unwrap();
    bus.take(&seat("dead"), 1, NOW).await.unwrap();
    let claimed = bus.take(&seat("a"), 1, Duration::from_secs(20)).await.unwrap();
    assert_eq!(bus.ack(&claimed.held[0]).await.unwrap(), Settled::Done);
    let consumers = format!(
        "{:?}",
        server
            .say(&["XINFO", "CONSUMERS", "{t}:stream:dispatch", "workers"])
            .await
    );
    assert!(!consumers.contains("dead"), "{consumers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkup_tells_what_would_lose_messages() {
    let options = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let Some(mut server) = Private::start(&options) else {
        return;
    };
    let address = Address::parse(&server.url());
    let found = Checkup::of(&address, Rules::default().patience).await.unwrap();
    assert!(
        found.remarks.iter().any(|(what, _)| what.contains("allkeys-lru")),
        "{found:?}"
    );
    assert!(found.version.contains('.'), "{found:?}");
    server.kill();
    let error = Checkup::of(&address, Rules::default().patience)
        .await
        .unwrap_err();
    assert!(matches!(error, BusError::Away { .. }), "{error}");
}
