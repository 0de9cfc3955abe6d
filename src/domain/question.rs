//! What workers ask people, and what they were told: a question reaches a person once, its answer every later attempt.
//!
//! Invariant: two questions with the same words (whatever their case, spacing and punctuation) are one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A question of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its words.
    pub text: String,
    /// When it was first asked.
    pub asked_at: DateTime<Utc>,
    /// The fencing number of the attempt that asked it last.
    pub asked_in: u64,
    /// What a person said to it.
    pub answer: Option<Answer>,
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its words.
    pub text: String,
    /// Who gave it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Nobody asked that before.
    New,
    /// It was asked before, and nobody has answered yet.
    Open,
    /// It was asked and answered.
    Answered(Answer),
}

/// All questions of a task, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Questions(Vec<Question>);

impl Questions {
    /// How many are kept; of more, the oldest answered ones go.
    pub const KEPT: usize = 50;

    /// Notes that an attempt asks.
    pub fn ask(&mut self, text: &str, epoch: u64, now: DateTime<Utc>) -> Asked {
        let key = normal(text);
        if let Some(known) = self.0.iter_mut().find(|q| normal(&q.text) == key) {
            known.asked_in = epoch;
            return known.answer.clone().map_or(Asked::Open, Asked::Answered);
        }
        if self.0.len() >= Self::KEPT
            && let Some(oldest) = self.0.iter().position(|q| q.answer.is_some())
        {
            self.0.remove(oldest);
        }
        self.0.push(Question {
            text: text.to_owned(),
            asked_at: now,
            asked_in: epoch,
            answer: None,
        });
        Asked::New
    }

    /// Gives an answer to everything that is open; answers whether there was anything.
    pub fn answer(&mut self, answer: &Answer) -> bool {
        let mut any = false;
        for open in self.0.iter_mut().filter(|q| q.answer.is_none()) {
            open.answer = Some(answer.clone());
            any = true;
        }
        any
    }

    /// Whether this very attempt has asked this already.
    pub fn was_asked_in(&self, text: &str, epoch: u64) -> bool {
        let key = normal(text);
        self.0
            .iter()
            .any(|q| q.asked_in == epoch && normal(&q.text) == key)
    }

    /// Whether an attempt asked anything at all.
    pub fn any_asked_in(&self, epoch: u64) -> bool {
        self.0.iter().any(|q| q.asked_in == epoch)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Question> {
        self.0.iter()
    }

    /// What nobody has answered yet, in one text; none where all is answered.
    pub fn open(&self) -> Option<String> {
        let open: Vec<&str> = self
            .0
            .iter()
            .filter(|q| q.answer.is_none())
            .map(|q| q.text.as_str())
            .collect();
        (!open.is_empty()).then(|| open.join(" / "))
    }

    /// Forgets what was not answered.
    pub fn drop_open(&mut self) {
        self.0.retain(|q| q.answer.is_some());
    }
}

/// The words alone, in lower case.
fn normal(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty());
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    // A question of signs alone is itself.
    if words.is_empty() {
        text.trim().to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn answer(text: &str) -> Answer {
        Answer {
            text: text.into(),
            by: "jane".into(),
            at: now(),
        }
    }

    #[test]
    fn the_same_words_are_the_same_question() {
        let mut questions = Questions::default();
        assert_eq!(questions.ask("Which port, 80 or 81?", 1, now()), Asked::New);
        assert_eq!(questions.ask("which port: 80 or  81", 2, now()), Asked::Open);
        assert_eq!(questions.ask("Which port, 80 or 82?", 2, now()), Asked::New);
        assert_eq!(questions.iter().count(), 2);
        assert!(questions.answer(&answer("80")));
        assert_eq!(questions.open(), None);
        assert!(!questions.answer(&answer("81")), "nothing is open");
        let again = questions.ask("WHICH PORT 80 OR 81", 3, now());
        assert_eq!(again, Asked::Answered(answer("80")));
        assert!(questions.was_asked_in("Which port, 80 or 81?", 3));
        assert!(!questions.was_asked_in("Which port, 80 or 82?", 3));
    }

    #[test]
    fn what_is_open_may_be_dropped_and_what_was_told_stays() {
        let mut questions = Questions::default();
        questions.ask("a", 1, now());
        questions.answer(&answer("x"));
        questions.ask("b", 1, now());
        questions.ask("c", 1, now());
        assert_eq!(questions.open().as_deref(), Some("b / c"));
        questions.drop_open();
        assert_eq!(
            questions.iter().map(|q| q.text.as_str()).collect::<Vec<_>>(),
            ["a"]
        );
    }

    proptest! {
        #[test]
        fn asking_twice_is_asking_once(texts in prop::collection::vec("[a-d?! ]{1,4}", 1..20)) {
            let mut questions = Questions::default();
            for text in &texts {
                questions.ask(text, 1, now());
                prop_assert_ne!(questions.ask(text, 2, now()), Asked::New);
            }
        }
    }
}
