//! Tests in Go: functions `TestX`, also as methods of a suite.

use super::Piece;
use crate::domain::tamper::token::Tokens;

const NAMES: [&str; 4] = ["Test", "Fuzz", "Example", "Benchmark"];

pub(super) fn pieces(tokens: &Tokens) -> Vec<Piece> {
    let mut found = Vec::new();
    let constraint = tokens
        .comments
        .iter()
        .find(|c| c.text.starts_with("//go:build") || c.text.starts_with("// +build"));
    let mut at = 0;
    while at < tokens.all.len() {
        if tokens.text(at) != "func" {
            at += 1;
            continue;
        }
        let receiver = tokens.text(at + 1) == "(";
        let name = if receiver {
            tokens.close(at + 1) + 1
        } else {
            at + 1
        };
        let Some(body) = body(tokens, name + 1) else {
            at += 1;
            continue;
        };
        let end = (tokens.close(body) + 1).min(tokens.all.len());
        if NAMES.iter().any(|n| tokens.text(name).starts_with(n)) {
            found.push(Piece {
                name: tokens.text(name).to_owned(),
                at,
                head: Vec::new(),
                body: body..end,
                skips: constraint.map(|c| c.text.trim().to_owned()).into_iter().collect(),
            });
            at = end;
        } else {
            at = name + 1;
        }
    }
    found
}

/// The brace that opens the body, after the parameters and the results.
fn body(tokens: &Tokens, parameters: usize) -> Option<usize> {
    if tokens.text(parameters) != "(" {
        return None;
    }
    let after = tokens.close(parameters) + 1;
    (after..tokens.all.len().min(after + 40)).find(|at| tokens.text(*at) == "{")
}
