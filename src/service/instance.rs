//! An instance, opened: its paths, configuration, store, clock, workspaces, files and runtimes, each made once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, watch};

use super::containment::Containment;
use super::dispatcher::Dispatcher;
use super::driver::MEDIC;
use super::files::Files;
use super::fleet::Fleet;
use super::member::Member;
use super::outlet::Outlet;
use super::pulse::Pulse;
use super::queue_repository::QueueRepository;
use super::signals::{Errand, Signals, To};
use super::signs::Signs;
use super::surface::Standings;
use super::token::Tokens;
use super::view::Stopped;
use crate::bus::Rules;
use crate::clock::Clock;
use crate::config::{Config, Layout, section};
use crate::domain::id::TaskId;
use crate::domain::policy::Policy;
use crate::files::FileError;
use crate::format::redact::Redactor;
use crate::runtime::process::LeaseTerms;
use crate::store::{self, OpenMode, Store, StoreError};
use crate::workspace::{Spares, WorkspaceError, Workspaces};

/// Workers that are started at one time: the most of a start is processes of `git`, and more than a few only wait for each
/// other, holding the store's readers.
const STARTS: usize = 4;
/// The name of the flag that the emergency stop sets.
pub const STOPPED: &str = "stopped";

/// What an instance is opened with.
pub struct Opening {
    /// Its paths.
    pub layout: Layout,
    /// Its configuration.
    pub config: Config,
    /// Where the time comes from.
    pub clock: Clock,
    /// This very program.
    pub exe: PathBuf,
    /// The environment of the caller.
    pub environment: BTreeMap<OsString, OsString>,
    /// Whether reports are printed.
    pub reports_on_console: bool,
}

/// An opened instance.
pub struct Instance {
    /// Its paths.
    pub layout: Layout,
    /// Its configuration.
    pub config: Config,
    /// What decisions depend on.
    pub policy: Arc<Policy>,
    /// The truth.
    pub store: Arc<dyn Store>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where workers work.
    pub workspaces: Workspaces,
    /// Spare checkouts for its gate.
    pub spares: Spares,
    /// How its workers are contained.
    pub containment: Containment,
    /// Its runtimes.
    pub fleet: Fleet,
    /// Its place among others, where it is a node of a fleet.
    pub member: Option<Arc<Member>>,
    /// Where what its workers put out goes, where it is a node of a fleet.
    pub outlet: Option<Outlet>,
    /// Its files.
    pub files: Files,
    /// The repository that its queue is, where it is one.
    pub queue_repository: Option<Arc<QueueRepository>>,
    /// Hides secrets in what is kept and shown.
    pub redactor: Redactor,
    /// Makes the tokens of attempts.
    pub tokens: Tokens,
    /// This very program.
    pub exe: PathBuf,
    /// The environment of the caller.
    pub environment: BTreeMap<OsString, OsString>,
    /// Gates that may run at one time.
    pub gate_turns: Semaphore,
    /// Reviews that may be held at one time.
    pub review_turns: Semaphore,
    /// Workers that may be started at one time.
    pub start_turns: Semaphore,
    /// What was seen of workers and is not written down yet.
    pub signs: Signs,
    /// What is said to other processes, and heard of them.
    pub signals: Arc<Signals>,
    /// How its surfaces stand.
    pub surfaces: Standings,
    /// Told when somebody steered from within this process: the store does not count that as another's writing.
    pub steered: watch::Sender<()>,
    /// Told when there is something for surfaces.
    pub handed: watch::Sender<()>,
    /// Whether its passes come to an end.
    pub pulse: Pulse,
    /// Whether reports are printed.
    pub reports_on_console: bool,
}

