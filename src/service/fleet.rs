//! The fleet: the configured runtimes, which of them can be used, and the route of an attempt.
//!
//! Invariant: a runtime that is not there, or whose provider asked for a rest, is passed over, and why is known.

mod review;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::config::{Config, Secret, section};
use crate::domain::task::{State, Task};
use crate::domain::tier::{Route, TierName};
use crate::runtime::acp::{self, Acp};
use crate::runtime::claude_code::{self, ClaudeCode};
use crate::runtime::codex::{self, Codex};
use crate::runtime::command::{self, Command};
use crate::runtime::messages::{self, Messages};
use crate::runtime::{Available, Runtime, Unavailable};
use crate::store::{Store, StoreError};

/// The name of the flag under which the service writes down what it found.
const FLAG: &str = "runtimes";

type Environment = BTreeMap<std::ffi::OsString, std::ffi::OsString>;

/// The configured runtimes.
pub struct Fleet {
    members: BTreeMap<String, Member>,
    rungs: Vec<Rung>,
    /// The runtimes that review, where work is reviewed and they are named.
    reviewers: Vec<String>,
}

struct Member {
    runtime: Arc<dyn Runtime>,
    /// A secret that its configuration names and that is not there.
    lacks: Option<String>,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    probed: Option<Result<Available, Unavailable>>,
    rests_until: Option<DateTime<Utc>>,
}

struct Rung {
    tier: TierName,
    model: String,
    models: BTreeMap<String, String>,
    runtimes: Vec<String>,
}

impl Rung {
    /// What its runtime of that name is asked to use.
    fn model_of(&self, runtime: &str) -> &str {
        self.models.get(runtime).unwrap_or(&self.model)
    }
}

/// A runtime as `doctor` and `status` show it.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its name in the configuration.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Whether it can be used, by its last probe.
    pub standing: Result<Available, Unavailable>,
    /// Whether a tier names it, or the review.
    pub wanted: bool,
}

impl Fleet {
    /// Builds the runtimes of a configuration; nothing is probed yet.
    pub fn new(config: &Config, exe: &Path, environment: &Environment) -> Self {
        let member = |(name, runtime): (&String, &section::Runtime)| {
            let lacks = runtime.unavailable();
            let contained = runtime.contained(config.containment.tier) != section::ContainmentTier::None;
            let runtime = build(runtime, exe, environment, contained);
            (
                name.clone(),
                Member {
                    runtime,
                    lacks,
                    standing: Mutex::default(),
                },
            )
        };
        let rung = |tier: &section::Tier| Rung {
            tier: tier.name.clone(),
            model: tier.model.clone(),
            models: tier.models.clone(),
            runtimes: tier.runtimes.clone(),
        };
        Self {
            members: config.runtimes.iter().map(member).collect(),
            rungs: config.tiers.iter().map(rung).collect(),
            reviewers: match config.review.mode {
                section::ReviewMode::On => config.review.runtimes.clone(),
                section::ReviewMode::Off => Vec::new(),
            },
        }
    }

    /// Looks which runtimes can be used. Spends nothing.
    pub async fn probe(&self) {
        for member in self.members.values() {
            let found = match &member.lacks {
                Some(reason) => Err(Unavailable {
                    reason: reason.clone(),
                    cure: "set it in the environment of the service".to_owned(),
                }),
                None => member.runtime.probe().await,
            };
            member.standing().probed = Some(found);
        }
    }

    /// Writes down what the probe found, for commands beside the service; nothing where it is known already.
    pub async fn remember(&self, store: &dyn Store, now: DateTime<Utc>) -> Result<(), StoreError> {
        let found: BTreeMap<&String, Option<(String, String)>> = self
            .members
            .iter()
            .map(|(name, m)| {
                (
                    name,
                    m.standing()
                        .probed
                        .clone()
                        .and_then(Result::err)
                        .map(|u| (u.reason, u.cure)),
                )
            })
            .collect();
        let value = serde_json::json!(found);
        let known = store.flag(FLAG).await?;
        if known.is_some_and(|f| f.value == value) {
            return Ok(());
        }
        store.set_flag(FLAG, Some(value), now).await
    }

