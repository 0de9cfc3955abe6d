//! What a change does to the tests and the checks that judge it: tests deleted, skipped or weakened, snapshots
//! changed, check scripts and their configuration loosened, lints silenced.
//!
//! From two versions of each changed file to findings; a finding is no verdict, it asks for a person's word.
//! Invariants: files that are the same have no findings; more tests and stricter checks have none; whatever the bytes
//! are, nothing panics and the time is linear in them but for sorting.
//! Deliberately absent: reading files, and what follows from a finding (that is the gate's).

mod compare;
mod config;
mod lint;
mod path;
mod recipe;
mod sheet;
mod suite;
mod token;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use path::Language;

/// So many findings of one file are told.
const OF_A_FILE: usize = 6;
/// So many letters of a passage are told.
const PASSAGE: usize = 160;

/// A file on one side of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side<'c> {
    /// It is not there.
    Absent,
    /// A text.
    Text(&'c str),
    /// No text, or too large to look at: what it is known by.
    Opaque(&'c str),
    /// A link, or another repository: where it leads.
    Link(&'c str),
}

/// A file that differs. A renamed file is one that goes and one that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'c> {
    /// Its path from the top of the tree.
    pub path: &'c str,
    /// At the base.
    pub was: Side<'c>,
    /// At the commit.
    pub is: Side<'c>,
}

/// What is known of the base besides the changed files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Base<'c> {
    /// The scripts of the checks, and what they call by another name (package scripts, recipes).
    pub commands: &'c [String],
    /// Whether the base holds a project already: a new one cannot loosen what is not there.
    pub established: bool,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// A file with tests is gone.
    FileGone,
    /// A test is gone.
    TestGone,
    /// A test does not run any more, or not always.
    Skipped,
    /// A test ends, or is green, before it asserts.
    Escapes,
    /// A test asserts less often.
    FewerAssertions,
    /// A test asserts less.
    WeakerAssertion,
    /// A test runs with fewer cases.
    FewerCases,
    /// A test expects something else.
    Expectation,
    /// A snapshot or a golden file is another one.
    Snapshot,
    /// A script that a check runs is another one.
    Script,
    /// A definition of continuous integration does less.
    Integration,
    /// The configuration of a test tool, a linter or a build is looser.
    Configuration,
    /// A linter or a type checker is told to look away.
    Silenced,
    /// A test or check file that cannot be looked at any more.
    Unreadable,
    /// A file that takes the place of a test tool.
    Shadows,
}

impl What {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileGone => "test file deleted",
            Self::TestGone => "test deleted",
            Self::Skipped => "test skipped",
            Self::Escapes => "test cut short",
            Self::FewerAssertions => "fewer assertions",
            Self::WeakerAssertion => "weaker assertion",
            Self::FewerCases => "fewer test cases",
            Self::Expectation => "expected value changed",
            Self::Snapshot => "expected output changed",
            Self::Script => "check script changed",
            Self::Integration => "CI definition changed",
            Self::Configuration => "check configuration loosened",
            Self::Silenced => "lint silenced",
            Self::Unreadable => "test or check file replaced",
            Self::Shadows => "file takes the place of a test tool",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// The line, from 1: at the commit, or at the base where the file or the test is gone.
    pub line: usize,
    /// What was found.
    pub what: What,
    /// What stood there; empty where nothing did.
    pub was: String,
    /// What stands there now; empty where nothing does.
    pub is: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: What, was: &str, is: &str) -> Self {
        let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(PASSAGE).collect();
        Self {
            path: path.to_owned(),
            line,
            what,
            was: cut(was),
            is: cut(is),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: String = self
            .path
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        write!(f, "{path}:{}: {}", self.line, self.what.as_str())?;
        match (self.was.is_empty(), self.is.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => write!(f, " (was: {})", self.was),
            (true, false) => write!(f, " ({})", self.is),
            (false, false) => write!(f, " (was: {}; is: {})", self.was, self.is),
        }
    }
}

/// Whether a file says that there is a project already.
pub fn establishes(path: &str) -> bool {
    path::language(path).is_some() || path::is_ci(path) || config::is_one(path) || recipe::is_one(path)
}

