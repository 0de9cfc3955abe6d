//! Two versions of the tests of a change, against each other.
//!
//! A test that is gone is excused where all that it asserted is asserted elsewhere in the change, in a test that runs:
//! it was renamed, moved or merged. The same holds for single assertions.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::path::{Language, is_collected, is_test, language};
use super::suite::{self, Assertion, OUTSIDE, Test};
use super::turns::is_reached;
use super::{Base, Change, Finding, Side, What, is_run};

/// A test and the file that it stands in.
struct Placed<'c> {
    path: &'c str,
    test: Test,
}

/// What happened to the tests of all these files together.
pub(super) fn tests(changes: &[Change<'_>], base: &Base<'_>) -> Vec<Finding> {
    let was = placed(changes, base, |c| &c.was);
    let is = placed(changes, base, |c| &c.is);
    let old_places: HashSet<&str> = was.iter().map(|p| p.path).collect();
    let new: HashSet<&str> = changes
        .iter()
        .filter(|c| c.was == Side::Absent)
        .map(|c| c.path)
        .filter(|path| language(path) == Some(Language::Rust) && !is_reached(path, changes))
        .collect();
    let reached = |p: &Placed| old_places.contains(p.path) || (is_collected(p.path) && !new.contains(p.path));
    let pairs = pair(&was, &is, &reached);
    let (mut pool, mut tests) = (Pool::default(), Pool::default());
    let sides = was.iter().map(|p| (p, -1));
    let running = is.iter().filter(|p| p.test.skips.is_empty() && reached(p));
    for (placed, by) in sides.chain(running.map(|p| (p, 1))) {
        pool.count(&placed.test, by);
        if placed.test.name != OUTSIDE {
            tests.count(&placed.test, by);
        }
    }
    let mut found = Vec::new();
    for (old, now) in was.iter().zip(&pairs) {
        match now {
            Some(now) => found.extend(changed(old, &is[*now], &pool)),
            None if old.test.name == OUTSIDE && old.test.telling().next().is_none() => {}
            None if old.test.name == OUTSIDE && pool.takes(&old.test) => {}
            // What stands outside of all tests may be called by nobody.
            None if tests.takes(&old.test) => {}
            None => found.push(gone(old, changes)),
        }
    }
    merged(found)
}

fn placed<'c>(
    changes: &'c [Change<'_>],
    base: &Base<'_>,
    side: impl Fn(&'c Change<'_>) -> &'c Side<'c>,
) -> Vec<Placed<'c>> {
    let mut found = Vec::new();
    for change in changes {
        if let (Some(language), Side::Text(text)) = (language(change.path), side(change)) {
            let tests = suite::read(language, is_test_file(change.path, base), text);
            found.extend(tests.into_iter().map(|test| Placed {
                path: change.path,
                test,
            }));
        }
    }
    found
}

/// By its place or its name, or because a check runs it.
fn is_test_file(path: &str, base: &Base<'_>) -> bool {
    is_test(path) || (language(path) != Some(Language::Shell) && is_run(path, base.commands))
}

/// For each old test the new one that it became: of the same name in the same file, then in another.
fn pair(was: &[Placed], is: &[Placed], reached: &impl Fn(&Placed) -> bool) -> Vec<Option<usize>> {
    let mut here: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    let mut anywhere: HashMap<&str, Vec<usize>> = HashMap::new();
    for (n, p) in is.iter().enumerate().rev() {
        here.entry((p.path, &p.test.name)).or_default().push(n);
    }
    let mut taken = vec![false; is.len()];
    let mut pairs: Vec<Option<usize>> = Vec::with_capacity(was.len());
    for old in was {
        let found = here
            .get_mut(&(old.path, old.test.name.as_str()))
            .and_then(Vec::pop);
        found.into_iter().for_each(|n| taken[n] = true);
        pairs.push(found);
    }
    for (n, p) in is.iter().enumerate().rev().filter(|(n, _)| !taken[*n]) {
        if reached(p) && p.test.name != OUTSIDE {
            anywhere.entry(&p.test.name).or_default().push(n);
        }
    }
    for (old, pair) in was.iter().zip(&mut pairs).filter(|(_, pair)| pair.is_none()) {
        *pair = anywhere.get_mut(old.test.name.as_str()).and_then(Vec::pop);
    }
    pairs
}

/// What is asserted now and was not before, over all files.
#[derive(Default)]
struct Pool(BTreeMap<String, i64>);

impl Pool {
    fn count(&mut self, test: &Test, by: i64) {
        let whole = (!test.whole.is_empty()).then_some(&test.whole);
        let words = test.telling().chain(&test.rows).map(|a| &a.words).chain(whole);
        for words in words {
            *self.0.entry(words.clone()).or_default() += by;
        }
    }

    /// Whether all that an old test asserted is there and is no other old test's: a renamed or moved one.
    ///
    /// Old assertions are counted against it, so one that is still there stands at nought or above.
    fn takes(&self, test: &Test) -> bool {
        let whole = (!test.whole.is_empty()).then_some(&test.whole);
        let all: Vec<&String> = test
            .telling()
            .chain(&test.rows)
            .map(|a| &a.words)
            .chain(whole)
            .collect();
        !all.is_empty() && all.iter().all(|words| self.keeps(words))
    }

