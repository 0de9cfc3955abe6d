//! What is written: once for each key, within the limits, pinging nobody.

use std::time::Duration;

use chrono::Utc;
use orchestrator::chat::message::{Message, Place, Text, Verb};
use orchestrator::chat::{Chat, ChatError};

use super::stand_in::pace::Limit;
use super::stand_in::world::Trouble;
use super::stand_in::{ELSEWHERE, MAIN, SHOP, Stage};
use super::{card, is_away, is_gone, is_refused, main, said_by_jane, words};

#[tokio::test]
async fn a_card_is_kept_current_and_loses_its_buttons() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    let running = Message::Card(card("running", &[Verb::Pause, Verb::Cancel]));
    let id = slack
        .post(&main(), &running, "card:fix-login", None)
        .await
        .unwrap();
    let shown = |stage: &Stage| stage.world().message(MAIN, &id).unwrap().clone();
    let before = shown(&stage);
    assert_eq!(before["metadata"]["event_type"], "orchestrator_message");
    assert_eq!(before["metadata"]["event_payload"]["key"], "card:fix-login");
    assert!(before["blocks"].to_string().contains("nonce-cancel"));
    let done = Message::Card(card("completed", &[]));
    slack.edit(MAIN, &id, &done).await.unwrap();
    let after = shown(&stage);
    assert!(after["blocks"].to_string().contains("completed"));
    assert!(!after["blocks"].to_string().contains("actions"));
    // The key stays with it.
    assert_eq!(after["metadata"], before["metadata"]);
    assert_eq!(stage.world().ours(MAIN).len(), 1);
}

#[tokio::test]
async fn how_it_is_asked_for() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    slack.post(&main(), &words("hello"), "k", None).await.unwrap();
    let world = stage.world();
    let (_, asked) = world
        .calls
        .iter()
        .find(|(name, _)| name == "chat.postMessage")
        .unwrap();
    for (name, value) in [
        ("unfurl_links", false),
        ("unfurl_media", false),
        ("link_names", false),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    assert_eq!(asked["parse"], "none");
}

#[tokio::test]
async fn nothing_that_agents_write_pings_or_links() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    let evil = "<!channel> <!here> <@U0JANE> <https://evil.example|Approve> <!subteam^S1> @everyone";
    let text = Text {
        text: evil.to_owned(),
        code: Some(evil.to_owned()),
        broadcast: true,
    };
    let mut task = card(evil, &[Verb::Approve]);
    (task.title, task.task) = (evil.to_owned(), evil.to_owned());
    task.facts[0].value = evil.to_owned();
    slack
        .post(&main(), &Message::Text(text), "a", None)
        .await
        .unwrap();
    let id = slack
        .post(&main(), &Message::Card(task.clone()), "b", None)
        .await
        .unwrap();
    slack.edit(MAIN, &id, &Message::Card(task)).await.unwrap();
    let spoken = stage.say("U0JANE", MAIN, "hi");
    slack.whisper(&said_by_jane(&spoken), evil).await.unwrap();
    slack.canary("<!channel>").await.unwrap();
    let world = stage.world();
    assert_eq!(
        (&world.pings, world.errors.len()),
        (&Vec::new(), 0),
        "{:?}",
        world.errors
    );
}

#[tokio::test]
async fn threads_and_what_is_shown_in_the_room_as_well() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    let parent = slack.post(&main(), &words("card"), "p", None).await.unwrap();
    let place = Place {
        room: MAIN.to_owned(),
        thread: Some(parent.clone()),
    };
    let quiet = slack.post(&place, &words("progress"), "q", None).await.unwrap();
    let loud = Message::Text(Text {
        text: "blocked".to_owned(),
        code: None,
        broadcast: true,
    });
    let loud = slack.post(&place, &loud, "l", None).await.unwrap();
    let world = stage.world();
    let one = |ts: &str| world.message(MAIN, ts).unwrap().clone();
    assert_eq!(one(&quiet)["thread_ts"], parent.as_str());
    assert!(one(&quiet)["subtype"].is_null());
    assert_eq!(one(&loud)["subtype"], "thread_broadcast");
}

