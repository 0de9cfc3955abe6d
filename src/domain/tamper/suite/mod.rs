//! The tests of a source file: what each asserts, and whether it runs at all.
//!
//! Deliberately absent: comparing two files (that is `compare`).

mod assertion;
mod go;
mod java;
mod python;
mod rows;
mod rust;
mod script;
mod shell;

use std::ops::Range;

use super::path::{self, Language};
use super::token::{Kind, Tokens};
pub(super) use assertion::Assertion;

/// The name of what asserts in a file of tests without being in a test of its own.
pub(super) const OUTSIDE: &str = "(outside of tests)";

/// So many of the groups that a test stands in are part of its name.
const DEEPEST: usize = 16;
/// The first statement of a test begins within so many words.
const NEAR: usize = 60;

/// A test as its language's rules find it: places among the words.
#[derive(Debug, Clone, Default)]
struct Piece {
    name: String,
    at: usize,
    /// Attributes, decorators and annotations.
    head: Vec<Range<usize>>,
    body: Range<usize>,
    /// What keeps it, or what it is in, from running.
    skips: Vec<String>,
}

/// One test.
#[derive(Debug, Clone, Default)]
pub(super) struct Test {
    /// Its name, with those of what it is in.
    pub(super) name: String,
    /// Its line, from 1.
    pub(super) line: usize,
    /// Why it does not run, or not always.
    pub(super) skips: Vec<String>,
    /// Ways in which it ends or is green before it asserts.
    pub(super) escapes: Vec<String>,
    /// Whether it must fail to be green.
    pub(super) must_fail: bool,
    /// What it asserts.
    pub(super) asserts: Vec<Assertion>,
    /// Rows of its tables of cases.
    pub(super) rows: Vec<Assertion>,
    /// All its words, where it asserts nothing.
    pub(super) whole: String,
}

/// The tests of a file. In a file of tests what stands outside of all tests is one more of the name [`OUTSIDE`].
pub(super) fn read(language: Language, test_file: bool, text: &str) -> Vec<Test> {
    let tokens = Tokens::of(language, text);
    let pieces = match language {
        Language::Rust => rust::pieces(&tokens, test_file),
        Language::Python => python::pieces(&tokens),
        Language::Script => script::pieces(&tokens),
        Language::Go => go::pieces(&tokens),
        Language::Java => java::pieces(&tokens),
        Language::Shell => shell::pieces(&tokens),
    };
    let pieces = match language {
        Language::Rust => pieces,
        _ if test_file => with_outside(&tokens, pieces),
        _ => pieces,
    };
    let mut tests: Vec<Test> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let test = Reader {
            language,
            tokens: &tokens,
        }
        .test(piece);
        match tests
            .last_mut()
            .filter(|last| last.name == OUTSIDE && test.name == OUTSIDE)
        {
            Some(last) => last.join(test),
            None => tests.push(test),
        }
    }
    gathered(tests)
}

/// One test of all that stands outside.
fn gathered(tests: Vec<Test>) -> Vec<Test> {
    let (outside, mut tests): (Vec<Test>, Vec<Test>) = tests.into_iter().partition(|t| t.name == OUTSIDE);
    tests.extend(outside.into_iter().reduce(|mut all, more| {
        all.join(more);
        all
    }));
    tests
}

/// The gaps between the tests, for a file of tests.
fn with_outside(tokens: &Tokens, mut pieces: Vec<Piece>) -> Vec<Piece> {
    let mut from = 0;
    let mut gaps = Vec::new();
    for piece in &pieces {
        let start = piece.head.first().map_or(piece.at, |h| h.start);
        gaps.push(from..start.max(from));
        from = from.max(piece.body.end);
    }
    gaps.push(from..tokens.all.len().max(from));
    pieces.extend(gaps.into_iter().filter(|g| !g.is_empty()).map(outside));
    pieces
}

fn outside(body: Range<usize>) -> Piece {
    Piece {
        name: OUTSIDE.to_owned(),
        at: body.start,
        body,
        ..Piece::default()
    }
}

struct Reader<'a, 't> {
    language: Language,
    tokens: &'a Tokens<'t>,
}

impl Reader<'_, '_> {
    fn test(&self, piece: Piece) -> Test {
        let head: Vec<String> = piece.head.iter().map(|r| self.words(r.clone())).collect();
        let asserts = assertion::within(self.language, self.tokens, piece.body.clone());
        let spans: Vec<Range<usize>> = asserts.iter().map(|a| a.span.clone()).collect();
        let mut rows = rows::within(self.tokens, &piece.body, &spans, false);
        for range in &piece.head {
            rows.extend(rows::within(self.tokens, range, &[], true));
        }
        let mut skips = piece.skips;
        skips.extend(self.skip_calls(&piece.body));
        let whole = match asserts.is_empty() && piece.name != OUTSIDE {
            true => self.words(piece.body.clone()),
            false => String::new(),
        };
        Test {
            line: self.tokens.line(piece.at),
            escapes: self.escapes(&piece.name, &piece.body),
            must_fail: head.iter().any(|h| h.contains("should_panic")),
            name: piece.name,
            skips,
            asserts,
            rows,
            whole,
        }
    }

