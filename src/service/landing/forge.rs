//! A landing by a forge's pull request: look, decide, write down, act; again until it is over or somebody else's turn.
//!
//! What is remembered is committed before anything is done with it; every act may be repeated.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;

use super::{Turn, objections};
use crate::config::section::ForgeKind;
use crate::domain::event::Event;
use crate::domain::landing::{Landing, Seen, Step, Waits, next};
use crate::forge::{
    Address, Forge, ForgeError, Kind, NewPull, Remedy, Settings, Squash, adopt_or_open, connect, look,
};
use crate::service::judge::NotJudged;
use crate::workspace::{Login, Push, Pushed, Workspace, WorkspaceError};

/// So many looks in a row that find things other than they seemed make it a person's business.
const SURPRISES: u32 = 5;
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_mins(5);

/// What a landing needs besides its task.
struct Ground {
    workspace: Workspace,
    forge: Box<dyn Forge>,
    host: String,
    token: SecretString,
    url: String,
}

impl Turn<'_> {
    pub(super) async fn by_forge(&self) -> Result<Event, NotJudged> {
        let epoch = self.claim.epoch;
        let ground = match self.ground().await? {
            Ok(ground) => ground,
            Err(reason) => return Ok(Event::NotLanded { epoch, reason }),
        };
        if ground.workspace.is_in_base(&self.report.commit).await? {
            let commit = self.report.commit.clone();
            return Ok(Event::Landed { epoch, commit });
        }
        let landing = match self.remembered(&ground) {
            Ok(landing) => landing,
            Err(reason) => return Ok(Event::NotLanded { epoch, reason }),
        };
        if self.task.history.landing.as_deref() != Some(&landing) {
            return Ok(self.note(landing));
        }
        let mut troubles = 0;
        loop {
            let error = match self.turn(&ground, &landing).await? {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {
                    troubles = 0;
                    continue;
                }
                Err(error) => error,
            };
            troubles += 1;
            let clock = &self.instance.clock;
            match error.remedy() {
                Remedy::WaitUntil(at) => clock.sleep_until(at).await,
                Remedy::LookAgain if troubles < SURPRISES => {}
                Remedy::LookAgain | Remedy::AskPerson => {
                    let reason = error.to_string();
                    return Ok(Event::NotLanded { epoch, reason });
                }
                Remedy::TryAgain => {
                    tracing::warn!(task = %self.task.id, %error, "its pull request waits");
                    let poll = self.instance.config.forge.poll;
                    clock.sleep((poll * troubles).min(PAUSE.max(poll))).await;
                }
            }
        }
    }

    /// Where it goes and as whom; or what is missing for that.
    async fn ground(&self) -> Result<Result<Ground, String>, WorkspaceError> {
        let workspace = crate::service::judge::workspace(self.instance, self.task).await?;
        let config = &self.instance.config.forge;
        let Some(kind) = config.kind else {
            let reason =
                "there is no [forge] in orchestrator.toml; set forge.kind, or landing to base or branch";
            return Ok(Err(reason.to_owned()));
        };
        let token = match config.token.as_ref().map(|secret| secret.value()) {
            Some(Ok(token)) => token.clone(),
            Some(Err(absent)) => return Ok(Err(format!("there is no forge.token: {absent}"))),
            None => {
                return Ok(Err(
                    "there is no forge.token; set it, for example to ${GITHUB_TOKEN}".to_owned(),
                ));
            }
        };
        let Some(url) = workspace.origin().await? else {
            let reason = "the repository has no remote 'origin'; add one, or set landing to base or branch";
            return Ok(Err(reason.to_owned()));
        };
        let host = config.host().to_owned();
        let settings = Settings {
            kind: match kind {
                ForgeKind::GitHub => Kind::GitHub,
                ForgeKind::Gitea => Kind::Gitea,
            },
            host: host.clone(),
            api: config.api.clone(),
            token: token.clone(),
        };
        let connected = url
            .parse::<Address>()
            .map_err(|error| error.to_string())
            .and_then(|address| {
                connect(&settings, &address, self.instance.clock.clone()).map_err(|e| e.to_string())
            });
        Ok(connected.map(|forge| Ground {
            workspace,
            forge,
            host,
            token,
            url,
        }))
    }

    /// What is known of this landing, at the commit that passed now.
    fn remembered(&self, ground: &Ground) -> Result<Landing, String> {
        let now = self.instance.clock.now();
        let commit = self.report.commit.clone();
        if let Some(known) = &self.task.history.landing {
            return Ok((**known).clone().with_commit(commit, now));
        }
        let base = ground.workspace.base_branch();
        let base =
            base.ok_or("no branch was checked out when the work began, so no pull request has a base")?;
        Ok(Landing {
            ours: vec![commit.clone()],
            commit,
            branch: ground.workspace.branch.clone(),
            base: base.to_owned(),
            since: now,
            pull: None,
            handed: BTreeSet::new(),
            issue: self.task.definition.issue,
            waits: None,
        })
    }

    fn note(&self, landing: Landing) -> Event {
        Event::LandingNoted {
            epoch: self.claim.epoch,
            landing: Box::new(landing),
        }
    }

    /// One look and what follows from it; nothing where the next look follows at once.
    async fn turn(
        &self,
        ground: &Ground,
        landing: &Landing,
    ) -> Result<Result<Option<Event>, ForgeError>, NotJudged> {
        let rules = &self.instance.config.forge.rules;
        let seen = match look(&*ground.forge, landing, rules).await {
            Ok(seen) => seen,
            Err(error) => return Ok(Err(error)),
        };
        let step = next(landing, &seen, rules, self.instance.clock.now());
        if let (Some(pull), None) = (&seen.pull, landing.pull)
            && !matches!(step, Step::Ask { .. })
        {
            let pull = Some(pull.number);
            return Ok(Ok(Some(self.note(Landing {
                pull,
                ..landing.clone()
            }))));
        }
        if !matches!(step, Step::Wait { .. }) && landing.waits.is_some() {
            let waits = None;
            return Ok(Ok(Some(self.note(Landing {
                waits,
                ..landing.clone()
            }))));
        }
        self.act(ground, landing, &seen, step).await
    }

    async fn act(
        &self,
        ground: &Ground,
        landing: &Landing,
        seen: &Seen,
        step: Step,
    ) -> Result<Result<Option<Event>, ForgeError>, NotJudged> {
        let epoch = self.claim.epoch;
        let forge = &*ground.forge;
        Ok(match step {
            Step::Push { commit, expect } => {
                return self.push(ground, landing, &commit, expect.as_deref()).await;
            }
            Step::Open => adopt_or_open(forge, &self.pull_request(landing))
                .await
                .map(|_| None),
            Step::Wait { why, until } => {
                let waits = Some(Waits { why, until });
                if waits != landing.waits {
                    return Ok(Ok(Some(self.note(Landing {
                        waits,
                        ..landing.clone()
                    }))));
                }
                self.instance.clock.sleep(self.instance.config.forge.poll).await;
                Ok(None)
            }
            Step::Rework { why, checks, reviews } => {
                let at = seen.pull.as_ref().map_or("", |pull| pull.url.as_str());
                let receipt = objections::receipt(
                    self.report,
                    at,
                    &why,
                    &checks,
                    &reviews,
                    self.instance.clock.now(),
                );
                let mut landing = landing.clone();
                landing.handed.extend(reviews.iter().map(|review| review.id));
                let mut report = self.report.clone();
                report.receipts.push(receipt);
                Ok(Some(Event::Returned {
                    epoch,
                    landing: Box::new(landing),
                    report: Box::new(report),
                }))
            }
            Step::Refresh { .. } => return self.refresh(ground, landing).await.map(Ok),
            Step::Merge { pull, commit } => self.merge(forge, pull, commit).await,
            Step::CloseIssue { issue } => self.close(forge, landing, issue).await,
            Step::DeleteBranch { branch } => forge.delete_branch(&branch).await.map(|()| None),
            Step::Done { merged, .. } => Ok(Some(Event::Landed {
                epoch,
                commit: merged.unwrap_or_else(|| landing.commit.clone()),
            })),
            Step::Ask { reason } => Ok(Some(Event::NotLanded { epoch, reason })),
        })
    }

    async fn push(
        &self,
        ground: &Ground,
        landing: &Landing,
        commit: &str,
        expect: Option<&str>,
    ) -> Result<Result<Option<Event>, ForgeError>, NotJudged> {
        let push = Push {
            url: &ground.url,
            commit,
            branch: &landing.branch,
            expect,
            login: Some(ground.login()),
        };
        let epoch = self.claim.epoch;
        Ok(match ground.workspace.push(&push, self.is_ours()).await? {
            Pushed::Done | Pushed::Moved => Ok(None),
            Pushed::Refused(words) => {
                let reason = format!(
                    "{} does not take the branch {}: {words}",
                    ground.host, landing.branch
                );
                Ok(Some(Event::NotLanded { epoch, reason }))
            }
            // Somebody's word was faster; there is nothing more to do for this one.
            Pushed::Stale => std::future::pending().await,
        })
    }

    /// The base as the forge has it is brought into the work, and the result is judged.
    async fn refresh(&self, ground: &Ground, landing: &Landing) -> Result<Option<Event>, NotJudged> {
        let workspace = &ground.workspace;
        let login = Some(ground.login());
        let base = workspace.fetch_branch(&ground.url, &landing.base, login).await?;
        let merged = workspace.bring_in(&self.report.commit, base).await?;
        if merged.commit == self.report.commit {
            // The forge has not seen yet that the work holds the base.
            self.instance.clock.sleep(self.instance.config.forge.poll).await;
            return Ok(None);
        }
        self.judged_anew(merged).await.map(Some)
    }

    async fn merge(&self, forge: &dyn Forge, pull: u64, commit: String) -> Result<Option<Event>, ForgeError> {
        if !self.is_ours().await {
            return std::future::pending().await;
        }
        let message = self.message();
        let (title, rest) = message.split_once("\n\n").unwrap_or((&message, ""));
        let squash = Squash {
            commit,
            title: format!("{title} (#{pull})"),
            message: rest.to_owned(),
        };
        forge.merge(pull, &squash).await.map(|()| None)
    }

    async fn close(
        &self,
        forge: &dyn Forge,
        landing: &Landing,
        issue: u64,
    ) -> Result<Option<Event>, ForgeError> {
        if let Some(pull) = landing.pull {
            let key = format!("{} #{pull}", self.task.id);
            forge
                .comment(issue, &key, &format!("Settled by #{pull}."))
                .await?;
        }
        forge.close_issue(issue).await.map(|()| None)
    }

    fn pull_request(&self, landing: &Landing) -> NewPull {
        let d = &self.task.definition;
        let message = self.message();
        let title = message.lines().next().unwrap_or_default().to_owned();
        let criteria = d.acceptance.iter().map(|c| format!("- {}\n", c.text));
        let criteria: String = criteria.collect();
        let receipts = self.report.receipts.iter();
        let receipts: String = receipts
            .map(|r| format!("- {} ({}): {}\n", r.name, r.category.as_str(), r.verdict.as_str()))
            .collect();
        let asked = match criteria.is_empty() {
            true => d.description.clone(),
            false => format!("{}\n\n### Acceptance criteria\n\n{criteria}", d.description),
        };
        let body = format!(
            "{asked}\n\n### Checks at {}\n\n{receipts}\nTask `{}`\n",
            landing.commit, self.task.id
        );
        NewPull {
            branch: landing.branch.clone(),
            base: landing.base.clone(),
            commit: landing.commit.clone(),
            title,
            body: self.instance.redactor.redact(&body).into_owned(),
        }
    }
}

impl Ground {
    fn login(&self) -> Login<'_> {
        Login {
            host: &self.host,
            token: &self.token,
        }
    }
}
