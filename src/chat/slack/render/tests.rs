use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn shown(content: &SlackMessageContent) -> Value {
    serde_json::to_value(content).unwrap()
}

fn page(content: &SlackMessageContent) -> String {
    serde_json::to_string_pretty(&shown(content)).unwrap()
}

fn card_of(task: &str) -> Card {
    Card {
        task: task.to_owned(),
        title: "Fix the <login> & more".to_owned(),
        icon: "🔄".to_owned(),
        state: "running".to_owned(),
        pct: Some(40),
        facts: vec![
            Fact {
                name: "Tier".to_owned(),
                value: "haiku".to_owned(),
            },
            Fact {
                name: "Attempt".to_owned(),
                value: "2 of 3".to_owned(),
            },
        ],
        buttons: [Verb::Pause, Verb::Cancel]
            .map(|verb| Button {
                verb,
                nonce: format!("n-{}", verb.word()),
            })
            .to_vec(),
    }
}

#[test]
fn a_card() {
    let rendered = message(&Message::Card(card_of("fix-login")));
    insta::assert_snapshot!(page(&rendered));
}

#[test]
fn a_card_that_is_over_has_no_buttons() {
    let mut card = card_of("fix-login");
    card.state = "completed".to_owned();
    card.pct = None;
    card.buttons.clear();
    let rendered = shown(&message(&Message::Card(card)));
    assert!(!rendered.to_string().contains("actions"), "{rendered}");
}

#[test]
fn words_with_code() {
    let text = Text {
        text: "🔴 [fix] - blocked: <!channel> *look* at @here".to_owned(),
        code: Some("error[E0308]: <T>\n```\nrm -rf".to_owned()),
        broadcast: true,
    };
    insta::assert_snapshot!(page(&message(&Message::Text(text))));
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let text = Text {
        text: "many words ".repeat(2_000),
        code: Some("x".repeat(30_000)),
        broadcast: false,
    };
    let rendered = shown(&message(&Message::Text(text)));
    let blocks = rendered["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 4);
    let last = |value: &Value| value.as_str().unwrap().ends_with("more characters)");
    assert!(last(&blocks[2]["text"]["text"]));
    assert!(last(&blocks[3]["elements"][0]["elements"][0]["text"]));
    assert!(!last(&blocks[0]["text"]["text"]));
}

#[test]
fn bars() {
    for (pct, drawn) in [
        (0, "░░░░░░░░░░ 0 %"),
        (39, "▓▓▓░░░░░░░ 39 %"),
        (100, "▓▓▓▓▓▓▓▓▓▓ 100 %"),
        (255, "▓▓▓▓▓▓▓▓▓▓ 100 %"),
    ] {
        assert_eq!(bar(pct), drawn);
    }
}

#[test]
fn what_cannot_be_taken_back_is_asked_back() {
    let button = |verb| {
        let nonce = "n".to_owned();
        shown_element(&element(0, &Button { verb, nonce }))
    };
    for verb in Verb::ALL {
        assert_eq!(
            button(verb).get("confirm").is_some(),
            verb.is_final(),
            "{}",
            verb.word()
        );
    }
}

fn shown_element(element: &SlackBlockButtonElement) -> Value {
    serde_json::to_value(element).unwrap()
}

/// Every limit that the documentation of Block Kit names, and how long all texts are together.
fn check(content: &Value) -> Result<(), String> {
    let blocks = content["blocks"].as_array().ok_or("no blocks")?;
    let mut whole = 0;
    let mut hold = |what: &str, text: &Value, most: usize| {
        let length = units(text.as_str().unwrap_or_default());
        whole += length;
        match (1..=most).contains(&length) {
            true => Ok(()),
            false => Err(format!("{what} has {length}")),
        }
    };
    if blocks.is_empty() || blocks.len() > 50 {
        return Err(format!("{} blocks", blocks.len()));
    }
    for block in blocks {
        match block["type"].as_str().unwrap_or_default() {
            "header" => hold("a header", &block["text"]["text"], 150)?,
            "section" if block["fields"].is_array() => {
                let fields = block["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
                if fields.is_empty() || fields.len() > 10 {
                    return Err(format!("{} fields", fields.len()));
                }
                for field in fields {
                    hold("a field", &field["text"], 2_000)?;
                }
            }
            "section" => hold("a section", &block["text"]["text"], 3_000)?,
            "context" => hold("a context", &block["elements"][0]["text"], 3_000)?,
            "rich_text" => hold("code", &block["elements"][0]["elements"][0]["text"], 13_200)?,
            "actions" => {
                let elements = block["elements"]
                    .as_array()
                    .map(Vec::as_slice)
                    .unwrap_or_default();
                if elements.is_empty() || elements.len() > 25 {
                    return Err(format!("{} buttons", elements.len()));
                }
                for element in elements {
                    hold("a button", &element["text"]["text"], 75)?;
                    if units(element["value"].as_str().unwrap_or_default()) > 2_000 {
                        return Err("a value".to_owned());
                    }
                }
            }
            other => return Err(format!("a block {other}")),
        }
    }
    match whole <= 13_200 {
        true => Ok(()),
        false => Err(format!("{whole} in all")),
    }
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "(\\PC|[<>&\\n ]|😀){0,300}",
        (0_usize..20_000).prop_map(|n| "<&😀".repeat(n / 4)),
        (0_usize..20_000).prop_map(|n| "line\n".repeat(n / 5)),
    ]
}

fn cards() -> impl Strategy<Value = Card> {
    let facts = proptest::collection::vec((words(), words()), 0..30);
    let buttons = proptest::collection::vec((0_usize..6, 0_usize..2_500), 0..40);
    (
        words(),
        words(),
        words(),
        proptest::option::of(any::<u8>()),
        facts,
        buttons,
    )
        .prop_map(|(task, title, state, pct, facts, buttons)| Card {
            task,
            title,
            icon: "🔄".to_owned(),
            state,
            pct,
            facts: facts
                .into_iter()
                .map(|(name, value)| Fact { name, value })
                .collect(),
            buttons: buttons
                .into_iter()
                .map(|(verb, length)| Button {
                    verb: Verb::ALL[verb],
                    nonce: "n".repeat(length),
                })
                .collect(),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_card_fits(card in cards()) {
        prop_assert_eq!(check(&shown(&message(&Message::Card(card)))), Ok(()));
    }

    #[test]
    fn every_text_fits(text in words(), code in proptest::option::of(words())) {
        let text = Text { text, code, broadcast: false };
        prop_assert_eq!(check(&shown(&message(&Message::Text(text)))), Ok(()));
    }
}