    fn words(&self, range: Range<usize>) -> String {
        let words: Vec<&str> = self.tokens.all[range].iter().map(|t| t.text).collect();
        words.join(" ")
    }

    /// Calls that skip the test from within.
    fn skip_calls(&self, body: &Range<usize>) -> Vec<String> {
        const CALLS: [&str; 8] = [
            "skip",
            "skipTest",
            "SkipTest",
            "xfail",
            "importorskip",
            "Skip",
            "Skipf",
            "SkipNow",
        ];
        let found = body.clone().filter(|at| {
            let called = self.tokens.text(at + 1) == "(" || self.tokens.text(*at) == "SkipTest";
            let owned = self.tokens.text(at.wrapping_sub(1)) == ".";
            called && owned && CALLS.contains(&self.tokens.text(*at))
        });
        found.map(|at| format!("{}()", self.tokens.text(at))).collect()
    }

    /// An end at the beginning, branches that never run, failures that are swallowed.
    fn escapes(&self, name: &str, body: &Range<usize>) -> Vec<String> {
        let text = |at: usize| self.tokens.text(at);
        let mut found = Vec::new();
        for at in body.clone() {
            let next = [text(at), text(at + 1), text(at + 2), text(at + 3), text(at + 4)];
            let word = match next {
                ["if" | "while", "False", ":", ..] | ["if", "0", ":", ..] => "a branch that never runs",
                ["if" | "while", "(", "false" | "0", ")", _] | ["if" | "while" | "for", "false", "{", ..] => {
                    "a branch that never runs"
                }
                ["except", ":", "pass", ..] | ["except", _, ":", "pass", _] => "failures are swallowed",
                ["catch", "{", "}", ..] | ["catch", "(", _, ")", "{"] if self.is_empty_catch(at) => {
                    "failures are swallowed"
                }
                ["catch_unwind", "(", ..] => "failures are swallowed",
                ["exit", "(", "0" | "", ..] | ["exit", "(", ")", ..] | ["_exit" | "Exit", "(", "0", ..] => {
                    "ends with success"
                }
                ["exit", "0", ..] if self.language == Language::Shell => "ends with success",
                ["set", "+", "e", ..] if self.language == Language::Shell => "failures are swallowed",
                ["return", ";" | "}", ..] if self.begins(body, at, name) => "returns at once",
                ["return", ..] if self.language == Language::Python && self.begins(body, at, name) => {
                    "returns at once"
                }
                _ => continue,
            };
            found.push(word.to_owned());
        }
        found
    }

    fn is_empty_catch(&self, at: usize) -> bool {
        let open = (at..at + 6).find(|n| self.tokens.text(*n) == "{");
        open.is_some_and(|open| self.tokens.text(open + 1) == "}")
    }

    /// Whether it is the first word of a test's body.
    fn begins(&self, body: &Range<usize>, at: usize, name: &str) -> bool {
        if name == OUTSIDE || at - body.start > NEAR {
            return false;
        }
        let opening = |t: &&super::token::Token| matches!(t.text, "{" | "=>" | ":");
        let before = &self.tokens.all[body.start..at];
        match self.language {
            Language::Script => {
                before.last().is_some_and(|t| opening(&t))
                    && before.iter().filter(|t| t.text == "{").count() == 1
            }
            Language::Python => before.iter().all(|t| t.kind == Kind::Text),
            _ => before.iter().all(|t| t.text == "{"),
        }
    }
}

impl Test {
    fn join(&mut self, more: Self) {
        self.skips.extend(more.skips);
        self.escapes.extend(more.escapes);
        self.asserts.extend(more.asserts);
        self.rows.extend(more.rows);
    }

    /// What it asserts and is not trivially so.
    pub(super) fn telling(&self) -> impl Iterator<Item = &Assertion> {
        self.asserts
            .iter()
            .filter(|a| a.strength != assertion::Strength::Trivial)
    }

    /// How many of its assertions compare with something, exactly.
    pub(super) fn strong(&self) -> usize {
        self.at_least(assertion::Strength::Strong)
    }

    /// How many of its assertions compare with something, also within a tolerance.
    pub(super) fn comparing(&self) -> usize {
        self.at_least(assertion::Strength::Near)
    }

    fn at_least(&self, least: assertion::Strength) -> usize {
        self.asserts.iter().filter(|a| a.strength >= least).count()
    }
}

/// Whether a file asserts anything: its changes are judged as a test's.
pub(super) fn asserts(language: Language, file: &str, text: &str) -> bool {
    let tokens = Tokens::of(language, text);
    let all = 0..tokens.all.len();
    match language {
        Language::Shell => path::is_test(file) && !assertion::within(language, &tokens, all).is_empty(),
        _ => !assertion::within(language, &tokens, all).is_empty(),
    }
}
