//! Configuration as lines: which are gone, which are new, and whether that makes a check looser.
//!
//! No format is parsed; a line is known by the lines that it stands below, so TOML, YAML, JSON, INI and scripts that
//! configure a tool are read alike. Order does not matter. A line that is gone or another one is loosening unless it
//! is seen to be stricter; a new line is none unless it is seen to be looser.

use std::collections::HashMap;

/// How the lines of a file are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Lines below a head that begins with one of these; all where it is empty.
    pub(super) sections: &'static [&'static str],
    /// Lines that name one of these; all where it is empty.
    pub(super) words: &'static [&'static str],
    /// Words that make a new line a looser one.
    pub(super) loose: &'static [&'static str],
    /// Words of keys whose lines may change.
    pub(super) free: &'static [&'static str],
    /// Whether what a line stands below belongs to it.
    pub(super) nested: bool,
}

/// A line that counts.
#[derive(Debug, Clone)]
struct Line {
    number: usize,
    /// With what it stands below.
    text: String,
    /// The part before the value.
    key: String,
    /// As it stands there.
    own: String,
}

/// A line that makes a check looser.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Looser {
    pub(super) line: usize,
    pub(super) was: String,
    pub(super) is: String,
}

/// Words of keys and heads whose entries take something out of a check.
const OUT: [&str; 10] = [
    "ignore",
    "exclude",
    "omit",
    "skip",
    "disable",
    "allow",
    "deselect",
    "xfail",
    "norecurse",
    "continue-on-error",
];
/// Words of keys whose numbers are the stricter the higher they are.
const LEAST: [&str; 8] = [
    "fail_under",
    "fail-under",
    "branches",
    "lines",
    "functions",
    "statements",
    "minimum",
    "coverage",
];
/// Levels, the loosest first.
const LEVELS: [&[&str]; 5] = [
    &["allow", "warn", "deny", "forbid"],
    &["off", "warn", "error"],
    &["0", "1", "2"],
    &["false", "true"],
    &["none", "basic", "standard", "strict"],
];

/// What is looser in the second text.
pub(super) fn looser(style: &Style, was: &str, is: &str) -> Vec<Looser> {
    let (old, new) = (lines(style, was), lines(style, is));
    let (gone, come) = (less(&old, &new), less(&new, &old));
    let mut by_key: HashMap<&str, Vec<&Line>> = HashMap::new();
    come.iter()
        .rev()
        .for_each(|line| by_key.entry(&line.key).or_default().push(line));
    let mut found = Vec::new();
    let mut paired: Vec<usize> = Vec::new();
    for line in &gone {
        let now = by_key.get_mut(line.key.as_str()).and_then(Vec::pop);
        paired.extend(now.map(|n| n.number));
        let free = style
            .free
            .iter()
            .any(|word| line.key.to_ascii_lowercase().contains(word));
        let fine = match now {
            Some(now) => free || stricter(style, line, now),
            None => free || takes_out(&line.text),
        };
        if !fine {
            let is = now.map_or(String::new(), |n| n.own.clone());
            found.push(Looser {
                line: now.map_or(line.number, |n| n.number),
                was: line.own.clone(),
                is,
            });
        }
    }
    paired.sort_unstable();
    for line in come.iter().filter(|l| paired.binary_search(&l.number).is_err()) {
        if is_loose(style, &line.text) {
            found.push(Looser {
                line: line.number,
                was: String::new(),
                is: line.own.clone(),
            });
        }
    }
    found
}

/// Whether a file holds a line that counts.
pub(super) fn says_something(style: &Style, text: &str) -> bool {
    !lines(style, text).is_empty()
}

fn is_loose(style: &Style, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    style.loose.iter().any(|word| text.contains(word))
}

/// Whether the entry takes something out of a check; without it the check is stricter.
fn takes_out(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace("disallow", "");
    OUT.iter().any(|word| text.contains(word))
}

