//! Forges: pull requests, their checks and reviews, on GitHub and on Gitea (Forgejo speaks the same).
//!
//! [`Forge`] is what a landing needs and no more; [`look`] gathers what [`crate::domain::landing::next`] decides on.
//! Each verb may be repeated: what is done already is found done.
//!
//! Invariants: a token travels in one header, to the one address that is configured: no redirect is followed, no link of
//! an answer is called, and without TLS only this machine is spoken to. A list is read to its end or is an error, never
//! a part. Words of others are cut and freed of control characters before anybody sees them.
//! Deliberately absent: pushing (git's), retries (each error says what to do, see [`Remedy`]), deciding anything.

mod address;
mod api;
mod error;
mod gitea;
mod github;
mod issue;
mod limit;
mod link;
mod verdict;
mod wire;

use std::fmt::Debug;

use async_trait::async_trait;
use secrecy::SecretString;

pub use address::{Address, AddressError};
pub use error::{ForgeError, Remedy};
pub use gitea::Gitea;
pub use github::GitHub;

use crate::clock::Clock;
use crate::domain::landing::{Checks, Landing, Pull, PullState, Review, Rules, Seen};

/// Which forge it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GitHub, also on a server of one's own.
    GitHub,
    /// Gitea or Forgejo.
    Gitea,
}

/// Whom to talk to, and as whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which forge it is.
    pub kind: Kind,
    /// The host that the token is for, with a port where pages are served on an unusual one: repositories elsewhere are
    /// refused.
    pub host: String,
    /// The root of its interface, for example `https://api.github.com`; where absent, what is usual for the host.
    pub api: Option<String>,
    /// The token.
    pub token: SecretString,
}

/// A pull request to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPull {
    /// The branch with the work.
    pub branch: String,
    /// The branch it goes into.
    pub base: String,
    /// The commit at the head of the branch.
    pub commit: String,
    /// Its title.
    pub title: String,
    /// Its text, as Markdown.
    pub body: String,
}

/// A squash merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Squash {
    /// The commit that the head must be.
    pub commit: String,
    /// The first line of the new commit's message.
    pub title: String,
    /// The rest of it.
    pub message: String,
}

/// What a landing needs of a forge, for one repository.
#[async_trait]
pub trait Forge: Debug + Send + Sync {
    /// The commit at the head of a branch; none where there is no such branch.
    async fn branch_head(&self, branch: &str) -> Result<Option<String>, ForgeError>;

    /// The open pull request of a branch into a base; where there is none, the newest one at this very commit that was
    /// merged or closed.
    async fn find(&self, branch: &str, base: &str, commit: &str) -> Result<Option<Pull>, ForgeError>;

    /// Opens a pull request. See [`adopt_or_open`].
    async fn open(&self, new: &NewPull) -> Result<Pull, ForgeError>;

    /// Reads a pull request.
    async fn read(&self, number: u64) -> Result<Pull, ForgeError>;

    /// The checks at a commit, and which of them the forge requires for the base, as far as it lets that be read.
    async fn checks(&self, commit: &str, base: &str) -> Result<Checks, ForgeError>;

    /// The reviews that were handed in, oldest first, with their remarks.
    async fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError>;

    /// Squashes and merges, only if the head is the commit: else [`ForgeError::HeadMoved`], and nothing happens.
    async fn merge(&self, number: u64, squash: &Squash) -> Result<(), ForgeError>;

    /// Whether an issue is open.
    async fn issue_open(&self, issue: u64) -> Result<bool, ForgeError>;

    /// Comments on an issue or a pull request, once: a comment that bears the key is not written again.
    async fn comment(&self, issue: u64, key: &str, text: &str) -> Result<(), ForgeError>;

    /// Closes an issue.
    async fn close_issue(&self, issue: u64) -> Result<(), ForgeError>;

    /// Deletes a branch; one that is gone is fine.
    async fn delete_branch(&self, branch: &str) -> Result<(), ForgeError>;
}

/// The forge of a repository.
pub fn connect(
    settings: &Settings,
    repository: &Address,
    clock: Clock,
) -> Result<Box<dyn Forge>, ForgeError> {
    if !repository.is_on(&settings.host) {
        let host = &settings.host;
        let why = format!(
            "the token is for {host}, and the repository is {repository}; correct forge.host or the address"
        );
        return Err(ForgeError::Settings(why));
    }
    Ok(match settings.kind {
        Kind::GitHub => Box::new(GitHub::new(settings, repository, clock)?),
        Kind::Gitea => Box::new(Gitea::new(settings, repository, clock)?),
    })
}

/// The open pull request for this work: the one that is there, or a new one. One that was merged or closed stays as it is.
pub async fn adopt_or_open(forge: &dyn Forge, new: &NewPull) -> Result<Pull, ForgeError> {
    if let Some(pull) = open_one(forge, new).await? {
        return Ok(pull);
    }
    match forge.open(new).await {
        // Somebody was faster, or an answer to an earlier try was lost.
        Err(error @ (ForgeError::Conflict { .. } | ForgeError::Invalid { .. })) => {
            open_one(forge, new).await?.ok_or(error)
        }
        opened => opened,
    }
}

async fn open_one(forge: &dyn Forge, new: &NewPull) -> Result<Option<Pull>, ForgeError> {
    let found = forge.find(&new.branch, &new.base, &new.commit).await?;
    Ok(found.filter(|pull| pull.state == PullState::Open))
}

/// All that the decision about a landing depends on. What it cannot need is not asked for.
pub async fn look(forge: &dyn Forge, landing: &Landing, rules: &Rules) -> Result<Seen, ForgeError> {
    let branch_head = forge.branch_head(&landing.branch).await?;
    let pull = match landing.pull {
        Some(number) => Some(forge.read(number).await?),
        None => {
            forge
                .find(&landing.branch, &landing.base, &landing.commit)
                .await?
        }
    };
    let mut seen = Seen {
        branch_head,
        pull,
        checks: Checks::default(),
        reviews: Vec::new(),
        issue_open: None,
    };
    match seen
        .pull
        .as_ref()
        .map(|pull| (pull.number, &pull.state, &pull.head))
    {
        Some((number, PullState::Open, head)) if *head == landing.commit => {
            seen.checks = forge.checks(&landing.commit, &landing.base).await?;
            seen.reviews = forge.reviews(number).await?;
        }
        Some((_, PullState::Merged { .. }, _)) if rules.close_issue => {
            if let Some(issue) = landing.issue {
                seen.issue_open = Some(forge.issue_open(issue).await?);
            }
        }
        _ => {}
    }
    Ok(seen)
}
