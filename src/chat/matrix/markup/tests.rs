use proptest::prelude::*;

use super::*;
use crate::chat::message::Fact;

fn card(buttons: &[Verb]) -> Message {
    let fact = |name: &str, value: &str| Fact {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    Message::Card(Card {
        task: "fix-api".to_owned(),
        title: "Fix the <audit> API".to_owned(),
        icon: "🟢".to_owned(),
        state: "working: tests & docs".to_owned(),
        pct: Some(42),
        facts: vec![
            fact("tier", "haiku (fast)"),
            fact("attempt", "2 of 5"),
            fact("cost", "$0.12"),
        ],
        buttons: { buttons.iter() }
            .map(|verb| Button {
                verb: *verb,
                nonce: "n0nce".to_owned(),
            })
            .collect(),
    })
}

#[test]
fn a_card_on_a_small_screen() {
    let working = rendered(&card(&[Verb::Pause, Verb::Cancel]), WIDE);
    insta::assert_snapshot!(working.body, @r"
    🟢 Fix the <audit> API [fix-api]
    working: tests & docs
    ▰▰▰▰▱▱▱▱▱▱ 42 %
    tier: haiku (fast) · attempt: 2 of 5 · cost: $0.12
    ⏸ pause  🛑 cancel
    (react with one, or write !pause fix-api)
    ");
    insta::assert_snapshot!(working.html.replace("<br>", "<br>\n"), @r"
    🟢 <b>Fix the &lt;audit&gt; API</b> <code>fix-api</code><br>
    working: tests &amp; docs<br>
    ▰▰▰▰▱▱▱▱▱▱ 42 %<br>
    tier: <b>haiku (fast)</b> · attempt: <b>2 of 5</b> · cost: <b>$0.12</b><br>
    ⏸ pause  🛑 cancel<br>
    <i>react with one, or write</i> <code>!pause fix-api</code>
    ");
    let over = rendered(&card(&[]), WIDE);
    assert!(!over.html.contains("react") && !over.body.contains("react"));
}

#[test]
fn only_decisions_have_their_emoji_put_up() {
    assert_eq!(
        offered(&card(&[Verb::Approve, Verb::Reject, Verb::Cancel])),
        ["✅", "❌"]
    );
    assert!(offered(&card(&[Verb::Pause])).is_empty());
    assert!(offered(&Message::Text(Text::of("approve?"))).is_empty());
}

#[test]
fn the_nonce_of_a_button_is_not_shown() {
    let content = content(&card(&Verb::ALL), Some("k"), Relation::Alone, false);
    assert!(!content.to_string().contains("n0nce"));
}

#[test]
fn words_are_no_markup_and_mention_nobody() {
    let text = Text {
        text: "@room <b>@jane:h</b>\n<a href=\"https://matrix.to/#/@jane:h\">x</a>".to_owned(),
        code: Some("if a < b && c { }".to_owned()),
        broadcast: false,
    };
    let content = content(
        &Message::Text(text),
        Some("k:1"),
        Relation::Thread("$root"),
        false,
    );
    let wanted = json!({
        "msgtype": "m.notice",
        "body": "@room <b>@jane:h</b>\n<a href=\"https://matrix.to/#/@jane:h\">x</a>\nif a < b && c { }",
        "format": "org.matrix.custom.html",
        "formatted_body": "@room &lt;b&gt;@jane:h&lt;/b&gt;<br>&lt;a href=\"https://matrix.to/#/@jane:h\"&gt;x&lt;/a&gt;<pre><code>if a &lt; b &amp;&amp; c { }</code></pre>",
        "m.mentions": {},
        "org.orchestrator.key": "k:1",
        "m.relates_to": {
            "rel_type": "m.thread",
            "event_id": "$root",
            "is_falling_back": true,
            "m.in_reply_to": { "event_id": "$root" },
        },
    });
    assert_eq!(content, wanted);
}

#[test]
fn an_edit_replaces_the_original() {
    let edit = edit(&card(&[]), "$first");
    assert_eq!(
        edit["m.relates_to"],
        json!({ "rel_type": "m.replace", "event_id": "$first" })
    );
    assert_eq!(edit["body"], "* 🟢 Fix the <audit> API: working: tests & docs");
    assert_eq!(edit["m.new_content"]["m.mentions"], json!({}));
    assert_eq!(edit["m.new_content"]["body"], rendered(&card(&[]), WIDE).body);
}

#[test]
fn whoever_must_act_is_rung() {
    let message = Message::Text(Text::of("which port?"));
    assert_eq!(
        content(&message, None, Relation::Alone, true)["msgtype"],
        "m.text"
    );
    assert_eq!(
        content(&message, None, Relation::Alone, false)["msgtype"],
        "m.notice"
    );
}

proptest! {
    /// 65,536 bytes are allowed; encryption writes a content as base64.
    #[test]
    fn whatever_is_said_fits(one in prop::sample::select(vec!["&", "\"", "語", "x", "\\", "\n", "😀"]), much in 0_usize..90_000) {
        let text = one.repeat(much);
        let words = Message::Text(Text { text: text.clone(), code: Some(text.clone()), broadcast: false });
        let Message::Card(mut big) = card(&Verb::ALL) else { unreachable!() };
        big.title = text.clone();
        big.state = text.clone();
        for fact in &mut big.facts {
            fact.value = text.clone();
        }
        for message in [words, Message::Card(big)] {
            for content in [content(&message, Some("k"), Relation::Thread("$t"), false), edit(&message, "$t")] {
                prop_assert!(content.to_string().len() <= 46_000);
            }
        }
    }
}
