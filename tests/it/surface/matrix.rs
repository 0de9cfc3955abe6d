//! The whole path by Matrix: the real service as its own process, a real homeserver, and a person at an independent client,
//! all of it encrypted.

use orchestrator::chat::Chat;
use orchestrator::chat::message::Purpose;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::main_job::world::{World, section};
use crate::matrix::scene::Scene;

fn words(event: &Value) -> &str {
    event["words"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_task_is_shown_asks_is_answered_and_is_done() {
    let Some(scene) = Scene::shared() else {
        return;
    };
    let (account, owner) = (scene.account("bot").await, scene.account("jane").await);
    let mut jane = scene.person(&owner).await;
    let chat = format!(
        "[chat.home]\nkind = \"matrix\"\nhomeserver = {:?}\nuser = {:?}\npassword = {:?}\nspace = \"Lab\"\nowners = [{:?}]\n\
         per_minute = 6000\n",
        scene.url, account.id, account.password, owner.id
    );
    let world = World::configured("max_concurrent = 2\n", &chat);
    // The device that the service is going to use makes the room, so that somebody can be there before anything is told.
    let room = {
        let bot = scene.bot(
            &account,
            &[&owner.id],
            &world.root().join(".orchestrator/chat/home"),
        );
        bot.room(&Purpose::Project("default".to_owned())).await.unwrap()
    };
    jane.join(&room).await;
    let asks = "if grep -q 'the blue one' \"$ORCHESTRATOR_PROMPT_FILE\"; then echo b > done.txt; else \
                orchestrator agent ask 'Red or blue?'; exit 77; fi";
    world.worker("paint", asks);
    let up = block_in_place(|| world.up());
    world.save_tasks(&[&section("paint", "")]);
    let seen = jane
        .read_until(&room, |seen| {
            seen.iter().any(|event| {
                words(event).contains("asks: Red or blue?") && !event["content"]["m.relates_to"].is_null()
            })
        })
        .await;
    let question = seen
        .iter()
        .find(|event| {
            words(event).contains("asks: Red or blue?") && !event["content"]["m.relates_to"].is_null()
        })
        .unwrap();
    let root = question["content"]["m.relates_to"]["event_id"].clone();
    let answer = json!({
        "msgtype": "m.text", "body": "the blue one",
        "m.relates_to": { "rel_type": "m.thread", "event_id": root },
    });
    jane.send(&room, answer).await;
    let seen = jane
        .read_until(&room, |seen| {
            seen.iter()
                .any(|event| words(event).contains("completed! Validation:"))
        })
        .await;
    assert!(
        seen.iter()
            .any(|event| words(event).starts_with("answer paint: it is ")),
        "{seen:#?}"
    );
    block_in_place(|| {
        world.until_archived("paint");
        let status = world.run(&["status", "--json"]).json();
        assert_eq!(status["surfaces"][0]["name"], "home");
        drop(up);
    });
}
