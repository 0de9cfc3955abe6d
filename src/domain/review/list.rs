//! A review in words: for people, for the receipt, and for the worker that it goes back to.

use std::fmt::Write;

use super::{CriterionAnswer, Held, Opinion, Point, Severity};

/// The longest list, in bytes.
const LONGEST: usize = 5 * 1024;

impl Opinion {
    /// All that keeps the work from being accepted: blockers, grave findings of security, criteria that do not hold.
    pub fn objections(&self) -> Vec<Point> {
        let grave = self.security.iter().filter(|c| c.severity == Severity::High);
        let unmet = self.criteria.iter().filter(|c| c.held != Held::Met);
        let blockers = self.blockers.iter().cloned();
        blockers
            .chain(grave.map(|c| c.point.clone()))
            .chain(unmet.map(objection))
            .collect()
    }

    /// How many things should be mended, and are no reason to reject.
    pub fn advice(&self) -> usize {
        let minor = self.security.iter().filter(|c| c.severity != Severity::High);
        self.should_fix.len() + minor.count()
    }

    /// One line: `rejected: 2 blockers; src/a.rs:3: it divides by zero`, or `accepted; 1 thing should be mended`.
    pub fn line(&self) -> String {
        if !self.accepts {
            let objections = self.objections();
            let first = objections.first().map(short).unwrap_or_default();
            return format!("rejected: {}; {first}", counted(objections.len(), "blocker"));
        }
        match self.advice() {
            0 => "accepted".to_owned(),
            1 => "accepted; 1 thing should be mended".to_owned(),
            n => format!("accepted; {n} things should be mended"),
        }
    }

    /// The whole list, what matters most first, at most 5 KiB.
    pub fn list(&self) -> String {
        let mut text = format!("{}\n", if self.accepts { "accepted" } else { "rejected" });
        let rows = self
            .blockers
            .iter()
            .map(|p| row("blocker", p))
            .chain(self.graded())
            .chain(self.unmet())
            .chain(self.should_fix.iter().map(|p| row("should fix", p)))
            .chain(self.met());
        let mut left_out = 0;
        for row in rows {
            if text.len() + row.len() > LONGEST - 64 {
                left_out += 1;
            } else {
                text.push_str(&row);
            }
        }
        if left_out > 0 {
            let _ = writeln!(text, "(and {left_out} more; see the review's output)");
        }
        text
    }

    fn graded(&self) -> Vec<String> {
        let mut sorted: Vec<_> = self.security.iter().collect();
        sorted.sort_by_key(|c| std::cmp::Reverse(c.severity));
        let line = |severity: Severity| format!("security, {}", severity.as_str());
        sorted.iter().map(|c| row(&line(c.severity), &c.point)).collect()
    }

    fn unmet(&self) -> impl Iterator<Item = String> {
        self.criteria
            .iter()
            .filter(|c| c.held != Held::Met)
            .map(criterion)
    }

    fn met(&self) -> impl Iterator<Item = String> {
        self.criteria
            .iter()
            .filter(|c| c.held == Held::Met)
            .map(criterion)
    }
}

fn objection(answer: &CriterionAnswer) -> Point {
    let (file, line) = answer.place.clone().unwrap_or_default();
    Point {
        file,
        line,
        what: format!("criterion {} is {}", answer.number, answer.held.as_str()),
        why: answer.note.clone(),
    }
}

fn criterion(answer: &CriterionAnswer) -> String {
    let place = answer.place.as_ref();
    let place = place
        .map(|(file, line)| format!(" ({file}:{line})"))
        .unwrap_or_default();
    format!(
        "- criterion {}: {}{place}: {}\n",
        answer.number,
        answer.held.as_str(),
        answer.note
    )
}

fn row(kind: &str, point: &Point) -> String {
    format!("- {kind}: {}\n", whole(point))
}

/// `src/a.rs:3: it divides by zero (an empty list comes here)`.
fn whole(point: &Point) -> String {
    match point.why.is_empty() {
        true => short(point),
        false => format!("{} ({})", short(point), point.why),
    }
}

/// A point without its reason.
pub(super) fn short(point: &Point) -> String {
    match point.file.is_empty() {
        true => point.what.clone(),
        false => format!("{}:{}: {}", point.file, point.line, point.what),
    }
}

/// `1 blocker`, `2 blockers`.
pub(super) fn counted(n: usize, word: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {word}{s}")
}

#[cfg(test)]
mod tests {
    use super::super::Concern;
    use super::*;

    fn point(file: &str, what: &str) -> Point {
        Point {
            file: file.to_owned(),
            line: 3,
            what: what.to_owned(),
            why: "because".to_owned(),
        }
    }

    #[test]
    fn the_list_begins_with_what_matters_most() {
        let opinion = Opinion {
            accepts: false,
            blockers: vec![point("a.rs", "it divides by zero")],
            should_fix: vec![point("b.rs", "a name says nothing")],
            security: [Severity::Low, Severity::High]
                .map(|severity| Concern {
                    severity,
                    point: point("c.rs", severity.as_str()),
                })
                .to_vec(),
            criteria: vec![
                CriterionAnswer {
                    number: 1,
                    held: Held::Met,
                    place: Some(("t.rs".to_owned(), 9)),
                    note: "tested".to_owned(),
                },
                CriterionAnswer {
                    number: 2,
                    held: Held::Unclear,
                    place: None,
                    note: "nothing shows it".to_owned(),
                },
            ],
        };
        insta::assert_snapshot!(opinion.list(), @r"
        rejected
        - blocker: a.rs:3: it divides by zero (because)
        - security, high: c.rs:3: high (because)
        - security, low: c.rs:3: low (because)
        - criterion 2: unclear: nothing shows it
        - should fix: b.rs:3: a name says nothing (because)
        - criterion 1: met (t.rs:9): tested
        ");
        assert_eq!(opinion.line(), "rejected: 3 blockers; a.rs:3: it divides by zero");
        assert_eq!((opinion.objections().len(), opinion.advice()), (3, 2));
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let many = Opinion {
            accepts: true,
            should_fix: vec![point("a.rs", &"x".repeat(900)); 40],
            ..Opinion::default()
        };
        let list = many.list();
        assert!(list.len() <= LONGEST && list.contains("(and 35 more; "), "{list}");
        assert_eq!(many.line(), "accepted; 40 things should be mended");
    }
}