/// The answer is lost after the message was written; or nothing was written. Either way one message comes of it.
#[tokio::test]
async fn an_unknown_outcome_is_read_back() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    let parent = slack.post(&main(), &words("card"), "p", None).await.unwrap();
    let thread = Place {
        room: MAIN.to_owned(),
        thread: Some(parent),
    };
    let slow = Trouble::Slow(Duration::from_secs(30));
    for (place, key, trouble, tries) in [
        (main(), "lost", Trouble::Lose, 1),
        (thread.clone(), "lost-in-thread", Trouble::Lose, 1),
        (main(), "refused", Trouble::Refuse(503, Vec::new()), 2),
        (thread, "refused-in-thread", Trouble::Say("internal_error"), 2),
        (main(), "slow", slow, 2),
    ] {
        let before = stage.world().calls_of("chat.postMessage");
        stage.world().fail("chat.postMessage", trouble);
        let since = Utc::now();
        let first = slack.post(&place, &words("told"), key, None).await;
        assert!(is_away(&first), "{key}: {first:?}");
        let id = slack
            .post(&place, &words("told"), key, Some(since))
            .await
            .unwrap();
        let world = stage.world();
        let told = world.ours(MAIN);
        let told: Vec<_> = told
            .iter()
            .filter(|m| m["metadata"]["event_payload"]["key"] == key)
            .collect();
        assert_eq!(told.len(), 1, "{key}");
        assert_eq!(told[0]["ts"], id.as_str(), "{key}");
        // What was refused or too slow was not done, so it is done then.
        let calls = world.calls_of("chat.postMessage") - before;
        assert!(calls <= tries, "{key}: {calls} calls");
    }
}

#[tokio::test]
async fn it_is_found_behind_many_others() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    let since = Utc::now();
    let id = slack.post(&main(), &words("told"), "k", None).await.unwrap();
    for n in 0..450 {
        stage.say("U0JANE", MAIN, &format!("message {n}"));
    }
    // Somebody else's program uses the same words.
    let forged = serde_json::json!({
        "user": "U0JANE", "text": "x", "metadata": { "event_type": "orchestrator_message", "event_payload": { "key": "k", "deep": { "x": 1 } } },
    });
    stage.write(MAIN, forged);
    let again = slack
        .post(&main(), &words("told"), "k", Some(since))
        .await
        .unwrap();
    assert_eq!(again, id);
    let world = stage.world();
    assert_eq!(
        (world.ours(MAIN).len(), world.calls_of("conversations.history")),
        (1, 3)
    );
}

#[tokio::test]
async fn errors_mean_what_to_do() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    stage.world().channels.get_mut(SHOP).unwrap().is_archived = true;
    let other = stage.say("U0JANE", MAIN, "not ours");
    let at = |room: &str| Place {
        room: room.to_owned(),
        thread: None,
    };
    let hello = words("hello");
    assert!(is_gone(&slack.edit(MAIN, "1.000001", &hello).await));
    assert!(is_gone(&slack.edit("C0NONE", "1.000001", &hello).await));
    assert!(is_gone(&slack.post(&at("C0NONE"), &hello, "k", None).await));
    assert!(is_gone(&slack.post(&at(SHOP), &hello, "k", None).await));
    assert!(is_refused(&slack.edit(MAIN, &other, &hello).await));
    let outside = slack.post(&at(ELSEWHERE), &hello, "k", None).await;
    assert!(outside.unwrap_err().to_string().contains("/invite"));
    for code in [
        "invalid_auth",
        "msg_too_long",
        "invalid_blocks",
        "too_many_attachments",
        "restricted_action",
    ] {
        stage.world().fail("chat.postMessage", Trouble::Say(code));
        assert!(
            is_refused(&slack.post(&main(), &hello, "k", None).await),
            "{code}"
        );
    }
}

