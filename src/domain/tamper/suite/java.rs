//! Tests in Java (and Kotlin as far as it looks alike): methods with `@Test` and its relatives.

use std::ops::Range;

use super::{DEEPEST, Piece};
use crate::domain::tamper::token::{Kind, Tokens};

const TESTS: [&str; 5] = [
    "Test",
    "ParameterizedTest",
    "RepeatedTest",
    "TestFactory",
    "TestTemplate",
];
const SKIPS: [&str; 8] = [
    "Disabled",
    "Ignore",
    "Ignored",
    "DisabledIf",
    "DisabledOnOs",
    "EnabledIf",
    "DisabledIfEnvironmentVariable",
    "EnabledIfEnvironmentVariable",
];

struct Class {
    end: usize,
    skips: Vec<String>,
}

pub(super) fn pieces(tokens: &Tokens) -> Vec<Piece> {
    let mut classes: Vec<Class> = Vec::new();
    let mut pending: Vec<Range<usize>> = Vec::new();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.all.len() {
        classes.retain(|class| at < class.end);
        match tokens.text(at) {
            "@" if tokens.text(at + 1) != "interface" && tokens.kind(at + 1) == Some(Kind::Word) => {
                let end = annotation(tokens, at);
                pending.push(at..end);
                at = end;
                continue;
            }
            "class" if tokens.text(at.wrapping_sub(1)) != "." => {
                let open = (at..tokens.all.len().min(at + 60)).find(|n| tokens.text(*n) == "{");
                let skips = std::mem::take(&mut pending)
                    .iter()
                    .filter_map(|r| skip(tokens, r))
                    .collect();
                if let Some(open) = open {
                    classes.push(Class {
                        end: tokens.close(open),
                        skips,
                    });
                }
            }
            "(" if pending.iter().any(|r| TESTS.contains(&last_word(tokens, r))) => {
                let head = std::mem::take(&mut pending);
                let (piece, end) = method(tokens, at, head, &classes);
                found.extend(piece);
                at = end;
                continue;
            }
            ";" | "{" | "}" => pending.clear(),
            _ => {}
        }
        at += 1;
    }
    found
}

fn method(
    tokens: &Tokens,
    open: usize,
    head: Vec<Range<usize>>,
    classes: &[Class],
) -> (Option<Piece>, usize) {
    let after = tokens.close(open) + 1;
    let Some(body) = (after..tokens.all.len().min(after + 40)).find(|n| tokens.text(*n) == "{") else {
        return (None, after);
    };
    let end = (tokens.close(body) + 1).min(tokens.all.len());
    let inherited = classes.iter().take(DEEPEST).flat_map(|c| c.skips.iter().cloned());
    let piece = Piece {
        name: tokens.text(open - 1).to_owned(),
        at: open - 1,
        skips: inherited
            .chain(head.iter().filter_map(|r| skip(tokens, r)))
            .collect(),
        head,
        body: body..end,
    };
    (Some(piece), end)
}

/// The end of an annotation with its dots and its arguments.
fn annotation(tokens: &Tokens, at: usize) -> usize {
    let mut end = at + 2;
    while tokens.text(end) == "." {
        end += 2;
    }
    if tokens.text(end) == "(" {
        end = tokens.close(end) + 1;
    }
    end.min(tokens.all.len())
}

/// The annotation's own name, without the package.
fn last_word<'t>(tokens: &Tokens<'t>, range: &Range<usize>) -> &'t str {
    let before = range
        .clone()
        .find(|at| tokens.text(*at) == "(")
        .unwrap_or(range.end);
    tokens.text(before.saturating_sub(1))
}

fn skip(tokens: &Tokens, range: &Range<usize>) -> Option<String> {
    let word = last_word(tokens, range);
    let off = range
        .clone()
        .any(|at| tokens.text(at) == "enabled" && tokens.text(at + 2) == "false");
    (SKIPS.contains(&word) || off).then(|| format!("@{word}"))
}
