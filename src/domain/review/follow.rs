//! What follows from a review: the work goes on, it goes back, or a person settles a disagreement.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::list::{counted, short};
use super::{Opinion, Point};

/// A rejection of this round of the task, as far as later reviews are compared with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Whose work it was: the attempt's number.
    pub attempt: u32,
    /// By whom.
    pub by: String,
    /// What kept the work from being accepted, the first [`Past::POINTS`] of it.
    pub points: Vec<Point>,
}

impl Past {
    /// So many points are kept.
    pub const POINTS: usize = 12;
    /// So many rejections are kept.
    pub const KEPT: usize = 8;

    /// A rejection to be remembered.
    pub fn of(attempt: u32, by: String, opinion: &Opinion) -> Self {
        let mut points = opinion.objections();
        points.truncate(Self::POINTS);
        Self { attempt, by, points }
    }
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The review stands in nobody's way.
    GoOn,
    /// The worker is told what must change.
    Rework,
    /// Reviewer and worker do not agree: a person decides. Why, in one sentence.
    Person(String),
}

/// What follows from an opinion, after these rejections; with the `rounds`th rejection a person is asked.
pub fn follow(past: &[Past], opinion: &Opinion, rounds: u32) -> Step {
    if opinion.accepts {
        return Step::GoOn;
    }
    let objections = opinion.objections();
    let again = objections.iter().find_map(|now| {
        let before = past
            .iter()
            .rev()
            .find(|p| p.points.iter().any(|then| same(then, now)))?;
        Some((before, now))
    });
    if let Some((before, now)) = again {
        let n = before.attempt;
        return Step::Person(format!("attempt {n} was to mend this already: {}", short(now)));
    }
    let rejections = past.len() + 1;
    if rejections >= rounds.max(1) as usize {
        let first = objections.first().map(short).unwrap_or_default();
        let times = counted(rejections, "time");
        return Step::Person(format!(
            "reviews have rejected the work {times}, now for: {first}"
        ));
    }
    Step::Rework
}

/// Whether two points are about the same: in one file, and most of the words of the shorter one are in the other.
fn same(a: &Point, b: &Point) -> bool {
    let (one, two) = (words(&a.what), words(&b.what));
    let fewer = one.len().min(two.len());
    a.file == b.file && fewer > 0 && one.intersection(&two).count() * 3 >= fewer * 2
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 2)
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejecting(file: &str, what: &str) -> Opinion {
        let point = Point {
            file: file.to_owned(),
            line: 1,
            what: what.to_owned(),
            why: String::new(),
        };
        Opinion {
            blockers: vec![point],
            ..Opinion::default()
        }
    }

    fn past(file: &str, what: &str) -> Past {
        Past::of(1, "codex/m".to_owned(), &rejecting(file, what))
    }

    #[test]
    fn what_follows() {
        let accepts = Opinion {
            accepts: true,
            ..Opinion::default()
        };
        let no = rejecting("a.rs", "divides by zero for an empty list");
        let other = past("a.rs", "the new name is never read anywhere");
        let alike = past("a.rs", "It still divides by ZERO when the list is empty");
        let elsewhere = past("b.rs", "divides by zero for an empty list");
        assert_eq!(follow(&[], &accepts, 1), Step::GoOn);
        assert_eq!(follow(&[alike.clone(), other.clone()], &accepts, 1), Step::GoOn);
        assert_eq!(follow(&[], &no, 2), Step::Rework);
        assert_eq!(follow(&[other.clone(), elsewhere.clone()], &no, 4), Step::Rework);
        let asked = |past: &[Past], rounds| matches!(follow(past, &no, rounds), Step::Person(_));
        assert!(asked(&[], 1) && asked(&[], 0), "one round leaves no rework");
        assert!(asked(&[other], 2), "the second rejection");
        assert!(asked(&[alike, elsewhere], 9), "the same point again");
    }

    #[test]
    fn points_without_words_are_never_the_same() {
        assert!(!same(&past("a", "??").points[0], &past("a", "??").points[0]));
    }
}
