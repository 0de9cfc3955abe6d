//! Gitea's dialect, which is Forgejo's: statuses alone, patterns of required ones, `head_commit_id` to guard a merge.
//!
//! Differences that matter: lists cannot be asked for one head; `mergeable: false` means a conflict or that it is still
//! reckoned, so it says nothing; the branch of a merged pull request is called `refs/pull/N/head` once it is deleted; one
//! 409 stands for a moved head, a moved base and a conflict, told apart by its words; a remark that is not part of an
//! official review cannot be told from a stranger's, and is not handed on.
//! Source: Gitea's description of its interface (`/api/swagger`).

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::address::{Address, api as usual};
use super::api::{Api, Ask, Dialect};
use super::error::ForgeError;
use super::wire::{TEXT, WireNote, WirePull, WireStatus, WireUser, cut, latest, login};
use super::{Forge, Kind, NewPull, Settings, Squash, issue, verdict};
use crate::clock::Clock;
use crate::domain::landing::{Checks, Mergeability, Note, Pull, Required, Review, Stand};

const DIALECT: Dialect = Dialect {
    scheme: "token",
    accept: "application/json",
    version: None,
    size_key: "limit",
    size: "50",
};

/// The words of the 409 that means a moved head.
const MOVED: &str = "head out of date";

/// A repository on Gitea or Forgejo.
#[derive(Debug)]
pub struct Gitea {
    api: Api,
    full_name: String,
}

impl Gitea {
    /// A repository on Gitea or Forgejo.
    pub fn new(settings: &Settings, repository: &Address, clock: Clock) -> Result<Self, ForgeError> {
        let usual = usual(Kind::Gitea, &settings.host);
        let root = settings.api.as_deref().unwrap_or(&usual);
        Ok(Self {
            api: Api::new(DIALECT, root, repository, &settings.token, clock)?,
            full_name: repository.full_name(),
        })
    }

    async fn pulls(&self, state: &str, branch: &str, base: &str) -> Result<Vec<WirePull>, ForgeError> {
        let ask = Ask::new("look for the pull request", "pulls")
            .with("state", state)
            .with("sort", "recentupdate")
            // Those that are too old to know this key leave it out; what comes is looked at anyway.
            .with("base_branch", base);
        let mut all = self.api.list(&ask, |page: Vec<WirePull>| page).await?;
        all.retain(|p| {
            let repository = p.head.repo.as_ref().map(|r| r.full_name.as_str());
            let ours = repository.is_none_or(|name| name.eq_ignore_ascii_case(&self.full_name));
            let of_branch = p.head.branch == branch || p.head.label == branch;
            ours && of_branch && p.base.branch == base
        });
        Ok(all)
    }

    async fn branch(&self, name: &str) -> Result<Option<WireBranch>, ForgeError> {
        let ask = Ask::new("read the branch", format!("branches/{name}"));
        self.api.get_if_there(&ask).await
    }

    async fn notes(&self, number: u64, review: u64) -> Result<Vec<Note>, ForgeError> {
        let ask = Ask::new(
            "read remarks on lines",
            format!("pulls/{number}/reviews/{review}/comments"),
        );
        let notes = self.api.list(&ask, |page: Vec<WireNote>| page).await?;
        Ok(notes.into_iter().map(|n| n.into_note(|_, place| place)).collect())
    }
}

#[async_trait]
impl Forge for Gitea {
    async fn branch_head(&self, branch: &str) -> Result<Option<String>, ForgeError> {
        Ok(self.branch(branch).await?.map(|b| b.commit.id))
    }

    async fn find(&self, branch: &str, base: &str, commit: &str) -> Result<Option<Pull>, ForgeError> {
        let open = self.pulls("open", branch, base).await?;
        if let Some(pull) = open.into_iter().next() {
            return Ok(Some(into_pull(pull)));
        }
        let closed = self.pulls("closed", branch, base).await?;
        Ok(closed.into_iter().find(|p| p.head.sha == commit).map(into_pull))
    }

    async fn open(&self, new: &NewPull) -> Result<Pull, ForgeError> {
        let ask = Ask::new("open a pull request", "pulls");
        let body = json!({ "title": new.title, "body": new.body, "head": new.branch, "base": new.base });
        let pull: WirePull = self.api.send(Method::POST, &ask, &body).await?;
        Ok(into_pull(pull))
    }