#[tokio::test]
async fn it_asks_to_be_left_alone() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    let limited = |seconds| {
        Err(ChatError::Limited {
            after: Duration::from_secs(seconds),
        })
    };
    for (headers, seconds) in [
        (vec![("retry-after", "300".to_owned())], 300),
        (vec![("retry-after", "1".to_owned())], 1),
        (vec![("retry-after", "999999999".to_owned())], 3_600),
        (vec![("retry-after", "soon".to_owned())], 30),
        (Vec::new(), 30),
    ] {
        stage.world().fail("chat.update", Trouble::Refuse(429, headers));
        assert_eq!(slack.edit(MAIN, "1.1", &words("x")).await, limited(seconds));
    }
    // The pace of the method itself.
    let id = slack.post(&main(), &words("x"), "k", None).await.unwrap();
    let limit = Limit {
        burst: 2,
        each: Duration::from_secs(60),
    };
    stage.world().pace.set.insert("chat.update".to_owned(), limit);
    for _ in 0..2 {
        slack.edit(MAIN, &id, &words("y")).await.unwrap();
    }
    let pause = slack.edit(MAIN, &id, &words("z")).await;
    assert!(
        matches!(pause, Err(ChatError::Limited { after }) if (50..=60).contains(&after.as_secs())),
        "{pause:?}"
    );
}

#[tokio::test]
async fn what_is_no_answer_of_slacks_is_an_unknown_outcome() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    for trouble in [
        Trouble::Refuse(200, Vec::new()),
        Trouble::Refuse(302, vec![("location", "http://127.0.0.1:1/".to_owned())]),
        Trouble::Refuse(502, Vec::new()),
        Trouble::Lose,
        Trouble::Slow(Duration::from_secs(30)),
    ] {
        stage.world().fail("chat.postMessage", trouble);
        assert!(is_away(&slack.post(&main(), &words("x"), "k", None).await));
    }
}

#[tokio::test]
async fn a_token_of_another_workspace_is_told_apart() {
    let stage = Stage::set().await;
    let text = stage.section("app_token = \"xapp-s3cret-app\"\n");
    let settings = super::stand_in::settings(&text.replace("T012AB3CD", "T0OTHER"));
    let slack = orchestrator::chat::slack::Slack::new(&settings, Duration::from_secs(1)).unwrap();
    let said = slack.canary("n").await.unwrap_err().to_string();
    assert!(said.contains("T012AB3CD") && said.contains("T0OTHER"), "{said}");
}

#[tokio::test]
async fn no_error_shows_a_token() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    for trouble in [
        Trouble::Lose,
        Trouble::Say("invalid_auth"),
        Trouble::Refuse(500, Vec::new()),
    ] {
        stage.world().fail("chat.", trouble);
        let error = slack.post(&main(), &words("x"), "k", None).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("s3cret") && !said.contains("127.0.0.1"), "{said}");
    }
}

/// A Slack that is down, slow, or refuses for long: each try ends in time, and says what to do.
#[tokio::test]
async fn it_never_takes_long() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    let limited = vec![("retry-after", "300".to_owned())];
    for trouble in [
        Trouble::Slow(Duration::from_secs(10)),
        Trouble::Refuse(503, Vec::new()),
        Trouble::Refuse(429, limited),
    ] {
        stage.world().always = Some(trouble);
        let since = std::time::Instant::now();
        let outcome = slack.post(&main(), &words("x"), "k", None).await;
        assert!(
            matches!(outcome, Err(ChatError::Away { .. } | ChatError::Limited { .. })),
            "{outcome:?}"
        );
        assert!(since.elapsed() < Duration::from_secs(3));
    }
    stage.world().always = None;
    slack.post(&main(), &words("x"), "k", None).await.unwrap();
}
