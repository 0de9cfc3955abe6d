//! Which tests failed, by the names that a check's output tells: cargo test, pytest, unittest, go test, TAP and the
//! spec report of node, jest, vitest.
//!
//! Invariant: names are given only where they are all there, which the tool's own count says; an output that stops
//! half-way, is of no known form, or is of several commands gives none.

mod form;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

/// The tests that failed, each with how often.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failures(BTreeMap<String, usize>);

impl Failures {
    /// Reads what a check said. `directory` is where it ran, which is no part of a name.
    pub fn read(output: &str, directory: &str) -> Option<Self> {
        // The mark of an output of which only the end was kept.
        let whole = !output.starts_with("… (");
        let output = output.replace(&format!("{}/", directory.trim_end_matches('/')), "");
        let lines: Vec<&str> = output.lines().collect();
        let forms = [
            form::cargo(&lines),
            form::pytest(&lines),
            form::unittest(&lines),
            form::go(&lines).filter(|_| whole),
            form::tap(&lines).filter(|_| whole),
            form::spec(&lines),
            form::jest(&lines).filter(|_| whole),
            form::vitest(&lines),
        ];
        let mut known = forms.into_iter().flatten();
        let names = known.next().filter(|names| !names.is_empty())?;
        // Two forms in one output: two tools ran, and which of them ended is not known.
        if known.next().is_some() {
            return None;
        }
        let mut counted = BTreeMap::new();
        for name in names {
            *counted.entry(name).or_default() += 1;
        }
        Some(Self(counted))
    }

    /// Those that fail here and did not fail there.
    pub fn beyond(&self, before: &Self) -> Vec<&str> {
        let new = |(name, count): &(&String, &usize)| before.0.get(*name).is_none_or(|old| old < *count);
        self.0.iter().filter(new).map(|(name, _)| name.as_str()).collect()
    }

    /// Their names.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// Whether a script is one command of a test tool that runs all its tests: what comes behind a failure is not seen, so
/// of a longer script the names of the failed tests do not tell the whole.
pub fn tells_all(script: &str) -> bool {
    const EARLY: [&str; 8] = [
        "-x",
        "-f",
        "--failfast",
        "--fail-fast",
        "-failfast",
        "--bail",
        "-b",
        "--exitfirst",
    ];
    let early = script
        .split_whitespace()
        .any(|word| EARLY.contains(&word) || word.starts_with("--maxfail") || word.starts_with("--bail="));
    tool(script).is_some() && !early
}

/// The test tool that a script calls, where it is one command of one that is known; of a tool that calls others (make, a
/// shell) nobody can tell what it runs.
pub fn tool(script: &str) -> Option<&str> {
    const LAUNCHERS: [&str; 9] = [
        "exec", "env", "time", "npx", "uv", "poetry", "pipenv", "run", "pnpm",
    ];
    const TOOLS: [&str; 10] = [
        "cargo", "go", "pytest", "py.test", "unittest", "jest", "vitest", "mocha", "node", "deno",
    ];
    let lines = script.lines().map(str::trim);
    let mut lines = lines.filter(|l| !l.is_empty() && !l.starts_with('#'));
    let (line, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    if line.contains(['&', ';', '|', '`']) || line.contains("$(") {
        return None;
    }
    let set = |word: &&str| {
        word.split_once('=')
            .is_some_and(|(name, _)| !name.starts_with('-'))
    };
    let words = line.split_whitespace().skip_while(set);
    let mut words = words.skip_while(|word| LAUNCHERS.contains(word));
    let name = |word: &'_ str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let first = words.next()?;
    let first_name = name(first);
    let module = first_name.starts_with("python") || first_name == "py";
    let called = if module {
        words.skip_while(|word| *word != "-m").nth(1)?
    } else {
        first
    };
    TOOLS.into_iter().find(|tool| *tool == name(called))
}