    async fn read(&self, number: u64) -> Result<Pull, ForgeError> {
        let ask = Ask::new("read the pull request", format!("pulls/{number}"));
        self.api.get(&ask).await.map(into_pull)
    }

    async fn checks(&self, commit: &str, base: &str) -> Result<Checks, ForgeError> {
        let ask = Ask::new("read commit statuses", format!("statuses/{commit}"));
        let statuses = self.api.list(&ask, |page: Vec<WireStatus>| page).await?;
        let ask = Ask::new("read the base branch", format!("branches/{base}"));
        let branch: WireBranch = self.api.get(&ask).await?;
        Ok(Checks {
            found: latest(statuses),
            required: branch.required(),
        })
    }

    async fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError> {
        let ask = Ask::new("read reviews", format!("pulls/{number}/reviews"));
        let all = self.api.list(&ask, |page: Vec<WireReview>| page).await?;
        let mut reviews = Vec::new();
        for wire in all {
            let remarks = wire.comments_count;
            let Some(mut review) = wire.into_review() else {
                continue;
            };
            // What a stranger wrote is never handed on, so it need not be fetched.
            if remarks > 0 && review.trusted {
                review.notes = self.notes(number, review.id).await?;
            }
            reviews.push(review);
        }
        reviews.sort_by_key(|r| (r.at, r.id));
        Ok(reviews)
    }

    async fn merge(&self, number: u64, squash: &Squash) -> Result<(), ForgeError> {
        let ask = Ask::new("merge the pull request", format!("pulls/{number}/merge"));
        let body = json!({
            "Do": "squash",
            "head_commit_id": squash.commit,
            "MergeTitleField": squash.title,
            "MergeMessageField": squash.message,
            "delete_branch_after_merge": false,
        });
        match self.api.order(Method::POST, &ask, Some(&body)).await {
            Err(ForgeError::Conflict { message, .. }) if message.contains(MOVED) => {
                Err(ForgeError::HeadMoved {
                    expected: squash.commit.clone(),
                })
            }
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
        self.api
            .order(Method::PATCH, &ask, Some(&json!({ "state": "closed" })))
            .await
    }

    async fn delete_branch(&self, branch: &str) -> Result<(), ForgeError> {
        let ask = Ask::new("delete the branch", format!("branches/{branch}"));
        match self.api.order(Method::DELETE, &ask, None::<&Value>).await {
            Err(ForgeError::NotFound { .. }) => Ok(()),
            done => done,
        }
    }
}

fn into_pull(pull: WirePull) -> Pull {
    let mergeability = match pull.mergeable {
        Some(true) => Mergeability::Clean,
        _ => Mergeability::Unknown,
    };
    pull.into_pull(mergeability)
}

#[derive(Debug, Deserialize)]
struct WireBranch {
    commit: WireCommit,
    #[serde(default)]
    enable_status_check: bool,
    #[serde(default)]
    status_check_contexts: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct WireCommit {
    id: String,
}

impl WireBranch {
    fn required(self) -> Vec<Required> {
        let names = self.status_check_contexts.filter(|_| self.enable_status_check);
        let pattern = |name| Required { name, pattern: true };
        names.unwrap_or_default().into_iter().map(pattern).collect()
    }
}

#[derive(Debug, Deserialize)]
struct WireReview {
    id: u64,
    user: Option<WireUser>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    state: String,
    commit_id: Option<String>,
    submitted_at: Option<DateTime<Utc>>,
    #[serde(default)]
    official: bool,
    #[serde(default)]
    dismissed: bool,
    #[serde(default)]
    comments_count: u64,
}

impl WireReview {
    fn into_review(self) -> Option<Review> {
        let stand = verdict::review(&self.state)?;
        Some(Review {
            id: self.id,
            author: login(self.user),
            trusted: self.official,
            stand: if self.dismissed { Stand::Dismissed } else { stand },
            commit: self.commit_id.filter(|c| !c.is_empty()),
            at: self.submitted_at,
            body: cut(&self.body, TEXT),
            notes: Vec::new(),
        })
    }
}
