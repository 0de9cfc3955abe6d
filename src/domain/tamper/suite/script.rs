//! Tests in JavaScript and TypeScript: calls of `test` and `it` with a name, within `describe`.

use std::ops::Range;

use super::{DEEPEST, Piece};
use crate::domain::tamper::token::{Kind, Tokens};

const TESTS: [&str; 8] = [
    "test", "it", "specify", "xit", "xtest", "xspecify", "fit", "ftest",
];
const GROUPS: [&str; 6] = [
    "describe",
    "context",
    "suite",
    "xdescribe",
    "fdescribe",
    "xcontext",
];
/// Words after the dot that keep it from running, or from failing, or keep the others from running.
const SKIPS: [&str; 8] = [
    "skip", "todo", "failing", "fails", "skipIf", "runIf", "fixme", "only",
];

struct Group {
    end: usize,
    name: String,
    skips: Vec<String>,
}

/// A call such as `test.each(table)("name", body)`.
struct Call {
    name: String,
    arguments: Range<usize>,
    table: Option<Range<usize>>,
    skips: Vec<String>,
}

pub(super) fn pieces(tokens: &Tokens) -> Vec<Piece> {
    let mut groups: Vec<Group> = Vec::new();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.all.len() {
        groups.retain(|group| at < group.end);
        let word = tokens.text(at);
        let own = tokens.text(at.wrapping_sub(1)) != ".";
        let named = own && (TESTS.contains(&word) || GROUPS.contains(&word));
        let Some(call) = named.then(|| call(tokens, at)).flatten() else {
            at += 1;
            continue;
        };
        let skips: Vec<String> = groups
            .iter()
            .take(DEEPEST)
            .flat_map(|g| g.skips.iter().cloned())
            .collect();
        if GROUPS.contains(&word) {
            at = call.arguments.start;
            let (end, name) = (call.arguments.end, format!("{} > ", call.name));
            groups.push(Group {
                end,
                name,
                skips: call.skips,
            });
            continue;
        }
        let prefix: String = groups.iter().take(DEEPEST).map(|g| g.name.as_str()).collect();
        let next = call.arguments.end;
        found.push(Piece {
            name: prefix + call.name.as_str(),
            at,
            head: call.table.into_iter().collect(),
            body: call.arguments,
            skips: skips.into_iter().chain(call.skips).collect(),
        });
        at = next.max(at + 1);
    }
    found
}

/// The call that begins with this word; none where its first argument is no name.
fn call(tokens: &Tokens, at: usize) -> Option<Call> {
    let word = tokens.text(at);
    let mut skips = Vec::new();
    if word.starts_with(['x', 'f']) {
        skips.push(word.to_owned());
    }
    let mut next = at + 1;
    let mut table = None;
    while tokens.text(next) == "." {
        let modifier = tokens.text(next + 1);
        if SKIPS.contains(&modifier) {
            skips.push(format!("{word}.{modifier}"));
        }
        next += 2;
        let called = tokens.text(next) == "(" && matches!(modifier, "each" | "for" | "skipIf" | "runIf");
        if called {
            table = Some(at..tokens.close(next));
            next = tokens.close(next) + 1;
        } else if modifier == "each" && tokens.kind(next) == Some(Kind::Text) {
            table = Some(at..next + 1);
            next += 1;
        }
    }
    let named = tokens.text(next) == "(" && tokens.kind(next + 1) == Some(Kind::Text);
    if !named {
        return None;
    }
    let end = tokens.close(next);
    skips.extend(options(tokens, next + 2, end));
    Some(Call {
        name: tokens.text(next + 1).trim_matches(['"', '\'', '`']).to_owned(),
        arguments: next + 2..end.max(next + 2),
        table,
        skips,
    })
}

/// `{ skip: true }` between the name and the body.
fn options(tokens: &Tokens, from: usize, end: usize) -> Vec<String> {
    if (tokens.text(from), tokens.text(from + 1)) != (",", "{") {
        return Vec::new();
    }
    let close = tokens.close(from + 1).min(end);
    let on = |at: &usize| {
        matches!(tokens.text(*at), "skip" | "todo" | "only")
            && tokens.text(at + 1) == ":"
            && tokens.text(at + 2) != "false"
    };
    let found = (from + 2..close).filter(on);
    found.map(|at| format!("{{ {}: … }}", tokens.text(at))).collect()
}
