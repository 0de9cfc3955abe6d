//! What holds for every chat: the same stories, told of each implementation of the port.
//!
//! Adding a chat is adding one stage to `stage::all`.

#[cfg(feature = "matrix")]
mod matrix;
mod memory;
mod slack;
mod stage;

use std::sync::atomic::Ordering;

use chrono::{TimeDelta, Utc};
use orchestrator::chat::ChatError;
use orchestrator::chat::heard::What;
use orchestrator::chat::message::{Button, Card, Fact, Message, Place, Purpose, Text, Verb};

use self::stage::{Notebook, Stage, all, hear, see};

/// What tries to be markup, a mention, a link, or another text than it is, in the words of every chat.
const HOSTILE: &str = "<!channel> <@U0JANE> @room @everyone <https://evil.example|Approve> [ok](https://evil.example) \
     <a href=\"https://evil.example\">ok</a> <img src=x> **bold** _so_ ~gone~ `x` > quoted &amp; \"'\\ {{task}} $HOME";
/// Code with its own fence, markup, and lines.
const CODE: &str =
    "```rust\nfn main() { println!(\"<b>{}</b>\", 1 & 2); }\n```\n\n    four spaces\n<!here> * not a list";

fn card(state: &str, buttons: &[Verb]) -> Message {
    Message::Card(Card {
        task: "fix-api".to_owned(),
        title: "Fix the API".to_owned(),
        icon: "🔧".to_owned(),
        state: state.to_owned(),
        pct: Some(40),
        facts: vec![Fact {
            name: "Tier".to_owned(),
            value: "haiku".to_owned(),
        }],
        buttons: { buttons.iter() }
            .map(|verb| Button {
                verb: *verb,
                nonce: format!("nonce-{}", verb.word()),
            })
            .collect(),
    })
}

fn words(text: &str) -> Message {
    Message::Text(Text::of(text))
}

async fn room(stage: &dyn Stage) -> Place {
    let purpose = Purpose::Project(stage.project().to_owned());
    let room = stage.chat().room(&purpose).await.unwrap();
    Place { room, thread: None }
}

fn in_thread(place: &Place, root: &str) -> Place {
    Place {
        room: place.room.clone(),
        thread: Some(root.to_owned()),
    }
}

fn is_gone<T>(done: &Result<T, ChatError>) -> bool {
    matches!(done, Err(ChatError::Gone { .. }))
}

#[tokio::test]
async fn a_card_is_kept_current_and_its_history_is_its_thread() {
    for mut stage in all().await {
        let (name, place) = (stage.name(), room(stage.as_ref()).await);
        assert_eq!(
            room(stage.as_ref()).await,
            place,
            "{name}: the same room each time"
        );
        let (chat, queued) = (stage.chat(), card("queued", &[Verb::Pause, Verb::Cancel]));
        let id = chat.post(&place, &queued, "fix-api:card", None).await.unwrap();
        let thread = in_thread(&place, &id);
        let line = words("🚀 [fix-api] - spawning haiku agent");
        let reply = chat.post(&thread, &line, "fix-api:1", None).await.unwrap();
        chat.edit(&place.room, &id, &card("in progress", &[Verb::Cancel]))
            .await
            .unwrap();
        chat.edit(&place.room, &id, &card("completed", &[]))
            .await
            .unwrap();
        let seen = see(stage.as_mut(), |seen| {
            seen.iter().any(|one| one.id == reply) && seen.iter().any(|one| one.words.contains("completed"))
        })
        .await;
        let [shown, told] = seen.as_slice() else {
            panic!("{name}: one card and one line: {seen:#?}");
        };
        assert_eq!((&shown.id, &shown.thread), (&id, &None), "{name}");
        for wanted in ["Fix the API", "fix-api", "completed", "Tier", "haiku"] {
            assert!(shown.words.contains(wanted), "{name}: {wanted}: {shown:?}");
        }
        assert!(!shown.words.contains("queued"), "{name}: {shown:?}");
        assert_eq!((&told.id, told.thread.as_ref()), (&reply, Some(&id)), "{name}");
        assert!(
            told.words.contains("🚀 [fix-api] - spawning haiku agent"),
            "{name}: {told:?}"
        );
    }
}

