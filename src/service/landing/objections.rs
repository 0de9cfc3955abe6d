//! What checks and people of a forge hold against a pull request, as a receipt that a worker reads. Pure.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::domain::gate::{Category, CheckSource, CheckVerdict, GateReport, Receipt, Trace};
use crate::domain::landing::{Check, Review};

/// The longest text of one review or check, in bytes.
const LONGEST: usize = 4 * 1024;

/// A red receipt that says it all.
pub(super) fn receipt(
    report: &GateReport,
    url: &str,
    why: &str,
    checks: &[Check],
    reviews: &[Review],
    at: DateTime<Utc>,
) -> Receipt {
    Receipt {
        name: "pull-request".to_owned(),
        category: Category::Integration,
        source: CheckSource::House,
        directory: String::new(),
        commit: report.commit.clone(),
        command: url.to_owned(),
        exit_code: None,
        verdict: CheckVerdict::Failed,
        started_at: at,
        duration: std::time::Duration::ZERO,
        output_tail: words(why, checks, reviews),
        output_sha256: String::new(),
        trace: Trace::default(),
    }
}

fn words(why: &str, checks: &[Check], reviews: &[Review]) -> String {
    let mut text = format!("{why}\n");
    for check in checks {
        let _ = writeln!(
            text,
            "check {} ({}): {}",
            check.name,
            check.word,
            cut(&check.summary)
        );
        if let Some(url) = &check.url {
            let _ = writeln!(text, "  {url}");
        }
    }
    for review in reviews {
        let _ = writeln!(text, "{} wrote: {}", review.author, cut(&review.body));
        for note in &review.notes {
            let line = note.line.map(|line| format!(":{line}")).unwrap_or_default();
            let _ = writeln!(text, "  {}{line}: {}", note.path, cut(&note.body));
        }
    }
    text
}

fn cut(text: &str) -> &str {
    let text = text.trim();
    &text[..text.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::landing::{CheckState, Note, Stand};

    #[test]
    fn a_worker_reads_who_objects_to_what_and_where() {
        let check = Check {
            name: "ci/test".into(),
            state: CheckState::Red,
            word: "failure".into(),
            url: Some("https://forge.example/run/1".into()),
            summary: "2 tests failed".into(),
        };
        let review = Review {
            id: 9,
            author: "ann".into(),
            trusted: true,
            stand: Stand::Objects,
            commit: None,
            at: None,
            body: "é".repeat(LONGEST),
            notes: vec![Note {
                path: "src/a.rs".into(),
                line: Some(7),
                body: "off by one".into(),
            }],
        };
        let text = words("ann asks for changes", &[check], &[review]);
        for part in [
            "ann asks",
            "ci/test (failure): 2 tests failed",
            "run/1",
            "src/a.rs:7: off by one",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.len() < LONGEST + 400);
    }
}