/// Why an instance cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state folder.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// What tells this instance from others.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Instance {
    /// Opens an instance.
    pub async fn open(opening: Opening, mode: OpenMode) -> Result<Self, OpenError> {
        let Opening {
            mut layout,
            config,
            clock,
            exe,
            environment,
            reports_on_console,
        } = opening;
        if config.queue.repository.is_some() {
            layout = layout.with_queue_of_repository();
        }
        let store = store::open(&config.store.address(&layout), mode).await?;
        let home = environment.get(std::ffi::OsStr::new("HOME")).map(PathBuf::from);
        let mut policy = config.policy();
        // Whoever is not there has no turn; `doctor` says so.
        policy.medic &= layout.agent(MEDIC).is_some_and(|path| path.is_file());
        let policy = Arc::new(policy);
        let member = store
            .roster()
            .map(|roster| Member::new(&config, roster, &layout.state().join("node")));
        let workspaces = workspaces(&config, &layout, home.as_deref())?;
        let repository = QueueRepository::of(&config.queue, &layout, &workspaces)?;
        Ok(Self {
            member: member.transpose()?.map(Arc::new),
            outlet: store.output_log().map(Outlet::new),
            queue_repository: repository.map(Arc::new),
            workspaces,
            spares: Spares::new(&layout.state()),
            containment: Containment::new(&config, &layout, &exe, &environment),
            fleet: Fleet::new(&config, &exe, &environment),
            files: Files::new(&layout),
            redactor: redactor(&config, &environment),
            tokens: Tokens::new(layout.token_key()),
            gate_turns: Semaphore::new(policy.max_concurrent.max(1) as usize),
            review_turns: Semaphore::new(policy.max_concurrent.max(1) as usize),
            start_turns: Semaphore::new(STARTS),
            signs: Signs::default(),
            pulse: Pulse::default(),
            signals: Arc::new(Signals::with_rules(
                &config.bus,
                &store,
                clock.clone(),
                rules(&config),
            )),
            layout,
            config,
            policy,
            store,
            clock,
            exe,
            environment,
            surfaces: Standings::default(),
            steered: watch::Sender::new(()),
            handed: watch::Sender::new(()),
            reports_on_console,
        })
    }

    /// How long a worker may live on after it was last looked after.
    pub fn lease_terms(&self) -> LeaseTerms {
        let own = self.config.scheduler.lease;
        match &self.member {
            None => LeaseTerms {
                length: own,
                until: None,
            },
            Some(member) => {
                let (length, until) = member.outlives();
                LeaseTerms {
                    length: length.min(own),
                    until: Some(until),
                }
            }
        }
    }

    /// Whether its workers are to live on: not while this node's own lease is not trusted.
    pub fn keeps_workers(&self) -> bool {
        self.member.as_ref().is_none_or(|member| member.is_trusted())
    }

    /// Whether a worker may be started for an attempt that this node has since its start `term` in the fleet. Whoever lost its
    /// lease in between lost the attempt with it.
    pub fn may_start(&self, term: Option<u64>) -> bool {
        let member = self.member.as_ref();
        member.is_none_or(|member| member.is_trusted() && Some(member.term()) == term)
    }

    /// A dispatcher over its store.
    pub fn dispatcher(&self) -> Dispatcher {
        Dispatcher::new(
            self.store.clone(),
            self.policy.clone(),
            self.clock.clone(),
            self.member.clone(),
        )
        .telling(self.signals.clone())
    }

    /// What hides the token of this attempt as well; where the token cannot be told, it was never handed out.
    pub fn redactor_of(&self, task: &TaskId, epoch: u64, claimed_at: DateTime<Utc>) -> Redactor {
        let token = self.tokens.of(task, epoch, claimed_at);
        self.redactor.with(token.ok())
    }

    /// The emergency stop, where it is pulled.
    pub async fn stopped(&self) -> Result<Option<Stopped>, StoreError> {
        let flag = self.store.flag(STOPPED).await?;
        Ok(flag.map(|f| Stopped {
            by: f.value.as_str().unwrap_or("somebody").to_owned(),
            at: f.set_at,
        }))
    }

    /// Pulls the emergency stop, or lets go of it.
    pub async fn set_stopped(&self, by: Option<&str>) -> Result<(), StoreError> {
        self.store
            .set_flag(STOPPED, by.map(|by| by.into()), self.clock.now())
            .await?;
        self.signals.changed();
        if let Some(member) = &self.member {
            // The flag is set: a node that is not told sees it a little later.
            for node in member.roster().nodes().await.unwrap_or_default() {
                let kind = if by.is_some() { "stopped" } else { "started" };
                let (version, epoch, kind) = (0, 0, kind.to_owned());
                let task = None;
                self.signals.errand(
                    To::Node(node.name().clone()),
                    Errand {
                        task,
                        version,
                        epoch,
                        kind,
                    },
                );
            }
        }
        Ok(())
    }
}

