//! The acceptance criteria in the progress file: a check list that the orchestrator lays out and a worker answers.
//!
//! `- [x] 2. The docs say so - evidence: docs/audit.md:12`. Any text can be read; what cannot be matched is nothing.

use super::{Found, NONE, Section, closed, line_end, one_line, splice, with_section};
use crate::domain::criteria::{Answer, answer_to, numbered as with_numbers};
use crate::domain::definition::Criterion;
use crate::format::scan;

const EVIDENCE: &str = "evidence:";

/// The answers to the acceptance criteria, in the order of the file.
pub fn answers(text: &str) -> Vec<Answer> {
    let found = Found::of(text);
    items(&found).iter().map(|item| read(&item.text)).collect()
}

/// How many criteria are ticked and have evidence named.
pub fn answered(text: &str) -> usize {
    let all = answers(text);
    all.iter()
        .filter(|answer| answer.ticked && !answer.evidence.is_empty())
        .count()
}

/// The file with a line for each criterion that has none yet.
pub fn with_criteria(text: &str, criteria: &[Criterion]) -> String {
    if criteria.is_empty() {
        return text.to_owned();
    }
    let said = answers(text);
    let missing: Vec<String> = with_numbers(criteria)
        .filter(|(number, criterion)| answer_to(*number, criterion, criteria, &said).is_none())
        .map(|(number, criterion)| format!("- [ ] {number}. {}", plain(&criterion.text)))
        .collect();
    missing
        .iter()
        .fold(text.to_owned(), |text, line| put(&text, line))
}

/// The file with this criterion ticked, and with what shows it.
pub fn answer(text: &str, number: usize, evidence: &str) -> String {
    let text = closed(text);
    let evidence = plain(evidence);
    let found = Found::of(&text);
    let item = items(&found)
        .into_iter()
        .find(|item| read(&item.text).number == Some(number));
    let Some(item) = item else {
        return put(&text, &format!("- [x] {number}. - {EVIDENCE} {evidence}"));
    };
    let said = read(&item.text).text;
    let gap = if said.is_empty() { "" } else { " " };
    splice(
        &text,
        item.at,
        &format!("- [x] {number}.{gap}{said} - {EVIDENCE} {evidence}"),
    )
}

/// A text that is one line and nothing but a line.
fn plain(text: &str) -> String {
    one_line(text)
        .replace("<!--", "<!-")
        .replace("```", "'''")
        .replace("~~~", "'''")
}

/// A box of the list, with what stands below it.
struct Item {
    text: String,
    at: std::ops::Range<usize>,
}

fn items(found: &Found<'_>) -> Vec<Item> {
    let Some(lines) = found.lines(Section::Criteria) else {
        return Vec::new();
    };
    let mut items: Vec<Item> = Vec::new();
    for line in found.scan.lines[lines]
        .iter()
        .filter(|l| l.kind == scan::Kind::Text)
    {
        let shown = found.scan.visible_text(found.text.as_bytes(), line.range());
        let shown = shown.trim();
        match items.last_mut() {
            _ if boxed(shown).is_some() => items.push(Item {
                text: shown.to_owned(),
                at: line.range(),
            }),
            // What is indented goes on; what is not is prose.
            Some(item) if found.text_of(line).starts_with([' ', '\t']) => {
                item.text
                    .extend([" ", shown.trim_start_matches(['-', '*', '+', ' '])]);
                item.at.end = line.end;
            }
            _ => {}
        }
    }
    items
}

/// Whether the box of an item is ticked, and what stands behind it.
fn boxed(item: &str) -> Option<(bool, &str)> {
    let item = item.strip_prefix(['-', '*', '+'])?.trim_start();
    let (mark, rest) = item.strip_prefix('[')?.split_once(']')?;
    match mark {
        " " | "" => Some((false, rest.trim())),
        "x" | "X" | "✓" | "✔" => Some((true, rest.trim())),
        _ => None,
    }
}

