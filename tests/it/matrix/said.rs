//! What people say, as the bot hands it on: who is believed, and what is never handed on (rows S16 and S17).

use std::sync::atomic::Ordering;

use orchestrator::chat::Chat;
use orchestrator::chat::heard::{Distrust, What};
use orchestrator::chat::message::{Message, Place, Purpose, Text};
use serde_json::{Value, json};

use super::{Stage, words};

fn text(heard: &What) -> (&str, bool) {
    match heard {
        What::Text { text, addressed, .. } => (text, *addressed),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn words_threads_answers_and_reactions_are_handed_on() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let card = stage.post("card", "card").await;
    let room = stage.room.clone();
    stage
        .jane
        .read_until(&room, |seen| words(seen).contains(&"card"))
        .await;
    let mut threaded = json!({"msgtype": "m.text", "body": "use 8080"});
    threaded["m.relates_to"] = json!({"rel_type": "m.thread", "event_id": card, "is_falling_back": true,
        "m.in_reply_to": {"event_id": card}});
    let threaded = stage.jane.send(&room, threaded).await;
    let mut answer = json!({"msgtype": "m.text", "body": "or 9090"});
    answer["m.relates_to"] = json!({"m.in_reply_to": {"event_id": threaded}});
    let answer = stage.jane.send(&room, answer).await;
    let mention =
        json!({"msgtype": "m.text", "body": "status", "m.mentions": {"user_ids": [stage.account.id]}});
    let mention = stage.jane.send(&room, mention).await;
    let tapped = stage.jane.react(&room, &card, "✅\u{fe0f}").await;
    let all = {
        stage
            .ear
            .listen_until(&stage.bot, |ear| ear.of(&tapped).is_some())
    }
    .await;
    let of = |id: &str| all.iter().find(|heard| heard.event == id).unwrap();
    for id in [&threaded, &answer, &mention, &tapped] {
        assert_eq!(of(id).who.id, stage.owner.id);
        assert_eq!(of(id).who.distrust, None, "{id}");
        assert_eq!(of(id).purpose, Some(Purpose::Project("site".to_owned())));
    }
    assert_eq!(of(&threaded).thread, Some(card.clone()));
    assert_eq!(of(&threaded).message, Some(threaded.clone()));
    assert_eq!(
        of(&answer).thread,
        Some(card.clone()),
        "an answer within a thread is in it"
    );
    assert_eq!(text(&of(&mention).what), ("status", true));
    let wanted = What::Reaction {
        on: card,
        emoji: "✅".to_owned(),
    };
    assert_eq!((&of(&tapped).what, &of(&tapped).message), (&wanted, &None));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table")]
async fn what_is_said_by_whom_is_believed() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let room = stage.room.clone();
    let (mallory, bob) = (
        stage.scene.account("mallory").await,
        stage.scene.account("bob").await,
    );
    let mut sly = stage.scene.unsigned(&mallory).await;
    let mut bob_there = stage.scene.person(&bob).await;
    for id in [&mallory.id, &bob.id] {
        let path = format!("/_matrix/client/v3/rooms/{room}/invite");
        use secrecy::ExposeSecret;
        let token = stage.bot.kept_token().unwrap().unwrap();
        let (status, said) = {
            stage
                .scene
                .request(token.expose_secret(), "POST", &path, json!({"user_id": id}))
        }
        .await;
        assert_eq!(status, 200, "{said}");
    }
    sly.join(&room).await;
    bob_there.join(&room).await;
    // Mallory calls itself Jane: that proves nothing.
    let path = format!("/_matrix/client/v3/profile/{}/displayname", mallory.id);
    {
        stage.scene.request(
            &mallory.token,
            "PUT",
            &path,
            json!({"displayname": stage.owner.name}),
        )
    }
    .await;
    stage.settled().await;
    stage.jane.sync().await;
    let unsigned = sly.say(&room, "!approve fix-api").await;
    let signed = bob_there.say(&room, "hello").await;
    let clear =
        json!({"do": "send", "room": room, "content": {"msgtype": "m.text", "body": "!stop"}, "clear": true});
    let clear = stage.jane.ask(clear).await.as_str().unwrap().to_owned();
    let status = stage.jane.say(&room, "!status").await;
    let edit = json!({"msgtype": "m.text", "body": "* !approve", "m.new_content": {"msgtype": "m.text", "body": "!approve x"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": status}});
    let edit = stage.jane.send(&room, edit).await;
    let notice = stage
        .jane
        .send(&room, json!({"msgtype": "m.notice", "body": "!approve x"}))
        .await;
    stage.post("!approve x", "own").await;
    let last = stage.jane.say(&room, "last").await;
    let all = stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&last).is_some())
        .await;
    let rows = [
        (&unsigned, mallory.id.as_str(), Some(Distrust::UnsignedDevice)),
        (&signed, bob.id.as_str(), None),
        (&clear, stage.owner.id.as_str(), Some(Distrust::Unencrypted)),
        (&status, stage.owner.id.as_str(), None),
        (&last, stage.owner.id.as_str(), None),
    ];
    for (id, who, distrust) in rows {
        let heard = all
            .iter()
            .find(|heard| heard.event == *id)
            .unwrap_or_else(|| panic!("{id} by {who}"));
        assert_eq!((heard.who.id.as_str(), heard.who.distrust), (who, distrust));
    }
    assert_eq!(
        all.len(),
        rows.len(),
        "{edit} and {notice} are handed on: {all:#?}"
    );
    assert_eq!(
        text(&all.iter().find(|heard| heard.event == status).unwrap().what).0,
        "!status"
    );
}

#[tokio::test]
async fn a_device_that_is_signed_later_is_believed_from_then_on() {
    let Some(stage) = Stage::new().await else { return };
    let bob = stage.scene.account("bob").await;
    let mut there = stage.scene.unsigned(&bob).await;
    let path = format!("/_matrix/client/v3/rooms/{}/invite", stage.room);
    use secrecy::ExposeSecret;
    let token = stage.bot.kept_token().unwrap().unwrap();
    {
        stage
            .scene
            .request(token.expose_secret(), "POST", &path, json!({"user_id": bob.id}))
    }
    .await;
    there.join(&stage.room).await;
    let before = there.say(&stage.room, "before").await;
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&before).is_some())
        .await;
    there.ask(json!({"do": "sign"})).await;
    let after = there.say(&stage.room, "after").await;
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&after).is_some())
        .await;
    let distrust = |id: &str| stage.ear.of(id).unwrap().who.distrust;
    assert_eq!(
        (distrust(&before), distrust(&after)),
        (Some(Distrust::UnsignedDevice), None)
    );
}

