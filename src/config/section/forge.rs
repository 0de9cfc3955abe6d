//! `[forge]`: where pull requests are opened.

use std::time::Duration;

use super::longer_than_zero;
use crate::config::reader::Section;
use crate::config::secret::Secret;
use crate::config::setting::words;
use crate::domain::landing::{Expect, Merges, Rules};

/// `[forge]`.
#[derive(Debug, Clone)]
pub struct Forge {
    /// Which forge it is; none where there is no forge.
    pub kind: Option<ForgeKind>,
    /// The host of its pages and repositories.
    pub host: Option<String>,
    /// The root of its interface, where that is not the usual one.
    pub api: Option<String>,
    /// The token.
    pub token: Option<Secret>,
    /// What a pull request must satisfy.
    pub rules: Rules,
    /// Between two looks at a pull request that waits for something.
    pub poll: Duration,
}

/// Which forge it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// GitHub, also on a server of one's own.
    GitHub,
    /// Gitea or Forgejo.
    Gitea,
}

impl ForgeKind {
    /// The variable that usually holds its token.
    fn variable(self) -> &'static str {
        match self {
            Self::GitHub => "${GITHUB_TOKEN}",
            Self::Gitea => "${GITEA_TOKEN}",
        }
    }
}

words!(ForgeKind { "github" => GitHub, "gitea" => Gitea });
words!(Merges { "orchestrator" => Orchestrator, "person" => Person });

/// Waiting for a person to press a button is the project's to ask for.
fn merges() -> Merges {
    Merges::Orchestrator
}

/// One green check, at least, and no red one.
fn checks() -> Vec<String> {
    vec![ANY.to_owned()]
}

/// The forge's own rules ask for approvals where a project wants them.
fn approvals() -> u32 {
    0
}

/// What was asked for is done.
fn close_issue() -> bool {
    true
}

/// Its work is in the base.
fn delete_branch() -> bool {
    true
}

/// Longer than most pipelines run.
fn patience() -> Duration {
    Duration::from_hours(2)
}

/// Kind to a forge's limits.
fn poll() -> Duration {
    Duration::from_secs(30)
}

/// Stands for any check that shows up.
const ANY: &str = "any";
/// Stands for no check besides those that the forge requires.
const NONE: &str = "none";

fn expect(names: Vec<String>) -> Expect {
    match &names[..] {
        [one] if one == ANY => Expect::Any,
        [one] if one == NONE => Expect::Nothing,
        [] => Expect::Nothing,
        _ => Expect::Named(names),
    }
}

impl Forge {
    pub(in crate::config) fn read(section: &mut Section<'_, '_>) -> Self {
        let kind: Option<ForgeKind> = section.maybe("kind");
        let forge = Self {
            kind,
            host: section.maybe("host"),
            api: section.maybe("api"),
            token: section.secret("token", kind.map(ForgeKind::variable)),
            rules: Rules {
                merges: section.get("merge", merges),
                checks: expect(section.get("checks", checks)),
                approvals: section.get("approvals", approvals),
                close_issue: section.get("close_issue", close_issue),
                delete_branch: section.get("delete_branch", delete_branch),
                patience: section.get_if("patience", patience, longer_than_zero),
            },
            poll: section.get_if("poll", poll, longer_than_zero),
        };
        if kind == Some(ForgeKind::Gitea) && forge.host.is_none() {
            let at = section.origin_of("kind");
            let help = Some("name the host, for example host = \"git.example.org\"".to_owned());
            section.fault(at, "forge.host is missing", help);
        }
        forge
    }

    /// The host; GitHub's own where none is named.
    pub fn host(&self) -> &str {
        self.host.as_deref().unwrap_or("github.com")
    }
}
