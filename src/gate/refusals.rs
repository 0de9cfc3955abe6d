//! Checks that fail while their sandbox refuses them a host: whether the work is at fault cannot be told, so a person is
//! asked, and no attempt is spent on what only the configuration can mend.
//!
//! Invariants: such a check is never green by itself; a refusal counts by the sandbox's own record alone. A host that is refused at
//! the base as well, where the check passes, is none that it needs.

use std::collections::BTreeSet;

use super::confine::Confined;
use crate::domain::gate::{CheckVerdict, Receipt};

/// So many hosts are named.
const SHOWN: usize = 8;

/// The hosts that were refused after so many refusals, each once.
pub(super) fn since(confined: Option<&dyn Confined>, before: usize) -> Vec<String> {
    let all = confined.map(Confined::refused).unwrap_or_default();
    let new: BTreeSet<String> = all.into_iter().skip(before).collect();
    new.into_iter().collect()
}

/// Takes the hosts out without which the same check passes at the base.
pub(super) fn compare(receipt: &mut Receipt, before: &Receipt) {
    if before.verdict == CheckVerdict::Passed {
        receipt
            .trace
            .refused
            .retain(|host| !before.trace.refused.contains(host));
    }
}

/// Asks a person about a check that failed where it was refused a host; of every other one nothing stays but its verdict.
pub(super) fn refer(receipt: &mut Receipt) {
    let hosts = std::mem::take(&mut receipt.trace.refused);
    let word = match receipt.verdict {
        CheckVerdict::Failed => "failed",
        CheckVerdict::TimedOut => "took too long",
        _ => return,
    };
    if hosts.is_empty() {
        return;
    }
    receipt.verdict = CheckVerdict::NeedsPerson;
    receipt.output_tail = format!(
        "check \"{}\" {word}, and its sandbox refused it {}; where it needs that, write {} below [gate] in orchestrator.toml, start the service \
         again, then `orchestrator resume ID` has it judged once more; where the work is at fault, `orchestrator reject ID`\n{}",
        receipt.name,
        listed(&hosts),
        setting(&hosts),
        receipt.output_tail
    );
    receipt.trace.refused = hosts;
}

fn listed(hosts: &[String]) -> String {
    let shown = hosts.iter().take(SHOWN).map(String::as_str);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match hosts.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The line of the configuration; a host is a rule, so it needs no quoting.
fn setting(hosts: &[String]) -> String {
    let quoted: Vec<String> = hosts
        .iter()
        .take(SHOWN)
        .map(|host| format!("\"{host}\""))
        .collect();
    format!("`network = [{}]`", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;
    use crate::domain::gate::{Category, CheckSource, Trace};

    fn receipt(verdict: CheckVerdict, refused: &[&str]) -> Receipt {
        Receipt {
            name: "tests".to_owned(),
            category: Category::Functionality,
            source: CheckSource::Task,
            directory: String::new(),
            commit: "c".to_owned(),
            command: "npm ci".to_owned(),
            exit_code: Some(1),
            verdict,
            started_at: DateTime::UNIX_EPOCH,
            duration: Duration::ZERO,
            output_tail: "npm error".to_owned(),
            output_sha256: String::new(),
            trace: Trace {
                refused: refused.iter().map(|&host| host.to_owned()).collect(),
                ..Trace::default()
            },
        }
    }

    #[test]
    fn a_red_check_that_lacks_a_host_is_a_person_s() {
        let cases = [
            (
                CheckVerdict::Failed,
                &["a.example"][..],
                CheckVerdict::NeedsPerson,
            ),
            (CheckVerdict::TimedOut, &["a.example"], CheckVerdict::NeedsPerson),
            (CheckVerdict::Failed, &[], CheckVerdict::Failed),
            (CheckVerdict::Passed, &["a.example"], CheckVerdict::Passed),
            (CheckVerdict::Error, &["a.example"], CheckVerdict::Error),
        ];
        for (verdict, refused, wanted) in cases {
            let mut receipt = receipt(verdict, refused);
            refer(&mut receipt);
            assert_eq!(receipt.verdict, wanted, "{verdict:?} {refused:?}");
            let named = receipt
                .output_tail
                .contains("`network = [\"a.example\"]` below [gate]");
            assert_eq!(
                named,
                wanted == CheckVerdict::NeedsPerson,
                "{}",
                receipt.output_tail
            );
            assert!(receipt.output_tail.ends_with("npm error"));
            assert_eq!(receipt.trace.refused.is_empty(), !named);
        }
    }

    #[test]
    fn what_is_refused_at_the_base_and_not_missed_there_is_not_needed() {
        let old = ["a.example", "b.example"];
        for (base, refused, left) in [
            (CheckVerdict::Passed, &["a.example"][..], &["b.example"][..]),
            (CheckVerdict::Passed, &[], &old),
            (CheckVerdict::Failed, &["a.example"], &old),
        ] {
            let mut now = receipt(CheckVerdict::Failed, &old);
            compare(&mut now, &receipt(base, refused));
            assert_eq!(now.trace.refused, left, "{base:?} {refused:?}");
        }
    }
}