fn read(item: &str) -> Answer {
    let (ticked, rest) = boxed(item).unwrap_or((false, item));
    let lower = rest.to_ascii_lowercase();
    let (said, evidence) = match lower.find(EVIDENCE) {
        Some(at) => (&rest[..at], &rest[at + EVIDENCE.len()..]),
        None => (rest, ""),
    };
    let marks = |c: char| c.is_whitespace() || "-–—*_(:;,".contains(c);
    let (number, said) = numbered(said.trim().trim_end_matches(marks));
    let evidence = evidence.trim_start_matches(['*', '_', ':']).trim();
    Answer {
        number,
        text: said.trim_end_matches(marks).to_owned(),
        ticked,
        evidence: evidence.to_owned(),
    }
}

/// `2. text`, `2) text`, `#2 text`.
fn numbered(text: &str) -> (Option<usize>, &str) {
    let bare = text.trim_start_matches(['*', '#']);
    let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = bare.split_at(digits);
    let mark = rest.strip_prefix(['.', ')', ':']);
    let hash = (text.starts_with('#') || rest.is_empty()).then_some(rest);
    let rest = mark
        .or(hash)
        .filter(|rest| rest.is_empty() || rest.starts_with([' ', '*']));
    match (number.parse(), rest) {
        (Ok(number), Some(rest)) => (Some(number), rest.trim_start_matches(['*', ' '])),
        _ => (None, text),
    }
}