/// What a node of a fleet holds and does not acknowledge is another's when its lease would be.
fn rules(config: &Config) -> Rules {
    Rules {
        claim_after: config.fleet.lease,
        // Messages of up to 100 kB each: a server is to be full of them for hours, not for days.
        journal_bound: 20_000,
        ..Rules::default()
    }
}

/// The secrets of the configuration, and what workers are handed from the environment under a name that speaks of one.
pub fn redactor(config: &Config, environment: &BTreeMap<OsString, OsString>) -> Redactor {
    let key = |runtime: &section::Runtime| {
        let secret = match &runtime.kind {
            section::Kind::Command { .. } | section::Kind::Acp(_) => None,
            section::Kind::ClaudeCode(claude) => claude.api_key.as_ref(),
            section::Kind::Codex(codex) => codex.api_key.as_ref(),
            section::Kind::Messages(api) => api.api_key.as_ref(),
        };
        secret
            .and_then(|s| s.value().ok())
            .map(|s| s.expose_secret().to_owned())
    };
    let handed = config.runtimes.values().flat_map(|runtime| &runtime.env);
    let handed = handed.filter_map(|name| {
        let value = environment.get(std::ffi::OsStr::new(name))?.to_str()?;
        match telling(name) {
            true => Some(value.to_owned()),
            false => password_in(value).map(str::to_owned),
        }
    });
    let store = config.store.secret_url();
    let store = store.and_then(|url| password_in(url.expose_secret()).map(str::to_owned));
    let forge = config.forge.token.as_ref().and_then(|s| s.value().ok());
    let forge = forge.map(|s| s.expose_secret().to_owned());
    let chat = { config.chat.values() }.flat_map(|chat| chat.kind.secrets());
    let chat = chat.filter_map(|secret| Some(secret.value().ok()?.expose_secret().to_owned()));
    let bus = config.bus.server().and_then(|s| s.value().ok());
    let bus = bus.and_then(|s| password_in(s.expose_secret()).map(str::to_owned));
    Redactor::new(
        config
            .runtimes
            .values()
            .filter_map(key)
            .chain(forge)
            .chain(store)
            .chain(bus)
            .chain(chat)
            .chain(handed),
    )
}

/// With the forge's token, where there is one, for repositories that are cloned from there.
fn workspaces(config: &Config, layout: &Layout, home: Option<&Path>) -> Result<Workspaces, WorkspaceError> {
    let all = Workspaces::new(layout.root(), &layout.state(), home)?;
    let forge = &config.forge;
    let token = forge.token.as_ref().and_then(|secret| secret.value().ok());
    Ok(match token.filter(|_| forge.kind.is_some()) {
        Some(token) => all.with_login(forge.host(), token.clone()),
        None => all,
    })
}

/// Whether a variable's name speaks of a secret.
fn telling(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = ["TOKEN", "SECRET", "KEY", "PASS", "CREDENTIAL", "COOKIE"];
    words.iter().any(|word| name.contains(word))
}

/// The password of an address such as `postgres://user:password@host/`.
fn password_in(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_in_an_address() {
        assert_eq!(
            password_in("postgres://me:pa55:word@db:5432/x"),
            Some("pa55:word")
        );
        for none in ["plain", "https://example.org/a:b@c", "https://me@example.org"] {
            assert_eq!(password_in(none), None, "{none}");
        }
        assert!(telling("db_passwd") && !telling("EDITOR"));
    }
}
