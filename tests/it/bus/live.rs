//! Live channels on both implementations: lossy, and never silently.

use std::time::Duration;

use orchestrator::bus::{Heard, Listener, Rules};

use super::server::Private;
use super::{PATIENCE, number, on_both, order, rules, until, until_away, until_up, up};

async fn next(listener: &mut Listener) -> Option<Heard> {
    tokio::time::timeout(PATIENCE, listener.next())
        .await
        .expect("nothing is heard")
}

fn said(heard: Option<Heard>) -> u32 {
    match heard {
        Some(Heard::Message(message)) => number(&message),
        other => panic!("no message: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_listens_hears_it_and_nobody_else() {
    on_both(rules(), async |bus| {
        bus.tell("events", &order(0)).await.unwrap();
        let (mut a, mut b) = (bus.listen("events").await, bus.listen("events").await);
        let mut elsewhere = bus.listen("other").await;
        bus.tell("events", &order(1)).await.unwrap();
        bus.tell("other", &order(2)).await.unwrap();
        bus.tell("events", &order(3)).await.unwrap();
        for listener in [&mut a, &mut b] {
            assert_eq!(said(next(listener).await), 1);
            assert_eq!(said(next(listener).await), 3);
        }
        assert_eq!(said(next(&mut elsewhere).await), 2);
        drop((a, b));
        // Longer than what the keeper needs to unsubscribe; then it is subscribed anew.
        tokio::time::sleep(Duration::from_millis(250)).await;
        let mut again = bus.listen("events").await;
        bus.tell("events", &order(4)).await.unwrap();
        assert_eq!(said(next(&mut again).await), 4);
        bus.close().await;
        while let Some(heard) = next(&mut again).await {
            assert_eq!(heard, Heard::Missed);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_behind_is_told_that_something_was_missed_and_holds_nobody_up() {
    let rules = Rules {
        listener_bound: 4,
        ..rules()
    };
    on_both(rules, async |bus| {
        let mut listener = bus.listen("events").await;
        for n in 0..50 {
            bus.tell("events", &order(n)).await.unwrap();
        }
        let mut heard = Vec::new();
        while heard.last() != Some(&Some(49)) {
            heard.push(match next(&mut listener).await.unwrap() {
                Heard::Message(message) => Some(number(&message)),
                Heard::Missed => None,
            });
        }
        assert!(heard.contains(&None) || heard.len() == 50, "{heard:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_hear_again_after_a_restart_and_that_they_missed_something() {
    let Some(mut server) = Private::start(&[]) else {
        return;
    };
    let bus = up(&server.url(), "live", rules()).await;
    let mut listener = bus.listen("events").await;
    server.kill();
    until_away(&bus).await;
    assert!(bus.tell("events", &order(1)).await.is_err());
    server.restart();
    until_up(&bus).await;
    assert_eq!(next(&mut listener).await, Some(Heard::Missed));
    bus.tell("events", &order(2)).await.unwrap();
    assert_eq!(said(next(&mut listener).await), 2);
    // One that began while the server was away.
    server.kill();
    until_away(&bus).await;
    let mut late = bus.listen("late").await;
    server.restart();
    until_up(&bus).await;
    until("heard", async || {
        bus.tell("late", &order(3)).await.ok()?;
        let heard = tokio::time::timeout(Duration::from_millis(200), late.next())
            .await
            .ok()?;
        matches!(heard, Some(Heard::Message(_))).then_some(())
    })
    .await;
}
