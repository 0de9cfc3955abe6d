//! Tests in shell: those of bats. Any other script is one piece, which is all that stands outside of tests.

use super::Piece;
use crate::domain::tamper::token::{Kind, Tokens};

pub(super) fn pieces(tokens: &Tokens) -> Vec<Piece> {
    let named = |at: &usize| {
        tokens.text(*at) == "@"
            && tokens.text(at + 1) == "test"
            && tokens.kind(at + 2) == Some(Kind::Text)
            && tokens.text(at + 3) == "{"
    };
    let pieces = (0..tokens.all.len()).filter(named).map(|at| {
        let end = (tokens.close(at + 3) + 1).min(tokens.all.len());
        let skipped = (tokens.text(at + 4) == "skip").then(|| "skip".to_owned());
        Piece {
            name: tokens.text(at + 2).trim_matches(['"', '\'']).to_owned(),
            at,
            head: Vec::new(),
            body: at + 3..end,
            skips: skipped.into_iter().collect(),
        }
    });
    pieces.collect()
}
