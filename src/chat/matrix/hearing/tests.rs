use proptest::prelude::*;
use serde_json::json;

use super::*;

fn bot() -> Listener {
    Listener {
        id: "@bot:example.org".to_owned(),
        name: Some("Orchestra".to_owned()),
    }
}

fn event(kind: &str, content: Value) -> Value {
    json!({
        "event_id": "$e", "sender": "@jane:example.org", "origin_server_ts": 1_700_000_000_000_i64,
        "type": kind, "content": content,
    })
}

fn text_of(content: Value) -> Option<(String, bool)> {
    match said(&event("m.room.message", content), &bot(), false)?.what {
        What::Text { text, addressed, .. } => Some((text, addressed)),
        _ => None,
    }
}

#[test]
fn words_and_whether_the_bot_is_meant() {
    let plain = |body: &str| json!({"msgtype": "m.text", "body": body});
    let rows = [
        (plain("!status"), "!status", false),
        (plain("hello there"), "hello there", false),
        (plain("Orchestra: status"), "status", true),
        (plain("orchestra, status"), "status", true),
        (plain("@bot status"), "status", true),
        (plain("bot: status"), "status", true),
        (plain("bottle of milk"), "bottle of milk", false),
        (plain("@bot:example.org: why x"), "why x", true),
        (
            json!({"msgtype": "m.text", "body": "look at this", "m.mentions": {"user_ids": ["@bot:example.org"]}}),
            "look at this",
            true,
        ),
        (
            json!({"msgtype": "m.text", "body": "Orch status",
                   "formatted_body": "<a href=\"https://matrix.to/#/@bot:example.org\">Orch</a> status"}),
            "Orch status",
            true,
        ),
        (
            json!({"msgtype": "m.text", "body": "x", "m.mentions": {"user_ids": ["@other:example.org"], "room": true}}),
            "x",
            false,
        ),
    ];
    for (content, words, addressed) in rows {
        assert_eq!(
            text_of(content.clone()),
            Some((words.to_owned(), addressed)),
            "{content}"
        );
    }
    let two = said(&event("m.room.message", plain("hi")), &bot(), true).unwrap();
    assert!(matches!(two.what, What::Text { addressed: true, .. }));
}

/// Rows of the table of what is never obeyed: none of these is even handed on.
#[test]
fn what_says_nothing() {
    let text = json!({"msgtype": "m.text", "body": "!approve fix-api"});
    let with = |more: Value| {
        let mut content = text.clone();
        for (key, value) in more.as_object().unwrap() {
            content[key] = value.clone();
        }
        content
    };
    let mut own = event("m.room.message", text.clone());
    own["sender"] = json!("@bot:example.org");
    let mut state = event("m.room.message", text.clone());
    state["state_key"] = json!("");
    let mut redacted = event("m.room.message", text.clone());
    redacted["unsigned"] = json!({"redacted_because": {}});
    let rows = [
        ("our own", own),
        ("state", state),
        ("redacted", redacted),
        (
            "a notice",
            event("m.room.message", with(json!({"msgtype": "m.notice"}))),
        ),
        (
            "an edit",
            event(
                "m.room.message",
                with(
                    json!({"m.relates_to": {"rel_type": "m.replace", "event_id": "$x"}, "m.new_content": text}),
                ),
            ),
        ),
        (
            "an edit without relation",
            event("m.room.message", with(json!({"m.new_content": text}))),
        ),
        (
            "emote",
            event("m.room.message", with(json!({"msgtype": "m.emote"}))),
        ),
        ("no body", event("m.room.message", json!({"msgtype": "m.text"}))),
        ("redacted content", event("m.room.message", json!({}))),
        (
            "still encrypted",
            event("m.room.encrypted", json!({"algorithm": "m.megolm.v1.aes-sha2"})),
        ),
        ("a redaction", event("m.room.redaction", json!({"redacts": "$x"}))),
        ("a topic", event("m.room.topic", json!({"topic": "!approve"}))),
        (
            "a reference",
            event(
                "m.reaction",
                json!({"m.relates_to": {"rel_type": "m.reference", "event_id": "$x", "key": "✅"}}),
            ),
        ),
        ("nothing", json!({})),
        ("no object", json!("!approve")),
    ];
    for (name, event) in rows {
        assert_eq!(said(&event, &bot(), true), None, "{name}");
    }
}

#[test]
fn reactions_without_selectors() {
    let event = event(
        "m.reaction",
        json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$card", "key": "⏸\u{fe0f}"}}),
    );
    let said = said(&event, &bot(), false).unwrap();
    let wanted = What::Reaction {
        on: "$card".to_owned(),
        emoji: "⏸".to_owned(),
    };
    assert_eq!((said.what, said.sender.as_str()), (wanted, "@jane:example.org"));
}

#[test]
fn threads_answers_and_quotations() {
    let threaded = json!({"msgtype": "m.text", "body": "go on", "m.relates_to":
        {"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$last"}}});
    let said_of = |content| said(&event("m.room.message", content), &bot(), false).unwrap();
    let said = said_of(threaded);
    assert_eq!((said.thread.as_deref(), said.answers), (Some("$root"), None));
    let answer = json!({"msgtype": "m.text", "body": "> <@bot:example.org> which port?\n> or none\n\n8080",
        "m.relates_to": {"m.in_reply_to": {"event_id": "$asked"}}});
    let said = said_of(answer);
    assert_eq!((said.thread, said.answers.as_deref()), (None, Some("$asked")));
    assert!(matches!(said.what, What::Text { text, .. } if text == "8080"));
    let quoting = json!({"msgtype": "m.text", "body": "> not an answer\n\n8080"});
    assert_eq!(text_of(quoting).unwrap().0, "> not an answer\n\n8080");
}

#[test]
fn files_in_the_clear_and_encrypted() {
    let file = |content| match said(&event("m.room.message", content), &bot(), false)
        .unwrap()
        .what
    {
        What::Text { text, mut files, .. } => (text, files.remove(0)),
        other => panic!("{other:?}"),
    };
    let (text, plain) =
        file(json!({"msgtype": "m.file", "body": "../log.txt", "url": "mxc://h/a", "info": {"size": 5}}));
    assert_eq!(
        (text.as_str(), plain.name.as_str(), plain.bytes),
        ("", "../log.txt", Some(5))
    );
    assert_eq!(plain.handle, r#"{"url":"mxc://h/a"}"#);
    let secret = json!({"msgtype": "m.image", "body": "what broke", "filename": "a.png", "file": {"url": "mxc://h/b", "v": "v2"}});
    let (text, secret) = file(secret);
    assert_eq!(
        (text.as_str(), secret.name.as_str(), secret.bytes),
        ("what broke", "a.png", None)
    );
    assert!(secret.handle.starts_with(r#"{"file":"#));
}

#[test]
fn what_a_redaction_takes_back() {
    let old = json!({"type": "m.room.redaction", "redacts": "$a", "content": {}});
    let new = json!({"type": "m.room.redaction", "content": {"redacts": "$b"}});
    assert_eq!((redacted(&old), redacted(&new)), (Some("$a"), Some("$b")));
    assert_eq!(
        redacted(&json!({"type": "m.room.message", "redacts": "$a"})),
        None
    );
}

proptest! {
    #[test]
    fn no_body_makes_it_stumble(body in "\\PC{0,200}", quoted in any::<bool>()) {
        let mut content = json!({"msgtype": "m.text", "body": body});
        if quoted {
            content["m.relates_to"] = json!({"m.in_reply_to": {"event_id": "$x"}});
        }
        prop_assert!(text_of(content).is_some());
    }
}
