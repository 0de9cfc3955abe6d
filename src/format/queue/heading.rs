//! The heading of a task: `ID`, `ID: Title`, `ID - Title`, `TASK: ID - Title`, with a mark at its end.

use crate::domain::id::{InvalidId, TaskId};

/// What a heading says, if it has the form of a task's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaskHeading {
    pub(super) id: Result<TaskId, InvalidId>,
    pub(super) title: String,
    pub(super) mark: Option<Mark>,
    /// Whether the form itself (a colon, a dash, `TASK:`) says that an id was meant.
    pub(super) explicit: bool,
}

/// A sign at the end of a heading, such as ✅ or ❌ ABANDONED. It is no part of the title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A tick.
    Done,
    /// A cross.
    Dropped,
    /// Any other sign.
    Other,
}

/// The text of a heading line without its hashes.
pub(super) fn heading_text(line: &str) -> &str {
    let text = line.trim().trim_start_matches('#').trim();
    let bare = text.trim_end_matches('#');
    // Closing hashes stand alone; `C#` keeps its own.
    if bare.is_empty() || bare.ends_with([' ', '\t']) {
        bare.trim_end()
    } else {
        text
    }
}

/// Reads a heading's text; `None` where it has none of the forms.
pub(super) fn parse(text: &str) -> Option<TaskHeading> {
    let (text, mark) = without_mark(text.trim());
    let (after_task, has_prefix) = match text.split_at_checked(5) {
        Some((word, rest)) if word.eq_ignore_ascii_case("task:") && rest.starts_with([' ', '\t']) => {
            (rest.trim_start(), true)
        }
        _ => (text, false),
    };
    let (id, title, explicit) = split(after_task)?;
    Some(TaskHeading {
        id: TaskId::parse(id),
        title: title.to_owned(),
        mark,
        explicit: explicit || has_prefix,
    })
}

fn split(text: &str) -> Option<(&str, &str, bool)> {
    let (first, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    let rest = rest.trim();
    if let Some(id) = first.strip_suffix(':') {
        return Some((id, rest, true));
    }
    if rest.is_empty() {
        return (!first.is_empty()).then_some((first, "", false));
    }
    let title = ["-", "\u{2013}", "\u{2014}"]
        .iter()
        .find_map(|dash| rest.strip_prefix(dash))?;
    (title.is_empty() || title.starts_with([' ', '\t'])).then(|| (first, title.trim(), true))
}

fn without_mark(text: &str) -> (&str, Option<Mark>) {
    let mut text = text;
    let mut found = None;
    loop {
        let (before, last) = text.rsplit_once([' ', '\t']).unwrap_or(("", text));
        let is_word = !last.is_empty() && last.chars().all(|c| c.is_alphabetic() || c == '-');
        let bare = if is_word && found.is_none() {
            before.trim_end()
        } else {
            text
        };
        let Some((rest, mark)) = strip_mark(bare) else {
            return (text, found);
        };
        text = rest.trim_end();
        found = Some(mark);
    }
}

fn strip_mark(text: &str) -> Option<(&str, Mark)> {
    let text = text.trim_end_matches('\u{fe0f}');
    let last = text.chars().next_back()?;
    Some((&text[..text.len() - last.len_utf8()], mark_of(last)?))
}

fn mark_of(c: char) -> Option<Mark> {
    match c {
        '✅' | '✔' | '☑' => Some(Mark::Done),
        '❌' | '✖' | '✗' | '✘' | '🚫' | '⛔' => Some(Mark::Dropped),
        '⏳' | '⌛' | '🔄' | '🚧' | '⏸' | '🔴' | '🟠' | '🟡' | '🟢' | '🔵' | '⚪' | '⚠' => {
            Some(Mark::Other)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let table = [
            (
                "p0-1-a: Initialize the monorepo ✅",
                "p0-1-a",
                "Initialize the monorepo",
                Some(Mark::Done),
            ),
            (
                "TASK: p1-2-c - Update the docs ✅",
                "p1-2-c",
                "Update the docs",
                Some(Mark::Done),
            ),
            ("Task: x: y", "x", "y", None),
            (
                "p0-fix-build: Fix the build ❌ ABANDONED",
                "p0-fix-build",
                "Fix the build",
                Some(Mark::Dropped),
            ),
            ("fix-x", "fix-x", "", None),
            ("fix-x ✔️", "fix-x", "", Some(Mark::Done)),
            ("a-b - Title - more", "a-b", "Title - more", None),
            ("a — Title", "a", "Title", None),
            ("a: Ship it ✅ today please", "a", "Ship it ✅ today please", None),
            ("a: Ship it✅✅", "a", "Ship it", Some(Mark::Done)),
            ("TASK: p1", "p1", "", None),
        ];
        for (text, id, title, mark) in &table {
            let heading = parse(text).unwrap();
            let got = (heading.id.unwrap().to_string(), heading.title, heading.mark);
            assert_eq!(got, ((*id).to_owned(), (*title).to_owned(), *mark), "{text}");
        }
    }

    #[test]
    fn prose_and_bad_names() {
        for prose in [
            "Active Tasks",
            "How to use this",
            "",
            "✅ Completed",
            "-",
            "TASK: do it",
        ] {
            assert!(parse(prose).is_none_or(|h| h.id.is_err()), "{prose}");
        }
        for bad in ["../x: y", "a..b: c", "x.lock: y", "ünï: z", "a/b - c"] {
            assert!(parse(bad).unwrap().id.is_err(), "{bad}");
        }
    }

    #[test]
    fn hashes() {
        for (line, text) in [
            ("### a: b ###", "a: b"),
            ("## C#", "C#"),
            ("##", ""),
            ("  ## x\t##  ", "x"),
            ("### ###", ""),
        ] {
            assert_eq!(heading_text(line), text, "{line}");
        }
    }
}
