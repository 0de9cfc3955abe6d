//! A reviewer's answer: one JSON object in its last message, of one exact form.
//!
//! Invariants: nothing panics; nothing but the exact form is an opinion, so neither silence nor garbage nor a quoted text
//! of the work can accept; places are places of the tree under review.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::review::{Concern, CriterionAnswer, Held, Opinion, Point, Severity};

/// So many entries of a list are read.
const ENTRIES: usize = 100;
/// The longest text of an entry, in characters; the rest is left out.
const TEXT: usize = 1000;

/// Why an answer is no review.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is none.
    #[error("there is no JSON object with a \"verdict\" in the last message")]
    Missing,
    /// Several contradict each other, or one of them is quoted.
    #[error("there are {0} JSON objects with a \"verdict\" in the last message, and there must be one")]
    Several(usize),
    /// It is of another form.
    #[error("the object is not of the form: {0}")]
    Form(String),
    /// It contradicts itself.
    #[error("the answer contradicts itself: {0}")]
    Contradiction(String),
    /// It does not answer what was asked.
    #[error("criterion {0} is not answered exactly once")]
    Criterion(u32),
    /// It is about a place that is not there.
    #[error("{0}")]
    Place(String),
}

/// What an answer is held against.
pub struct Asked<'a> {
    /// How many acceptance criteria there are.
    pub criteria: u32,
    /// The lines of a file of the tree (or of one that the change deletes); none where there is no such file.
    pub lines_of: &'a dyn Fn(&str) -> Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    verdict: Word,
    blockers: Vec<Finding>,
    should_fix: Vec<Finding>,
    security: Vec<Risk>,
    criteria: Vec<Criterion>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Accept,
    Reject,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    file: String,
    line: u32,
    what: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Risk {
    severity: Severity,
    file: String,
    line: u32,
    what: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Criterion {
    number: u32,
    verdict: Held,
    file: Option<String>,
    line: Option<u32>,
    note: String,
}

/// Reads the last message of a reviewer.
pub fn parse(message: &str, asked: &Asked<'_>) -> Result<Opinion, Flaw> {
    let verdicts = verdicts(message);
    let [object] = verdicts.as_slice() else {
        return Err(match verdicts.len() {
            0 => Flaw::Missing,
            n => Flaw::Several(n),
        });
    };
    // From the text itself: a key that is there twice is an error then.
    let answer: Answer = serde_json::from_str(object).map_err(|error| Flaw::Form(error.to_string()))?;
    let opinion = opinion(answer, asked)?;
    contradictions(&opinion)?;
    Ok(opinion)
}

/// The outermost JSON objects of a text that have a verdict.
fn verdicts(message: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = message[at..].find('{').map(|n| at + n) {
        let mut stream =
            serde_json::Deserializer::from_str(&message[start..]).into_iter::<Map<String, Value>>();
        let read = stream.next();
        let end = start + stream.byte_offset();
        match read {
            Some(Ok(object)) => {
                if object.contains_key("verdict") {
                    found.push(&message[start..end]);
                }
                at = end.max(start + 1);
            }
            _ => at = start + 1,
        }
    }
    found
}

fn opinion(answer: Answer, asked: &Asked<'_>) -> Result<Opinion, Flaw> {
    let lists = [
        answer.blockers.len(),
        answer.should_fix.len(),
        answer.security.len(),
        answer.criteria.len(),
    ];
    if lists
        .into_iter()
        .any(|n| n > ENTRIES.max(asked.criteria as usize))
    {
        return Err(Flaw::Form(format!("a list has more than {ENTRIES} entries")));
    }
    let points = |findings: Vec<Finding>| -> Result<Vec<Point>, Flaw> {
        findings.into_iter().map(|f| point(f, asked)).collect()
    };
    Ok(Opinion {
        accepts: answer.verdict == Word::Accept,
        blockers: points(answer.blockers)?,
        should_fix: points(answer.should_fix)?,
        security: answer
            .security
            .into_iter()
            .map(|risk| concern(risk, asked))
            .collect::<Result<_, _>>()?,
        criteria: criteria(answer.criteria, asked)?,
    })
}

fn point(finding: Finding, asked: &Asked<'_>) -> Result<Point, Flaw> {
    let Finding {
        file,
        line,
        what,
        why,
    } = finding;
    place(&file, line, asked)?;
    let (what, why) = (text(&what), text(&why));
    if what.is_empty() {
        return Err(Flaw::Form(format!(
            "the finding at {file}:{line} does not say what is wrong"
        )));
    }
    Ok(Point {
        file,
        line,
        what,
        why,
    })
}

fn concern(risk: Risk, asked: &Asked<'_>) -> Result<Concern, Flaw> {
    let Risk {
        severity,
        file,
        line,
        what,
        why,
    } = risk;
    let point = point(
        Finding {
            file,
            line,
            what,
            why,
        },
        asked,
    )?;
    Ok(Concern { severity, point })
}

fn criteria(answers: Vec<Criterion>, asked: &Asked<'_>) -> Result<Vec<CriterionAnswer>, Flaw> {
    let mut read = Vec::with_capacity(answers.len());
    for answer in answers {
        if !(1..=asked.criteria).contains(&answer.number) {
            return Err(Flaw::Form(format!("there is no criterion {}", answer.number)));
        }
        read.push(criterion(answer, asked)?);
    }
    read.sort_by_key(|answer: &CriterionAnswer| answer.number);
    let missing = (1..=asked.criteria).find(|n| read.iter().filter(|a| a.number == *n).count() != 1);
    match missing {
        Some(number) => Err(Flaw::Criterion(number)),
        None => Ok(read),
    }
}

fn criterion(answer: Criterion, asked: &Asked<'_>) -> Result<CriterionAnswer, Flaw> {
    let Criterion {
        number,
        verdict: held,
        file,
        line,
        note,
    } = answer;
    let place = match (file, line) {
        (Some(file), Some(line)) => {
            place(&file, line, asked)?;
            Some((file, line))
        }
        (None, None) if held != Held::Met => None,
        _ => {
            let needs = format!("criterion {number} names no file and line");
            return Err(Flaw::Place(needs));
        }
    };
    let note = text(&note);
    if note.is_empty() {
        return Err(Flaw::Form(format!("criterion {number} has no note")));
    }
    Ok(CriterionAnswer {
        number,
        held,
        place,
        note,
    })
}

fn place(file: &str, line: u32, asked: &Asked<'_>) -> Result<(), Flaw> {
    let shown: String = text(file).chars().take(200).collect();
    let lines = (asked.lines_of)(file)
        .ok_or_else(|| Flaw::Place(format!("there is no file '{shown}' in the tree")))?;
    match (1..=lines.max(1)).contains(&line) {
        true => Ok(()),
        false => Err(Flaw::Place(format!(
            "'{shown}' has {lines} lines, and no line {line}"
        ))),
    }
}

/// One line, fit to be shown and kept.
fn text(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(TEXT).collect()
}

fn contradictions(opinion: &Opinion) -> Result<(), Flaw> {
    let objections = opinion.objections();
    let wrong = match (opinion.accepts, objections.first()) {
        (true, Some(first)) => format!(
            "it accepts, and has {} that do not allow it, the first: {}",
            objections.len(),
            first.what
        ),
        (false, None) => {
            "it rejects, and names no blocker, no high risk and no criterion that is not met".to_owned()
        }
        _ => return Ok(()),
    };
    Err(Flaw::Contradiction(wrong))
}

#[cfg(test)]
mod tests;
