//! Who may do what at the server: a user of few rights is enough, and a password is never shown.

use std::time::Duration;

use orchestrator::bus::{Address, Checkup, Journal, Seat, Settled};

use super::server::Private;
use super::{at, order, rules, until, up};

const NOW: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_few_rights_is_enough() {
    let Some(server) = Private::start(&[]) else {
        return;
    };
    let rights = ["~{t}:*", "&{t}:*", "+@all", "-@admin", "-@dangerous"];
    let user = [&["ACL", "SETUSER", "fleet", "on", ">s3cret"][..], &rights].concat();
    server.say(&user).await;
    let url = format!("redis://fleet:s3cret@127.0.0.1:{}", server.port());
    let bus = up(&url, "t", rules()).await;
    let seat = Seat::new("dispatch", "workers", "a");
    let mut listener = bus.listen("events").await;
    bus.tell("events", &order(1)).await.unwrap();
    assert!(listener.next().await.is_some());
    bus.publish("dispatch", &order(1)).await.unwrap();
    let held = bus.take(&seat, 1, NOW).await.unwrap().held.remove(0);
    assert_eq!(bus.nack(&held, "later").await.unwrap(), Settled::Back);
    let held = bus.take(&seat, 1, NOW).await.unwrap().held.remove(0);
    assert_eq!(bus.ack(&held).await.unwrap(), Settled::Done);
    let empty = bus.take(&seat, 1, Duration::from_millis(50)).await.unwrap();
    assert!(empty.held.is_empty());
    bus.leave(&seat).await.unwrap();
    let journal = Journal::new("output", &["store"]);
    let end = bus.append(&journal, &[order(1)]).await.unwrap();
    assert_eq!(bus.read(&journal, None, 9, NOW).await.unwrap().len(), 1);
    bus.committed(&journal, "store", end).await.unwrap();
    bus.announce("a", &order(1), Duration::from_secs(9))
        .await
        .unwrap();
    assert_eq!(bus.present().await.unwrap().len(), 1);
    let checked = Checkup::of(&Address::parse(&url), Duration::from_secs(5)).await;
    assert!(checked.unwrap().remarks.is_empty());
    // The keys of another fleet are none of its business, and that is said.
    let other = at(&url, "other", rules());
    let said = until("refused", async || {
        let said = other
            .publish("dispatch", &order(1))
            .await
            .unwrap_err()
            .to_string();
        said.contains("NOPERM").then_some(said)
    })
    .await;
    assert!(!said.contains("s3cret"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_and_never_shown() {
    let Some(server) = Private::start(&["--requirepass", "s3cret-right"]) else {
        return;
    };
    let port = server.port();
    for (user, password) in [("", "s3cret-wrong"), ("me", "s3cret-wrong")] {
        let bus = at(
            &format!("redis://{user}:{password}@127.0.0.1:{port}"),
            "t",
            rules(),
        );
        let said = until("refused", async || {
            let said = bus.publish("dispatch", &order(1)).await.unwrap_err().to_string();
            said.contains("does not let us in").then_some(said)
        })
        .await;
        assert!(!format!("{said} {bus:?}").contains("s3cret"), "{said}");
    }
    let none = at(&server.url(), "t", rules());
    let said = until("refused", async || {
        let said = none.publish("dispatch", &order(1)).await.unwrap_err().to_string();
        said.contains("does not let us in").then_some(said)
    })
    .await;
    assert!(said.contains(&port.to_string()), "{said}");
    let bus = up(
        &format!("valkey://:s3cret-right@127.0.0.1:{port}/3"),
        "t",
        rules(),
    )
    .await;
    bus.publish("dispatch", &order(1)).await.unwrap();
    assert!(!format!("{bus:?}").contains("s3cret"));
}