#[tokio::test]
async fn what_was_said_while_it_was_down_is_heard_once_and_in_order() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    let before = stage.jane.say(&stage.room, "before").await;
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&before).is_some())
        .await;
    let room = stage.room.clone();
    // More than one answer of the server holds.
    let mut wanted: Vec<String> = vec!["before".to_owned()];
    for number in 0..130 {
        let said = format!("while down {number}");
        stage.jane.say(&room, &said).await;
        wanted.push(said);
    }
    let stage = stage.restart();
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.words().len() >= wanted.len())
        .await;
    assert_eq!(stage.ear.words(), wanted);
}

#[tokio::test]
async fn what_could_not_be_written_down_comes_again() {
    let Some(mut stage) = Stage::new().await else {
        return;
    };
    stage.ear.deaf_for.store(3, Ordering::SeqCst);
    let said = stage.jane.say(&stage.room, "!status").await;
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(&said).is_some())
        .await;
    assert_eq!(stage.ear.deaf_for.load(Ordering::SeqCst), 0);
    let stage = stage.restart();
    stage.settled().await;
    assert_eq!(stage.ear.words(), ["!status"]);
}

/// Row S17: strangers' invitations are declined, at a rate; those of people with a role are followed.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn invitations_of_strangers_are_declined() {
    let Some(stage) = Stage::new().await else { return };
    let mallory = stage.scene.account("mallory").await;
    let invite = |token: String, preset: &'static str| {
        let (scene, bot) = (stage.scene.clone(), stage.account.id.clone());
        async move {
            let wanted = json!({"preset": preset, "invite": [bot], "name": "come in"});
            let (status, made) = scene
                .request(&token, "POST", "/_matrix/client/v3/createRoom", wanted)
                .await;
            assert_eq!(status, 200, "{made}");
            made["room_id"].as_str().unwrap().to_owned()
        }
    };
    let mut strange = Vec::new();
    for preset in ["private_chat", "public_chat", "trusted_private_chat"] {
        strange.push(invite(mallory.token.clone(), preset).await);
    }
    let known = invite(stage.owner.token.clone(), "private_chat").await;
    let membership = |room: String| {
        let (scene, token, bot) = (
            stage.scene.clone(),
            stage.owner.token.clone(),
            stage.account.id.clone(),
        );
        let token = if room == known {
            token
        } else {
            mallory.token.clone()
        };
        async move {
            let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.member/{bot}");
            scene.request(&token, "GET", &path, Value::Null).await.1["membership"].clone()
        }
    };
    stage.settled().await;
    stage.settled().await;
    assert_eq!(membership(known.clone()).await, "join");
    for room in &strange {
        assert_eq!(membership(room.clone()).await, "leave", "{room}");
    }
    // In a room of two it is meant beyond doubt; that room is in the clear, and no room of ours.
    let said = json!({"msgtype": "m.text", "body": "hello"});
    let path = format!("/_matrix/client/v3/rooms/{known}/send/m.room.message/1");
    let (_, sent) = stage.scene.request(&stage.owner.token, "PUT", &path, said).await;
    let id = sent["event_id"].as_str().unwrap();
    stage
        .ear
        .listen_until(&stage.bot, |ear| ear.of(id).is_some())
        .await;
    let heard = stage.ear.of(id).unwrap();
    assert_eq!(
        (text(&heard.what), heard.purpose, heard.who.distrust),
        (("hello", true), None, None)
    );
    let to = Place {
        room: known,
        thread: None,
    };
    stage
        .bot
        .post(&to, &Message::Text(Text::of("hello")), "k", None)
        .await
        .unwrap();
}
