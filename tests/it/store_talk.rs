//! What the store keeps for chats, told of every engine: cards, what was heard, conversations.

use chrono::TimeDelta;
use orchestrator::domain::report::Surface;
use orchestrator::store::CardRow;
use serde_json::json;

use crate::store_fresh::{Engine, Fresh, on_every_engine};
use crate::store_tasks::*;

on_every_engine!(
    a_card_is_found_by_its_task_and_by_its_message,
    an_event_is_kept_once_and_stays_open_until_its_outcome_was_told,
    a_conversation_is_replaced_and_another_room_is_another,
    what_is_over_goes_and_what_is_open_stays,
);

fn team() -> Surface {
    Surface::parse("team").unwrap()
}

fn card(task: &str, message: &str) -> CardRow {
    CardRow {
        surface: team(),
        task: id(task),
        room: "C1".to_owned(),
        message: message.to_owned(),
        shown: "digest".to_owned(),
        nonce: "random.1".to_owned(),
        is_over: false,
        posted_at: at(),
        edited_at: at(),
    }
}

async fn a_card_is_found_by_its_task_and_by_its_message(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let (store, team) = (&fresh.store, team());
    assert_eq!(store.card(&team, &id("a")).await.unwrap(), None);
    let (first, second) = (card("a", "m1"), card("b", "m2"));
    store.set_card(&first).await.unwrap();
    store.set_card(&second).await.unwrap();
    store.set_card(&second).await.unwrap();
    assert_eq!(store.card(&team, &id("a")).await.unwrap().as_ref(), Some(&first));
    assert_eq!(store.card_at(&team, "m2").await.unwrap().as_ref(), Some(&second));
    let elsewhere = Surface::parse("other").unwrap();
    assert_eq!(store.card_at(&elsewhere, "m2").await.unwrap(), None);
    let later = CardRow {
        edited_at: at() + TimeDelta::seconds(1),
        ..first.clone()
    };
    store.set_card(&later).await.unwrap();
    let open = store.open_cards(&team, 10).await.unwrap();
    assert_eq!(
        open,
        [second.clone(), later.clone()],
        "the one that was edited longest ago first"
    );
    let over = CardRow {
        is_over: true,
        message: "m3".to_owned(),
        ..later
    };
    store.set_card(&over).await.unwrap();
    assert_eq!(store.open_cards(&team, 10).await.unwrap(), [second]);
    assert_eq!(
        store.card_at(&team, "m1").await.unwrap(),
        None,
        "it is another message now"
    );
    assert_eq!(store.card(&team, &id("a")).await.unwrap(), Some(over));
}

async fn an_event_is_kept_once_and_stays_open_until_its_outcome_was_told(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let (store, team) = (&fresh.store, team());
    let later = at() + TimeDelta::seconds(1);
    store.hear(&team, "e2", &json!({"n": 2}), later).await.unwrap();
    store.hear(&team, "e1", &json!({"n": 1}), at()).await.unwrap();
    store
        .hear(&team, "e1", &json!({"n": "again"}), later)
        .await
        .unwrap();
    let open = store.unanswered(&team, 10).await.unwrap();
    let bodies: Vec<_> = open
        .iter()
        .map(|row| (row.event.as_str(), &row.body["n"]))
        .collect();
    assert_eq!(bodies, [("e1", &json!(1)), ("e2", &json!(2))]);
    assert_eq!((open[0].taken_at, &open[0].outcome), (at(), &None));
    // Nothing is told that was not done.
    store.told(&team, "e1", later).await.unwrap();
    assert_eq!(store.unanswered(&team, 10).await.unwrap().len(), 2);
    store.answer(&team, "e1", &json!("done"), later).await.unwrap();
    store
        .answer(&team, "e1", &json!("done twice"), later)
        .await
        .unwrap();
    let row = store.heard(&team, "e1").await.unwrap().unwrap();
    assert_eq!(row.outcome, Some(json!("done")), "the first outcome stays");
    assert_eq!(
        store.unanswered(&team, 1).await.unwrap()[0].event,
        "e1",
        "it was not told yet"
    );
    store.told(&team, "e1", later).await.unwrap();
    let open = store.unanswered(&team, 10).await.unwrap();
    assert_eq!(
        open.iter().map(|row| row.event.as_str()).collect::<Vec<_>>(),
        ["e2"]
    );
    assert_eq!(store.heard(&team, "e3").await.unwrap(), None);
}

async fn a_conversation_is_replaced_and_another_room_is_another(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let (store, team) = (&fresh.store, team());
    for (room, body) in [
        ("r", json!({"a": 1})),
        ("s", json!([])),
        ("r", json!({"a": "ü 🗞️"})),
    ] {
        store.set_conversation(&team, room, &body, at()).await.unwrap();
    }
    assert_eq!(
        store.conversation(&team, "r").await.unwrap(),
        Some(json!({"a": "ü 🗞️"}))
    );
    assert_eq!(store.conversation(&team, "s").await.unwrap(), Some(json!([])));
    assert_eq!(store.conversation(&team, "t").await.unwrap(), None);
}

async fn what_is_over_goes_and_what_is_open_stays(engine: Engine) {
    let fresh = Fresh::open(engine).await;
    let (store, team) = (&fresh.store, team());
    let over = CardRow {
        is_over: true,
        ..card("over", "m1")
    };
    store.set_card(&over).await.unwrap();
    store.set_card(&card("open", "m2")).await.unwrap();
    for event in ["told", "open"] {
        store.hear(&team, event, &json!({}), at()).await.unwrap();
    }
    store.answer(&team, "told", &json!({}), at()).await.unwrap();
    store.told(&team, "told", at()).await.unwrap();
    let (now, keep) = (at() + TimeDelta::days(10), TimeDelta::days(1));
    store.trim(now, keep).await.unwrap();
    assert_eq!(store.card(&team, &id("over")).await.unwrap(), None);
    assert!(store.card(&team, &id("open")).await.unwrap().is_some());
    assert_eq!(store.heard(&team, "told").await.unwrap(), None);
    assert!(store.heard(&team, "open").await.unwrap().is_some());
}
