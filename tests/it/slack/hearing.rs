//! What is heard: each act of a person once, in order, in the words of the port.

use orchestrator::chat::Chat;
use orchestrator::chat::heard::{Heard, What};
use orchestrator::chat::message::{Message, Purpose, Verb};
use serde_json::json;

use super::stand_in::{DIRECT, JANE, MAIN, ME, MEDIC, SHOP, Stage, TEAM};
use super::{Notebook, card, main};

fn text(heard: &Heard) -> (&str, bool) {
    match &heard.what {
        What::Text { text, addressed, .. } => (text, *addressed),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_mentions_and_talks_of_two() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    let first = stage.say(JANE, MAIN, "just talking");
    let thread = stage.reply(JANE, SHOP, &first, &format!("<@{ME}> why fix-login?"));
    stage.say(JANE, DIRECT, "status");
    stage.say(JANE, MEDIC, "what is wrong?");
    // A mention comes as a message and as a mention: whoever hears tells them apart by their event.
    ear.until(&slack, |ear| {
        ear.heard().len() == 5 && stage.world().pending.is_empty()
    })
    .await;
    let mut all = ear.heard();
    all.dedup_by_key(|heard| heard.event.clone());
    let [talk, mention, direct, agent] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(text(talk), ("just talking", false));
    assert_eq!(
        (talk.who.id.as_str(), talk.who.distrust),
        (format!("{TEAM}:{JANE}").as_str(), None)
    );
    assert_eq!(
        (talk.message.as_deref(), &talk.purpose),
        (Some(first.as_str()), &Some(Purpose::Instance))
    );
    assert_eq!(text(mention), ("why fix-login?", true));
    assert_eq!(
        (mention.thread.as_deref(), mention.message.as_deref()),
        (Some(first.as_str()), Some(thread.as_str()))
    );
    assert_eq!(mention.purpose, Some(Purpose::Project("shop".to_owned())));
    assert_eq!((text(direct), &direct.purpose), (("status", true), &None));
    assert_eq!(agent.purpose, Some(Purpose::Agent("medic".to_owned())));
    assert_eq!(stage.world().acknowledged.len(), 5);
}

#[tokio::test]
async fn edits_and_our_own_words_are_never_heard() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    let ours = slack
        .post(&main(), &super::words("approve fix-login"), "k", None)
        .await
        .unwrap();
    slack
        .edit(MAIN, &ours, &super::words("approve it"))
        .await
        .unwrap();
    let said = stage.say(JANE, MAIN, "status");
    stage.rewrite(MAIN, &said, "approve fix-login");
    stage.write(
        MAIN,
        json!({ "user": JANE, "text": "has joined", "subtype": "channel_join" }),
    );
    stage.say(JANE, MAIN, "the end");
    ear.until(&slack, |ear| {
        ear.texts().last().is_some_and(|text| text == "the end")
    })
    .await;
    assert_eq!(ear.texts(), ["status", "the end"]);
}

#[tokio::test]
async fn a_button_is_pressed() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    let message = Message::Card(card("waiting", &[Verb::Approve, Verb::Reject]));
    let id = slack.post(&main(), &message, "k", None).await.unwrap();
    stage.press(JANE, MAIN, &id, "nonce-approve");
    ear.until(&slack, |ear| ear.heard().len() == 1).await;
    let heard = ear.heard().remove(0);
    let what = What::Press {
        on: id,
        nonce: "nonce-approve".to_owned(),
    };
    assert_eq!(
        (&heard.what, heard.room.as_str(), heard.message.as_ref()),
        (&what, MAIN, None)
    );
    assert_eq!(heard.who.id, format!("{TEAM}:{JANE}"));
    // It was acknowledged with its envelope; nothing more is to be done.
    slack.acknowledge(&heard).await.unwrap();
    slack.whisper(&heard, "You may not.").await.unwrap();
    let world = stage.world();
    assert_eq!(world.calls_of("reactions.add"), 0);
    let whisper = &world.whispers[0];
    assert!(whisper.by_address && whisper.text == "You may not." && whisper.channel == MAIN);
}

#[tokio::test]
async fn a_command_is_answered_to_its_author_alone() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    // Also where the app is no member: the address that came with it works everywhere.
    stage.command(JANE, "C0ELSE", "status all");
    ear.until(&slack, |ear| ear.heard().len() == 1).await;
    let heard = ear.heard().remove(0);
    assert_eq!(text(&heard), ("status all", true));
    slack.acknowledge(&heard).await.unwrap();
    for n in 0..5 {
        slack.whisper(&heard, &format!("answer {n}")).await.unwrap();
    }
    assert!(
        stage
            .world()
            .whispers
            .iter()
            .all(|one| one.by_address && one.user == JANE)
    );
    // Five times, then no more.
    assert!(slack.whisper(&heard, "answer 5").await.is_err());
    assert_eq!(stage.world().whispers.len(), 5);
}

#[tokio::test]
async fn a_message_is_acknowledged_and_answered_in_its_thread() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    let first = stage.say(JANE, MAIN, "status");
    stage.reply(JANE, MAIN, &first, "and now?");
    ear.until(&slack, |ear| ear.heard().len() == 2).await;
    let heard = ear.heard().remove(1);
    for _ in 0..2 {
        slack.acknowledge(&heard).await.unwrap();
    }
    slack.whisper(&heard, "You may not.").await.unwrap();
    let world = stage.world();
    let message = world.message(MAIN, heard.message.as_deref().unwrap()).unwrap();
    assert_eq!(message["reactions"][0]["name"], "eyes");
    let whisper = &world.whispers[0];
    assert_eq!(
        (whisper.user.as_str(), whisper.thread.as_deref()),
        (JANE, Some(first.as_str()))
    );
    assert!(!whisper.by_address);
}

#[tokio::test]
async fn a_canary_goes_round() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    slack.canary("first").await.unwrap();
    slack.canary("second").await.unwrap();
    ear.until(&slack, |ear| ear.echoes().len() == 2).await;
    assert_eq!(ear.echoes(), ["first", "second"]);
    // After a start the same message serves again.
    let slack = stage.slack();
    slack.canary("third").await.unwrap();
    ear.until(&slack, |ear| ear.echoes().len() == 3).await;
    assert_eq!(stage.world().ours(MAIN).len(), 1);
    // Somebody deletes it.
    stage.world().channels.get_mut(MAIN).unwrap().messages.clear();
    slack.canary("fourth").await.unwrap();
    ear.until(&slack, |ear| ear.echoes().contains(&"fourth".to_owned()))
        .await;
    assert_eq!((stage.world().ours(MAIN).len(), ear.heard().len()), (1, 0));
}
