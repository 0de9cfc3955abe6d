//! Messages as Block Kit, within its limits. Pure.
//!
//! | what | limit | source |
//! | --- | --- | --- |
//! | blocks of a message | 50 | <https://docs.slack.dev/reference/block-kit/blocks> |
//! | a header's text | 150 | header block |
//! | a section's text; its fields, each | 3,000; 10, 2,000 | section block |
//! | an action block's elements | 25 | actions block |
//! | a button's words, its value | 75, 2,000 | button element |
//! | all of a message together | about 13,200 | `msg_blocks_too_long`, as people met it |
//!
//! Invariant: every message fits, whatever it is made of; what is left out is said to be.

use slack_morphism::blocks::{
    SlackActionBlockElement, SlackActionsBlock, SlackBlock, SlackBlockButtonElement, SlackBlockButtonStyle,
    SlackBlockConfirmItem, SlackBlockPlainText, SlackBlockPlainTextOnly, SlackBlockText, SlackContextBlock,
    SlackHeaderBlock, SlackRichTextBlock, SlackRichTextPreformatted, SlackSectionBlock,
};
use slack_morphism::{SlackActionId, SlackMessageContent};

use super::markup::{literal, parts, units, within};
use crate::chat::message::{Button, Card, Fact, Message, Text, Verb};

/// The most units of everything that is shown.
const WHOLE: usize = 12_000;
const HEADER: usize = 150;
const SECTION: usize = 3_000;
/// Sections that the words of a text may take.
const SECTIONS: usize = 3;
/// Facts are short; so many of them fit beside the rest.
const FACT: usize = 200;
const FACTS: usize = 20;
const FIELDS: usize = 10;
const BUTTONS: usize = 25;
const VALUE: usize = 2_000;
/// What is shown where only a line is: in notifications.
const LINE: usize = 300;
/// Cells of a progress bar.
const CELLS: u8 = 10;

/// A message as Slack takes it.
pub(super) fn message(message: &Message) -> SlackMessageContent {
    match message {
        Message::Text(words) => text(words),
        Message::Card(task) => card(task),
    }
}

/// Words.
pub(super) fn text(text: &Text) -> SlackMessageContent {
    let words = parts(&text.text, SECTION, SECTIONS);
    let room = WHOLE - words.iter().map(|part| units(part)).sum::<usize>();
    let mut blocks: Vec<SlackBlock> = words.iter().map(|part| section(part)).collect();
    blocks.extend(text.code.as_deref().map(|code| preformatted(code, room)));
    SlackMessageContent::new()
        .with_text(within(&text.text, LINE))
        .with_blocks(blocks)
}

fn card(card: &Card) -> SlackMessageContent {
    let title = format!("{} {}", card.icon, card.title);
    let mut state = within(&card.state, SECTION / 2);
    if let Some(pct) = card.pct {
        state = format!("{state}\n{}", bar(pct));
    }
    let mut blocks = vec![
        SlackHeaderBlock::new(plain_only(&within(&title, HEADER))).into(),
        section(&state),
    ];
    blocks.extend(
        card.facts[..card.facts.len().min(FACTS)]
            .chunks(FIELDS)
            .map(fields),
    );
    blocks.push(context(card));
    blocks.extend(actions(&card.buttons));
    let line = format!("{title} — {}", card.state);
    SlackMessageContent::new()
        .with_text(within(&line, LINE))
        .with_blocks(blocks)
}

/// The task's name, by which commands know it; and how many facts are not shown.
fn context(card: &Card) -> SlackBlock {
    let mut said = within(&card.task, SECTION / 2);
    let missing = card.facts.len().saturating_sub(FACTS);
    if missing > 0 {
        said = format!("{said} · {missing} more facts");
    }
    SlackContextBlock::new(vec![plain(&said).into()]).into()
}

fn fields(facts: &[Fact]) -> SlackBlock {
    let one = |fact: &Fact| -> SlackBlockText {
        plain(&within(&format!("{}: {}", fact.name, fact.value), FACT)).into()
    };
    SlackSectionBlock::new()
        .with_fields(facts.iter().map(one).collect())
        .into()
}

/// How far, as people see it at a glance.
fn bar(pct: u8) -> String {
    let pct = pct.min(100);
    let full = usize::from(pct / (100 / CELLS));
    let empty = usize::from(CELLS) - full;
    format!("{}{} {pct} %", "▓".repeat(full), "░".repeat(empty))
}

/// A nonce cannot be cut: a button whose nonce is too long is left out, and commands do the same.
fn actions(buttons: &[Button]) -> Option<SlackBlock> {
    let fitting = buttons
        .iter()
        .filter(|button| !button.nonce.is_empty() && units(&button.nonce) <= VALUE);
    let elements: Vec<SlackActionBlockElement> = fitting
        .take(BUTTONS)
        .enumerate()
        .map(|(place, button)| element(place, button).into())
        .collect();
    (!elements.is_empty()).then(|| SlackActionsBlock::new(elements).into())
}

fn element(place: usize, button: &Button) -> SlackBlockButtonElement {
    let verb = button.verb;
    let mut element = SlackBlockButtonElement::new(plain_only(label(verb)))
        .with_action_id(SlackActionId(format!("{}-{place}", verb.word())))
        .with_value(button.nonce.clone());
    element.style = match verb {
        Verb::Approve => Some(SlackBlockButtonStyle::Primary),
        Verb::Reject | Verb::Cancel => Some(SlackBlockButtonStyle::Danger),
        Verb::Pause | Verb::Resume | Verb::Retry => None,
    };
    if verb.is_final() {
        element = element.with_confirm(asked_back(verb));
    }
    element
}

fn asked_back(verb: Verb) -> SlackBlockConfirmItem {
    SlackBlockConfirmItem::new(
        plain_only(&format!("{} this task?", label(verb))),
        plain("This cannot be taken back.").into(),
        plain_only(&format!("Yes, {}", verb.word())),
        plain_only("No"),
    )
}

fn label(verb: Verb) -> &'static str {
    match verb {
        Verb::Approve => "Approve",
        Verb::Reject => "Reject",
        Verb::Pause => "Pause",
        Verb::Resume => "Resume",
        Verb::Retry => "Retry",
        Verb::Cancel => "Cancel",
    }
}

fn section(words: &str) -> SlackBlock {
    SlackSectionBlock::new().with_text(plain(words).into()).into()
}

/// In a block of fixed width; Slack takes the text of this element as it is.
fn preformatted(code: &str, most: usize) -> SlackBlock {
    let code = literal(code, most);
    SlackRichTextBlock::new(vec![SlackRichTextPreformatted::new(vec![code.into()]).into()]).into()
}

/// Words without any markup; `words` are escaped already.
fn plain(words: &str) -> SlackBlockPlainText {
    SlackBlockPlainText::new(words.to_owned()).with_emoji(false)
}

fn plain_only(words: &str) -> SlackBlockPlainTextOnly {
    plain(words).into()
}

#[cfg(test)]
mod tests;
