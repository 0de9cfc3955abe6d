//! GitHub's dialect: check runs besides statuses, rules besides protected branches, `sha` to guard a merge.
//!
//! Source: GitHub's description of its REST interface, version 2022-11-28.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::address::{Address, api as usual};
use super::api::{Api, Ask, Dialect};
use super::error::ForgeError;
use super::wire::{
    TEXT, WireCheckRun, WireCheckRuns, WireNote, WirePull, WireStatus, WireUser, cut, latest, login,
};
use super::{Forge, Kind, NewPull, Settings, Squash, issue, verdict};
use crate::clock::Clock;
use crate::domain::landing::{Checks, Mergeability, Note, Pull, Required, Review};

const DIALECT: Dialect = Dialect {
    scheme: "Bearer",
    accept: "application/vnd.github+json",
    version: Some(("x-github-api-version", "2022-11-28")),
    size_key: "per_page",
    size: "100",
};

/// A repository on GitHub.
#[derive(Debug)]
pub struct GitHub {
    api: Api,
    owner: String,
}

impl GitHub {
    /// A repository on GitHub, or on a server of one's own.
    pub fn new(settings: &Settings, repository: &Address, clock: Clock) -> Result<Self, ForgeError> {
        let usual = usual(Kind::GitHub, &settings.host);
        let root = settings.api.as_deref().unwrap_or(&usual);
        Ok(Self {
            api: Api::new(DIALECT, root, repository, &settings.token, clock)?,
            owner: repository.owner.clone(),
        })
    }

    /// Both kinds of rules are readable for whoever may read the repository; a server that has no rules says 404, a plan
    /// without them 403, and then the merge itself is refused where they are not met.
    async fn required(&self, base: &str) -> Result<Vec<Required>, ForgeError> {
        let ask = Ask::new("read the base branch", format!("branches/{base}"));
        let branch: WireBranch = self.api.get(&ask).await?;
        let mut names = branch.required();
        let ask = Ask::new(
            "read the rules of the base branch",
            format!("rules/branches/{base}"),
        );
        match self.api.list(&ask, |page: Vec<WireRule>| page).await {
            Ok(rules) => names.extend(rules.into_iter().flat_map(WireRule::required)),
            Err(ForgeError::NotFound { .. } | ForgeError::Forbidden { .. }) => {}
            Err(error) => return Err(error),
        }
        names.sort();
        names.dedup();
        Ok(names.into_iter().map(Required::exactly).collect())
    }

    async fn notes(&self, number: u64) -> Result<Vec<WireNote>, ForgeError> {
        let ask = Ask::new("read remarks on lines", format!("pulls/{number}/comments"));
        self.api.list(&ask, |page: Vec<WireNote>| page).await
    }
}

#[async_trait]
impl Forge for GitHub {
    async fn branch_head(&self, branch: &str) -> Result<Option<String>, ForgeError> {
        let ask = Ask::new("read the branch", format!("git/ref/heads/{branch}"));
        let found: Option<WireRef> = self.api.get_if_there(&ask).await?;
        Ok(found.map(|f| f.object.sha))
    }

    async fn find(&self, branch: &str, base: &str, commit: &str) -> Result<Option<Pull>, ForgeError> {
        let ask = Ask::new("look for the pull request", "pulls")
            .with("state", "all")
            .with("head", format!("{}:{branch}", self.owner))
            .with("base", base)
            .with("sort", "created")
            .with("direction", "desc");
        let all = self.api.list(&ask, |page: Vec<WirePull>| page).await?;
        let of_branch = |p: &&WirePull| p.head.branch == branch && p.base.branch == base;
        let of_branch: Vec<&WirePull> = all.iter().filter(of_branch).collect();
        let open = of_branch.iter().find(|p| p.is_open());
        let found = open.or_else(|| of_branch.iter().find(|p| p.head.sha == commit));
        match found {
            Some(pull) => self.read(pull.number).await.map(Some),
            None => Ok(None),
        }
    }

    async fn open(&self, new: &NewPull) -> Result<Pull, ForgeError> {
        let ask = Ask::new("open a pull request", "pulls");
        let body = json!({
            "title": new.title, "body": new.body, "head": new.branch, "base": new.base, "maintainer_can_modify": false,
        });
        let pull: WirePull = self.api.send(Method::POST, &ask, &body).await?;
        Ok(into_pull(pull))
    }

    async fn read(&self, number: u64) -> Result<Pull, ForgeError> {
        let ask = Ask::new("read the pull request", format!("pulls/{number}"));
        self.api.get(&ask).await.map(into_pull)
    }

    async fn checks(&self, commit: &str, base: &str) -> Result<Checks, ForgeError> {
        let ask =
            Ask::new("read check runs", format!("commits/{commit}/check-runs")).with("filter", "latest");
        let runs = self.api.list(&ask, |page: WireCheckRuns| page.check_runs).await?;
        let ask = Ask::new("read commit statuses", format!("commits/{commit}/statuses"));
        let statuses = self.api.list(&ask, |page: Vec<WireStatus>| page).await?;
        let of_commit = runs.into_iter().filter(|run| run.head_sha == commit);
        let mut found: Vec<_> = of_commit.map(WireCheckRun::into_check).collect();
        found.extend(latest(statuses));
        Ok(Checks {
            found,
            required: self.required(base).await?,
        })
    }

