//! What an attempt's result is known by, so that the same result twice is recognised whatever was said about it.
//!
//! A fingerprint speaks of content alone: the difference to the task's base, the ticked boxes of the progress file,
//! the words of the work log where there is no file to look at, and the checks that are red with what they said.
//! Invariant: no commit id, no time, no path of a run is in it. Deliberately absent: what follows from a repeat
//! (that is `policy`).

use std::fmt;

use sha2::{Digest, Sha256};

use super::gate::GateReport;
use super::steady;

/// The parts of a fingerprint, each a short digest; empty where there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// What the task's branch holds that its base does not.
    pub diff: String,
    /// Ticked boxes.
    pub ticks: String,
    /// Words of the work log; only where `diff` is empty.
    pub words: String,
    /// Red checks of the gate; empty where it did not judge.
    pub red: String,
}

impl Fingerprint {
    /// The fingerprint of a result that no gate has seen: the digest of its difference to the base, the ticked
    /// boxes, and the entries that the worker wrote.
    pub fn new(diff: String, ticked: &[String], entries: &[&str]) -> Self {
        let words: Vec<String> = entries.iter().map(|e| steady::uncounted(e)).collect();
        Self {
            ticks: digest(ticked),
            words: if diff.is_empty() {
                digest(&words)
            } else {
                String::new()
            },
            red: String::new(),
            diff,
        }
    }

    /// The fingerprint that was written down. Words without a known mark are read as a difference.
    pub fn read(text: &str) -> Self {
        let mut read = Self::default();
        for word in text.split_whitespace() {
            match word.split_once(':') {
                Some(("ticks", digest)) => digest.clone_into(&mut read.ticks),
                Some(("words", digest)) => digest.clone_into(&mut read.words),
                Some(("red", digest)) => digest.clone_into(&mut read.red),
                Some(("diff", digest)) => digest.clone_into(&mut read.diff),
                _ => word.clone_into(&mut read.diff),
            }
        }
        read
    }

    /// This result after a gate that found something red.
    #[must_use]
    pub fn judged(self, report: &GateReport) -> Self {
        let mut red: Vec<String> = report.red().map(check).collect();
        red.sort_unstable();
        Self {
            red: digest(&red),
            ..self
        }
    }

    /// Whether both brought the same, whatever a gate said of it.
    pub fn brings_same(&self, other: &Self) -> bool {
        (&self.diff, &self.ticks, &self.words) == (&other.diff, &other.ticks, &other.words)
    }

    /// Whether the later one is the same result again: the same content, or the same checks red in the same words.
    pub fn repeats(&self, other: &Self) -> bool {
        self.brings_same(other) || (!self.red.is_empty() && self.red == other.red)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("diff", &self.diff),
            ("ticks", &self.ticks),
            ("words", &self.words),
            ("red", &self.red),
        ];
        let mut gap = "";
        for (mark, digest) in parts.into_iter().filter(|(_, digest)| !digest.is_empty()) {
            write!(f, "{gap}{mark}:{digest}")?;
            gap = " ";
        }
        Ok(())
    }
}

/// A short digest of texts; empty of none.
pub fn digest<T: AsRef<str>>(texts: &[T]) -> String {
    if texts.is_empty() {
        return String::new();
    }
    let mut sum = Sha256::new();
    for text in texts {
        sum.update(text.as_ref());
        sum.update([0]);
    }
    sum.finalize()
        .iter()
        .take(8)
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A red check without what differs from run to run.
fn check(receipt: &super::gate::Receipt) -> String {
    let said = steady::lines(&receipt.output_tail).join("\n");
    let (verdict, code) = (receipt.verdict.as_str(), receipt.exit_code);
    format!("{} {verdict} {code:?}\n{said}", receipt.name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::gate::{Category, CheckSource, CheckVerdict, Receipt, Trace};

    fn report(commit: &str, checks: &[(&str, i32, &str)]) -> GateReport {
        let at = chrono::DateTime::UNIX_EPOCH;
        let receipt = |(name, code, output): &(&str, i32, &str)| Receipt {
            name: (*name).to_owned(),
            category: Category::Functionality,
            source: CheckSource::Task,
            directory: format!("/gate/{commit}"),
            commit: commit.to_owned(),
            command: "true".to_owned(),
            exit_code: Some(*code),
            verdict: if *code == 0 {
                CheckVerdict::Passed
            } else {
                CheckVerdict::Failed
            },
            started_at: at,
            duration: std::time::Duration::ZERO,
            output_tail: (*output).to_owned(),
            output_sha256: commit.to_owned(),
            trace: Trace::default(),
        };
        GateReport {
            commit: commit.to_owned(),
            tree: commit.to_owned(),
            receipts: checks.iter().map(receipt).collect(),
            started_at: at,
            ended_at: at,
        }
    }

    fn print(diff: &str) -> Fingerprint {
        Fingerprint::new(diff.to_owned(), &[], &[])
    }

    #[test]
    fn the_same_red_checks_are_the_same_result_whatever_was_changed() {
        let first = report("c1", &[("tests", 101, "a_test FAILED in 0.10s"), ("fmt", 0, "")]);
        let again = report(
            "c2",
            &[("fmt", 0, "slow"), ("tests", 101, "a_test FAILED in 7.50s")],
        );
        let other = report("c3", &[("tests", 101, "b_test FAILED in 0.10s"), ("fmt", 0, "")]);
        let (one, two, three) = (
            print("d1").judged(&first),
            print("d2").judged(&again),
            print("d3").judged(&other),
        );
        assert!(two.repeats(&one) && !two.brings_same(&one));
        assert!(!three.repeats(&one));
        assert!(
            print("d1").repeats(&one),
            "it changed nothing, and no gate looked"
        );
        assert!(!print("d9").repeats(&print("d8")), "two results without a gate");
    }

    #[test]
    fn words_speak_only_where_no_file_does() {
        let entries = |entry: &str| Fingerprint::new(String::new(), &[], &[entry]);
        assert!(entries("try 2: read the page").brings_same(&entries("try 3: read the page")));
        assert!(!entries("read the page").brings_same(&entries("wrote to the vendor")));
        let with_diff = |entry: &str| Fingerprint::new("d".to_owned(), &[], &[entry]);
        assert_eq!(with_diff("one"), with_diff("two"));
        let ticked = |box_: &str| Fingerprint::new("d".to_owned(), &[box_.to_owned()], &[]);
        assert!(!ticked("phase 1").repeats(&ticked("phase 2")));
        assert_eq!(print("").to_string(), "");
        assert_eq!(
            Fingerprint::read("tree:abc"),
            print("tree:abc"),
            "of an older version"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(diff in "[0-9a-f]{0,8}", tick in "\\PC{0,9}", entry in "\\PC{0,9}", red: bool) {
            let plain = Fingerprint::new(diff, &[tick], &[entry.as_str()]);
            let print = if red { plain.judged(&report("c", &[("t", 1, "x")])) } else { plain };
            prop_assert_eq!(Fingerprint::read(&print.to_string()), print);
        }
    }
}
