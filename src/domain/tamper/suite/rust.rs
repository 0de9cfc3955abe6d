//! Tests in Rust: functions with a test's attribute, within the modules that they stand in.

use std::ops::Range;

use super::{DEEPEST, Piece, outside};
use crate::domain::tamper::token::{Kind, Tokens};

/// A module that is open, or the whole file.
struct Scope {
    end: usize,
    name: String,
    skips: Vec<String>,
    tests: bool,
}

pub(super) fn pieces(tokens: &Tokens, test_file: bool) -> Vec<Piece> {
    let mut walk = Walk {
        tokens,
        scopes: vec![Scope {
            end: usize::MAX,
            name: String::new(),
            skips: Vec::new(),
            tests: test_file,
        }],
        pending: Vec::new(),
        found: Vec::new(),
    };
    let mut at = 0;
    while at < tokens.all.len() {
        at = walk.step(at);
    }
    walk.found
}

struct Walk<'a, 't> {
    tokens: &'a Tokens<'t>,
    scopes: Vec<Scope>,
    pending: Vec<Range<usize>>,
    found: Vec<Piece>,
}

impl Walk<'_, '_> {
    /// Looks at one place and says which one is next.
    fn step(&mut self, at: usize) -> usize {
        while self.scopes.last().is_some_and(|scope| at >= scope.end) && self.scopes.len() > 1 {
            self.scopes.pop();
        }
        let inner = self.tokens.text(at + 1) == "!";
        let open = at + 1 + usize::from(inner);
        match self.tokens.text(at) {
            "#" if self.tokens.text(open) == "[" => {
                let end = self.tokens.close(open);
                match inner {
                    true => self.file_wide(open + 1..end),
                    false => self.pending.push(open + 1..end),
                }
                end + 1
            }
            "mod" if self.tokens.text(at + 2) == "{" => self.module(at),
            "fn" if self.tokens.kind(at + 1) == Some(Kind::Word) => self.function(at),
            ";" | "{" | "}" => {
                self.pending.clear();
                at + 1
            }
            _ => at + 1,
        }
    }

    /// `#![cfg(...)]` at the top of a file of tests.
    fn file_wide(&mut self, range: Range<usize>) {
        let skips = self.skips_of(&range);
        if let Some(scope) = self.scopes.last_mut() {
            scope.skips.extend(skips);
        }
    }

    fn module(&mut self, at: usize) -> usize {
        let pending = std::mem::take(&mut self.pending);
        let own: Vec<String> = pending.iter().flat_map(|r| self.skips_of(r)).collect();
        let within_tests = self.scopes.last().is_some_and(|s| s.tests);
        let tests = within_tests || pending.iter().any(|r| self.words(r).starts_with("cfg ( test"));
        self.scopes.push(Scope {
            end: self.tokens.close(at + 2),
            name: format!("{}::", self.tokens.text(at + 1)),
            skips: own,
            tests,
        });
        at + 3
    }

    fn function(&mut self, at: usize) -> usize {
        let head = std::mem::take(&mut self.pending);
        let Some(body) = self.body(at + 2) else {
            return at + 2;
        };
        let end = body.end;
        if head.iter().any(|r| self.is_test(r)) {
            let scopes = self.scopes.iter().take(DEEPEST);
            let name: String = scopes.clone().map(|s| s.name.as_str()).collect();
            let inherited = scopes.flat_map(|s| s.skips.iter().cloned());
            let skips = inherited
                .chain(head.iter().flat_map(|r| self.skips_of(r)))
                .collect();
            self.found.push(Piece {
                name: name + self.tokens.text(at + 1),
                at,
                head,
                body,
                skips,
            });
        } else if self.scopes.last().is_some_and(|s| s.tests) {
            self.found.push(outside(body));
        }
        end
    }

    /// The braces of the function whose parameters begin about here; none where it has no body.
    fn body(&self, from: usize) -> Option<Range<usize>> {
        let mut at = from;
        while at < self.tokens.all.len() {
            match self.tokens.text(at) {
                "{" => return Some(at..(self.tokens.close(at) + 1).min(self.tokens.all.len())),
                "(" | "[" => at = self.tokens.close(at) + 1,
                ";" | "}" => return None,
                _ => at += 1,
            }
        }
        None
    }

    fn words(&self, range: &Range<usize>) -> String {
        let words: Vec<&str> = self.tokens.all[range.start..range.end.min(self.tokens.all.len())]
            .iter()
            .map(|t| t.text)
            .collect();
        words.join(" ")
    }

    /// `test`, `tokio::test`, `rstest`, `test_case(...)`.
    fn is_test(&self, range: &Range<usize>) -> bool {
        const NAMES: [&str; 5] = ["test", "rstest", "test_case", "quickcheck", "proptest"];
        let path = range.clone().map(|at| self.tokens.text(at));
        let last = path.take_while(|w| !matches!(*w, "(" | "=")).last();
        last.is_some_and(|word| NAMES.contains(&word) || word.ends_with("_test"))
    }

    /// `ignore`, and every condition but that of a test build.
    fn skips_of(&self, range: &Range<usize>) -> Vec<String> {
        let words = self.words(range);
        let ignored = words == "ignore" || words.starts_with("ignore =") || {
            words.starts_with("cfg_attr (") && words.contains(" ignore")
        };
        let condition = words.starts_with("cfg (") && words != "cfg ( test )";
        match ignored || condition {
            true => vec![format!("#[{}]", words.replace(' ', ""))],
            false => Vec::new(),
        }
    }
}
