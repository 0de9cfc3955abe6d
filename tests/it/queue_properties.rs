//! What holds for every queue file: nothing panics, nothing is lost, nothing else changes.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use crate::queue_support::*;
use orchestrator::format::queue::{Document, Edit, NewTask, Section, apply};
use proptest::prelude::*;

fn line() -> impl Strategy<Value = String> {
    let fixed = [
        "",
        "",
        "## Active Tasks",
        "## Archived Tasks",
        "### Notes on it",
        "#### Validation",
        "#### Acceptance Criteria",
        "```",
        "```sh",
        "~~~",
        "  ```",
        "<!--",
        "-->",
        "text <!-- c --> more",
        "text <!-- open",
        "- item",
        "  - nested",
        "- [ ] box",
        "  continued",
        "> quote",
        "| a | b |",
        "- **Status:** pending",
        "- **Status:**",
        "- **Status: pending**",
        "* Status: ✅ done (x)",
        "- **Status:** a <!-- c -->",
        "  - **Status:** y",
        "- **Description:** Do it",
        "- **Depends On:** a, b",
        "- **Completed:** 2026-01-02",
        "<<<<<<< HEAD",
        "\u{feff}",
        "\t- tab",
        "### ../x: y",
        "- `Type`: one-off",
    ];
    prop_oneof![
        6 => proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned),
        3 => (2..5_usize, "[a-e]{1,2}", "[ -~]{0,12}").prop_map(|(level, id, title)| format!("{} {id}: {title}\n- **Status:** pending", "#".repeat(level))),
        1 => "\\PC{0,20}",
    ]
}

/// Text that looks like a queue file, with any line ends.
fn queue_like() -> impl Strategy<Value = String> {
    let ends = proptest::sample::select(vec!["\n", "\n", "\n", "\r\n", "\r"]);
    (proptest::collection::vec(line(), 0..40), ends, any::<bool>()).prop_map(|(lines, end, last)| {
        let text = lines.join("\n").replace('\n', end);
        if last { text + end } else { text }
    })
}

/// The only section with its id, of some file.
fn unique_sections(document: &Document) -> Vec<&Section> {
    let all = ids(document);
    let is_unique = |s: &&Section| all.iter().filter(|id| **id == s.id.as_str()).count() == 1;
    document.sections().iter().filter(is_unique).collect()
}

fn value(document: &Document, name: &str) -> Option<String> {
    let section = document.sections().iter().find(|s| s.id.as_str() == name)?;
    let field = section.fields.iter().find(|f| f.name == "status")?;
    Some(field.text(document.bytes()).into_owned())
}

/// How often each byte stands in a text.
fn counts(bytes: &[u8]) -> [usize; 256] {
    let mut counts = [0; 256];
    bytes.iter().for_each(|b| counts[usize::from(*b)] += 1);
    counts
}

proptest! {
    #[test]
    fn parse_then_print_is_the_identity(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let document = Document::parse(bytes.clone());
        prop_assert_eq!(document.bytes(), &bytes[..]);
        prop_assert_eq!(apply(&bytes, &[]).bytes, bytes);
    }

    #[test]
    fn nothing_panics_and_spans_are_true(text in queue_like()) {
        let document = Document::parse(text.clone().into_bytes());
        prop_assert_eq!(document.bytes(), text.as_bytes());
        let reading = reading(&text);
        for problem in &reading.problems {
            prop_assert!(problem.line >= 1 && problem.column >= 1 && problem.span.start <= problem.span.end && problem.span.end <= text.len());
        }
        let mut owned: Vec<_> = document.sections().iter().flat_map(|s| s.own.clone()).collect();
        owned.sort_by_key(|r| r.start);
        prop_assert!(owned.windows(2).all(|w| w[0].end <= w[1].start), "sections overlap: {owned:?}");
    }

    #[test]
    fn a_status_write_touches_nothing_else(text in queue_like(), word in "[a-z]{1,8}( [a-z(]{1,5})?", pick in any::<prop::sample::Index>()) {
        let text = format!("### zz: Z\n- Job: x\n\n{text}");
        let before = Document::parse(text.clone().into_bytes());
        let sections = unique_sections(&before);
        let section = sections[pick.index(sections.len())];
        let name = section.id.as_str();
        let applied = apply(text.as_bytes(), &[status(name, &word)]);
        prop_assert!(applied.missed.is_empty());
        let after = Document::parse(applied.bytes.clone());
        prop_assert_eq!(value(&after, name), Some(word.clone()));
        prop_assert_eq!(ids(&after), ids(&before));
        for other in sections.iter().filter(|s| s.id != section.id) {
            prop_assert_eq!(value(&after, other.id.as_str()), value(&before, other.id.as_str()));
        }
        if let Some(field) = section.fields.iter().find(|f| f.name == "status") {
            let (head, tail) = (&text.as_bytes()[..field.span.start], &text.as_bytes()[field.span.end..]);
            prop_assert!(applied.bytes.starts_with(head) && applied.bytes.ends_with(tail));
            let middle = &applied.bytes[head.len()..applied.bytes.len() - tail.len()];
            prop_assert_eq!(String::from_utf8_lossy(middle).trim().to_owned(), word);
        }
    }

    #[test]
    fn two_writers_lose_no_byte(text in queue_like(), at in any::<prop::sample::Index>(), added in "[ -~]{0,20}\n?") {
        let names: Vec<String> = unique_sections(&Document::parse(text.clone().into_bytes())).iter().map(|s| s.id.to_string()).collect();
        let first: Vec<Edit> = names.iter().map(|name| status(name, "in-progress")).collect();
        let ours = written(&apply(text.as_bytes(), &first));
        // A person types somewhere else meanwhile; the second write starts from the file as it then is.
        let mut place = at.index(ours.len() + 1);
        while !ours.is_char_boundary(place) { place -= 1; }
        let theirs = format!("{}{added}{}", &ours[..place], &ours[place..]);
        let names = unique_sections(&Document::parse(theirs.clone().into_bytes())).iter().map(|s| s.id.to_string()).collect::<Vec<_>>();
        let archived: Vec<Edit> = names.iter().map(|name| archive(name)).collect();
        let applied = apply(theirs.as_bytes(), &archived);
        let mut all = applied.bytes.clone();
        applied.overflow.iter().for_each(|o| all.extend(&o.bytes));
        let (before, after) = (counts(theirs.as_bytes()), counts(&all));
        prop_assert!((0..256).all(|b| after[b] >= before[b]), "bytes were lost:\n{theirs}\n---\n{}", String::from_utf8_lossy(&applied.bytes));
        let mut left = ids(&Document::parse(applied.bytes));
        left.extend(applied.overflow.iter().map(|o| o.id.to_string()));
        for name in names { prop_assert!(left.contains(&name), "{name} is gone"); }
    }

    #[test]
    fn an_added_task_is_there_or_the_file_is_as_it_was(text in queue_like(), description in "\\PC{0,30}", body in queue_like()) {
        let task = NewTask { id: id("added"), title: "T".into(), fields: vec![("Description".into(), description)], body };
        let applied = apply(text.as_bytes(), &[Edit::Add(task)]);
        if applied.missed.is_empty() {
            prop_assert_eq!(ids(&Document::parse(applied.bytes)).iter().filter(|i| *i == "added").count(), 1);
        } else {
            prop_assert_eq!(applied.bytes, text.into_bytes());
        }
    }
}