/// Puts a line at the end of the section, in place of a lonely `none`.
fn put(text: &str, line: &str) -> String {
    let whole = with_section(text, Section::Criteria);
    let found = Found::of(&whole);
    let Some(lines) = found.lines(Section::Criteria) else {
        return whole;
    };
    let eol = line_end(&whole);
    let own = &found.scan.lines[lines.clone()];
    let filled: Vec<_> = own.iter().filter(|l| l.kind != scan::Kind::Blank).collect();
    match filled.as_slice() {
        [only] if found.text_of(only).trim().eq_ignore_ascii_case(NONE) => splice(&whole, only.range(), line),
        [.., last] => splice(&whole, last.end..last.end, &format!("{eol}{line}")),
        [] => {
            let heading = found.scan.lines[lines.start - 1].end;
            splice(&whole, heading..heading, &format!("{eol}{eol}{line}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{completeness, create, docs_waiver, set_section};
    use super::*;
    use crate::domain::definition::Kind;
    use crate::domain::id::TaskId;

    fn criteria(texts: &[&str]) -> Vec<Criterion> {
        let criterion = |text: &&str| Criterion {
            text: (*text).to_owned(),
            checked: true,
        };
        texts.iter().map(criterion).collect()
    }

    fn start() -> String {
        create(&TaskId::parse("t").unwrap(), "T", Kind::OneOff)
    }

    fn one(line: &str) -> Answer {
        let text = format!("## Acceptance Criteria\n\n{line}\n");
        answers(&text).into_iter().next().unwrap_or_default()
    }

    #[test]
    fn a_line_has_a_number_words_a_box_and_evidence() {
        for (line, number, text, ticked, evidence) in [
            (
                "- [x] 1. It works - evidence: src/a.rs:3",
                Some(1),
                "It works",
                true,
                "src/a.rs:3",
            ),
            (
                "- [X] It works — **Evidence:** `tests`",
                None,
                "It works",
                true,
                "`tests`",
            ),
            ("* [ ] 2) It works", Some(2), "It works", false, ""),
            (
                "- [x] #3 It works (evidence: check tests)",
                Some(3),
                "It works",
                true,
                "check tests)",
            ),
            (
                "- [x] **4.** It works\n  - Evidence: tests",
                Some(4),
                "It works",
                true,
                "tests",
            ),
            (
                "- [x] 200 is answered\n      for an empty account",
                None,
                "200 is answered for an empty account",
                true,
                "",
            ),
            ("- [x] 5. - evidence: tests", Some(5), "", true, "tests"),
            ("- [x] 6", Some(6), "", true, ""),
            ("- It works", None, "", false, ""),
        ] {
            let wanted = Answer {
                number,
                text: text.to_owned(),
                ticked,
                evidence: evidence.to_owned(),
            };
            assert_eq!(one(line), wanted, "{line}");
        }
        assert_eq!(answers(&start()), []);
        let fenced = "## Acceptance Criteria\n\n```\n- [x] 1. a - evidence: b\n```\n\n## Other\n- [x] 2. c\n";
        assert_eq!(answers(fenced), []);
    }

    #[test]
    fn the_list_is_laid_out_once_and_answered_in_place() {
        let two = criteria(&["It works", "The docs\nsay so"]);
        assert_eq!(with_criteria(&start(), &[]), start());
        let text = with_criteria(&start(), &two);
        assert!(
            text.ends_with("## Acceptance Criteria\n\n- [ ] 1. It works\n- [ ] 2. The docs say so\n"),
            "{text}"
        );
        assert_eq!(with_criteria(&text, &two), text);
        let done = answer(&answer(&text, 2, "docs/a.md:1\n## x"), 1, "tests");
        assert!(
            done.ends_with(
                "- [x] 1. It works - evidence: tests\n- [x] 2. The docs say so - evidence: docs/a.md:1 ## x\n"
            ),
            "{done}"
        );
        assert_eq!(answer(&done, 1, "tests"), done, "said again");
        assert_eq!(with_criteria(&done, &two), done);
        let more = with_criteria(&done, &criteria(&["It works", "The docs say so", "It is fast"]));
        assert!(more.ends_with("\n- [ ] 3. It is fast\n"), "{more}");
        let bare = answer("", 2, "tests");
        assert_eq!(bare, "## Acceptance Criteria\n\n- [x] 2. - evidence: tests\n");
        let crlf = with_criteria("# T\r\n\r\n## Acceptance Criteria\r\n\r\n", &two);
        assert!(crlf.contains("- [ ] 1. It works\r\n- [ ] 2."), "{crlf:?}");
        assert_eq!(
            completeness(&text, Kind::OneOff),
            [],
            "it is no section that every task needs"
        );
    }

    #[test]
    fn decisions_that_were_begun_are_written() {
        let with = |body: &str| start() + "\n## Decisions\n\n" + body;
        for (body, open) in [
            ("", true),
            ("TODO\n", true),
            ("- <tbd>\n", true),
            ("none\n", false),
            ("- SQLite, for it is one file\n", false),
        ] {
            assert_eq!(
                completeness(&with(body), Kind::OneOff),
                if open { vec![Section::Decisions] } else { vec![] },
                "{body}"
            );
        }
    }

    #[test]
    fn documentation_is_waived_with_a_reason_alone() {
        for (line, reason) in [
            (
                "Docs: not needed - an inner function alone",
                Some("an inner function alone"),
            ),
            (
                "- **Docs:** Not needed: nothing that users see",
                Some("nothing that users see"),
            ),
            (
                "Documentation: not needed (no words of users change)",
                Some("no words of users change"),
            ),
            ("Docs: not needed", None),
            ("Docs: not needed - trivial", None),
            ("Docs: needed and written", None),
            ("The docs are not needed at all here", None),
        ] {
            let text = set_section(&start(), Section::OpenQuestions, line);
            assert_eq!(docs_waiver(&text).as_deref(), reason, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_there_an_answer_is_found_again(body in "[-\\[\\]x`<!a#. \n1]{0,120}", evidence in "[a-z/.:0-9 ]{1,20}") {
            let text = answer(&format!("## Acceptance Criteria\n\n{body}"), 7, &evidence);
            let said = answers(&text);
            let found = said.iter().any(|a| a.number == Some(7) && a.ticked && a.evidence == evidence.split_whitespace().collect::<Vec<_>>().join(" "));
            proptest::prop_assert!(found || evidence.trim().is_empty(), "{:?} in {text:?}", said);
        }
    }
}
