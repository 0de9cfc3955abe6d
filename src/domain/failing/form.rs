//! The forms of reports, one function each: the names of what failed, where the report says itself that these are all.

/// The number before a word: `2 failed` in `1 passed, 2 failed`.
fn count(line: &str, word: &str) -> Option<usize> {
    let before = line.split(word).next().filter(|_| line.contains(word))?;
    let digits: Vec<char> = before
        .trim_end()
        .chars()
        .rev()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.into_iter().rev().collect::<String>().parse().ok()
}

fn owned<'l>(names: impl IntoIterator<Item = &'l str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// `cargo test --no-fail-fast`: a list below `failures:`, then `test result: FAILED. … 2 failed; …`, for each target.
pub(super) fn cargo(lines: &[&str]) -> Option<Vec<String>> {
    let results = lines.iter().filter(|l| l.starts_with("test result: "));
    let failed: usize = results.filter_map(|l| count(l, " failed")).sum();
    // Without `--no-fail-fast` it says `test failed, to rerun …` and leaves the other targets out.
    let all = lines.iter().any(|l| {
        l.starts_with("error: ") && (l.contains(" target failed:") || l.contains(" targets failed:"))
    });
    if failed == 0 || !all {
        return None;
    }
    let mut names = Vec::new();
    let mut target = String::new();
    let mut listed = false;
    for line in lines {
        let bare = line.trim();
        if let Some(running) = bare.strip_prefix("Running ").or(bare.strip_prefix("Doc-tests ")) {
            target = running.split(" (").next().unwrap_or(running).to_owned();
        }
        match *line {
            "failures:" => listed = true,
            _ if line.starts_with("test result: ") => listed = false,
            _ if listed && line.starts_with("    ") && !bare.contains(' ') => {
                names.push(format!("{target} {bare}"))
            }
            _ => {}
        }
    }
    (names.len() == failed).then_some(names)
}

/// `FAILED path::name - why` and `ERROR path` in the short summary, and the counts in the last line.
pub(super) fn pytest(lines: &[&str]) -> Option<Vec<String>> {
    let last = lines
        .iter()
        .rev()
        .find(|l| l.contains(" in ") && (l.contains(" failed") || l.contains(" error")))?;
    let (failed, errors) = (
        count(last, " failed").unwrap_or(0),
        count(last, " error").unwrap_or(0),
    );
    let stopped = lines.iter().any(|l| l.starts_with("!!!"));
    let named = |mark: &str| -> Vec<&str> {
        let names = lines.iter().filter_map(|l| l.strip_prefix(mark));
        names
            .map(|n| n.split(" - ").next().unwrap_or(n).trim())
            .filter(|n| n.contains(".py"))
            .collect()
    };
    let (bad, broken) = (named("FAILED "), named("ERROR "));
    let all = bad.len() == failed && broken.len() == errors && !stopped;
    all.then(|| owned(bad.into_iter().chain(broken)))
}

/// `FAIL: test_x (m.T.test_x)` and `FAILED (failures=1, errors=1)`.
pub(super) fn unittest(lines: &[&str]) -> Option<Vec<String>> {
    let last = lines.iter().rev().find(|l| l.starts_with("FAILED ("))?;
    let number = |word: &str| -> usize {
        let rest = last.split(word).nth(1).unwrap_or_default();
        rest.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap_or(0)
    };
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|l| l.strip_prefix("FAIL: ").or(l.strip_prefix("ERROR: ")))
        .collect();
    let unexpected = last.contains("unexpected successes");
    (names.len() == number("failures=") + number("errors=") && !unexpected).then(|| owned(names))
}

/// `--- FAIL: TestX (0.00s)`, and behind them `FAIL<tab>package<tab>time`.
pub(super) fn go(lines: &[&str]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut pending: Vec<&str> = Vec::new();
    for line in lines {
        if line.starts_with("panic: ") || line.contains("[build failed]") || line.contains("[setup failed]") {
            return None;
        }
        if let Some(name) = line.trim_start().strip_prefix("--- FAIL: ") {
            pending.push(name.split(" (").next().unwrap_or(name));
        } else if let Some(package) = line.strip_prefix("FAIL\t") {
            let package = package.split('\t').next().unwrap_or(package);
            if pending.is_empty() {
                return None;
            }
            names.extend(pending.drain(..).map(|name| format!("{package} {name}")));
        } else if line.starts_with("ok  \t") && !pending.is_empty() {
            return None;
        }
    }
    (pending.is_empty() && !names.is_empty()).then_some(names)
}

