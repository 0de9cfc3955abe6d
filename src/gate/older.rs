//! Failures that are older than the work: a check that fails at the commit is run at the base, too, and held to the
//! difference.

use super::detect::RootFiles;
use crate::domain::failing::{Failures, tells_all};
use crate::domain::gate::{CheckSource, CheckSpec, CheckVerdict, Receipt};

/// So many names are told.
const SHOWN: usize = 20;

/// The command that a check's script stands for: that of a package's script, as the base has it.
pub(super) fn stands_for(check: &CheckSpec, base: &RootFiles) -> String {
    let words: Vec<&str> = check.run.split_whitespace().collect();
    match words[..] {
        ["npm" | "yarn" | "pnpm", "run", name] | ["npm" | "yarn" | "pnpm", name @ "test"] => {
            let manifest = base.texts.get("package.json").map_or("", String::as_str);
            let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap_or_default();
            let script = |name: &str| manifest["scripts"][name].as_str().map(str::to_owned);
            let around = ["pre", "post"]
                .iter()
                .any(|w| script(&format!("{w}{name}")).is_some());
            script(name).filter(|_| !around).unwrap_or_default()
        }
        // The detected choice between two tools that each run all tests.
        ["if", "python3", ..] if check.name.starts_with("python tests") => "python3 -m pytest".to_owned(),
        _ => check.run.clone(),
    }
}

/// Puts into a failed check's receipt how the same check ended at the base; it passes where every test that fails is
/// known by name and failed there, too. A check that the task itself brings says what its work is: it is not excused.
///
/// `script` is the command that the check stands for. Where the names are not known, it stays red.
pub(super) fn compare(receipt: &mut Receipt, before: &Receipt, script: &str, base: &str) {
    let at = base.get(..10).unwrap_or(base);
    let words = match before.verdict {
        CheckVerdict::Passed => format!("at the base ({at}) this check passes: the work broke it"),
        CheckVerdict::Failed => match both(receipt, before).filter(|_| tells_all(script)) {
            Some((now, old)) => differ(receipt, &now, &old, at),
            None => format!(
                "this check fails at the base ({at}), too; which of its tests fail is not known by name, so it stays red"
            ),
        },
        other => format!(
            "at the base ({at}) this check cannot be compared: {}",
            other.as_str()
        ),
    };
    receipt.output_tail = format!("{}\n{words}\n", receipt.output_tail.trim_end());
}

fn both(receipt: &Receipt, before: &Receipt) -> Option<(Failures, Failures)> {
    let now = Failures::read(&receipt.output_tail, &receipt.directory)?;
    Some((now, Failures::read(&before.output_tail, &before.directory)?))
}

fn differ(receipt: &mut Receipt, now: &Failures, old: &Failures, at: &str) -> String {
    let new = now.beyond(old);
    if new.is_empty() && receipt.source == CheckSource::Task {
        return format!(
            "this check is the task's own and fails as it did at the base ({at}): {}; to make it pass is the work",
            listed(&now.names())
        );
    }
    if new.is_empty() {
        receipt.verdict = CheckVerdict::Passed;
        let names = listed(&now.names());
        return format!("old failures: every test that fails here fails at the base ({at}), too: {names}");
    }
    format!(
        "this check fails at the base ({at}), too, but these tests fail only with the work: {}",
        listed(&new)
    )
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
