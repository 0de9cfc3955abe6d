//! What a worker is told of a refused attempt: the red receipts, cut to what matters.

use std::fmt::Write;

use crate::domain::gate::{CheckSource, CheckVerdict, GateReport, Receipt};

/// The longest feedback, in bytes.
const LONGEST: usize = 6 * 1024;
/// The least that a receipt gets of it.
const LEAST: usize = 400;

/// The failure in words for the worker's next prompt, at most 6 KiB; empty where nothing is red and nothing asks for
/// a person's word.
pub fn feedback(report: &GateReport) -> String {
    let red: Vec<&Receipt> = report.red().chain(report.referred()).collect();
    if red.is_empty() {
        return String::new();
    }
    let why = match report.red().next() {
        Some(_) => report.failure_line(),
        None => "It asked for a person's word, and the person refused".to_owned(),
    };
    let mut text = format!("The gate refused commit {}. {why}.\n", short(&report.commit));
    text = head(&text, LONGEST / 4).to_owned();
    let share = ((LONGEST - text.len()) / red.len()).max(LEAST);
    for receipt in red {
        let part = section(receipt, &report.commit, share);
        if text.len() + part.len() > LONGEST {
            let _ = writeln!(text, "\n(more checks failed; see the gate's report)");
            break;
        }
        text.push_str(&part);
    }
    head(&text, LONGEST).to_owned()
}

fn section(receipt: &Receipt, commit: &str, share: usize) -> String {
    let mut text = format!(
        "\n## {} ({}): {}\n",
        head(&receipt.name, 80),
        receipt.category.as_str(),
        how(receipt, commit)
    );
    let command = head(receipt.command.trim(), share / 4);
    let _ = writeln!(text, "command: {command}");
    let room = share.saturating_sub(text.len() + 16);
    let output = receipt.output_tail.trim();
    // A reviewer's list begins with what matters most.
    let (heading, output) = match receipt.source {
        CheckSource::Reviewer => ("what it found", head(output, room)),
        _ => ("last output", tail(output, room)),
    };
    if !output.is_empty() {
        let _ = writeln!(text, "{heading}:\n{output}");
    }
    text
}

fn how(receipt: &Receipt, commit: &str) -> String {
    if receipt.commit != commit {
        return format!("ran at another commit ({})", short(&receipt.commit));
    }
    match (receipt.verdict, receipt.exit_code) {
        (CheckVerdict::TimedOut, _) => {
            format!("killed after {:.0} s", receipt.duration.as_secs_f64())
        }
        (CheckVerdict::Failed, _) if receipt.source == CheckSource::Reviewer => "blockers".to_owned(),
        (CheckVerdict::Failed, Some(code)) => format!("exit {code}"),
        (verdict, _) => verdict.as_str().to_owned(),
    }
}

fn short(commit: &str) -> &str {
    head(commit, 10)
}

/// At most so many bytes from the start.
fn head(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// At most so many bytes from the end, in whole lines where there are several.
fn tail(text: &str, most: usize) -> &str {
    let cut = &text[text.ceil_char_boundary(text.len().saturating_sub(most))..];
    if cut.len() == text.len() {
        return cut;
    }
    cut.split_once('\n').map_or(cut, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::gate::Category;
    use crate::domain::gate::Trace;
    use chrono::DateTime;
    use std::time::Duration;

    fn report(receipts: Vec<Receipt>) -> GateReport {
        GateReport {
            commit: "c0ffee".to_owned(),
            tree: "7ee".to_owned(),
            receipts,
            started_at: DateTime::UNIX_EPOCH,
            ended_at: DateTime::UNIX_EPOCH,
        }
    }

    fn receipt(name: &str, verdict: CheckVerdict, exit_code: Option<i32>, output: &str) -> Receipt {
        Receipt {
            name: name.to_owned(),
            category: Category::Functionality,
            source: CheckSource::Task,
            directory: "/w".to_owned(),
            commit: "c0ffee".to_owned(),
            command: format!("run {name}"),
            exit_code,
            verdict,
            started_at: DateTime::UNIX_EPOCH,
            duration: Duration::from_secs(61),
            output_tail: output.to_owned(),
            output_sha256: String::new(),
            trace: Trace::default(),
        }
    }

    #[test]
    fn red_receipts_are_told_and_green_ones_are_not() {
        let mut foreign = receipt("old", CheckVerdict::Passed, Some(0), "");
        foreign.commit = "dead".to_owned();
        let text = feedback(&report(vec![
            receipt("fine", CheckVerdict::Passed, Some(0), "all well"),
            receipt(
                "tests",
                CheckVerdict::Failed,
                Some(101),
                "assertion failed: 1 == 2",
            ),
            receipt("slow", CheckVerdict::TimedOut, None, ""),
            foreign,
        ]));
        insta::assert_snapshot!(text, @r"
        The gate refused commit c0ffee. 3 of 4 checks failed: tests (exit 101), slow (timed-out), old (passed).

        ## tests (functionality): exit 101
        command: run tests
        last output:
        assertion failed: 1 == 2

        ## slow (functionality): killed after 61 s
        command: run slow

        ## old (functionality): ran at another commit (dead)
        command: run old
        ");
        assert_eq!(feedback(&report(Vec::new())), "");
    }

    proptest::proptest! {
        #[test]
        fn it_is_bounded_and_keeps_the_end(n in 1usize..60, line in "[a-zé…]{0,200}") {
            let output = format!("{}THE END", format!("{line}\n").repeat(60));
            let many = (0..n).map(|i| receipt(&format!("c{i}"), CheckVerdict::Failed, Some(1), &output)).collect();
            let text = feedback(&report(many));
            proptest::prop_assert!(text.len() <= LONGEST);
            proptest::prop_assert!(text.contains("THE END"));
        }
    }
}