    /// Takes in what the service last found, where nothing was probed here.
    pub async fn recall(&self, store: &dyn Store) -> Result<(), StoreError> {
        let Some(flag) = store.flag(FLAG).await? else {
            return Ok(());
        };
        let found: BTreeMap<String, Option<(String, String)>> =
            serde_json::from_value(flag.value).unwrap_or_default();
        for (name, missing) in found {
            let Some(member) = self.members.get(&name) else {
                continue;
            };
            let told = match missing {
                Some((reason, cure)) => Err(Unavailable { reason, cure }),
                None => Ok(Available {
                    version: String::new(),
                }),
            };
            member.standing().probed.get_or_insert(told);
        }
        Ok(())
    }

    /// A runtime by name.
    pub fn runtime(&self, name: &str) -> Option<Arc<dyn Runtime>> {
        self.members.get(name).map(|m| m.runtime.clone())
    }

    /// Whether a runtime is a command of the user's own (or is not there any more).
    pub fn is_plain_command(&self, name: &str) -> bool {
        self.members
            .get(name)
            .is_none_or(|m| m.runtime.kind() == "command")
    }

    /// Leaves a runtime alone for a while.
    pub fn rest(&self, name: &str, until: DateTime<Utc>) {
        if let Some(member) = self.members.get(name) {
            let mut standing = member.standing();
            standing.rests_until = standing.rests_until.max(Some(until));
        }
    }

    /// How the planned attempt of a task would run: by the runtime of its session if that can be used, else by the
    /// first of its tier that can.
    pub fn route(&self, task: &Task, now: DateTime<Utc>) -> Option<Route> {
        let State::Ready { next, .. } = &task.state else {
            return None;
        };
        let (rung, candidates) = self.candidates(task, &next.tier)?;
        let usable = |name: &&str| self.members.get(*name).is_some_and(|m| m.is_usable(now));
        let of_session = candidates
            .iter()
            .copied()
            .find(|name| next.runtime.as_deref() == Some(*name))
            .filter(|n| usable(n));
        let runtime = of_session.or_else(|| candidates.iter().copied().find(usable))?;
        Some(Route {
            tier: next.tier.clone(),
            runtime: runtime.to_owned(),
            model: rung.model_of(runtime).to_owned(),
            why: next.why.clone(),
        })
    }

    /// Why no runtime of the task's planned tier can be used; none where one can.
    pub fn obstacle(&self, task: &Task, now: DateTime<Utc>) -> Option<String> {
        let State::Ready { next, .. } = &task.state else {
            return None;
        };
        let Some((_, candidates)) = self.candidates(task, &next.tier) else {
            return Some(format!("there is no tier '{}' in the configuration", next.tier));
        };
        let reasons: Option<Vec<String>> = candidates.iter().map(|name| self.why_not(name, now)).collect();
        reasons.map(|all| {
            if all.is_empty() {
                "the tier names no runtime that the task's agent allows".to_owned()
            } else {
                all.join("; ")
            }
        })
    }

    /// As [`Fleet::obstacle`], but silent about runtimes that nobody looked for yet.
    pub fn known_obstacle(&self, task: &Task, now: DateTime<Utc>) -> Option<String> {
        let looked = self.members.values().any(|m| m.standing().probed.is_some());
        self.obstacle(task, now).filter(|_| looked)
    }