    async fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError> {
        let ask = Ask::new("read reviews", format!("pulls/{number}/reviews"));
        let reviews = self.api.list(&ask, |page: Vec<WireReview>| page).await?;
        if reviews.is_empty() {
            return Ok(Vec::new());
        }
        let notes = self.notes(number).await?;
        let mut reviews: Vec<Review> = reviews.into_iter().filter_map(WireReview::into_review).collect();
        for note in notes {
            let of = note.pull_request_review_id;
            if let Some(review) = reviews.iter_mut().find(|r| Some(r.id) == of) {
                let note: Note = note.into_note(|line, _| line);
                review.notes.push(note);
            }
        }
        Ok(reviews)
    }

    async fn merge(&self, number: u64, squash: &Squash) -> Result<(), ForgeError> {
        let ask = Ask::new("merge the pull request", format!("pulls/{number}/merge"));
        let body = json!({
            "merge_method": "squash",
            "sha": squash.commit,
            "commit_title": squash.title,
            "commit_message": squash.message,
        });
        match self.api.order(Method::PUT, &ask, Some(&body)).await {
            // Described as: a sha was given, and the head did not match it.
            Err(ForgeError::Conflict { .. }) => Err(ForgeError::HeadMoved {
                expected: squash.commit.clone(),
            }),
            done => done,
        }
    }

    async fn issue_open(&self, issue: u64) -> Result<bool, ForgeError> {
        issue::is_open(&self.api, issue).await
    }

    async fn comment(&self, issue: u64, key: &str, text: &str) -> Result<(), ForgeError> {
        issue::comment(&self.api, issue, key, text).await
    }

    async fn close_issue(&self, issue: u64) -> Result<(), ForgeError> {
        let ask = Ask::new("close the issue", format!("issues/{issue}"));
        let body = json!({ "state": "closed", "state_reason": "completed" });
        self.api.order(Method::PATCH, &ask, Some(&body)).await
    }

    async fn delete_branch(&self, branch: &str) -> Result<(), ForgeError> {
        let ask = Ask::new("delete the branch", format!("git/refs/heads/{branch}"));
        match self.api.order(Method::DELETE, &ask, None::<&Value>).await {
            Err(error @ (ForgeError::Invalid { .. } | ForgeError::NotFound { .. })) => {
                // It answers 422 to a branch that is gone, and to other things.
                let there = self.branch_head(branch).await?;
                there.map_or(Ok(()), |_| Err(error))
            }
            done => done,
        }
    }
}

fn into_pull(pull: WirePull) -> Pull {
    let mergeability = match (pull.mergeable, pull.mergeable_state.as_deref()) {
        (_, Some("behind")) => Mergeability::Behind,
        (Some(false), _) | (_, Some("dirty")) => Mergeability::Conflict,
        (Some(true), Some("blocked")) => Mergeability::Blocked,
        (Some(true), Some("unknown")) | (None, _) => Mergeability::Unknown,
        (Some(true), _) => Mergeability::Clean,
    };
    pull.into_pull(mergeability)
}

#[derive(Debug, Deserialize)]
struct WireRef {
    object: WireObject,
}

#[derive(Debug, Deserialize)]
struct WireObject {
    sha: String,
}

#[derive(Debug, Deserialize)]
struct WireBranch {
    protection: Option<WireProtection>,
}

#[derive(Debug, Deserialize)]
struct WireProtection {
    required_status_checks: Option<WireRequired>,
}

#[derive(Debug, Deserialize)]
struct WireRequired {
    #[serde(default)]
    contexts: Vec<String>,
    #[serde(default)]
    checks: Vec<WireContext>,
}

#[derive(Debug, Deserialize)]
struct WireContext {
    context: String,
}

impl WireBranch {
    fn required(self) -> Vec<String> {
        let required = self.protection.and_then(|p| p.required_status_checks);
        required.map_or_else(Vec::new, |r| {
            let checks = r.checks.into_iter().map(|c| c.context);
            r.contexts.into_iter().chain(checks).collect()
        })
    }
}

#[derive(Debug, Deserialize)]
struct WireRule {
    #[serde(rename = "type")]
    kind: String,
    parameters: Option<Value>,
}

impl WireRule {
    fn required(self) -> Vec<String> {
        let parameters = self.parameters.filter(|_| self.kind == "required_status_checks");
        let list = parameters
            .as_ref()
            .and_then(|p| p.get("required_status_checks")?.as_array());
        let context = |c: &Value| c.get("context")?.as_str().map(str::to_owned);
        list.map_or_else(Vec::new, |list| list.iter().filter_map(context).collect())
    }
}

#[derive(Debug, Deserialize)]
struct WireReview {
    id: u64,
    user: Option<WireUser>,
    body: Option<String>,
    state: String,
    commit_id: Option<String>,
    submitted_at: Option<DateTime<Utc>>,
    #[serde(default)]
    author_association: String,
}

impl WireReview {
    fn into_review(self) -> Option<Review> {
        let trusted = matches!(
            self.author_association.as_str(),
            "OWNER" | "MEMBER" | "COLLABORATOR"
        );
        Some(Review {
            id: self.id,
            author: login(self.user),
            trusted,
            stand: verdict::review(&self.state)?,
            commit: self.commit_id,
            at: self.submitted_at,
            body: cut(&self.body.unwrap_or_default(), TEXT),
            notes: Vec::new(),
        })
    }
}
