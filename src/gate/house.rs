//! The orchestrator's own looks, as receipts: clean tree, merge with the base, progress file.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::capture::hex;
use crate::domain::gate::{Category, CheckSource, CheckVerdict, Receipt, Trace};
use crate::domain::tamper::Finding;
use crate::workspace::{Merge, WorkspaceError};

/// So many findings are listed.
const FINDINGS: usize = 40;

/// One look: what it was at, and what was seen.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) name: &'static str,
    pub(super) category: Category,
    pub(super) at: String,
    pub(super) verdict: CheckVerdict,
    pub(super) words: String,
}

impl Look {
    /// Green with what was seen, or red with what was.
    pub(super) fn new(
        name: &'static str,
        category: Category,
        at: &str,
        seen: Result<String, String>,
    ) -> Self {
        let (verdict, words) = match seen {
            Ok(words) => (CheckVerdict::Passed, words),
            Err(words) => (CheckVerdict::Failed, words),
        };
        Self {
            name,
            category,
            at: at.to_owned(),
            verdict,
            words,
        }
    }

    /// What could not be looked at is red.
    pub(super) fn or_error(mut self, failed: Option<&WorkspaceError>) -> Self {
        if let Some(why) = failed {
            self.verdict = CheckVerdict::Error;
            self.words = why.to_string();
        }
        self
    }

    /// Its receipt.
    pub(super) fn receipt(self, commit: &str, directory: &str, at: DateTime<Utc>, took: Duration) -> Receipt {
        Receipt {
            name: self.name.to_owned(),
            category: self.category,
            source: CheckSource::House,
            directory: directory.to_owned(),
            commit: commit.to_owned(),
            command: self.at,
            exit_code: None,
            verdict: self.verdict,
            started_at: at,
            duration: took,
            output_sha256: hex(&Sha256::digest(&self.words)),
            output_tail: self.words,
            trace: Trace::default(),
        }
    }
}

/// Whether the checks left the checkout as it was.
pub(super) fn clean(dirt: &Result<Vec<String>, WorkspaceError>) -> Look {
    let seen = match dirt {
        Ok(files) if files.is_empty() => Ok("nothing uncommitted".to_owned()),
        Ok(files) => Err(format!(
            "the checks changed or made files that are neither committed nor ignored: {}; commit them, or add them to .gitignore",
            listed(files)
        )),
        Err(_) => Err(String::new()),
    };
    let at = "git status, after all checks";
    Look::new("git-clean", Category::Integration, at, seen).or_error(dirt.as_ref().err())
}

/// Whether the commit merges with its base as that is now.
pub(super) fn merges(
    merge: &Result<Merge, WorkspaceError>,
    marks: Result<&Vec<String>, &WorkspaceError>,
    reference: &str,
) -> Look {
    let seen = match merge {
        Ok(Merge::Unmoved { .. } | Merge::Clean { .. }) if marks.is_ok_and(|m| !m.is_empty()) => {
            let files = marks.map_or(&[][..], Vec::as_slice);
            Err(format!(
                "marks of a conflict stand in {}; resolve them",
                listed(files)
            ))
        }
        Ok(Merge::Unmoved { base }) => Ok(format!("the commit holds the whole base ({base})")),
        Ok(Merge::Clean { base, .. }) => Ok(format!("merges with {base} without conflict")),
        Ok(Merge::Conflict { base, files }) => Err(format!(
            "conflicts with {base} in {}; merge {reference} into the branch and resolve them",
            listed(files)
        )),
        Err(_) => Err(String::new()),
    };
    let at = format!("git merge-tree with {reference}");
    Look::new("merges-with-base", Category::Integration, &at, seen)
        .or_error(merge.as_ref().err().or(marks.err()))
}

