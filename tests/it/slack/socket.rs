//! Socket Mode: nothing is acknowledged that was not taken, and no socket is trusted that says nothing.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use orchestrator::chat::slack::Slack;
use orchestrator::chat::{Chat, ChatError};
use serde_json::json;

use super::stand_in::socket::Order;
use super::stand_in::world::Trouble;
use super::stand_in::{JANE, MAIN, Stage};
use super::{DEADLINE, Notebook};

/// What listening ends with.
async fn ended(slack: &Slack, ear: &Notebook) -> ChatError {
    tokio::time::timeout(DEADLINE, slack.listen(ear)).await.unwrap()
}

#[tokio::test]
async fn what_could_not_be_written_down_comes_again() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    ear.deaf.store(2, Ordering::SeqCst);
    stage.say(JANE, MAIN, "status");
    ear.until(&slack, |ear| {
        ear.heard().len() == 1 && stage.world().pending.is_empty()
    })
    .await;
    assert_eq!(ear.texts(), ["status"]);
    assert_eq!(stage.world().acknowledged.len(), 1);
}

#[tokio::test]
async fn what_was_sent_to_a_lost_socket_comes_by_the_next() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    stage.say(JANE, MAIN, "first");
    ear.until(&slack, |ear| ear.heard().len() == 1).await;
    // Nobody listens now; the service would connect anew.
    stage.say(JANE, MAIN, "second");
    ear.until(&slack, |ear| ear.heard().len() == 2).await;
    assert_eq!(
        (ear.texts(), stage.world().opened),
        (vec!["first".to_owned(), "second".to_owned()], 2)
    );
}

#[tokio::test]
async fn a_socket_that_slack_renews_is_opened_anew_at_once() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    stage.say(JANE, MAIN, "first");
    let renewed = std::sync::atomic::AtomicBool::new(false);
    ear.until(&slack, |ear| {
        if ear.heard().len() == 1 && !renewed.swap(true, Ordering::SeqCst) {
            stage.disconnect("refresh_requested");
            stage.say(JANE, MAIN, "second");
        }
        ear.heard().len() == 2
    })
    .await;
    assert_eq!(ear.texts(), ["first", "second"]);
    assert_eq!(stage.world().opened, 2);
}

#[tokio::test]
async fn why_listening_ends() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    let say = |code| Trouble::Say(code);
    for (trouble, part) in [
        (say("invalid_auth"), "apps.connections.open"),
        (say("internal_error"), "apps.connections.open"),
        (
            Trouble::Refuse(429, vec![("retry-after", "7".to_owned())]),
            "apps.connections.open",
        ),
    ] {
        stage.world().fail(part, trouble.clone());
        let error = ended(&slack, &Notebook::default()).await;
        match trouble {
            Trouble::Say("invalid_auth") => assert!(matches!(error, ChatError::Refused { .. }), "{error}"),
            Trouble::Say(_) => assert!(matches!(error, ChatError::Away { .. }), "{error}"),
            _ => assert_eq!(
                error,
                ChatError::Limited {
                    after: Duration::from_secs(7)
                }
            ),
        }
    }
}

/// Listens, does something to the open socket, and answers what listening ends with.
async fn after(stage: &Stage, act: impl Fn(&Stage)) -> ChatError {
    let (slack, ear) = (stage.slack(), Notebook::default());
    let acting = async {
        loop {
            let open = stage.world().sockets.iter().any(|socket| !socket.is_closed());
            if open {
                break act(stage);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::future::pending::<ChatError>().await
    };
    tokio::select! {
        error = ended(&slack, &ear) => error,
        never = acting => never,
    }
}

#[tokio::test]
async fn lost_dead_and_switched_off() {
    let lost = after(&Stage::set().await, |stage| stage.order(|| Order::Drop)).await;
    assert!(matches!(lost, ChatError::Away { .. }), "{lost}");
    let since = Instant::now();
    let dead = after(&Stage::set().await, |stage| stage.order(|| Order::Freeze)).await;
    assert!(matches!(dead, ChatError::Away { .. }), "{dead}");
    assert!(since.elapsed() < Duration::from_secs(10));
    let off = after(&Stage::set().await, |stage| stage.disconnect("link_disabled")).await;
    assert!(matches!(off, ChatError::Refused { .. }), "{off}");
}

#[tokio::test]
async fn what_is_unknown_is_acknowledged_and_nothing_more() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    for (kind, payload) in [
        ("something_new", json!({ "x": 1 })),
        (
            "events_api",
            json!({ "event": { "type": "message", "channel": 7 } }),
        ),
        (
            "events_api",
            json!({ "event": { "type": "team_join", "user": { "id": "U1" } } }),
        ),
        ("interactive", json!({ "type": "view_submission", "view": {} })),
        ("interactive", json!("nonsense")),
        ("slash_commands", json!({})),
    ] {
        stage.world().envelope(kind, payload);
    }
    stage.say(JANE, MAIN, "the end");
    ear.until(&slack, |ear| {
        ear.heard().len() == 1 && stage.world().pending.is_empty()
    })
    .await;
    assert_eq!(stage.world().acknowledged.len(), 7);
}

#[tokio::test]
async fn a_burst_is_heard_once_and_in_order() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    stage.world().again_after = Duration::from_secs(60);
    let said: Vec<String> = (0..600).map(|n| format!("message {n}")).collect();
    for text in &said {
        stage.say(JANE, MAIN, text);
    }
    ear.until(&slack, |ear| ear.heard().len() == said.len()).await;
    assert_eq!(ear.texts(), said);
    assert_eq!(stage.world().calls_of("users.info"), 1);
}

#[tokio::test]
async fn a_ticket_is_good_once() {
    let stage = Stage::set().await;
    let link = stage.world().link.replace("ws://", "http://");
    let answer = reqwest::Client::new().get(format!("{link}?ticket=none"));
    let answer = answer
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(answer.send().await.unwrap().status(), 403);
}
