//! Linters and type checkers that are told, in the source, to look away.
//!
//! What silences a file, or everything in a line, is a finding wherever it is new. What names one rule for one place is
//! one only where the code was there before: new code may need it, old code passed without it.

use std::collections::{HashMap, HashSet};

use super::path::{Language, language};
use super::token::{Kind, Tokens};
use super::{Finding, What};

/// So many lines below a remark the code that it speaks of is looked for.
const NEAR: usize = 6;

/// One such remark.
struct Remark {
    words: String,
    line: usize,
    /// It silences more than one rule at one place.
    broad: bool,
    /// The code that it speaks of.
    about: String,
}

/// Remarks that are new, and lint levels at the top of a file that are gone.
pub(super) fn silenced(path: &str, was: &str, is: &str) -> Vec<Finding> {
    let Some(language) = language(path) else {
        return Vec::new();
    };
    let (before, after) = (remarks(language, was), remarks(language, is));
    let old: HashSet<&str> = was.lines().map(code_of).filter(|line| !line.is_empty()).collect();
    let mut there: HashMap<&str, usize> = HashMap::new();
    before
        .iter()
        .for_each(|r| *there.entry(&r.words).or_default() += 1);
    let mut found = Vec::new();
    for remark in &after {
        let known = there.get_mut(remark.words.as_str()).filter(|n| **n > 0);
        if let Some(n) = known {
            *n -= 1;
        } else if remark.broad || old.contains(remark.about.as_str()) {
            found.push(Finding::new(path, remark.line, What::Silenced, "", &remark.words));
        }
    }
    if language == Language::Rust {
        let (before, after) = (levels(was), HashSet::<String>::from_iter(levels(is)));
        let gone = before
            .iter()
            .filter(|level| !after.contains(*level) && !is.trim().is_empty());
        found.extend(gone.map(|level| Finding::new(path, 1, What::Silenced, level, "")));
    }
    found
}

/// A line without a remark at its end.
fn code_of(line: &str) -> &str {
    let cut = ["  #", " #", "//", "/*"]
        .iter()
        .filter_map(|mark| line.find(mark))
        .min();
    line[..cut.unwrap_or(line.len())].trim()
}

fn remarks(language: Language, text: &str) -> Vec<Remark> {
    let tokens = Tokens::of(language, text);
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<Remark> = Vec::new();
    for comment in &tokens.comments {
        let words: String = comment.text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(broad) = breadth(language, &words.to_ascii_lowercase()) {
            let line = comment.line;
            found.push(Remark {
                broad,
                about: about(&lines, line),
                words: words.chars().take(120).collect(),
                line,
            });
        }
    }
    if matches!(language, Language::Rust | Language::Java) {
        found.extend(attributes(language, &tokens, &lines));
    }
    found
}

/// The code of a line, or of the next one where it holds nothing but the remark.
fn about(lines: &[&str], line: usize) -> String {
    let here = code_of(lines.get(line.wrapping_sub(1)).unwrap_or(&""));
    let below = lines
        .get(line..)
        .unwrap_or_default()
        .iter()
        .take(NEAR)
        .map(|l| code_of(l));
    let is_code = |l: &&str| !l.is_empty() && !l.starts_with("#[");
    let code = if here.is_empty() || here.starts_with("#[") {
        below.into_iter().find(is_code)
    } else {
        Some(here)
    };
    code.unwrap_or_default().to_owned()
}

