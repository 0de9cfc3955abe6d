//! Rows of tables of cases: what a parametrised test runs with.

use std::ops::Range;

use super::assertion::{Assertion, Strength};
use crate::domain::tamper::token::{Kind, Tokens};

/// Longer rows are no cases.
const LONGEST: usize = 200;

/// The rows in a range, outside of these spans (in their order). In the head of a test a plain value is a row, too.
pub(super) fn within(
    tokens: &Tokens,
    range: &Range<usize>,
    outside_of: &[Range<usize>],
    values: bool,
) -> Vec<Assertion> {
    let mut spans = outside_of.iter().peekable();
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        while spans.peek().is_some_and(|span| span.end <= at) {
            spans.next();
        }
        if let Some(span) = spans.peek().filter(|span| span.contains(&at)) {
            at = span.end;
            continue;
        }
        if matches!(tokens.text(at), "[" | "{") {
            found.extend(rows(tokens, at, values));
        }
        if matches!(
            tokens.text(at),
            "case" | "test_case" | "CsvSource" | "ValueSource"
        ) && tokens.text(at + 1) == "("
        {
            found.extend(row(tokens, at..tokens.close(at + 1)));
        }
        at += 1;
    }
    found
}

/// The elements of one bracket, where each of them is a row.
fn rows(tokens: &Tokens, open: usize, values: bool) -> Vec<Assertion> {
    let elements = elements(tokens, open);
    let brace = tokens.text(open) == "{";
    let is_row = |e: &Range<usize>| match brace {
        true => tokens.text(e.start) == "{",
        false => {
            (values && matches!(tokens.kind(e.start), Some(Kind::Text | Kind::Number)))
                || tokens.opens(e.start)
                || (tokens.kind(e.start) == Some(Kind::Word) && e.clone().take(6).any(|n| tokens.opens(n)))
        }
    };
    match !elements.is_empty() && elements.iter().all(is_row) {
        true => elements.into_iter().filter_map(|e| row(tokens, e)).collect(),
        false => Vec::new(),
    }
}

fn row(tokens: &Tokens, range: Range<usize>) -> Option<Assertion> {
    let range = range.start..range.end.min(tokens.all.len());
    (range.len() <= LONGEST).then(|| Assertion::of(tokens, range.clone(), range, Strength::Strong))
}

/// What stands between the commas of a bracket.
pub(super) fn elements(tokens: &Tokens, open: usize) -> Vec<Range<usize>> {
    let end = tokens.close(open).min(tokens.all.len());
    let mut found = Vec::new();
    let (mut from, mut at) = (open + 1, open + 1);
    while at < end {
        if tokens.text(at) == "," {
            found.push(from..at);
            from = at + 1;
        }
        at = match tokens.opens(at) {
            true => tokens.close(at).min(end) + 1,
            false => at + 1,
        };
    }
    found.push(from..end.max(from));
    found.retain(|e| !e.is_empty());
    found
}
