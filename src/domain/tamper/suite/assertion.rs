//! What a test asserts: each assertion with its words, its shape without the values, and how much it says.
//!
//! A message is no part of an assertion. Calls of functions whose names say that they check count as assertions, so
//! that what is moved into such a function is not lost.

use std::ops::Range;

use super::rows::elements;
use crate::domain::tamper::path::Language;
use crate::domain::tamper::token::{Kind, Tokens};

/// How much an assertion says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::domain::tamper) enum Strength {
    /// Nothing: it holds whatever the program does.
    Trivial,
    /// That something is there, or true.
    Weak,
    /// It compares, within a tolerance.
    Near,
    /// It compares.
    Strong,
}

/// One assertion, or one row of a table.
#[derive(Debug, Clone)]
pub(in crate::domain::tamper) struct Assertion {
    /// Its line, from 1.
    pub(in crate::domain::tamper) line: usize,
    /// Its words, without its message.
    pub(in crate::domain::tamper) words: String,
    /// The same with every value replaced by its kind.
    pub(in crate::domain::tamper) shape: String,
    /// How much it says.
    pub(in crate::domain::tamper) strength: Strength,
    /// All that it takes.
    pub(super) span: Range<usize>,
}

impl Assertion {
    /// Over `telling`, of all that `span` takes.
    pub(super) fn of(tokens: &Tokens, telling: Range<usize>, span: Range<usize>, strength: Strength) -> Self {
        let all = &tokens.all[telling.start..telling.end.min(tokens.all.len())];
        let words: Vec<&str> = all.iter().filter(|t| t.text != ";").map(|t| t.text).collect();
        let shape: Vec<&str> = all
            .iter()
            .filter(|t| t.text != ";")
            .map(|t| match (t.kind, t.text) {
                (Kind::Text | Kind::Number, _) | (_, "true" | "false" | "True" | "False") => "…",
                (_, text) => text,
            })
            .collect();
        Self {
            line: tokens.line(telling.start),
            words: words.join(" "),
            shape: shape.join(" "),
            strength,
            span,
        }
    }
}

/// The assertions in a range, in their order, none within another.
pub(super) fn within(language: Language, tokens: &Tokens, range: Range<usize>) -> Vec<Assertion> {
    if language == Language::Shell {
        return shell(tokens, range);
    }
    let mut found: Vec<Assertion> = Vec::new();
    let mut at = range.start;
    let mut branch = None;
    while at < range.end {
        let finder = Finder {
            language,
            tokens,
            end: range.end,
        };
        match tokens.text(at) {
            "if" => branch = Some(at),
            "}" => branch = None,
            _ => {}
        }
        match finder.at(at, branch) {
            Some(assertion) => {
                at = assertion.span.end.max(at + 1);
                found.push(assertion);
            }
            None => at += 1,
        }
    }
    found
}

/// In a script a line asserts that looks at something; with `|| true` behind it says nothing.
fn shell(tokens: &Tokens, range: Range<usize>) -> Vec<Assertion> {
    const LOOKS: [&str; 9] = ["test", "[", "grep", "diff", "cmp", "fail", "die", "run", "refute"];
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let line = tokens.line(at);
        let end = (at..range.end)
            .find(|n| tokens.line(*n) != line)
            .unwrap_or(range.end);
        let words: Vec<&str> = tokens.all[at..end].iter().map(|t| t.text).collect();
        let looks = words.iter().any(|w| LOOKS.contains(w) || w.starts_with("assert"))
            || words.windows(2).any(|w| w[0] == "exit" && w[1] != "0");
        let void = words
            .windows(2)
            .any(|w| w[0] == "||" && matches!(w[1], "true" | ":"))
            || words.windows(2).any(|w| w == ["echo", "test"]);
        if looks {
            let strength = if void { Strength::Trivial } else { Strength::Strong };
            found.push(Assertion::of(tokens, at..end, at..end, strength));
        }
        at = end;
    }
    found
}

struct Finder<'a, 't> {
    language: Language,
    tokens: &'a Tokens<'t>,
    end: usize,
}

/// Names of what only says that something is true or there.
const TRUTHS: [&str; 12] = [
    "assert",
    "debug_assert",
    "prop_assert",
    "assertTrue",
    "assertFalse",
    "ok",
    "True",
    "False",
    "assertNotNull",
    "assertIsNotNone",
    "NotNil",
    "assertNotNil",
];
/// The matchers of `expect` that say no more.
const LOOSE: [&str; 4] = ["toBeTruthy", "toBeDefined", "toBeFalsy", "toBeNull"];
/// Names of comparisons of two values that stand behind a dot.
const COMPARE: [&str; 16] = [
    "equal",
    "equals",
    "strictEqual",
    "deepEqual",
    "deepStrictEqual",
    "notEqual",
    "notStrictEqual",
    "notDeepEqual",
    "throws",
    "rejects",
    "is",
    "ok",
    "Equal",
    "NoError",
    "raises",
    "warns",
];