/// Nothing that depends on the work has changed since: the checks at the commit speak for it.
pub(super) fn base_unmoved(base: &str) -> Look {
    let words = format!("{base} is part of the commit, so the checks at the commit ran on the merged result");
    Look::new(
        "base-unmoved",
        Category::Dependencies,
        "git merge-base",
        Ok(words),
    )
}

/// What the commit does to tests and checks; `may_change` where that is the task's work.
pub(super) fn tests_and_checks(found: Result<&Vec<Finding>, &WorkspaceError>, may_change: bool) -> Look {
    let at = "tests and checks, from the base to the commit";
    let category = Category::Integration;
    let found = match found {
        Ok(found) => found,
        Err(why) => {
            return Look::new("tests-and-checks", category, at, Err(String::new())).or_error(Some(why));
        }
    };
    let lines: Vec<String> = found.iter().take(FINDINGS).map(|f| format!("- {f}")).collect();
    let more = found.len() - lines.len();
    let more = if more > 0 {
        format!("\n- and {more} more")
    } else {
        String::new()
    };
    let list = format!("{}{more}", lines.join("\n"));
    let words = match (found.len(), may_change) {
        (0, _) => "no test and no check is weakened".to_owned(),
        (n, true) => format!("{n} changes of tests or checks, which this task may make:\n{list}"),
        (1, false) => format!("a change of tests or checks needs a person's word:\n{list}"),
        (n, false) => format!("{n} changes of tests or checks need a person's word:\n{list}"),
    };
    let mut look = Look::new("tests-and-checks", category, at, Ok(words));
    if !found.is_empty() && !may_change {
        look.verdict = CheckVerdict::NeedsPerson;
    }
    look
}

/// Files that are not as they should be in the commit, and need a person's word; none where there are none.
fn referred(
    name: &'static str,
    at: &str,
    found: &Result<Vec<String>, WorkspaceError>,
    words: &str,
) -> Option<Look> {
    let seen = match found {
        Ok(files) if files.is_empty() => return None,
        Ok(files) => Ok(format!("{words}: {}", listed(files))),
        Err(_) => Err(String::new()),
    };
    let mut look = Look::new(name, Category::Integration, at, seen).or_error(found.as_ref().err());
    if found.is_ok() {
        look.verdict = CheckVerdict::NeedsPerson;
    }
    Some(look)
}

/// What the base brought since the work began, and the commit has thrown away.
pub(super) fn taken_back(found: &Result<Vec<String>, WorkspaceError>) -> Option<Look> {
    let words = "the commit takes back what its base brought meanwhile, which needs a person's word";
    referred("base-kept", "git diff-tree, base to commit", found, words)
}

/// What the project ignores, and the commit holds.
pub(super) fn ignored(found: &Result<Vec<String>, WorkspaceError>) -> Option<Look> {
    let words = "the commit holds files that the project ignores, which needs a person's word";
    referred("nothing-ignored", "git ls-files --ignored", found, words)
}

/// Whether the progress file is complete; `missing` is none where there is no file.
pub(super) fn progress_file(missing: Option<&[String]>) -> Look {
    let seen = match missing {
        Some([]) => Ok("all sections are there".to_owned()),
        Some(missing) => Err(format!("the progress file lacks: {}", missing.join(", "))),
        None => Err("there is no progress file".to_owned()),
    };
    Look::new(
        "progress-file",
        Category::Documentation,
        "sections of the progress file",
        seen,
    )
}

/// Whether the worker wrote down anything itself.
pub(super) fn worker_entry(entries: u32) -> Look {
    let seen = match entries {
        0 => Err(
            "the Work Log has no entry of this attempt; say what was done with `orchestrator agent log`"
                .to_owned(),
        ),
        n => Ok(format!("{n} entries of this attempt")),
    };
    Look::new(
        "work-log",
        Category::Documentation,
        "Work Log of the progress file",
        seen,
    )
}

fn listed(files: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<&str> = files.iter().take(SHOWN).map(String::as_str).collect();
    match files.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
