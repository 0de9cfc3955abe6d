//! Checks that end well without having looked at anything: an empty script, a test run without a test.
//!
//! Pure. A run is refused only where its tools say that there was nothing, and none says that there was something; and
//! where a tool that always tells a result tells none: whoever ends the process early cannot be green.

use crate::domain::failing::tool;

/// What is said of an empty script.
pub(super) const BLANK: &str = "there is nothing in this check; write a command, or take the check out";

/// Whether a script has nothing but blank lines and comments.
pub(super) fn is_blank(script: &str) -> bool {
    script
        .lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#'))
}

/// Why the tests of this output count as not run, where its tools say so themselves.
pub(super) fn ran_nothing(output: &str) -> Option<String> {
    let mut nothing = None;
    for line in output.lines() {
        let line = super::capture::plain(line);
        match sign(line.trim()) {
            Some(true) => return None,
            Some(false) if nothing.is_none() => nothing = Some(line.trim().to_owned()),
            _ => {}
        }
    }
    let said: String = nothing?.chars().take(120).collect();
    Some(format!(
        "the check ended well, but no test ran: it says `{said}`; add tests, or name what is to be run instead \
         (Validation, [gate] checks)"
    ))
}

/// Why a run that ended well counts as one without a result: a program of tests began and told no result, or the only
/// tool of the script, which always tells one, did not.
pub(super) fn untold(script: &str, output: &str) -> Option<String> {
    const QUIET: [&str; 13] = [
        "--no-run",
        "--list",
        "--doc",
        "--help",
        "--version",
        "-qq",
        "-json",
        "-c",
        "--co",
        "--collect-only",
        "-h",
        "--format",
        "-o",
    ];
    let plain = super::capture::plain(output);
    let lines = || plain.lines().map(str::trim);
    let begun = lines().filter(|l| is_beginning(l)).count();
    let ended = lines().filter(|l| l.starts_with("test result: ")).count();
    if begun > ended {
        return Some(format!(
            "nothing ran to its end: {begun} programs of tests began, and {ended} told a result"
        ));
    }
    let words: Vec<&str> = script.split_whitespace().collect();
    let tests = match tool(script)? {
        "cargo" => words.contains(&"test"),
        tool => matches!(tool, "unittest" | "pytest" | "py.test"),
    };
    let quiet = script.contains('>')
        || words
            .iter()
            .any(|w| QUIET.contains(w) || w.starts_with("--format"));
    let silent = tests && !quiet && !lines().any(|l| sign(l).is_some());
    silent.then(|| "nothing ran to its end: the tests' tool ended well, and told no result".to_owned())
}

