use serde_json::json;

use super::*;

fn me() -> Me {
    Me {
        user: "UBOT".to_owned(),
        bot: Some("BBOT".to_owned()),
    }
}

fn said(value: Value) -> Option<Said> {
    match event(value, &me()) {
        Meaning::Said(said) => Some(*said),
        _ => None,
    }
}

fn written() -> Value {
    json!({
        "type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "team": "T1",
        "text": "status &lt;all&gt;", "ts": "1355517523.000005",
    })
}

fn with(changes: Value) -> Value {
    let mut value = written();
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    value
}

#[test]
fn a_message() {
    let said = said(written()).unwrap();
    assert_eq!(said.event, "message:C1:1355517523.000005");
    assert_eq!(said.at.unwrap().timestamp_micros(), 1_355_517_523_000_005);
    assert_eq!((said.room.as_str(), said.thread), ("C1", None));
    assert_eq!(said.message.as_deref(), Some("1355517523.000005"));
    let What::Text {
        text,
        addressed,
        files,
    } = said.what
    else {
        panic!("no text");
    };
    assert_eq!(
        (text.as_str(), addressed, files.len()),
        ("status <all>", false, 0)
    );
}

#[test]
fn a_mention_is_the_same_event_as_its_message() {
    let text = json!({ "text": "<@UBOT> why fix" });
    let message = said(with(text.clone())).unwrap();
    let mut mention = with(text);
    mention["type"] = json!("app_mention");
    mention.as_object_mut().unwrap().remove("channel_type");
    let mention = said(mention).unwrap();
    assert_eq!(message.event, mention.event);
    assert_eq!(message.what, mention.what);
    assert!(matches!(message.what, What::Text { addressed: true, ref text, .. } if text == "why fix"));
}

#[test]
fn what_is_addressed() {
    let addressed = |changes| {
        matches!(
            said(with(changes)).unwrap().what,
            What::Text { addressed: true, .. }
        )
    };
    assert!(addressed(json!({ "channel_type": "im" })));
    assert!(addressed(json!({ "text": "hey <@UBOT>" })));
    assert!(!addressed(json!({ "text": "hey <@UOTHER> @UBOT" })));
}

#[test]
fn what_is_never_handed_on() {
    for changes in [
        json!({ "subtype": "message_changed", "message": written() }),
        json!({ "subtype": "message_deleted" }),
        json!({ "subtype": "bot_message" }),
        json!({ "subtype": "channel_join" }),
        json!({ "subtype": "me_message" }),
        json!({ "edited": { "user": "U1", "ts": "1.2" } }),
        json!({ "type": "app_mention", "edited": { "user": "U1", "ts": "1.2" } }),
        json!({ "hidden": true }),
        json!({ "user": "UBOT" }),
        json!({ "bot_id": "BBOT" }),
        json!({ "user": null }),
        json!({ "type": "reaction_added" }),
        json!({ "type": "channel_rename", "channel": { "id": "C1" } }),
        json!({ "channel": 7 }),
    ] {
        assert_eq!(event(with(changes.clone()), &me()), Meaning::Nothing, "{changes}");
    }
}

#[test]
fn what_is_handed_on_with_a_mark() {
    assert!(said(with(json!({ "bot_id": "BOTHER" }))).unwrap().bot);
    assert_eq!(
        said(with(json!({ "user_team": "T2" }))).unwrap().team.as_deref(),
        Some("T2")
    );
    assert!(said(with(json!({ "subtype": "thread_broadcast", "thread_ts": "1.1" }))).is_some());
}

#[test]
fn threads() {
    let thread = |ts: &str| said(with(json!({ "thread_ts": ts }))).unwrap().thread;
    assert_eq!(thread("1355517000.000001").as_deref(), Some("1355517000.000001"));
    assert_eq!(thread("1355517523.000005"), None);
}

#[test]
fn files_come_along() {
    let files = json!([
        { "name": "a.txt", "size": 3, "url_private": "https://files.slack.com/a", "url_private_download": "https://files.slack.com/d/a" },
        { "id": "F2", "mode": "tombstone" },
        { "title": "B", "url_private": "https://files.slack.com/b" },
    ]);
    let said = said(with(json!({ "subtype": "file_share", "files": files }))).unwrap();
    let What::Text { files, .. } = said.what else {
        panic!("no text");
    };
    let all: Vec<_> = files
        .iter()
        .map(|file| (file.name.as_str(), file.bytes, file.handle.as_str()))
        .collect();
    assert_eq!(
        all,
        [
            ("a.txt", Some(3), "https://files.slack.com/d/a"),
            ("B", None, "https://files.slack.com/b")
        ]
    );
}

