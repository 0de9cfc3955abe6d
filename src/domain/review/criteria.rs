//! What a review says of each acceptance criterion, put beside what the worker showed for it.
//!
//! Invariant: a reviewer's word adds doubt to the worker's evidence and never takes its place: a receipt that was not green
//! does not become so.

use super::{CriterionAnswer, Held, Review};
use crate::domain::gate::{CheckSource, CheckVerdict, Receipt};

/// The receipt of the criteria.
const NAME: &str = "criteria";

impl Review {
    /// Writes the reviewer's words into the receipt of the criteria, each below its criterion. One that does not hold makes a
    /// green receipt `otherwise`, and is told first.
    pub(super) fn weigh(&self, receipts: &mut [Receipt], otherwise: CheckVerdict) {
        let is_own = |receipt: &&mut Receipt| receipt.name == NAME && receipt.source == CheckSource::House;
        let answers = &self.opinion.criteria;
        let Some(receipt) = receipts.iter_mut().find(is_own).filter(|_| !answers.is_empty()) else {
            return;
        };
        let by = self.by.name();
        let not_met = answers.iter().filter(|answer| answer.held == Held::NotMet);
        let numbers: Vec<String> = not_met.map(|answer| answer.number.to_string()).collect();
        let shown = beside(&receipt.output_tail, answers, &by);
        receipt.output_tail = match numbers.as_slice() {
            [] => shown,
            _ => format!(
                "by {by} these criteria are not met: {}\n{shown}",
                numbers.join(", ")
            ),
        };
        if !numbers.is_empty() && receipt.verdict == CheckVerdict::Passed {
            receipt.verdict = otherwise;
        }
    }
}

/// The lines of the receipt, with the reviewer's answer below that of its criterion; what has no line stands at the end.
fn beside(text: &str, answers: &[CriterionAnswer], by: &str) -> String {
    let mut left: Vec<&CriterionAnswer> = answers.iter().collect();
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(line.to_owned());
        let own = |answer: &&CriterionAnswer| line.starts_with(&format!("- {}. ", answer.number));
        if let Some(at) = left.iter().position(own) {
            lines.push(format!("  {}", words(left.remove(at), by)));
        }
    }
    let rest = left.into_iter();
    lines.extend(rest.map(|answer| format!("- {}. {}", answer.number, words(answer, by))));
    lines.join("\n")
}

/// `codex/m: met (src/a.rs:3): it is tested`.
fn words(answer: &CriterionAnswer, by: &str) -> String {
    let place = answer.place.as_ref();
    let place = place
        .map(|(file, line)| format!(" ({file}:{line})"))
        .unwrap_or_default();
    let note: Vec<&str> = answer.note.split_whitespace().collect();
    format!("{by}: {}{place}: {}", answer.held.as_str(), note.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(number: u32, held: Held) -> CriterionAnswer {
        CriterionAnswer {
            number,
            held,
            place: (held == Held::Met).then(|| ("a.rs".to_owned(), 3)),
            note: "as\nseen".to_owned(),
        }
    }

    #[test]
    fn each_answer_stands_below_its_criterion() {
        let text =
            "every acceptance criterion has evidence:\n- 1. It runs: check tests\n- 10. It ends: a.rs:3";
        let answers = [
            answer(10, Held::NotMet),
            answer(1, Held::Met),
            answer(2, Held::Unclear),
        ];
        let wanted = "every acceptance criterion has evidence:\n- 1. It runs: check tests\n  c/m: met (a.rs:3): as seen\n\
                      - 10. It ends: a.rs:3\n  c/m: not-met: as seen\n- 2. c/m: unclear: as seen";
        assert_eq!(beside(text, &answers, "c/m"), wanted);
    }
}