/// Whether a changed line asks for more, or for the same in other words.
fn stricter(style: &Style, was: &Line, is: &Line) -> bool {
    let key = was.key.to_ascii_lowercase();
    let (before, after) = (value(&was.own), value(&is.own));
    let out = takes_out(&key);
    for levels in LEVELS {
        let level = |word: &str| levels.iter().position(|l| *l == word);
        if let (Some(a), Some(b)) = (level(&before), level(&after)) {
            return if out { b <= a } else { b >= a };
        }
    }
    if let (Ok(a), Ok(b)) = (before.parse::<f64>(), after.parse::<f64>()) {
        let most = ["max", "too-many"].iter().any(|word| key.contains(word));
        let least = !most && LEAST.iter().any(|word| key.contains(word));
        return if least { b >= a } else { b <= a };
    }
    let (old, new) = (words(&was.own), words(&is.own));
    let holds = |all: &[&str], part: &[&str]| part.iter().all(|w| all.contains(w));
    match out {
        true => holds(&old, &new),
        false => {
            let more: Vec<&str> = new.iter().filter(|w| !old.contains(w)).copied().collect();
            holds(&new, &old) && !is_loose(style, &more.join(" "))
        }
    }
}

fn value(line: &str) -> String {
    let after = line.split_once(['=', ':']).map_or(line, |(_, value)| value);
    after
        .trim_matches(|c: char| c.is_whitespace() || "\"',;".contains(c))
        .to_ascii_lowercase()
}

/// At most so many words of a line are compared.
fn words(line: &str) -> Vec<&str> {
    let breaks = |c: char| c.is_whitespace() || "[](){},\"'=:;".contains(c);
    line.split(breaks).filter(|w| !w.is_empty()).take(200).collect()
}

fn less<'l>(first: &'l [Line], second: &[Line]) -> Vec<&'l Line> {
    let mut there: HashMap<&str, usize> = HashMap::new();
    second
        .iter()
        .for_each(|l| *there.entry(&l.text).or_default() += 1);
    let new = |line: &&Line| match there.get_mut(line.text.as_str()) {
        Some(n) if *n > 0 => {
            *n -= 1;
            false
        }
        _ => true,
    };
    first.iter().filter(new).collect()
}

/// A line without its comment.
pub(super) fn code(line: &str) -> &str {
    let line = line.trim();
    let comment =
        line.starts_with('#') || line.starts_with("//") || line.starts_with(';') || line.starts_with('*');
    if comment {
        return "";
    }
    let cut = [" #", " //"].iter().filter_map(|mark| line.find(mark)).min();
    line[..cut.unwrap_or(line.len())].trim().trim_end_matches(',')
}

/// A line that others stand below.
struct Head {
    indent: usize,
    key: String,
}

/// How deep heads are remembered.
const DEEPEST: usize = 12;

fn lines(style: &Style, text: &str) -> Vec<Line> {
    let mut section = String::new();
    let mut heads: Vec<Head> = Vec::new();
    let mut found = Vec::new();
    for (n, raw) in text.lines().enumerate() {
        let own = code(raw);
        if own.is_empty() {
            continue;
        }
        let indent = raw.len() - raw.trim_start().len();
        if own.starts_with('[') && own.ends_with(']') && indent == 0 && !own.contains(['"', ',']) {
            section = own.trim_matches(['[', ']']).to_owned();
            heads.clear();
            continue;
        }
        let closing = own.starts_with([']', '}', ')']);
        heads.retain(|head| head.indent < indent);
        if closing {
            continue;
        }
        let above: Vec<&str> = heads.iter().map(|h| h.key.as_str()).collect();
        let within = format!("{section}/{}", above.join("/"));
        let line = line(style, n + 1, own, &within);
        if own.ends_with(['[', '{', '(', ':', '=', '|', '>']) && heads.len() < DEEPEST {
            heads.push(Head {
                indent,
                key: key(own),
            });
        }
        let wanted = style.sections.is_empty() || style.sections.iter().any(|s| section.starts_with(s));
        let named = style.words.is_empty() || {
            let text = line.text.to_ascii_lowercase();
            style.words.iter().any(|word| text.contains(word))
        };
        if wanted && named && own.chars().any(char::is_alphanumeric) {
            found.push(line);
        }
    }
    found
}

fn line(style: &Style, number: usize, own: &str, within: &str) -> Line {
    let within = if style.nested { within } else { "" };
    Line {
        number,
        text: format!("{within}/{own}"),
        key: format!("{within}/{}", key(own)),
        own: own.to_owned(),
    }
}

fn key(own: &str) -> String {
    let key = own.split(['=', ':']).next().unwrap_or(own);
    key.trim_matches(|c: char| c.is_whitespace() || "\"'-[{(,".contains(c))
        .to_owned()
}