/// What the checks in this file run, where it is one of scripts or recipes: more commands for [`Base::commands`].
pub fn commands(path: &str, text: &str) -> Vec<String> {
    recipe::commands(path, text)
}

/// Whether the gate has to read the file to judge a change of it.
pub fn concerns(path: &str, commands: &[String]) -> bool {
    path::language(path).is_some() || guarded(path, commands)
}

/// Whether it is a test or a check by its path.
fn guarded(path: &str, commands: &[String]) -> bool {
    path::is_test(path)
        || path::is_expected(path)
        || path::is_ci(path)
        || path::shadows_tool(path)
        || config::is_one(path)
        || recipe::is_one(path)
        || path::turns_tool(path)
        || is_check_script(path, commands)
}

/// Whether a check's command runs the file. To name it is not enough: a check looks at what the work is, too.
fn is_run(path: &str, commands: &[String]) -> bool {
    let apart = ['\n', ';', '|', '&', '(', ')', '`', '{', '}'];
    let mut simple = commands.iter().flat_map(|command| command.split(apart));
    simple.any(|command| script_of(command).is_some_and(|word| means(word, path)))
}

/// Whether the file's end is the check's: it is run for itself, neither read in nor looked at by another command.
fn decides(path: &str, commands: &[String]) -> bool {
    let statements = commands.iter().flat_map(|c| c.split(['\n', ';']));
    let mut statements = statements.flat_map(|s| s.split("&&")).flat_map(|s| s.split("||"));
    statements.any(|statement| {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let looked_at = statement.contains(['|', '`', '<']) || statement.contains("$(");
        let read_in = matches!(words.first(), Some(&("." | "source"))) || words.contains(&"-n");
        !looked_at && !read_in && script_of(statement).is_some_and(|word| means(word, path))
    })
}

fn means(word: &str, path: &str) -> bool {
    word == path || (word.contains('/') && path.ends_with(&format!("/{word}")))
}

/// The file that a simple command runs: its first word that is no setting, no option and no interpreter.
fn script_of(command: &str) -> Option<&str> {
    const BEFORE: [&str; 24] = [
        "sh", "bash", "dash", "zsh", ".", "source", "exec", "env", "time", "timeout", "nice", "sudo",
        "command", "python", "python3", "node", "ruby", "perl", "deno", "bun", "run", "if", "then", "!",
    ];
    let words = command
        .split_whitespace()
        .map(|w| w.trim_matches(['"', '\'', '@']));
    let first = words.into_iter().find(|word| {
        let passed = BEFORE.contains(word) || word.starts_with('-') || word.contains('=');
        !passed && !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit())
    });
    first.map(|word| word.trim_start_matches("./"))
}

/// Whether a check runs the file, and it is one for checks: one that is called so, or a shell script that decides.
/// What is run to see whether the work does its work is none.
fn is_check_script(path: &str, commands: &[String]) -> bool {
    const CALLED: [&str; 7] = ["check", "test", "lint", "verify", "valid", "gate", "assert"];
    let file = path::name(path).to_ascii_lowercase();
    let shell = path::language(path) == Some(path::Language::Shell) || !file.contains('.');
    let called = CALLED.iter().any(|word| file.contains(word));
    (called && is_run(path, commands)) || (shell && decides(path, commands))
}

