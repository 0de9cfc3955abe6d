//! The look at the acceptance criteria and at the documentation: what the worker says is held against the commit and
//! the receipts.

use std::collections::{BTreeMap, BTreeSet};

use super::asked::{Criteria, Docs, Without};
use super::house::Look;
use crate::domain::criteria::{Finding, Pointer, Seen, SeenCheck, cut, findings, pointers};
use crate::domain::gate::{Category, CheckSource, CheckVerdict, Receipt};
use crate::workspace::{Workspace, WorkspaceError};

/// The beginning of the names of receipts of evidence.
pub(super) const EVIDENCE: &str = "evidence: ";
const NAME: &str = "criteria";
const AT: &str = "Acceptance Criteria of the progress file, held against the commit and the receipts";

/// The look at the criteria.
pub(super) async fn look(
    criteria: &Criteria<'_>,
    workspace: &Workspace,
    commit: &str,
    receipts: &[Receipt],
) -> Look {
    match see(criteria, workspace, commit, receipts).await {
        Ok(seen) => judged(
            criteria,
            &findings(criteria.list, &criteria.answers, &seen),
            &seen,
        ),
        Err(why) => Look::new(NAME, Category::Functionality, AT, Err(String::new())).or_error(Some(&why)),
    }
}

/// What the orchestrator can see of what the answers name.
async fn see(
    criteria: &Criteria<'_>,
    workspace: &Workspace,
    commit: &str,
    receipts: &[Receipt],
) -> Result<Seen, WorkspaceError> {
    let mut seen = Seen {
        checks: checks(receipts),
        exhibits: exhibits(receipts),
        ..Seen::default()
    };
    if criteria.answers.iter().all(|answer| answer.evidence.is_empty()) {
        return Ok(seen);
    }
    let files = workspace.files_at(commit).await?;
    let here = files.iter().map(|path| workspace.from_root(path).to_owned());
    let here: BTreeSet<String> = here.collect();
    seen.files = here.into_iter().chain(files).collect();
    seen.commits = workspace.commits_since_base(commit).await?;
    seen.lines = lines(criteria, workspace, commit, &seen).await?;
    Ok(seen)
}

/// The lengths of the files that answers name with a line.
async fn lines(
    criteria: &Criteria<'_>,
    workspace: &Workspace,
    commit: &str,
    seen: &Seen,
) -> Result<BTreeMap<String, usize>, WorkspaceError> {
    let mut lines = BTreeMap::new();
    let named = criteria
        .answers
        .iter()
        .flat_map(|answer| pointers(&answer.evidence, seen));
    for (pointer, _) in named {
        let Pointer::File(path, Some(_)) = pointer else {
            continue;
        };
        if !seen.files.contains(&path) || lines.contains_key(&path) {
            continue;
        }
        // A path from the top of the tree is not found from the worker's folder; then its lines are not counted.
        let root = workspace.root_at(commit, &[&path]).await?;
        if let Some(text) = root.texts.get(&path) {
            lines.insert(path, text.lines().count());
        }
    }
    Ok(lines)
}

/// What ran at the commit; looks of the house show nothing of what was asked.
fn checks(receipts: &[Receipt]) -> Vec<SeenCheck> {
    let ran = receipts.iter().filter(|r| r.source != CheckSource::House);
    ran.map(|receipt| SeenCheck {
        name: receipt.name.clone(),
        run: receipt.command.clone(),
        passed: receipt.verdict == CheckVerdict::Passed,
    })
    .collect()
}

fn exhibits(receipts: &[Receipt]) -> Vec<(String, Vec<String>)> {
    let green = receipts.iter().filter(|r| r.verdict == CheckVerdict::Passed);
    green
        .filter_map(|receipt| {
            let name = receipt.name.strip_prefix(EVIDENCE)?;
            let files = receipt.trace.files.iter().map(|file| file.path.clone());
            Some((name.to_owned(), files.collect()))
        })
        .collect()
}

