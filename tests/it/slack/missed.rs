//! What was said while nobody listened, read back from the histories.

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::chat::heard::What;
use orchestrator::chat::message::Place;
use orchestrator::chat::{Chat, ChatError};
use serde_json::json;

use super::stand_in::world::Trouble;
use super::stand_in::{ELSEWHERE, JANE, MAIN, ME, MEDIC, SHOP, Stage, TEAM};
use super::{Notebook, main, words};

fn long_ago() -> DateTime<Utc> {
    Utc::now() - TimeDelta::hours(1)
}

#[tokio::test]
async fn what_was_said_is_handed_on_in_order_as_it_would_have_come() {
    let stage = Stage::set().await;
    let (slack, by_event, read_back) = (stage.slack(), Notebook::default(), Notebook::default());
    let card = slack.post(&main(), &words("card"), "k", None).await.unwrap();
    stage.say(JANE, MAIN, &format!("<@{ME}> status &amp; more"));
    let changed = stage.say(JANE, MAIN, "status");
    stage.rewrite(MAIN, &changed, "approve it");
    stage.reply(JANE, MAIN, &card, "use port 81");
    stage.write(
        MAIN,
        json!({ "user": JANE, "text": "has joined", "subtype": "channel_join" }),
    );
    stage.say(JANE, MAIN, "the end");
    slack.canary("nonce").await.unwrap();
    by_event
        .until(&slack, |ear| ear.texts().contains(&"the end".to_owned()))
        .await;
    let count = slack
        .read_back(&main(), long_ago(), 100, &read_back)
        .await
        .unwrap();
    assert_eq!(
        count, 6,
        "all that stands in the channel, but for what is in threads"
    );
    assert_eq!(read_back.texts(), ["status & more", "the end"]);
    assert_eq!(read_back.echoes(), [""; 0], "an old canary is no round trip");
    for heard in read_back.heard() {
        let came = by_event
            .heard()
            .into_iter()
            .find(|came| came.event == heard.event);
        assert_eq!(came, Some(heard), "it is the same, whichever way it comes");
    }
    let thread = Place {
        thread: Some(card),
        ..main()
    };
    let below = Notebook::default();
    slack.read_back(&thread, long_ago(), 100, &below).await.unwrap();
    let heard = below.heard();
    assert!(
        matches!(&heard[..], [one] if one.thread == thread.thread
        && matches!(&one.what, What::Text { text, .. } if text == "use port 81")),
        "{heard:?}"
    );
    assert_eq!(heard[0].who.id, format!("{TEAM}:{JANE}"));
}

#[tokio::test]
async fn only_what_is_newer_and_of_much_the_newest() {
    let stage = Stage::set().await;
    stage.world().pace.off = true;
    let slack = stage.slack();
    for n in 0..450 {
        stage.say(JANE, MAIN, &format!("message {n}"));
    }
    let since = {
        stage.world().channels[MAIN].messages[99]["ts"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let since = DateTime::from_timestamp_micros(since.replace('.', "").parse().unwrap()).unwrap();
    let ear = Notebook::default();
    assert_eq!(slack.read_back(&main(), since, 1_000, &ear).await, Ok(350));
    let wanted: Vec<String> = (100..450).map(|n| format!("message {n}")).collect();
    assert_eq!(ear.texts(), wanted);
    let ear = Notebook::default();
    assert_eq!(slack.read_back(&main(), since, 250, &ear).await, Ok(250));
    assert_eq!(ear.texts(), wanted[100..], "the newest of them");
}

#[tokio::test]
async fn what_cannot_be_read_or_written_down_is_said_to_be() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    stage.say(JANE, MAIN, "status");
    let limited = Trouble::Refuse(429, vec![("retry-after", "30".to_owned())]);
    stage.world().fail("conversations.history", limited);
    let read = slack
        .read_back(&main(), long_ago(), 10, &Notebook::default())
        .await;
    let after = std::time::Duration::from_secs(30);
    assert_eq!(read, Err(ChatError::Limited { after }));
    let deaf = Notebook::default();
    deaf.deaf.store(1, std::sync::atomic::Ordering::SeqCst);
    let read = slack.read_back(&main(), long_ago(), 10, &deaf).await;
    assert!(matches!(read, Err(ChatError::Away { .. })), "{read:?}");
    let elsewhere = Place {
        room: ELSEWHERE.to_owned(),
        thread: None,
    };
    let read = slack.read_back(&elsewhere, long_ago(), 10, &deaf).await;
    assert!(matches!(read, Err(ChatError::Refused { .. })), "{read:?}");
    assert_eq!(slack.to_read_back(), [MAIN, SHOP, MEDIC]);
}
