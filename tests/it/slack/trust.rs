//! Whom the adapter trusts: by the record of the account, never by a name.

use std::time::Duration;

use orchestrator::chat::Chat;
use orchestrator::chat::heard::Distrust;
use orchestrator::chat::message::Message;
use orchestrator::chat::message::Verb;
use serde_json::json;

use super::stand_in::world::Trouble;
use super::stand_in::{JANE, MAIN, Stage, TEAM};
use super::{Notebook, card, main};

#[tokio::test]
async fn presses_by_whoever_may_not() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    let message = Message::Card(card("waiting", &[Verb::Approve]));
    let id = slack.post(&main(), &message, "k", None).await.unwrap();
    let all = [
        ("U0MEMBER", json!({}), None),
        // Names prove nothing: whoever calls himself Jane is himself.
        (
            "U0FALSE",
            json!({ "name": "u0jane", "profile": { "display_name": "jane" } }),
            None,
        ),
        ("U0BOT2", json!({ "is_bot": true }), Some(Distrust::Bot)),
        ("U0FLOW", json!({ "is_workflow_bot": true }), Some(Distrust::Bot)),
        ("U0GONE", json!({ "deleted": true }), Some(Distrust::Deactivated)),
        ("U0GUEST", json!({ "is_restricted": true }), Some(Distrust::Guest)),
        (
            "U0SINGLE",
            json!({ "is_ultra_restricted": true }),
            Some(Distrust::Guest),
        ),
        (
            "U0OTHER",
            json!({ "team_id": "T0OTHER", "is_stranger": true }),
            Some(Distrust::Foreign),
        ),
        (
            "W0GRID",
            json!({ "team_id": "E0GRID", "enterprise_user": { "teams": [TEAM] } }),
            None,
        ),
        (
            "W0AWAY",
            json!({ "team_id": "E0GRID", "enterprise_user": { "teams": ["T0OTHER"] } }),
            Some(Distrust::Foreign),
        ),
    ];
    for (user, record, _) in &all {
        stage.world().account(user, record.clone());
    }
    for (user, ..) in &all {
        let mut payload = stage.pressed(user, MAIN, &id, "nonce-approve");
        if user.starts_with("W0GRID") {
            // Of an organisation, Slack names the workspace that the press came from.
            payload["user"]["team_id"] = json!(TEAM);
        }
        stage.world().envelope("interactive", payload);
    }
    // Nobody: an account that Slack does not know.
    let mut forged = stage.pressed(JANE, MAIN, &id, "nonce-approve");
    forged["user"]["id"] = json!("U0NOBODY");
    stage.world().envelope("interactive", forged);
    ear.until(&slack, |ear| ear.heard().len() == all.len() + 1).await;
    let heard = ear.heard();
    for ((user, _, expected), heard) in all.iter().zip(&heard) {
        assert_eq!(&heard.who.distrust, expected, "{user}");
        assert!(heard.who.id.ends_with(&format!(":{user}")), "{}", heard.who.id);
    }
    assert_eq!(heard[0].who.id, format!("{TEAM}:U0MEMBER"));
    assert_eq!(heard[7].who.id, "T0OTHER:U0OTHER");
    assert_eq!(heard[8].who.id, format!("{TEAM}:W0GRID"));
    assert_eq!(heard.last().unwrap().who.distrust, Some(Distrust::Unknown));
}

#[tokio::test]
async fn messages_of_programs_and_of_shared_channels() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    stage.write(
        MAIN,
        json!({ "user": "U0OTHERBOT", "bot_id": "B0OTHER", "text": "approve" }),
    );
    stage.write(MAIN, json!({ "user": "USLACKBOT", "text": "approve" }));
    stage.write(
        MAIN,
        json!({ "user": JANE, "team": "T0OTHER", "user_team": "T0OTHER", "text": "approve" }),
    );
    stage.say(JANE, MAIN, "approve");
    ear.until(&slack, |ear| ear.heard().len() == 4).await;
    let distrust: Vec<_> = ear.heard().into_iter().map(|heard| heard.who.distrust).collect();
    assert_eq!(
        distrust,
        [
            Some(Distrust::Bot),
            Some(Distrust::Bot),
            Some(Distrust::Foreign),
            None
        ]
    );
}

#[tokio::test]
async fn who_cannot_be_asked_for_is_not_trusted_and_asked_for_again() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    let troubles = [
        Trouble::Refuse(500, Vec::new()),
        Trouble::Refuse(429, vec![("retry-after", "60".to_owned())]),
        Trouble::Slow(Duration::from_secs(30)),
        Trouble::Say("user_not_visible"),
    ];
    let count = troubles.len();
    stage.world().again_after = Duration::from_secs(60);
    for trouble in troubles {
        stage.world().fail("users.info", trouble);
        stage.say(JANE, MAIN, "status");
    }
    stage.say(JANE, MAIN, "status");
    stage.say(JANE, MAIN, "status");
    ear.until(&slack, |ear| ear.heard().len() == count + 2).await;
    let heard = ear.heard();
    for heard in &heard[..count] {
        assert_eq!(heard.who.distrust, Some(Distrust::Unknown));
        assert_eq!(heard.who.id, format!("{TEAM}:{JANE}"));
    }
    assert!(heard[count..].iter().all(|heard| heard.who.distrust.is_none()));
    // Once it is known, it is not asked for each time. A call that went wrong never reached the list.
    assert_eq!(stage.world().calls_of("users.info"), 1);
}