#[tokio::test]
async fn the_same_key_is_one_message_also_after_a_restart() {
    for mut stage in all().await {
        let (name, place) = (stage.name(), room(stage.as_ref()).await);
        let tried = Some(Utc::now() - TimeDelta::seconds(5));
        let id = stage
            .chat()
            .post(&place, &words("once"), "k:1", None)
            .await
            .unwrap();
        let thread = in_thread(&place, &id);
        let below = stage
            .chat()
            .post(&thread, &words("below"), "k:2", None)
            .await
            .unwrap();
        for restarted in [false, true] {
            if restarted {
                stage.restart().await;
            }
            let again = stage.chat().post(&place, &words("once"), "k:1", tried).await;
            assert_eq!(again.as_ref(), Ok(&id), "{name}, restarted: {restarted}");
            let again = stage.chat().post(&thread, &words("below"), "k:2", tried).await;
            assert_eq!(again.as_ref(), Ok(&below), "{name}, restarted: {restarted}");
        }
        let other = stage
            .chat()
            .post(&place, &words("once"), "k:3", tried)
            .await
            .unwrap();
        let seen = see(stage.as_mut(), |seen| seen.iter().any(|one| one.id == other)).await;
        let ids: Vec<&String> = seen.iter().map(|one| &one.id).collect();
        assert_eq!(ids, [&id, &below, &other], "{name}");
    }
}

