//! Tests in Python: functions named `test…`, alone or in a class that is collected; blocks are known by their columns.

use std::ops::Range;

use super::{DEEPEST, Piece};
use crate::domain::tamper::token::Tokens;

/// Words of decorators that keep a test from running or from failing.
const SKIPS: [&str; 6] = [
    "skip",
    "skipif",
    "skipIf",
    "skipUnless",
    "xfail",
    "expectedFailure",
];

struct Class {
    column: usize,
    name: String,
    skips: Vec<String>,
    collected: bool,
}

pub(super) fn pieces(tokens: &Tokens) -> Vec<Piece> {
    let mut walk = Walk {
        tokens,
        classes: Vec::new(),
        pending: Vec::new(),
        module: Vec::new(),
        found: Vec::new(),
    };
    let mut at = 0;
    while at < tokens.all.len() {
        at = walk.step(at);
    }
    let module = walk.module;
    for piece in &mut walk.found {
        piece.skips.extend(module.iter().cloned());
    }
    walk.found
}

struct Walk<'a, 't> {
    tokens: &'a Tokens<'t>,
    classes: Vec<Class>,
    pending: Vec<Range<usize>>,
    module: Vec<String>,
    found: Vec<Piece>,
}

impl Walk<'_, '_> {
    fn step(&mut self, at: usize) -> usize {
        let token = self.tokens.all[at];
        if !token.first {
            return at + 1;
        }
        self.classes.retain(|class| class.column < token.column);
        match token.text {
            "@" => {
                let end = self.line_end(at + 1);
                self.pending.push(at..end);
                end
            }
            "class" => self.class(at),
            "def" => self.function(at, at + 1),
            "async" if self.tokens.text(at + 1) == "def" => self.function(at, at + 2),
            "pytestmark" => {
                let end = self.line_end(at + 1);
                self.module.extend(self.skip_of(&(at..end)));
                end
            }
            // `pytest.skip(..., allow_module_level=True)`
            "pytest" if token.column == 0 && SKIPS.contains(&self.tokens.text(at + 2)) => {
                self.module.push("pytest.skip() for the whole file".to_owned());
                at + 1
            }
            _ => {
                self.pending.clear();
                at + 1
            }
        }
    }

    /// The first word of the next line outside of brackets.
    fn line_end(&self, from: usize) -> usize {
        let end = self.tokens.all.len();
        (from..end).find(|at| self.tokens.all[*at].first).unwrap_or(end)
    }

    /// The words of the block below a line that begins at this column.
    fn block(&self, from: usize, column: usize) -> usize {
        let end = self.tokens.all.len();
        let outer = |at: &usize| self.tokens.all[*at].first && self.tokens.all[*at].column <= column;
        (from..end).find(outer).unwrap_or(end)
    }

    fn class(&mut self, at: usize) -> usize {
        let pending = std::mem::take(&mut self.pending);
        let name = self.tokens.text(at + 1);
        let bases = self.tokens.text(at + 2) == "(" && self.tokens.close(at + 2) > at + 3;
        self.classes.push(Class {
            column: self.tokens.all[at].column,
            name: format!("{name}."),
            skips: pending.iter().flat_map(|r| self.skip_of(r)).collect(),
            collected: bases || name.starts_with("Test"),
        });
        self.line_end(at + 1)
    }

    fn function(&mut self, at: usize, name: usize) -> usize {
        let head = std::mem::take(&mut self.pending);
        let signature = (name..self.tokens.all.len()).find(|n| self.tokens.text(*n) == "(");
        let after = signature.map_or(name, |open| self.tokens.close(open)) + 1;
        let colon = (after..self.tokens.all.len()).find(|n| self.tokens.text(*n) == ":");
        let start = colon.map_or(self.tokens.all.len(), |n| n + 1);
        let end = self.block(start, self.tokens.all[at].column).max(start);
        let collected = self.classes.iter().all(|c| c.collected);
        if !self.tokens.text(name).starts_with("test") || !collected {
            // A class or a function within may hold tests of its own.
            return name + 1;
        }
        let prefix: String = self
            .classes
            .iter()
            .take(DEEPEST)
            .map(|c| c.name.as_str())
            .collect();
        let inherited = self
            .classes
            .iter()
            .take(DEEPEST)
            .flat_map(|c| c.skips.iter().cloned());
        let skips = inherited
            .chain(head.iter().flat_map(|r| self.skip_of(r)))
            .collect();
        self.found.push(Piece {
            name: prefix + self.tokens.text(name),
            at,
            head,
            body: start..end,
            skips,
        });
        end
    }

    fn skip_of(&self, range: &Range<usize>) -> Option<String> {
        let words: Vec<&str> = self.tokens.all[range.clone()].iter().map(|t| t.text).collect();
        let found = words.iter().any(|w| SKIPS.contains(w));
        found.then(|| words.concat().chars().take(80).collect())
    }
}