    fn candidates<'a>(&'a self, task: &'a Task, tier: &TierName) -> Option<(&'a Rung, Vec<&'a str>)> {
        let rung = self.rungs.iter().find(|r| &r.tier == tier)?;
        let names = match &task.definition.runtime {
            Some(only) => vec![only.as_str()],
            None => {
                let allowed = &task.definition.runtimes;
                let may = |name: &&str| allowed.is_empty() || allowed.iter().any(|a| a == name);
                rung.runtimes.iter().map(String::as_str).filter(may).collect()
            }
        };
        Some((rung, names))
    }

    fn why_not(&self, name: &str, now: DateTime<Utc>) -> Option<String> {
        let Some(member) = self.members.get(name) else {
            return Some(format!("{name} is not configured"));
        };
        let standing = member.standing();
        match (&standing.probed, standing.rests_until.filter(|t| *t > now)) {
            (Some(Err(problem)), _) => Some(format!("{name}: {problem}")),
            (_, Some(until)) => Some(format!("{name} rests until {}", until.format("%H:%M:%S UTC"))),
            _ => None,
        }
    }

    /// When the first resting runtime may be used again.
    pub fn rested_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.members
            .values()
            .filter_map(|m| m.standing().rests_until)
            .filter(|t| *t > now)
            .min()
    }

    /// All runtimes that were looked for, by name.
    pub fn report(&self) -> Vec<Report> {
        let wanted = |name: &String| {
            let by_tier = self.rungs.iter().any(|r| r.runtimes.contains(name));
            by_tier || self.reviewers.contains(name)
        };
        let row = |(name, member): (&String, &Member)| {
            let standing = member.standing().probed.clone()?;
            Some(Report {
                name: name.clone(),
                kind: member.runtime.kind(),
                standing,
                wanted: wanted(name),
            })
        };
        self.members.iter().filter_map(row).collect()
    }
}

impl Member {
    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_usable(&self, now: DateTime<Utc>) -> bool {
        let standing = self.standing();
        matches!(standing.probed, Some(Ok(_))) && standing.rests_until.is_none_or(|t| t <= now)
    }
}

fn build(
    runtime: &section::Runtime,
    exe: &Path,
    environment: &Environment,
    contained: bool,
) -> Arc<dyn Runtime> {
    let (env, inherited) = (runtime.env.clone(), environment.clone());
    match &runtime.kind {
        section::Kind::Command { command } => Arc::new(Command::new(command::Options {
            command: command.clone(),
            env,
            inherited,
        })),
        section::Kind::ClaudeCode(claude) => Arc::new(ClaudeCode::new(claude_code::Options {
            binary: claude.binary.clone(),
            args: claude.args.clone(),
            env,
            permission_mode: claude.permission_mode.as_str().to_owned(),
            max_turns: claude.max_turns.map(std::num::NonZeroU32::get),
            base_url: claude.base_url.clone(),
            api_key: secret(claude.api_key.as_ref()),
            inherited,
            ..claude_code::Options::default()
        })),
        section::Kind::Codex(settings) => Arc::new(Codex::new(codex::Options {
            binary: settings.binary.clone(),
            args: settings.args.clone(),
            env,
            sandbox: codex_sandbox(settings.sandbox),
            user_config: settings.user_config,
            base_url: settings.base_url.clone(),
            api_key: secret(settings.api_key.as_ref()),
            contained,
            inherited,
        })),
        section::Kind::Messages(api) => Arc::new(Messages::new(messages::Options {
            base_url: api.base_url.clone(),
            api_key: secret(api.api_key.as_ref()),
            max_tokens: api.max_tokens.get(),
            max_turns: api.max_turns.get(),
            env,
            idle_timeout: Duration::from_secs(120),
            ..messages::Options::new(exe.to_owned())
        })),
        section::Kind::Acp(agent) => Arc::new(Acp::new(acp::Options {
            permission: permission(agent.permission),
            auth_method: agent.auth_method.clone(),
            max_turns: agent.max_turns.map(std::num::NonZeroU32::get),
            env,
            inherited,
            ..acp::Options::new(exe.to_owned(), agent.command.clone())
        })),
    }
}

fn permission(word: section::Permission) -> acp::Permission {
    match word {
        section::Permission::Contained => acp::Permission::Contained,
        section::Permission::All => acp::Permission::All,
        section::Permission::Edit => acp::Permission::Edit,
        section::Permission::ReadOnly => acp::Permission::ReadOnly,
        section::Permission::Deny => acp::Permission::Deny,
    }
}

fn codex_sandbox(mode: section::CodexSandbox) -> codex::SandboxMode {
    match mode {
        section::CodexSandbox::ReadOnly => codex::SandboxMode::ReadOnly,
        section::CodexSandbox::WorkspaceWrite => codex::SandboxMode::WorkspaceWrite,
        section::CodexSandbox::DangerFullAccess => codex::SandboxMode::DangerFullAccess,
    }
}

fn secret(secret: Option<&Secret>) -> Option<SecretString> {
    secret.and_then(|s| s.value().ok()).cloned()
}