#[tokio::test]
async fn hostile_words_and_code_are_shown_as_they_are_and_do_nothing() {
    for mut stage in all().await {
        let (name, place) = (stage.name(), room(stage.as_ref()).await);
        let said = Message::Text(Text {
            text: HOSTILE.to_owned(),
            code: Some(CODE.to_owned()),
            broadcast: true,
        });
        let Message::Card(mut shown) = card(HOSTILE, &[Verb::Approve]) else {
            unreachable!();
        };
        (shown.title, shown.facts[0].value) = (HOSTILE.to_owned(), HOSTILE.to_owned());
        let (chat, shown) = (stage.chat(), Message::Card(shown));
        let id = chat.post(&place, &shown, "card", None).await.unwrap();
        chat.edit(&place.room, &id, &shown).await.unwrap();
        let thread = in_thread(&place, &id);
        let said_id = chat.post(&thread, &said, "said", None).await.unwrap();
        let seen = see(stage.as_mut(), |seen| seen.iter().any(|one| one.id == said_id)).await;
        let one = |id: &str| seen.iter().find(|one| one.id == id).unwrap();
        assert!(
            one(&said_id).words.contains(HOSTILE),
            "{name}: {:#?}",
            one(&said_id)
        );
        assert!(one(&said_id).words.contains(CODE), "{name}: {:#?}", one(&said_id));
        assert!(one(&id).words.contains(HOSTILE), "{name}: {:#?}", one(&id));
        assert_eq!(
            stage.drawn().await,
            [""; 0],
            "{name}: nobody is pinged, nothing is linked"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_gone() {
    for mut stage in all().await {
        let (name, place) = (stage.name(), room(stage.as_ref()).await);
        let id = stage
            .chat()
            .post(&place, &words("here"), "k", None)
            .await
            .unwrap();
        stage.delete(&id).await;
        let chat = stage.chat();
        assert!(
            is_gone(&chat.edit(&place.room, &id, &words("x")).await),
            "{name}: deleted"
        );
        let (nowhere, nothing) = stage.unknown();
        let edited = chat.edit(&place.room, &nothing, &words("x")).await;
        assert!(is_gone(&edited), "{name}: never there: {edited:?}");
        let elsewhere = Place {
            room: nowhere,
            thread: None,
        };
        let posted = chat.post(&elsewhere, &words("x"), "k2", None).await;
        assert!(is_gone(&posted), "{name}: no such room: {posted:?}");
        // The rest goes on.
        chat.post(&place, &words("still here"), "k3", None).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_said_is_heard_once_with_who_and_where() {
    for mut stage in all().await {
        let (name, place) = (stage.name(), room(stage.as_ref()).await);
        let ear = Notebook::default();
        let id = stage
            .chat()
            .post(&place, &words("card"), "card", None)
            .await
            .unwrap();
        let first = stage.say(None, "!status <b> & \"so\" ```x```").await;
        let below = stage.say(Some(&id), "use port 81").await;
        stage.rewrite(&first, "!stop all").await;
        // It cannot be written down at first: it comes again.
        ear.deaf.store(2, Ordering::SeqCst);
        let all = hear(stage.chat(), &ear, |ear| {
            ear.of(&first).is_some() && ear.of(&below).is_some()
        })
        .await;
        assert_eq!(all.len(), 2, "{name}: no edit, no word of ours: {all:#?}");
        let (said, told) = (ear.of(&first).unwrap(), ear.of(&below).unwrap());
        for heard in [&said, &told] {
            assert_eq!(
                (heard.who.id.as_str(), heard.who.distrust),
                (stage.jane().as_str(), None),
                "{name}"
            );
            assert_eq!(heard.room, place.room, "{name}");
            assert_eq!(
                heard.purpose,
                Some(Purpose::Project(stage.project().to_owned())),
                "{name}"
            );
            assert!(
                (Utc::now() - heard.at).abs() < TimeDelta::minutes(2),
                "{name}: {}",
                heard.at
            );
        }
        assert!(
            matches!(&said.what, What::Text { text, .. } if text == "!status <b> & \"so\" ```x```"),
            "{name}: {said:?}"
        );
        assert_eq!((&said.thread, told.thread.as_ref()), (&None, Some(&id)), "{name}");
        stage.restart().await;
        let last = stage.say(None, "the end").await;
        let all = hear(stage.chat(), &ear, |ear| ear.of(&last).is_some()).await;
        assert_eq!(
            all.len(),
            3,
            "{name}: whatever comes again has its old id: {all:#?}"
        );
    }
}

#[tokio::test]
async fn who_was_heard_sees_it_and_can_be_answered() {
    for mut stage in all().await {
        let (name, ear) = (stage.name(), Notebook::default());
        let asked = stage.say(None, "!status").await;
        hear(stage.chat(), &ear, |ear| ear.of(&asked).is_some()).await;
        let heard = ear.of(&asked).unwrap();
        for _ in 0..2 {
            stage.chat().acknowledge(&heard).await.unwrap();
        }
        assert!(stage.is_acknowledged(&heard).await, "{name}");
        stage.chat().whisper(&heard, HOSTILE).await.unwrap();
        let told = stage.whispered(&heard).await;
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert!(told[0].contains("@everyone"), "{name}: {told:?}");
        assert_eq!(stage.drawn().await, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn files_go_both_ways_within_a_limit() {
    for mut stage in all().await {
        let (name, place) = (stage.name(), room(stage.as_ref()).await);
        let ear = Notebook::default();
        let put = stage.put("../spec.txt", "all of it").await;
        hear(stage.chat(), &ear, |ear| ear.of(&put).is_some()).await;
        let What::Text { files, .. } = ear.of(&put).unwrap().what else {
            panic!("{name}: no text");
        };
        assert_eq!(files.len(), 1, "{name}");
        let chat = stage.chat();
        assert_eq!(chat.fetch(&files[0], 9).await.unwrap(), b"all of it", "{name}");
        let refused = chat.fetch(&files[0], 8).await;
        assert!(
            matches!(refused, Err(ChatError::Refused { .. })),
            "{name}: {refused:?}"
        );
        let id = chat.post(&place, &words("card"), "card", None).await.unwrap();
        let thread = in_thread(&place, &id);
        chat.upload(&thread, "bench.txt", b"17 ns\n".to_vec(), "file:1")
            .await
            .unwrap();
        let wanted = (Some(id), "bench.txt".to_owned(), "17 ns\n".to_owned());
        assert_eq!(stage.files().await, [wanted], "{name}");
    }
}

#[tokio::test]
async fn a_canary_comes_back() {
    for mut stage in all().await {
        let (name, ear) = (stage.name(), Notebook::default());
        for nonce in ["first", "second"] {
            stage.chat().canary(nonce).await.unwrap();
            hear(stage.chat(), &ear, |ear| {
                ear.echoes().iter().any(|echo| echo == nonce)
            })
            .await;
        }
        stage.restart().await;
        stage.chat().canary("third").await.unwrap();
        let all = hear(stage.chat(), &ear, |ear| {
            ear.echoes().contains(&"third".to_owned())
        })
        .await;
        assert!(all.is_empty(), "{name}: it is nobody's word: {all:?}");
    }
}