impl Finder<'_, '_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.text(at)
    }

    /// The assertion that begins here.
    fn at(&self, at: usize, branch: Option<usize>) -> Option<Assertion> {
        if self.tokens.kind(at) != Some(Kind::Word) {
            return None;
        }
        let before = match at.checked_sub(1) {
            Some(before) => self.text(before),
            None => "",
        };
        if matches!(
            before,
            "fn" | "def" | "function" | "func" | "import" | "from" | "void" | "class"
        ) {
            return None;
        }
        match (self.language, self.text(at)) {
            (Language::Python, "assert") => Some(self.statement(at)),
            (Language::Python, "raise") | (Language::Script | Language::Java, "throw") => {
                Some(self.thrown(at))
            }
            (Language::Rust, word) if self.text(at + 1) == "!" => self.of_macro(at, word),
            (Language::Go, word) if before == "." && self.text(at + 1) == "(" && reports(word) => {
                Some(self.reported(at, branch))
            }
            (_, word) => self.call(at, word, before),
        }
    }

    /// `assert a == b, "message"` in Python.
    fn statement(&self, at: usize) -> Assertion {
        let next = |n: &usize| self.tokens.all[*n].first;
        let end = (at + 1..self.end).find(next).unwrap_or(self.end);
        let parts = split(self.tokens, at + 1, end);
        let said = parts.first().cloned().unwrap_or(at + 1..end);
        let strength = self.truth(&said);
        Assertion::of(self.tokens, at..said.end, at..end, strength)
    }

    /// Only that something is thrown counts, not its message.
    fn thrown(&self, at: usize) -> Assertion {
        let line = self.tokens.line(at);
        let end = (at..self.end)
            .find(|n| self.tokens.line(*n) != line)
            .unwrap_or(self.end);
        let end = (at..end).find(|n| self.text(*n) == "}").unwrap_or(end);
        let name = (at..end).find(|n| self.text(*n) == "(").unwrap_or(end);
        Assertion::of(self.tokens, at..name, at..end, Strength::Weak)
    }

    fn of_macro(&self, at: usize, word: &str) -> Option<Assertion> {
        let open = at + 2;
        if !self.tokens.opens(open) {
            return None;
        }
        if matches!(word, "panic" | "unreachable") {
            let end = (self.tokens.close(open) + 1).min(self.end);
            return Some(Assertion::of(self.tokens, at..open, at..end, Strength::Weak));
        }
        let known =
            word.starts_with("assert") || word.starts_with("debug_assert") || word.starts_with("prop_assert");
        known.then(|| self.with_arguments(at, open, word))
    }

    /// `t.Errorf(...)`: what it says stands in the condition before.
    fn reported(&self, at: usize, branch: Option<usize>) -> Assertion {
        let end = (self.tokens.close(at + 1) + 1).min(self.end);
        let from = branch.filter(|from| at - from < 80).unwrap_or(at);
        let brace = (from..at).find(|n| self.text(*n) == "{").unwrap_or(at);
        let never = matches!(self.text(from + 1), "false") && brace == from + 2;
        let strength = match (from == at, never) {
            (_, true) => Strength::Trivial,
            (true, _) => Strength::Weak,
            _ => Strength::Strong,
        };
        let telling = if from == at { at..at + 1 } else { from..brace };
        Assertion::of(self.tokens, telling, at..end, strength)
    }

    fn call(&self, at: usize, word: &str, before: &str) -> Option<Assertion> {
        let dotted = (word == "assert" || word == "require" || word == "t") && self.text(at + 1) == ".";
        if dotted && self.text(at + 3) == "(" && word != "t" {
            return Some(self.with_arguments(at, at + 3, self.text(at + 2)));
        }
        if self.text(at + 1) != "(" {
            return None;
        }
        let unwrapped = self.language == Language::Rust && before == ".";
        let member = before == "." && COMPARE.contains(&word);
        let checks = ["assert", "check", "expect", "verify", "ensure", "fail", "should"]
            .iter()
            .any(|start| word.to_ascii_lowercase().starts_with(start));
        if member || (checks && !unwrapped) {
            return Some(self.with_arguments(at, at + 1, word));
        }
        None
    }

    fn with_arguments(&self, at: usize, open: usize, callee: &str) -> Assertion {
        let close = self.tokens.close(open).min(self.end);
        let arguments = elements(self.tokens, open);
        let mut end = (close + 1).min(self.end);
        let mut matcher = "";
        while self.text(end) == "." && self.language != Language::Rust && end < self.end {
            matcher = self.text(end + 1);
            let called = self.text(end + 2) == "(";
            let next = if called {
                self.tokens.close(end + 2) + 1
            } else {
                end + 2
            };
            end = next.min(self.end).max(end + 1);
        }
        let chained = end > close + 1;
        let counted = told(callee).filter(|_| !chained);
        let said = counted.and_then(|n| arguments.get(n - 1)).map_or(end, |a| a.end);
        let strength = match chained {
            true => self.chain(open, close + 1, end, matcher),
            false => self.strength(callee, &arguments),
        };
        Assertion::of(self.tokens, at..said, at..end, strength)
    }

    /// `expect(a).toBe(b)`.
    fn chain(&self, open: usize, from: usize, end: usize, matcher: &str) -> Strength {
        let subject = self.words(open + 1, from - 1);
        let argument = (from..end)
            .rev()
            .find(|n| self.text(*n) == "(" && self.tokens.close(*n) + 1 >= end);
        let wanted = argument.map(|n| self.words(n + 1, end - 1)).unwrap_or_default();
        let value = from == open + 3 && self.is_value(open + 1);
        if value || (!subject.is_empty() && subject == wanted) {
            return Strength::Trivial;
        }
        match LOOSE.contains(&matcher) {
            true => Strength::Weak,
            false if is_near(matcher) => Strength::Near,
            false => Strength::Strong,
        }
    }

    fn strength(&self, callee: &str, arguments: &[Range<usize>]) -> Strength {
        if TRUTHS.contains(&callee) {
            return arguments.first().map_or(Strength::Weak, |said| self.truth(said));
        }
        let same = |a: &Range<usize>, b: &Range<usize>| {
            let values = a.len() == 1 && b.len() == 1 && self.is_value(a.start) && self.is_value(b.start);
            values || self.words(a.start, a.end) == self.words(b.start, b.end)
        };
        let equal = callee.to_ascii_lowercase().contains("eq") || callee == "is";
        let trivial = equal
            && !callee.to_ascii_lowercase().contains("not")
            && !callee.contains("_ne")
            && match arguments {
                // Go: the first argument is the test itself.
                [t, a, b, ..] if self.words(t.start, t.end) == ["t"] => same(a, b),
                [a, b, ..] => same(a, b),
                _ => false,
            };
        match trivial {
            true => Strength::Trivial,
            false if is_near(callee) => Strength::Near,
            false => Strength::Strong,
        }
    }

    /// How much a condition says.
    fn truth(&self, said: &Range<usize>) -> Strength {
        let mut said = said.clone();
        while self.text(said.start) == "(" && self.tokens.close(said.start) + 1 == said.end {
            said = said.start + 1..said.end - 1;
        }
        let words = self.words(said.start, said.end);
        let parts: Vec<&[&str]> = words.split(|w| matches!(*w, "==" | "===")).collect();
        let always = match words[..] {
            [only] => {
                matches!(only, "true" | "True" | "1")
                    || (self.is_value(said.start) && only != "false" && only != "False")
            }
            [.., "||" | "or", "true" | "True"] | ["true" | "True", "||" | "or", ..] => true,
            _ => matches!(parts[..], [a, b] if a == b),
        };
        let values = said.len() == 3 && self.is_value(said.start) && self.is_value(said.end - 1);
        if always || values {
            return Strength::Trivial;
        }
        let compares = |w: &&str| {
            matches!(
                *w,
                "==" | "==="
                    | "!="
                    | "!=="
                    | "<"
                    | ">"
                    | "in"
                    | "matches"
                    | "contains"
                    | "starts_with"
                    | "ends_with"
            )
        };
        match words.iter().any(compares) {
            true if words.iter().any(|w| is_near(w)) => Strength::Near,
            true => Strength::Strong,
            false => Strength::Weak,
        }
    }

    fn words(&self, from: usize, to: usize) -> Vec<&str> {
        let end = to.min(self.tokens.all.len());
        self.tokens.all[from.min(end)..end]
            .iter()
            .map(|t| t.text)
            .collect()
    }

    fn is_value(&self, at: usize) -> bool {
        let word = self.text(at);
        matches!(self.tokens.kind(at), Some(Kind::Text | Kind::Number))
            || matches!(word, "true" | "false" | "True" | "False")
    }
}