/// `not ok 1 - name`, below `# Subtest: name`, and `# fail 1` at the end.
pub(super) fn tap(lines: &[&str]) -> Option<Vec<String>> {
    let total = lines
        .iter()
        .rev()
        .find_map(|l| l.strip_prefix("# fail "))?
        .trim()
        .parse::<usize>()
        .ok()?;
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut groups = 0;
    for (n, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if let Some(name) = bare.strip_prefix("# Subtest: ") {
            above.retain(|(i, _)| *i < indent);
            above.push((indent, name));
        } else if let Some(failed) = bare.strip_prefix("not ok ") {
            let name = failed.split_once(" - ").map_or(failed, |(_, name)| name);
            let path: Vec<&str> = above
                .iter()
                .filter(|(i, _)| *i < indent)
                .map(|(_, n)| *n)
                .collect();
            let about: Vec<&str> = lines[n..]
                .iter()
                .take(16)
                .map(|l| l.trim())
                .take_while(|l| *l != "...")
                .collect();
            let place = about
                .iter()
                .find_map(|l| l.strip_prefix("location: "))
                .unwrap_or_default();
            // A group fails because something in it does; the count is of tests alone.
            groups += usize::from(about.contains(&"type: 'suite'"));
            let place = [file(place)].into_iter().filter(|file| !file.is_empty());
            let parts: Vec<&str> = place.chain(path).chain([name]).collect();
            names.push(parts.join(" > "));
        }
    }
    (names.len() - groups == total && total > 0).then_some(names)
}

/// A place without line and column.
fn file(place: &str) -> &str {
    let place = place.trim_matches(['\'', '"']);
    place.split(':').next().unwrap_or(place)
}

/// `✖ failing tests:`, then `test at FILE:LINE:COLUMN` and `✖ name (1ms)` for each; `ℹ fail 1`.
pub(super) fn spec(lines: &[&str]) -> Option<Vec<String>> {
    let total = lines
        .iter()
        .rev()
        .find_map(|l| l.strip_prefix("ℹ fail "))?
        .trim()
        .parse::<usize>()
        .ok()?;
    let start = lines.iter().position(|l| l.starts_with("✖ failing tests:"))?;
    let pairs = lines[start..].windows(2);
    let names: Vec<String> = pairs
        .filter_map(|pair| {
            let place = pair[0].strip_prefix("test at ")?;
            let name = pair[1].strip_prefix("✖ ")?;
            let name = name.rsplit_once(" (").map_or(name, |(name, _)| name);
            Some(format!("{} {name}", file(place)))
        })
        .collect();
    (names.len() == total && total > 0).then_some(names)
}

/// `FAIL file`, below it `  ● suite › name`; `Tests:       1 failed, …`.
pub(super) fn jest(lines: &[&str]) -> Option<Vec<String>> {
    let total = lines
        .iter()
        .rev()
        .find(|l| l.starts_with("Tests: "))
        .and_then(|l| count(l, " failed"))?;
    let mut names = Vec::new();
    let mut place = "";
    for line in lines {
        if line.starts_with("Summary of all failing tests") {
            break;
        }
        if let Some(file) = line.strip_prefix("FAIL ") {
            place = file.split(" (").next().unwrap_or(file).trim();
        } else if let Some(name) = line.strip_prefix("  ● ") {
            if name.contains("Test suite failed to run") {
                return None;
            }
            names.push(format!("{place} {name}"));
        }
    }
    (names.len() == total).then_some(names)
}

/// ` FAIL  file > suite > name`; ` Tests  1 failed | 2 passed (3)`.
pub(super) fn vitest(lines: &[&str]) -> Option<Vec<String>> {
    let last = lines
        .iter()
        .rev()
        .find(|l| l.trim_start().starts_with("Tests  "))?;
    let total = count(last, " failed")?;
    let failed = lines.iter().filter_map(|l| l.trim_start().strip_prefix("FAIL  "));
    let names: Vec<&str> = failed.filter(|name| name.contains(" > ")).collect();
    (names.len() == total).then(|| owned(names))
}
