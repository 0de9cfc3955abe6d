//! The words of the reports. Pure; people search for the first words of these lines, so they are kept by tests.

use super::parcel::{Item, last_words};
use crate::domain::id::TaskId;
use crate::domain::report::{Report, Urgency};

/// The most lines of a digest.
const DIGEST: usize = 20;

/// A report in one line.
pub fn line(task: &TaskId, report: &Report) -> String {
    let (mark, words) = parts(report);
    format!("{mark} [{task}] - {words}")
}

/// Many reports shortly: how many tasks they are of, and the last word on each, what somebody must act on first.
pub fn digest(items: &[Item]) -> String {
    let words = last_words(items);
    let count = |wanted: Urgency| {
        words
            .iter()
            .filter(|item| item.report.urgency() == wanted)
            .count()
    };
    let counts: Vec<String> = [
        (Urgency::Person, "waiting for a person"),
        (Urgency::Failure, "in trouble"),
        (Urgency::Done, "ended or paused"),
        (Urgency::Progress, "under way"),
    ]
    .into_iter()
    .map(|(urgency, what)| (count(urgency), what))
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    let tasks = if words.len() == 1 { "task" } else { "tasks" };
    let mut lines = vec![format!(
        "🗞️ {} reports of {} {tasks}: {}",
        items.len(),
        words.len(),
        counts.join(", ")
    )];
    lines.extend(
        words
            .iter()
            .take(DIGEST)
            .map(|item| line(&item.task, &item.report)),
    );
    if words.len() > DIGEST {
        lines.push(format!("… and {} more", words.len() - DIGEST));
    }
    lines.join("\n")
}

fn parts(report: &Report) -> (&'static str, String) {
    match report {
        Report::Spawning { model } => ("🚀", format!("spawning {model} agent")),
        Report::Resuming { model, .. } => ("🔄", format!("resuming from checkpoint ({model})")),
        Report::Escalating { from, to, reason } => {
            ("📈", format!("escalating from {from} to {to}: {}", flat(reason)))
        }
        Report::Stuck => ("⚠️", "agent appears stuck, killing and respawning".to_owned()),
        Report::GateFailed { reason } => ("❌", format!("validation failed: {}", flat(reason))),
        Report::Blocked { reason } => ("🔴", format!("blocked, needs human: {}", flat(reason))),
        Report::Medic { reason } => ("🩺", format!("the medic looks at it: {}", flat(reason))),
        Report::Question { text } => ("🔴", format!("blocked, needs human: asks: {}", flat(text))),
        Report::Reviewed { by, line } => ("🔎", format!("reviewed by {by}: {}", flat(line))),
        Report::Paused { by } => ("⏸️", format!("paused by {by}")),
        Report::Cancelled { by, reason } => ("🚫", format!("cancelled by {by}: {}", flat(reason))),
        Report::Completed { validated, evidence } => {
            let marks: Vec<String> = validated.iter().map(|c| format!("✓ {}", c.as_str())).collect();
            let shown = match evidence.as_slice() {
                [] => String::new(),
                list => format!(". Evidence: {}", flat(&list.join("; "))),
            };
            (
                "✅",
                format!("completed! Validation: {}{shown}", marks.join(", ")),
            )
        }
    }
}

/// One line stays one line, and nothing in it moves a terminal.
fn flat(text: &str) -> String {
    text.split_whitespace()
        .map(|word| word.chars().filter(|c| !c.is_control()).collect::<String>())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::gate::Category;
    use crate::domain::tier::TierName;

    #[test]
    fn the_words_people_search_for() {
        let id = TaskId::parse("fix-api").unwrap();
        let tier = TierName::new;
        let rows = [
            (
                Report::Spawning { model: tier("haiku") },
                "🚀 [fix-api] - spawning haiku agent",
            ),
            (
                Report::Resuming {
                    model: tier("haiku"),
                    reason: "x".into(),
                },
                "🔄 [fix-api] - resuming from checkpoint (haiku)",
            ),
            (
                Report::Escalating {
                    from: tier("haiku"),
                    to: tier("sonnet"),
                    reason: "gate: 2\nfail".into(),
                },
                "📈 [fix-api] - escalating from haiku to sonnet: gate: 2 fail",
            ),
            (
                Report::Stuck,
                "⚠️ [fix-api] - agent appears stuck, killing and respawning",
            ),
            (
                Report::Blocked {
                    reason: "no \u{1b}[31mtier left".into(),
                },
                "🔴 [fix-api] - blocked, needs human: no [31mtier left",
            ),
            (
                Report::Question {
                    text: "Which one?\nA or B".into(),
                },
                "🔴 [fix-api] - blocked, needs human: asks: Which one? A or B",
            ),
            (
                Report::Medic {
                    reason: "stuck".into(),
                },
                "🩺 [fix-api] - the medic looks at it: stuck",
            ),
            (
                Report::Completed {
                    validated: Category::ALL.to_vec(),
                    evidence: vec![],
                },
                "✅ [fix-api] - completed! Validation: ✓ build, ✓ functionality, ✓ dependencies, ✓ integration, ✓ documentation",
            ),
        ];
        for (report, expected) in rows {
            assert_eq!(line(&id, &report), expected);
        }
    }
    #[test]
    fn a_completion_names_its_evidence() {
        let report = Report::Completed {
            validated: vec![Category::Build],
            evidence: vec!["home page (a.png, b.png)".into(), "bench\n(bench.txt)".into()],
        };
        let told = line(&TaskId::parse("t").unwrap(), &report);
        let wanted =
            "✅ [t] - completed! Validation: ✓ build. Evidence: home page (a.png, b.png); bench (bench.txt)";
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_digest_says_what_matters_first() {
        let item = |seq, task: &str, report| Item {
            seq,
            key: seq.to_string(),
            task: TaskId::parse(task).unwrap(),
            report,
            at: chrono::DateTime::UNIX_EPOCH,
            tries: 0,
        };
        let by = || Report::Paused { by: "jane".into() };
        let few = [
            item(1, "a", Report::Stuck),
            item(2, "b", by()),
            item(
                3,
                "a",
                Report::Blocked {
                    reason: "no key".into(),
                },
            ),
        ];
        assert_eq!(
            digest(&few),
            "🗞️ 3 reports of 2 tasks: 1 waiting for a person, 1 ended or paused\n\
             🔴 [a] - blocked, needs human: no key\n⏸️ [b] - paused by jane"
        );
        let many: Vec<Item> = (0..30).map(|n| item(n, &format!("t{n}"), by())).collect();
        let told = digest(&many);
        assert_eq!(told.lines().count(), 22);
        assert!(told.ends_with("… and 10 more"), "{told}");
    }
}