/// Whether a comparison of this name has a tolerance.
fn is_near(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["almost", "approx", "closeto", "isclose", "indelta", "inepsilon"]
        .iter()
        .any(|near| word.contains(near))
}

/// What reports a failure in Go.
fn reports(word: &str) -> bool {
    matches!(word, "Error" | "Errorf" | "Fatal" | "Fatalf" | "Fail" | "FailNow")
}

/// How many arguments say something; what comes behind is a message. None where all do.
fn told(callee: &str) -> Option<usize> {
    match callee {
        "assert" | "debug_assert" | "prop_assert" | "assertTrue" | "assertFalse" | "ok" | "assertIsNone"
        | "assertIsNotNone" | "assertNull" | "assertNotNull" => Some(1),
        "assert_eq" | "assert_ne" | "debug_assert_eq" | "prop_assert_eq" | "prop_assert_ne"
        | "assertEqual" | "assertNotEqual" | "assertIn" | "assertIs" | "equal" | "strictEqual"
        | "deepEqual" | "deepStrictEqual" => Some(2),
        _ => None,
    }
}

/// The parts between the commas of a range outside of brackets.
fn split(tokens: &Tokens, from: usize, end: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut at) = (from, from);
    while at < end {
        if tokens.text(at) == "," {
            found.push(start..at);
            start = at + 1;
        }
        at = if tokens.opens(at) {
            tokens.close(at).min(end) + 1
        } else {
            at + 1
        };
    }
    found.push(start.min(end)..end);
    found
}