/// What a change does to tests and checks, by path and line.
pub fn findings(changes: &[Change<'_>], base: &Base<'_>) -> Vec<Finding> {
    let changes: Vec<Change<'_>> = changes.iter().filter(|c| c.was != c.is).copied().collect();
    let arrived: BTreeSet<&str> = changes
        .iter()
        .filter(|c| c.was == Side::Absent)
        .filter_map(|c| match c.is {
            Side::Text(content) | Side::Opaque(content) => Some(content),
            _ => None,
        })
        .collect();
    let mut found = compare::tests(&changes, base);
    found.extend(turns::modules(&changes));
    for change in &changes {
        found.extend(of_file(change, base, &arrived));
    }
    found.sort_by(|a, b| (&a.path, a.line, a.what).cmp(&(&b.path, b.line, b.what)));
    found.dedup();
    bounded(found)
}

/// What one file shows by itself.
fn of_file(change: &Change<'_>, base: &Base<'_>, arrived: &BTreeSet<&str>) -> Vec<Finding> {
    let path = change.path;
    let one = |what: What, was: &str, is: &str| vec![Finding::new(path, 1, what, was, is)];
    let moved = match change.was {
        Side::Text(content) | Side::Opaque(content) => change.is == Side::Absent && arrived.contains(content),
        _ => false,
    };
    match (change.was, change.is) {
        (Side::Absent, Side::Absent) => Vec::new(),
        (Side::Absent, _) if path::shadows_tool(path) => one(What::Shadows, "", ""),
        (_, Side::Absent) if moved && !is_check_script(path, base.commands) => Vec::new(),
        (Side::Absent, Side::Text(is)) => arriving(path, is, base),
        (Side::Absent, _) => Vec::new(),
        _ if path::is_expected(path) => one(What::Snapshot, "", gone_word(change)),
        (Side::Text(was), Side::Text(is)) => rewritten(path, was, is, base),
        (Side::Text(was), Side::Absent) => going(path, was, base),
        _ if guarded(path, base.commands) => one(What::Unreadable, "", gone_word(change)),
        _ => Vec::new(),
    }
}

fn gone_word(change: &Change<'_>) -> &'static str {
    match change.is {
        Side::Absent => "deleted",
        Side::Link(_) => "a link now",
        Side::Opaque(_) => "no text that can be looked at",
        Side::Text(_) => "",
    }
}

fn arriving(path: &str, is: &str, base: &Base<'_>) -> Vec<Finding> {
    if !base.established {
        return Vec::new();
    }
    let mut found = lint::silenced(path, "", is);
    found.extend(config::loosened(path, "", is));
    found.extend(recipe::arrived(path, base.commands));
    found.extend(turns::turned(path, "", is));
    found
}

fn rewritten(path: &str, was: &str, is: &str, base: &Base<'_>) -> Vec<Finding> {
    let mut found = lint::silenced(path, was, is);
    found.extend(config::loosened(path, was, is));
    found.extend(recipe::loosened(path, was, is, base.commands));
    found.extend(turns::turned(path, was, is));
    let asserts = path::language(path).is_some_and(|language| suite::asserts(language, path, was));
    if is_check_script(path, base.commands)
        && !asserts
        && !recipe::is_one(path)
        && config::bare(was) != config::bare(is)
    {
        found.push(Finding::new(
            path,
            config::first_difference(was, is),
            What::Script,
            "",
            "",
        ));
    }
    let foreign = path::language(path).is_none() && path::is_test(path) && is.trim().is_empty();
    if foreign && !was.trim().is_empty() {
        found.push(Finding::new(path, 1, What::FileGone, "", "emptied"));
    }
    found
}

/// A file that is gone and whose tests, if any, are told of already.
fn going(path: &str, was: &str, base: &Base<'_>) -> Vec<Finding> {
    const FOREIGN: [&str; 12] = [
        ".c", ".cc", ".cpp", ".cs", ".rb", ".php", ".swift", ".scala", ".ex", ".exs", ".hs", ".lua",
    ];
    let what = if path::is_ci(path) {
        What::Integration
    } else if config::is_one(path) && config::guards(path, was)
        || recipe::is_one(path) && recipe::guards(path, was)
    {
        What::Configuration
    } else if is_check_script(path, base.commands) {
        What::Script
    } else if path::is_test(path) && FOREIGN.iter().any(|end| path.ends_with(end)) {
        What::FileGone
    } else {
        return Vec::new();
    };
    vec![Finding::new(path, 1, what, "", "deleted")]
}

/// The first findings of each file; the last of them says how many more there are.
fn bounded(found: Vec<Finding>) -> Vec<Finding> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut out: Vec<Finding> = Vec::with_capacity(found.len());
    for finding in found {
        let count = seen.entry(finding.path.clone()).or_default();
        *count += 1;
        if *count <= OF_A_FILE {
            out.push(finding);
        }
    }
    for finding in &mut out {
        match seen.remove(&finding.path) {
            Some(count) if count > OF_A_FILE => {
                let more = count - OF_A_FILE;
                finding.is = format!("{} … and {more} more in this file", finding.is)
                    .trim_start()
                    .to_owned();
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests;