/// `running 3 tests`, as a test program of cargo's begins.
fn is_beginning(line: &str) -> bool {
    let rest = line.strip_prefix("running ");
    let rest = rest.and_then(|rest| rest.strip_suffix(" tests").or(rest.strip_suffix(" test")));
    rest.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a line tells that tests ran (`true`), or that none did (`false`).
fn sign(line: &str) -> Option<bool> {
    let lower = line.to_ascii_lowercase();
    // A file of the target's name: make has nothing to do.
    if lower.starts_with("make: ") && lower.ends_with("is up to date.") {
        return Some(false);
    }
    const NONE: [&str; 13] = [
        "no tests ran",
        "no tests found",
        "no tests to run",
        "no tests were found",
        "no tests executed",
        "no test files found",
        "no test is available",
        "[no test files]",
        "[no tests to run]",
        "collected 0 items",
        "0 selected",
        "test no-source",
        "0 passing",
    ];
    // Go: a package with tests is a line of its own.
    if lower.starts_with("ok ")
        && !lower.starts_with("ok |")
        && !lower.contains("[no test")
        && lower.ends_with(['s', ')'])
    {
        return Some(true);
    }
    counted(&lower).or_else(|| NONE.iter().any(|words| ends_as(&lower, words)).then_some(false))
}

/// `10 passing` is no `0 passing`.
fn ends_as(line: &str, words: &str) -> bool {
    line.find(words)
        .is_some_and(|at| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
}

/// Summaries with numbers.
fn counted(line: &str) -> Option<bool> {
    let of = |word: &str| number_before(line, word);
    // cargo test, deno: `test result: ok. 3 passed; 0 failed; 1 ignored`, `ok | 3 passed | 0 failed`.
    if line.starts_with("test result:") || line.starts_with("ok | ") {
        return Some(of("passed")? + of("failed").unwrap_or(0) > 0);
    }
    // unittest: `Ran 3 tests in 0.1s`.
    if let Some(rest) = line.strip_prefix("ran ").filter(|rest| rest.contains(" test")) {
        return leading(rest).map(|n| n > 0);
    }
    // Maven, JUnit: `Tests run: 3, Failures: 0`. Jest: `Tests: 3 passed, 3 total`. Node: `# tests 3`.
    if let Some((_, rest)) = line.split_once("tests run:") {
        return leading(rest.trim_start()).map(|n| n > 0);
    }
    if line.starts_with("tests:") {
        return Some(of("total")? > of("skipped").unwrap_or(0) + of("todo").unwrap_or(0));
    }
    if let Some(rest) = line.strip_prefix("# tests ").or(line.strip_prefix("ℹ tests ")) {
        return leading(rest).map(|n| n > 0);
    }
    // RSpec: `3 examples, 0 failures`.
    if let (Some(n), true) = (of("examples,"), line.contains("failure")) {
        return Some(n > 0);
    }
    pytest(line)
}

/// `==== 3 passed, 1 skipped in 0.12s ====`, also without the bars; all skipped is nothing run.
fn pytest(line: &str) -> Option<bool> {
    let line = line.trim_matches(['=', ' ']);
    let (counts, took) = line.rsplit_once(" in ")?;
    let is_time = took.starts_with(|c: char| c.is_ascii_digit()) && took.contains('s');
    let words = ["passed", "failed", "xpassed", "skipped", "xfailed", "deselected"];
    let total = |of: &[&str]| {
        of.iter()
            .filter_map(|word| number_before(counts, word))
            .sum::<u64>()
    };
    if !is_time || !words.iter().any(|word| number_before(counts, word).is_some()) {
        return None;
    }
    Some(total(&["passed", "failed", "xpassed", "xfailed"]) > 0)
}

fn leading(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The number right before a word.
fn number_before(line: &str, word: &str) -> Option<u64> {
    let mut words = line
        .split([' ', ';', ',', '|'])
        .filter(|part| !part.is_empty())
        .peekable();
    let word = word.trim_end_matches(',');
    while let Some(part) = words.next() {
        if words.peek() == Some(&word)
            && let Ok(n) = part.parse()
        {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen to fail with `counted` answering nothing: the rows with numbers turn.
    #[test]
    fn a_run_without_a_test_is_seen() {
        for output in [
            "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            "test result: ok. 0 passed; 0 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out",
            "\u{1b}[32mtest result: ok\u{1b}[0m. 0 passed; 0 failed; 0 ignored",
            "============ no tests ran in 0.01s ============",
            "collected 0 items",
            "collected 3 items / 3 deselected / 0 selected\n=== 3 deselected in 0.02s ===",
            "===== 3 skipped in 0.12s =====",
            "Ran 0 tests in 0.000s\n\nOK",
            "?   \texample.org/x\t[no test files]",
            "ok  \texample.org/x\t0.002s [no tests to run]",
            "No tests found, exiting with code 0",
            "Tests:       0 total",
            "Tests:       2 skipped, 2 total",
            "  0 passing (2ms)",
            "# tests 0\n# pass 0",
            "Tests run: 0, Failures: 0, Errors: 0, Skipped: 0",
            "0 examples, 0 failures",
            "> Task :test NO-SOURCE",
            "ok | 0 passed | 0 failed (1ms)",
            "make: 'test' is up to date.",
        ] {
            assert!(ran_nothing(output).is_some(), "{output}");
        }
    }

    #[test]
    fn a_run_with_tests_is_left_alone() {
        for output in [
            "",
            "all good",
            "test result: ok. 1 passed; 0 failed; 0 ignored\ntest result: ok. 0 passed; 0 failed; 0 ignored",
            "test result: FAILED. 0 passed; 1 failed; 0 ignored",
            "collected 3 items\n==== 3 passed in 0.10s ====",
            "==== 1 passed, 3 skipped in 0.10s ====",
            "3 passed in 0.10s",
            "Ran 10 tests in 0.100s\n\nOK",
            "?   \texample.org/x\t[no test files]\nok  \texample.org/y\t0.002s",
            "ok  \texample.org/y\t(cached)\nok  \texample.org/x\t0.1s [no tests to run]",
            "  10 passing (2ms)",
            "Tests:       1 skipped, 2 passed, 3 total",
            "# tests 5\n# pass 5",
            "Tests run: 20, Failures: 0",
            "Tests run: 0, Failures: 0\nTests run: 2, Failures: 0",
            "10 examples, 0 failures",
            "we found that no test is slow",
        ] {
            assert_eq!(ran_nothing(output), None, "{output}");
        }
    }

    /// Seen to fail with the comparison of the two counts, or the look at the tool, taken out.
    #[test]
    fn a_run_that_tells_no_result_is_none() {
        let begun = "running 2 tests\n";
        let done = "running 1 test\ntest result: ok. 1 passed; 0 failed; finished in 0.00s\n";
        for (script, output, wanted) in [
            ("cargo test", format!("{begun}{done}"), true),
            ("make test", begun.to_owned(), true),
            ("cargo test", done.to_owned(), false),
            ("cargo test", String::new(), true),
            ("cargo test --no-run", String::new(), false),
            ("cargo build", String::new(), false),
            ("python3 -m unittest", "0 failed\n".to_owned(), true),
            (
                "python3 -m unittest -q",
                "Ran 2 tests in 0.1s\n\nOK\n".to_owned(),
                false,
            ),
            ("python3 -m unittest 2> log", String::new(), false),
            (
                "python3 -m pytest -q",
                "..\n2 passed in 0.01s\n".to_owned(),
                false,
            ),
            ("pytest -qq", "..\n".to_owned(), false),
            ("make test", String::new(), false),
        ] {
            assert_eq!(untold(script, &output).is_some(), wanted, "{script}: {output}");
        }
    }

    #[test]
    fn a_script_of_comments_is_blank() {
        for (script, blank) in [
            ("", true),
            (" \n\t\n", true),
            ("# later\n  #\n", true),
            ("true", false),
            ("#!/bin/sh\n:", false),
        ] {
            assert_eq!(is_blank(script), blank, "{script:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_output_is_read(text in ".{0,200}") {
            let _ = ran_nothing(&text);
        }
    }
}