fn judged(criteria: &Criteria<'_>, found: &[Finding], seen: &Seen) -> Look {
    let open: Vec<&Finding> = found.iter().filter(|finding| finding.shown.is_err()).collect();
    let words = match (open.is_empty(), criteria.without) {
        (true, _) => format!("every acceptance criterion has evidence:\n{}", told(found)),
        (false, Without::Red) => lacking(&open, found.len(), seen),
        (false, Without::Person) => format!(
            "acceptance criteria without evidence need a person's word:\n{}",
            told(found)
        ),
        (false, Without::Checks) => format!(
            "evidence is not asked of a plain command or of a claim by hand; what has none rests on the checks:\n{}",
            told(found)
        ),
    };
    let seen = if !open.is_empty() && criteria.without == Without::Red {
        Err(words)
    } else {
        Ok(words)
    };
    let mut look = Look::new(NAME, Category::Functionality, AT, seen);
    if !open.is_empty() && criteria.without == Without::Person {
        look.verdict = CheckVerdict::NeedsPerson;
    }
    look
}

fn told(found: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let shown = match &finding.shown {
            Ok(shown) => shown.clone(),
            Err(why) => format!("no evidence ({why})"),
        };
        format!("- {}. {}: {shown}", finding.number, cut(&finding.text))
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What the worker must write, and how.
fn lacking(open: &[&Finding], all: usize, seen: &Seen) -> String {
    let why = |finding: &Finding| finding.shown.clone().err().unwrap_or_default();
    let line = |finding: &&Finding| format!("- {}. {}: {}", finding.number, cut(&finding.text), why(finding));
    let list: Vec<String> = open.iter().map(line).collect();
    let passed = seen.checks.iter().filter(|check| check.passed);
    let passed: Vec<&str> = passed.map(|check| check.name.as_str()).collect();
    let passed = match passed.as_slice() {
        [] => String::new(),
        names => format!(" Checks that passed: {}.", names.join(", ")),
    };
    format!(
        "{} of {all} acceptance criteria are without evidence:\n{}\nFor each of them: `orchestrator agent criterion NUMBER \
         EVIDENCE`, where EVIDENCE names a check that passed (`check NAME`), a file of the work (`src/a.rs:12`) or a commit.{passed}",
        open.len(),
        list.join("\n")
    )
}

/// The look at the documentation.
pub(super) async fn docs(docs: &Docs, workspace: &Workspace, commit: &str) -> Look {
    let at = "paths that the commit changes, and a line `Docs: not needed - REASON` of the progress file";
    let changed = match workspace.paths_since_base(commit).await {
        Ok(changed) => changed,
        Err(why) => {
            return Look::new("docs", Category::Documentation, at, Err(String::new())).or_error(Some(&why));
        }
    };
    let written: Vec<&str> = changed
        .iter()
        .map(String::as_str)
        .filter(|path| is_docs(path))
        .collect();
    let seen = match (written.first(), &docs.waiver) {
        (Some(path), _) => Ok(format!("the documentation changes with the work: {path}")),
        _ if changed.is_empty() => Ok("nothing changes, so nothing is to be documented".to_owned()),
        (None, Some(reason)) => Ok(format!("waived by the worker: {}", cut(reason))),
        (None, None) => Err(
            "the work changes no documentation (README, CHANGELOG, docs/ or a Markdown file): write it, or write why not \
             into the progress file: `Docs: not needed - REASON`, in at least three words"
                .to_owned(),
        ),
    };
    Look::new("docs", Category::Documentation, at, seen)
}

/// Whether a path is of what users read.
fn is_docs(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    let folder = lower
        .split('/')
        .rev()
        .skip(1)
        .any(|part| ["docs", "doc", "documentation"].contains(&part));
    let word = ["readme", "changelog", "changes", "news", "history"];
    let stem = name.split('.').next().unwrap_or_default();
    let text = [".md", ".mdx", ".rst", ".adoc"]
        .iter()
        .any(|end| name.ends_with(end));
    folder || text || (word.contains(&stem) && !name.ends_with(".rs"))
}

#[cfg(test)]
mod tests {
    use super::is_docs;

    #[test]
    fn documentation_is_what_users_read() {
        for (path, is) in [
            ("README", true),
            ("README.md", true),
            ("docs/a/b.html", true),
            ("crates/x/CHANGELOG.txt", true),
            ("guide/intro.rst", true),
            ("src/docs.rs", false),
            ("src/history.rs", false),
            ("src/lib.rs", false),
        ] {
            assert_eq!(is_docs(path), is, "{path}");
        }
    }
}