/// Whether a comment silences a checker; true where it silences more than one rule at one place.
fn breadth(language: Language, words: &str) -> Option<bool> {
    let after = |mark: &str| words.split_once(mark).map(|(_, rest)| rest.trim().to_owned());
    match language {
        Language::Python => {
            if [
                "flake8: noqa",
                "ruff: noqa",
                "mypy: ignore",
                "pylint: skip-file",
                "pyright: basic",
                "mypy: disable",
            ]
            .iter()
            .any(|mark| words.contains(mark))
            {
                return Some(true);
            }
            after("noqa")
                .map(|rest| !rest.starts_with(':'))
                .or_else(|| {
                    let ignored = after("type: ignore").or_else(|| after("pyright: ignore"));
                    ignored.map(|rest| !rest.starts_with('['))
                })
                .or_else(|| after("pylint: disable").map(|rest| rest.contains("all")))
                .or_else(|| words.contains("pragma: no cover").then_some(false))
        }
        Language::Script => {
            if words.contains("@ts-nocheck")
                || words.contains("@ts-ignore")
                || words.contains("biome-ignore-all")
            {
                return Some(true);
            }
            let one = after("eslint-disable-next-line").or_else(|| after("eslint-disable-line"));
            one.map(|rest| rest.trim_end_matches("*/").trim().is_empty())
                .or_else(|| words.contains("eslint-disable").then_some(true))
                .or_else(|| {
                    ["@ts-expect-error", "istanbul ignore", "c8 ignore", "biome-ignore"]
                        .iter()
                        .any(|m| words.contains(m))
                        .then_some(false)
                })
        }
        Language::Go => after("nolint")
            .filter(|_| words.starts_with("//nolint") || words.starts_with("// nolint"))
            .map(|rest| !rest.starts_with(':') || rest.starts_with(":all"))
            .or_else(|| words.contains("lint:file-ignore").then_some(true))
            .or_else(|| words.contains("lint:ignore").then_some(false)),
        Language::Java => words
            .contains("checkstyle:off")
            .then_some(true)
            .or_else(|| words.contains("nosonar").then_some(false)),
        Language::Shell => after("shellcheck disable").map(|rest| rest.contains("all")),
        Language::Rust => None,
    }
}

/// Groups of lints: to allow one of them is to look at nothing.
const GROUPS: [&str; 6] = [
    "(warnings",
    "(unused)",
    "clippy::all",
    "clippy::pedantic",
    "clippy::correctness",
    "\"all\"",
];
/// So many words of an attribute are looked at.
const ATTRIBUTE: usize = 120;

/// `#![allow(...)]`, `#[allow(...)]`, `@SuppressWarnings(...)`.
fn attributes(language: Language, tokens: &Tokens, lines: &[&str]) -> Vec<Remark> {
    let mut found = Vec::new();
    for at in 0..tokens.all.len() {
        let inner = tokens.text(at + 1) == "!";
        let open = at + 1 + usize::from(inner);
        let rust = language == Language::Rust && tokens.text(at) == "#" && tokens.text(open) == "[";
        let java = tokens.text(at) == "@" && tokens.text(at + 1) == "SuppressWarnings";
        let end = match (rust, java) {
            (true, _) => tokens.close(open),
            (_, true) => tokens.close(at + 2),
            _ => continue,
        };
        let span = &tokens.all[at..(end + 1).min(at + ATTRIBUTE).min(tokens.all.len())];
        let telling = span.iter().filter(|t| t.kind != Kind::Text || java);
        let words: Vec<&str> = telling.map(|t| t.text).collect();
        if java || words.contains(&"allow") {
            let text = words.concat();
            found.push(Remark {
                line: tokens.line(at),
                broad: inner || GROUPS.iter().any(|group| text.contains(group)),
                about: about(lines, tokens.line(end)),
                words: text.chars().take(120).collect(),
            });
        }
    }
    found
}

/// `#![deny(...)]` and its like: one entry a lint.
fn levels(text: &str) -> Vec<String> {
    let tokens = Tokens::of(Language::Rust, text);
    let mut found = Vec::new();
    for at in 0..tokens.all.len() {
        let head = [at, at + 1, at + 2].map(|n| tokens.text(n));
        let level = tokens.text(at + 3);
        if head == ["#", "!", "["] && matches!(level, "deny" | "forbid" | "warn") {
            let end = tokens.close(at + 4).min(at + ATTRIBUTE).min(tokens.all.len());
            let words: String = tokens.all[(at + 5).min(end)..end]
                .iter()
                .map(|t| t.text)
                .collect();
            found.extend(
                words
                    .split(',')
                    .filter(|w| !w.is_empty())
                    .map(|w| format!("{level}({w})")),
            );
        }
    }
    // A stricter level is a level, too.
    let stricter: Vec<String> = found
        .iter()
        .filter_map(|l| l.strip_prefix("forbid").map(|rest| format!("deny{rest}")))
        .collect();
    found.extend(stricter);
    let warned: Vec<String> = found
        .iter()
        .filter_map(|l| l.strip_prefix("deny").map(|rest| format!("warn{rest}")))
        .collect();
    found.extend(warned);
    found
}
