//! Acceptance criteria: what a worker shows for each of them, and whether the orchestrator can see it itself.
//!
//! A criterion's number is its place in the definition, from 1. A worker answers it in its progress file by a ticked
//! box and by evidence: the name of a check that passed, a file of the judged commit (with a line), a commit of the
//! branch, a file that the gate kept. Invariant: words alone are no evidence. Deliberately absent: whether the
//! evidence is to the point (a reviewer's question), and reading files.

mod pointer;

pub use pointer::{Pointer, pointers};

use std::collections::{BTreeMap, BTreeSet};

use super::definition::Criterion;

/// So much of a criterion or of an answer is repeated in a sentence, in characters.
const SHOWN: usize = 160;

/// A line of the progress file that answers a criterion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The criterion's number, where the line begins with one.
    pub number: Option<usize>,
    /// The criterion as the line repeats it.
    pub text: String,
    /// Whether its box is ticked.
    pub ticked: bool,
    /// What is said to show it; empty where nothing is.
    pub evidence: String,
}

/// A check as its receipt tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCheck {
    /// Its name.
    pub name: String,
    /// Its script.
    pub run: String,
    /// Whether it passed.
    pub passed: bool,
}

/// What the orchestrator itself saw at the commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The checks that ran there, without the looks of the house.
    pub checks: Vec<SeenCheck>,
    /// The files of the commit, as they are named from the worker's folder and from the top.
    pub files: BTreeSet<String>,
    /// How many lines those files have that answers name with a line.
    pub lines: BTreeMap<String, usize>,
    /// The commits of the work, in full.
    pub commits: Vec<String>,
    /// What the gate kept for people to look at: a name, and its files.
    pub exhibits: Vec<(String, Vec<String>)>,
}

/// Whether one criterion is shown to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The criterion's number, from 1.
    pub number: usize,
    /// Its text.
    pub text: String,
    /// What was seen of the evidence; else why there is none.
    pub shown: Result<String, String>,
}

/// The criteria with their numbers, from 1.
pub fn numbered(criteria: &[Criterion]) -> impl Iterator<Item = (usize, &Criterion)> {
    (1..).zip(criteria)
}

/// What is found for each criterion, in their order.
pub fn findings(criteria: &[Criterion], answers: &[Answer], seen: &Seen) -> Vec<Finding> {
    let finding = |(number, criterion): (usize, &Criterion)| {
        let shown = answer_to(number, criterion, criteria, answers).map_or_else(
            || Err("nothing is said of it".to_owned()),
            |answer| shown(criterion, answer, seen),
        );
        Finding {
            number,
            text: criterion.text.clone(),
            shown,
        }
    };
    numbered(criteria).map(finding).collect()
}

/// The line that answers a criterion: the one that begins with its words, else the one with its number that means no other. Of
/// several the last one that is ticked.
pub fn answer_to<'a>(
    number: usize,
    criterion: &Criterion,
    all: &[Criterion],
    answers: &'a [Answer],
) -> Option<&'a Answer> {
    let own = words(&criterion.text);
    let is_of_another = |answer: &Answer| {
        let text = words(&answer.text);
        all.iter().any(|other| words(&other.text) == text) && text != own
    };
    let by_words =
        |answer: &&Answer| !own.is_empty() && words(&answer.text).starts_with(&own) && !is_of_another(answer);
    let by_number = |answer: &&Answer| {
        answer.number == Some(number) && !is_of_another(answer) && is_alike(&words(&answer.text), &own)
    };
    let best = |fits: &dyn Fn(&&Answer) -> bool| {
        let fitting: Vec<&Answer> = answers.iter().filter(|answer| fits(answer)).collect();
        let ticked = fitting.iter().rev().find(|answer| answer.ticked);
        ticked.or(fitting.last()).copied()
    };
    best(&by_words).or_else(|| best(&by_number))
}

fn shown(criterion: &Criterion, answer: &Answer, seen: &Seen) -> Result<String, String> {
    if !answer.ticked {
        return Err("its box is not ticked".to_owned());
    }
    let evidence = match answer.evidence.trim() {
        "" => beyond(&answer.text, &criterion.text),
        evidence => evidence,
    };
    if evidence.is_empty() {
        return Err("no evidence is named".to_owned());
    }
    let named = pointers(evidence, seen);
    let (found, missed): (Vec<_>, Vec<_>) = named.iter().partition(|(_, fault)| fault.is_none());
    if !found.is_empty() {
        let found: Vec<String> = found.iter().map(|(pointer, _)| pointer.to_string()).collect();
        return Ok(found.join(", "));
    }
    let faults: Vec<&str> = missed.iter().filter_map(|(_, fault)| fault.as_deref()).collect();
    if faults.is_empty() {
        return Err(format!(
            "its evidence names nothing that can be looked up: {}",
            cut(evidence)
        ));
    }
    Err(faults.join("; "))
}

/// What a line says beyond the criterion that it repeats: its evidence, where the word is missing. What the criterion
/// itself names is none.
fn beyond<'a>(said: &'a str, criterion: &str) -> &'a str {
    let own = words(criterion);
    if !words(said).starts_with(&own) {
        return "";
    }
    let (mut left, mut within) = (own.len(), false);
    for (at, c) in said.char_indices() {
        let ends = within && !c.is_alphanumeric();
        within = c.is_alphanumeric();
        left -= usize::from(ends);
        if left == 0 {
            return said[at..].trim_matches(|c: char| c.is_whitespace() || "-–—:(*_,;".contains(c));
        }
    }
    ""
}

/// Words that two writings of one sentence share: lower case, without marks.
fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric());
    parts
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Whether a line means a criterion that it names by number: it says nothing else, or at least half of the same.
fn is_alike(said: &[String], own: &[String]) -> bool {
    let shared = said.iter().filter(|word| own.contains(word)).count();
    said.is_empty() || shared * 2 >= said.len().min(own.len())
}

/// The beginning of a text, on one line.
pub fn cut(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
