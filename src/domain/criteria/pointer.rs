//! What a text of evidence points at: checks, files, commits and kept files that can be looked up.

use std::fmt;

use super::{Seen, cut};

/// Something that can be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// A check, by its name.
    Check(String),
    /// A file of the commit, with its line where one is named.
    File(String, Option<usize>),
    /// A commit of the branch, in full.
    Commit(String),
    /// What the gate kept: its name, or one of its files.
    Exhibit(String),
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(name) => write!(f, "check {name}"),
            Self::File(path, Some(line)) => write!(f, "{path}:{line}"),
            Self::File(path, None) => f.write_str(path),
            Self::Commit(id) => write!(f, "commit {}", id.get(..10).unwrap_or(id)),
            Self::Exhibit(name) => write!(f, "evidence {name}"),
        }
    }
}

/// What a text points at, each with what speaks against it.
pub fn pointers(text: &str, seen: &Seen) -> Vec<(Pointer, Option<String>)> {
    let mut found: Vec<(Pointer, Option<String>)> = Vec::new();
    let mut put = |pair: (Pointer, Option<String>)| {
        if !found.iter().any(|(pointer, _)| *pointer == pair.0) {
            found.push(pair);
        }
    };
    checks(text, seen).into_iter().for_each(&mut put);
    for token in tokens(text) {
        exhibit(&token, seen).into_iter().for_each(&mut put);
        file(&token, seen).into_iter().for_each(&mut put);
        commit(&token, seen).into_iter().for_each(&mut put);
    }
    found
}

/// Files that a text names with a line: whose lines must be counted.
pub(super) fn with_line(token: &str) -> (&str, Option<usize>) {
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|n| *n > 0)
    };
    for mark in ["#L", ":"] {
        if let Some((path, rest)) = token.split_once(mark)
            && let Some(line) = number(rest)
        {
            return (path, Some(line));
        }
    }
    (token, None)
}

/// A name of one word counts where it is set off: between back quotes (also within a command), after the word `check`, or alone between
/// commas ("the tests pass"). "All my tests pass now" names no check `tests`; a name of several words is told from prose
/// by itself.
fn checks(text: &str, seen: &Seen) -> Vec<(Pointer, Option<String>)> {
    let mut found = Vec::new();
    for check in &seen.checks {
        if names(text, &check.name) || names(text, check.run.trim()) {
            let fault = (!check.passed).then(|| format!("check '{}' did not pass", check.name));
            found.push((Pointer::Check(check.name.clone()), fault));
        }
    }
    found
}

fn names(text: &str, name: &str) -> bool {
    let name = squeezed(name);
    if name.is_empty() {
        return false;
    }
    let segments = text
        .split(['`', ',', ';', '\n'])
        .flat_map(|part| part.split(" and "));
    let set_off = segments
        .map(squeezed)
        .any(|part| bare(&part) == name || part == name);
    // A command that is quoted stands for the check that runs it, with other options, too.
    let runs = |part: String| mentions(&part, &name) || (part.contains(' ') && mentions(&name, &part));
    let set_off = set_off || quoted(text).map(squeezed).any(runs);
    set_off || (name.contains(' ') || told(text, &name)) && mentions(&squeezed(text), &name)
}

/// What stands between back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether `check NAME` or `NAME check` stands in the text.
fn told(text: &str, name: &str) -> bool {
    let text = squeezed(&text.replace(['`', '"', '\''], " "));
    ["check", "checks", "test", "receipt"]
        .iter()
        .any(|word| mentions(&text, &format!("{word} {name}")) || mentions(&text, &format!("{word}: {name}")))
}

/// Without the words around a name that belong to the sentence and not to the name.
fn bare(part: &str) -> &str {
    let part = part.trim_matches(|c: char| "\"'.()[]".contains(c) || c.is_whitespace());
    let part = ["the ", "check ", "checks ", "test ", "gate check ", "evidence "]
        .iter()
        .fold(part, |part, lead| part.strip_prefix(lead).unwrap_or(part));
    [
        " passed",
        " passes",
        " pass",
        " is green",
        " (passed)",
        " check",
        " ok",
    ]
    .iter()
    .fold(part, |part, tail| part.strip_suffix(tail).unwrap_or(part))
    .trim()
}

fn squeezed(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// Whether a text holds a name, not as a part of a longer word.
fn mentions(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || "_-/.".contains(c);
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + name.len()..].chars();
        let next = after.next();
        // A full stop ends a sentence as well as it goes on in a name.
        let ends = next == Some('.') && after.next().is_none_or(char::is_whitespace);
        before.is_none_or(|c| !is_word(c)) && (ends || next.is_none_or(|c| !is_word(c)))
    })
}

/// The pieces of a text that may be a path or a commit: what stands between back quotes, each word, all of it.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || "`,;()[]<>\"'|".contains(c));
    let all = quoted(text).chain(words).chain([text]);
    let tidy = |token: &str| {
        let token = token.trim().trim_end_matches(['.', ':', '!', '*', '_']);
        token.trim_start_matches(['*', ':']).to_owned()
    };
    let mut tokens: Vec<String> = Vec::new();
    for token in all.map(tidy).filter(|token| !token.is_empty()) {
        if !tokens.contains(&token) {
            tokens.push(token);
        }
    }
    tokens
}

fn exhibit(token: &str, seen: &Seen) -> Option<(Pointer, Option<String>)> {
    let path = token.strip_prefix("./").unwrap_or(token);
    let is_it = |(name, files): &&(String, Vec<String>)| {
        squeezed(name) == bare(&squeezed(token)) || files.iter().any(|file| file == path)
    };
    let (name, files) = seen.exhibits.iter().find(is_it)?;
    let named = files.iter().find(|file| *file == path).unwrap_or(name);
    Some((Pointer::Exhibit(named.clone()), None))
}

fn file(token: &str, seen: &Seen) -> Option<(Pointer, Option<String>)> {
    let (path, line) = with_line(token);
    let path = path.strip_prefix("./").unwrap_or(path);
    if seen
        .exhibits
        .iter()
        .any(|(_, files)| files.iter().any(|file| file == path))
    {
        return None;
    }
    let pointer = || Pointer::File(path.to_owned(), line);
    if !seen.files.contains(path) {
        // What looks like a path and is none is told, so that a slip of the pen is found.
        let looks = path.contains('/') && !path.contains("://") && !path.contains(' ') && path.contains('.');
        let fault = || format!("there is no file '{}' in the commit", cut(path));
        return looks.then(|| (pointer(), Some(fault())));
    }
    let lines = seen.lines.get(path).copied();
    let beyond = line.zip(lines).filter(|(line, lines)| line > lines);
    let fault = beyond.map(|(line, lines)| format!("{path} has {lines} lines and no line {line}"));
    Some((pointer(), fault))
}

fn commit(token: &str, seen: &Seen) -> Option<(Pointer, Option<String>)> {
    let hex = (7..=64).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex {
        return None;
    }
    let short = token.to_lowercase();
    // A word of the letters a to f is a word, unless it is a commit.
    let is_word = !short.bytes().any(|b| b.is_ascii_digit());
    match seen.commits.iter().find(|commit| commit.starts_with(&short)) {
        Some(commit) => Some((Pointer::Commit(commit.clone()), None)),
        None if is_word => None,
        None => Some((
            Pointer::Commit(short.clone()),
            Some(format!("commit {short} is not on the branch")),
        )),
    }
}