    fn keeps(&self, words: &str) -> bool {
        self.0.get(words).is_some_and(|n| *n >= 0)
    }
}

fn gone(old: &Placed, changes: &[Change<'_>]) -> Finding {
    let deleted = changes.iter().any(|c| c.path == old.path && c.is == Side::Absent);
    let what = if deleted { What::FileGone } else { What::TestGone };
    Finding::new(old.path, old.test.line, what, &old.test.name, "")
}

/// A test that is still there.
fn changed(old: &Placed, now: &Placed, pool: &Pool) -> Vec<Finding> {
    let (a, b) = (&old.test, &now.test);
    let finding = |line: usize, what: What, was: &str, is: &str| {
        let named = format!("{}: {is}", b.name);
        Finding::new(now.path, line, what, was, named.trim_end_matches(": "))
    };
    let mut found: Vec<Finding> = more(&a.skips, &b.skips)
        .into_iter()
        .map(|skip| finding(b.line, What::Skipped, "", skip))
        .chain(
            more(&a.escapes, &b.escapes)
                .into_iter()
                .map(|way| finding(b.line, What::Escapes, "", way)),
        )
        .collect();
    if a.must_fail != b.must_fail {
        let word = |must: bool| if must { "should_panic" } else { "" };
        found.push(finding(
            b.line,
            What::Expectation,
            word(a.must_fail),
            word(b.must_fail),
        ));
    }
    found.extend(weaker(a, b, pool).map(|(line, what, was, is)| finding(line, what, &was, &is)));
    found
}

type Weaker = (usize, What, String, String);

/// Fewer assertions, weaker ones, or other values.
fn weaker(a: &Test, b: &Test, pool: &Pool) -> Option<Weaker> {
    let (before, after) = (a.telling().count(), b.telling().count());
    let (lost, new) = (less(a.telling(), b.telling()), less(b.telling(), a.telling()));
    let missing: Vec<&&Assertion> = lost.iter().filter(|l| !pool.keeps(&l.words)).collect();
    if after < before && !missing.is_empty() {
        let was = format!("{before}: {}", missing[0].words);
        return Some((b.line, What::FewerAssertions, was, after.to_string()));
    }
    let (rows_lost, rows_new) = (
        less(a.rows.iter(), b.rows.iter()),
        less(b.rows.iter(), a.rows.iter()),
    );
    let rows_missing = rows_lost.iter().find(|l| !pool.keeps(&l.words));
    if let (true, Some(first)) = (b.rows.len() < a.rows.len(), rows_missing) {
        let was = format!("{}: {}", a.rows.len(), first.words);
        return Some((b.line, What::FewerCases, was, b.rows.len().to_string()));
    }
    if let Some((was, is)) =
        other_value(&lost, &new, pool).or_else(|| other_value(&rows_lost, &rows_new, pool))
    {
        return Some((is.line, What::Expectation, was.words.clone(), is.words.clone()));
    }
    let less = b.strong() < a.strong() || b.comparing() < a.comparing();
    (less && !missing.is_empty()).then(|| {
        let is = new.first().map_or(String::new(), |n| n.words.clone());
        (b.line, What::WeakerAssertion, missing[0].words.clone(), is)
    })
}

/// An assertion of which only the values are others now.
fn other_value<'a>(
    lost: &[&'a Assertion],
    new: &[&'a Assertion],
    pool: &Pool,
) -> Option<(&'a Assertion, &'a Assertion)> {
    let mut shapes: HashMap<&str, &Assertion> = HashMap::new();
    for assertion in new.iter().rev() {
        shapes.insert(&assertion.shape, assertion);
    }
    let gone = lost.iter().filter(|l| !pool.keeps(&l.words));
    gone.filter_map(|l| Some((*l, *shapes.get(l.shape.as_str())?)))
        .next()
}

/// What the first has and the second has not, counted.
fn less<'a>(
    first: impl Iterator<Item = &'a Assertion>,
    second: impl Iterator<Item = &'a Assertion>,
) -> Vec<&'a Assertion> {
    let mut there: HashMap<&str, usize> = HashMap::new();
    second.for_each(|a| *there.entry(&a.words).or_default() += 1);
    first
        .filter(|a| match there.get_mut(a.words.as_str()) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            _ => true,
        })
        .collect()
}

/// What the second list has more of than the first.
fn more<'a>(was: &[String], is: &'a [String]) -> Vec<&'a str> {
    let mut there: HashMap<&str, usize> = HashMap::new();
    was.iter().for_each(|w| *there.entry(w).or_default() += 1);
    let mut found = Vec::new();
    for word in is {
        match there.get_mut(word.as_str()) {
            Some(n) if *n > 0 => *n -= 1,
            _ => found.push(word.as_str()),
        }
    }
    found
}

/// One finding for a file that is gone, with the number of its tests.
fn merged(found: Vec<Finding>) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::with_capacity(found.len());
    for finding in found {
        let same =
            |f: &&mut Finding| f.what == What::FileGone && finding.what == f.what && f.path == finding.path;
        match out.last_mut().filter(same) {
            Some(last) => last.was = format!("{}, {}", last.was, finding.was),
            None => out.push(finding),
        }
    }
    out
}