#[test]
fn a_canary_of_ours_is_an_echo_and_of_others_nothing() {
    let canary = |user: &str| {
        json!({
            "type": "message", "subtype": "message_changed", "hidden": true, "channel": "C1", "ts": "2.1",
            "message": { "type": "message", "user": user, "ts": "1.1", "blocks": [{ "type": "context", "block_id": "canary:n1" }] },
        })
    };
    assert_eq!(event(canary("UBOT"), &me()), Meaning::Echo("n1".to_owned()));
    assert_eq!(event(canary("U1"), &me()), Meaning::Nothing);
    let first = with(json!({
        "user": "UBOT", "bot_id": "BBOT",
        "metadata": { "event_type": "orchestrator_canary", "event_payload": { "nonce": "n2" } },
    }));
    assert_eq!(event(first, &me()), Meaning::Echo("n2".to_owned()));
}

fn pressed() -> Value {
    json!({
        "type": "block_actions", "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "user": { "id": "U1", "team_id": "T1", "username": "jane" }, "team": { "id": "T1" },
        "channel": { "id": "C1" }, "container": { "type": "message", "message_ts": "9.1", "channel_id": "C1", "thread_ts": "8.1" },
        "response_url": "https://hooks.slack.com/actions/x",
        "actions": [{ "type": "button", "action_id": "approve-0", "value": "nonce", "action_ts": "1355517523.5" }],
    })
}

fn presses(value: Value) -> Vec<Said> {
    interaction(serde_json::from_value(value).unwrap())
}

#[test]
fn a_press() {
    let all = presses(pressed());
    let [press] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(
        press.event,
        "press:13345224609.738474920.8088930838d88f008e0:approve-0"
    );
    assert_eq!(press.at.unwrap().timestamp_millis(), 1_355_517_523_500);
    assert_eq!(press.thread.as_deref(), Some("8.1"));
    let what = What::Press {
        on: "9.1".to_owned(),
        nonce: "nonce".to_owned(),
    };
    assert_eq!((&press.what, press.message.as_ref()), (&what, None));
}

#[test]
fn a_press_without_a_trigger_is_known_again() {
    let mut value = pressed();
    value["trigger_id"] = Value::Null;
    let first = presses(value.clone());
    assert_eq!(first, presses(value.clone()));
    value["actions"][0]["action_ts"] = json!("1355517524.5");
    assert_ne!(first[0].event, presses(value)[0].event);
}

#[test]
fn presses_of_another_kind_are_none() {
    for (place, change) in [
        ("/type", json!("view_submission")),
        ("/actions/0/type", json!("static_select")),
        ("/actions/0/value", Value::Null),
        ("/container", json!({})),
    ] {
        let mut value = pressed();
        *value.pointer_mut(place).unwrap() = change;
        assert_eq!(presses(value), [], "{place}");
    }
}

#[test]
fn a_command() {
    let read = |value| command(serde_json::from_value(value).unwrap());
    let value = json!({
        "command": "/orchestrator", "text": "why <@U2|jane> &amp; co", "team_id": "T1", "channel_id": "C1", "user_id": "U1",
        "trigger_id": "t1", "response_url": "https://hooks.slack.com/commands/x",
    });
    let said = read(value).unwrap();
    assert_eq!(
        (said.event.as_str(), said.at, said.message),
        ("command:t1", None, None)
    );
    assert!(matches!(said.what, What::Text { addressed: true, ref text, .. } if text == "why @jane & co"));
    assert_eq!(read(json!({ "command": "/orchestrator" })), None);
}

#[test]
fn times() {
    for (ts, micros) in [
        ("1355517523.000005", Some(1_355_517_523_000_005)),
        ("1355517523.5", Some(1_355_517_523_500_000)),
        ("1355517523", None),
        ("x.y", None),
        ("", None),
        ("1.é", None),
    ] {
        assert_eq!(time(ts).map(|at| at.timestamp_micros()), micros, "{ts}");
    }
}
