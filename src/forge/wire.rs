//! Shapes of answers that both forges share, and what becomes of them.
//!
//! Gitea follows GitHub here, apart from a few keys; what only one of them has, is optional. Numbers and words that are
//! not needed are not read.

use serde::Deserialize;

use super::verdict;
use crate::domain::landing::{Check, Mergeability, Note, Pull, PullState};

/// How much of one text of other people is kept, in characters.
pub(super) const TEXT: usize = 8 * 1024;
/// How much of what a check says about itself is kept, in characters.
const SUMMARY: usize = 2 * 1024;

/// An error's body: GitHub's has `message` and often `errors`, Gitea's `message`, and for conflicts other keys.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Complaint {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: serde_json::Value,
}

impl Complaint {
    pub(super) fn words(&self) -> String {
        let errors = self.errors.as_array().map_or(&[][..], Vec::as_slice);
        let word = |e: &serde_json::Value| {
            let text = e.as_str().or_else(|| e.get("message")?.as_str())?;
            Some(text.to_owned())
        };
        let mut words = vec![self.message.clone()];
        words.extend(errors.iter().filter_map(word));
        words.retain(|w| !w.is_empty());
        words.join(": ")
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WirePull {
    pub(super) number: u64,
    html_url: String,
    state: String,
    /// Not in GitHub's lists.
    merged: Option<bool>,
    merged_at: Option<String>,
    /// While a pull request of GitHub's is open, the commit of a trial.
    merge_commit_sha: Option<String>,
    draft: Option<bool>,
    pub(super) mergeable: Option<bool>,
    pub(super) mergeable_state: Option<String>,
    pub(super) head: WireEnd,
    pub(super) base: WireEnd,
}

/// One end of a pull request.
#[derive(Debug, Deserialize)]
pub(super) struct WireEnd {
    /// The branch; of Gitea's whose branch is gone, `refs/pull/N/head`.
    #[serde(rename = "ref")]
    pub(super) branch: String,
    /// The branch, of GitHub's with its owner before it.
    #[serde(default)]
    pub(super) label: String,
    pub(super) sha: String,
    /// Gone with a deleted fork.
    pub(super) repo: Option<WireRepository>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireRepository {
    pub(super) full_name: String,
}

impl WirePull {
    pub(super) fn is_open(&self) -> bool {
        self.state == "open"
    }

    pub(super) fn into_pull(self, mergeability: Mergeability) -> Pull {
        let merged = self.merged.unwrap_or(self.merged_at.is_some());
        let state = match (merged, self.is_open()) {
            (true, _) => PullState::Merged {
                commit: self.merge_commit_sha.filter(|c| !c.is_empty()),
            },
            (false, true) => PullState::Open,
            (false, false) => PullState::Closed,
        };
        Pull {
            number: self.number,
            url: cut(&self.html_url, TEXT),
            state,
            draft: self.draft.unwrap_or(false),
            head: self.head.sha,
            base: self.base.branch,
            mergeability,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WireStatus {
    id: u64,
    /// GitHub's key; Gitea's is `status`.
    #[serde(alias = "status")]
    state: String,
    context: String,
    description: Option<String>,
    target_url: Option<String>,
}

/// The latest status of each context: both forges list all that were ever set.
pub(super) fn latest(mut statuses: Vec<WireStatus>) -> Vec<Check> {
    statuses.sort_by(|a, b| (&a.context, b.id).cmp(&(&b.context, a.id)));
    statuses.dedup_by(|later, first| later.context == first.context);
    statuses.into_iter().map(WireStatus::into_check).collect()
}

impl WireStatus {
    fn into_check(self) -> Check {
        Check {
            state: verdict::status(&self.state),
            name: cut(&self.context, TEXT),
            word: cut(&self.state, 40),
            url: self.target_url.filter(|u| !u.is_empty()),
            summary: cut(&self.description.unwrap_or_default(), SUMMARY),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WireCheckRuns {
    pub(super) check_runs: Vec<WireCheckRun>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireCheckRun {
    pub(super) name: String,
    pub(super) head_sha: String,
    status: String,
    conclusion: Option<String>,
    html_url: Option<String>,
    output: Option<WireOutput>,
}

#[derive(Debug, Deserialize)]
struct WireOutput {
    title: Option<String>,
    summary: Option<String>,
}

impl WireCheckRun {
    pub(super) fn into_check(self) -> Check {
        let said = self.output.map_or_else(Vec::new, |o| vec![o.title, o.summary]);
        let said: Vec<String> = said.into_iter().flatten().filter(|t| !t.is_empty()).collect();
        Check {
            state: verdict::check_run(&self.status, self.conclusion.as_deref()),
            name: cut(&self.name, TEXT),
            word: cut(self.conclusion.as_ref().unwrap_or(&self.status), 40),
            url: self.html_url,
            summary: cut(&said.join("\n"), SUMMARY),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WireUser {
    pub(super) login: String,
}

/// The name of a user; a user who is gone has none.
pub(super) fn login(user: Option<WireUser>) -> String {
    user.map_or_else(|| "somebody who is gone".to_owned(), |u| cut(&u.login, 80))
}

#[derive(Debug, Deserialize)]
pub(super) struct WireNote {
    pub(super) pull_request_review_id: Option<u64>,
    path: String,
    /// GitHub's.
    line: Option<u64>,
    /// Gitea's key for the line; GitHub's is a place in the diff.
    position: Option<u64>,
    body: String,
}

impl WireNote {
    /// The remark; `at_line` takes the line out of whichever key holds it.
    pub(super) fn into_note(self, at_line: fn(Option<u64>, Option<u64>) -> Option<u64>) -> Note {
        Note {
            path: cut(&self.path, 500),
            line: at_line(self.line, self.position).filter(|l| *l > 0),
            body: cut(&self.body, TEXT),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WireIssue {
    pub(super) state: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireComment {
    pub(super) body: Option<String>,
}

/// The mark by which a comment is known again; people do not see it.
pub(super) fn mark(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    // A comment of Markdown must not hold `--`.
    let key: String = key.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    format!("<!-- orchestrator: {key} -->")
}

/// A text of other people, without control characters and not longer than this many characters.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let shown = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(shown).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::landing::CheckState;

    fn complaint(body: serde_json::Value) -> String {
        serde_json::from_value::<Complaint>(body).unwrap().words()
    }

    #[test]
    fn complaints() {
        let of_github = json!({"message": "Validation Failed", "errors": [
            {"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for o:b."}]});
        assert_eq!(
            complaint(of_github),
            "Validation Failed: A pull request already exists for o:b."
        );
        assert_eq!(
            complaint(json!({"message": "head out of date", "url": "u"})),
            "head out of date"
        );
        assert_eq!(complaint(json!({"message": "m", "errors": ["a", 3]})), "m: a");
        assert_eq!(complaint(json!({"Style": "squash"})), "");
        assert_eq!(complaint(json!({"message": "m", "errors": null})), "m");
    }

    #[test]
    fn the_latest_status_of_a_context_counts_whatever_the_order() {
        let status = |id: u64, key: &str, word: &str, context: &str| {
            let mut value = json!({"id": id, "context": context, "target_url": "", "description": null});
            value[key] = word.into();
            serde_json::from_value::<WireStatus>(value).unwrap()
        };
        let found = latest(vec![
            status(2, "state", "success", "ci"),
            status(9, "status", "failure", "ci"),
            status(1, "state", "pending", "ci"),
            status(5, "state", "success", "lint"),
        ]);
        let told: Vec<_> = found.iter().map(|c| (c.name.as_str(), c.state)).collect();
        assert_eq!(told, [("ci", CheckState::Red), ("lint", CheckState::Green)]);
        assert_eq!(found[0].url, None);
    }

    #[test]
    fn texts_of_others_are_cut_and_cleaned() {
        assert_eq!(cut("a\u{1b}[31mb\r\n\tc", 100), "a[31mb\n\tc");
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(mark("t:--><b"), "<!-- orchestrator: t_____b -->");
    }
}
