//! A consultation: a runtime is asked something outside of any attempt, and its answer heard. Its process is started in its
//! cell, watched to its end, and ends with whoever waits for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::containment::Booth;
use super::driver::{lend_path, limits};
use super::instance::Instance;
use crate::domain::id::TaskId;
use crate::domain::outcome::{EndKind, Ending};
use crate::domain::tier::TierName;
use crate::domain::tool::Tool;
use crate::runtime::process::{self, Cause, Exit, Running, Spec, file};
use crate::runtime::scrub::scrub;
use crate::runtime::transcript::{Tail, last_words};
use crate::runtime::{Brief, Launch, OutcomeFile, Reader, Runtime, Signal};
use crate::sandbox::{Command, Tier};

/// How often its output is read.
const LOOK: Duration = Duration::from_millis(250);
/// How often a lease is renewed in its length.
const RENEWALS: u32 = 10;
/// How much of its standard error is looked at.
const LAST_WORDS: u64 = 8 * 1024;
/// How much of a plain program's output is taken for its answer, from its end.
const OUTPUT: u64 = 256 * 1024;
/// Variables that speak of a task's own files; they are no business of whoever is consulted.
const NOT_ITS: [&str; 2] = ["ORCHESTRATOR_TOKEN", "ORCHESTRATOR_HEARTBEAT_FILE"];

/// Who is asked, where, and within which bounds.
pub(super) struct Consult<'a> {
    pub(super) instance: &'a Instance,
    /// What it is about, for its processes and the log.
    pub(super) about: &'a TaskId,
    pub(super) attempt: u32,
    pub(super) epoch: u64,
    pub(super) by: Voice<'a>,
    /// What it looks at, and works in.
    pub(super) tree: &'a Path,
    pub(super) home: PathBuf,
    pub(super) tools: Option<Vec<Tool>>,
    /// What else it reads.
    pub(super) read: Vec<PathBuf>,
    /// What it may cost, in US dollars, beside what its tier says.
    pub(super) budget_usd: Option<f64>,
    pub(super) timeout: Duration,
    /// What it has cost so far.
    pub(super) cost_usd: Option<f64>,
}

/// Who answers.
#[derive(Clone, Copy)]
pub(super) struct Voice<'a> {
    pub(super) runtime: &'a str,
    pub(super) tier: &'a TierName,
    pub(super) model: &'a str,
}

/// Why there is no answer.
pub(super) enum Missed {
    /// The provider's trouble: somebody else may do it.
    Trouble(Trouble),
    /// Its own.
    Failed(String),
}

/// What came of asking.
pub(super) struct Answer {
    /// The last message.
    pub(super) message: String,
    /// Whether it ended by its own will as done.
    pub(super) claims_an_end: bool,
    /// Why there is no message to be read.
    pub(super) broken: Option<String>,
    /// The session to go on in.
    pub(super) session: Option<String>,
}

/// The provider's trouble.
pub(super) struct Trouble {
    pub(super) reason: String,
    /// When it said to come back.
    pub(super) until: Option<DateTime<Utc>>,
    /// How long it is left alone where it said nothing.
    pub(super) pause: TimeDelta,
}

/// A process that is killed when nobody waits for it any more.
struct Held {
    running: Running,
    ended: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Err(error) = self.running.kill_now() {
            tracing::error!(%error, "whoever was consulted could not be stopped; its lease ends it");
        }
    }
}

/// What was heard until its end.
struct Heard {
    reader: Box<dyn Reader>,
    exit: Exit,
    /// Whether it waited for its provider when it was last heard.
    waits: bool,
}

impl Consult<'_> {
    /// Asks, with this folder for the records of the answer; in the session that is named, where there is one.
    pub(super) async fn ask(
        &mut self,
        dir: &Path,
        words: &str,
        session: Option<&str>,
    ) -> Result<Answer, Missed> {
        let failed = |error: String| Missed::Failed(error);
        let runtime = self.instance.fleet.runtime(self.by.runtime);
        let runtime = runtime.ok_or_else(|| failed("it is not in the configuration any more".to_owned()))?;
        let desk = dir.join(file::DESK);
        let laid = std::fs::create_dir_all(&desk).and_then(|()| std::fs::write(desk.join(PROGRESS), ""));
        laid.map_err(|error| failed(format!("cannot write in {}: {error}", desk.display())))?;
        let brief = self.brief(dir, words, session);
        let launch = self.launch(runtime.as_ref(), &brief);
        let launch = self
            .contain(runtime.as_ref(), &brief, launch)
            .await
            .map_err(failed)?;
        let spec = Spec {
            grace: Duration::ZERO,
            lease: Some(self.instance.lease_terms()),
            ..Spec::new(&brief, launch, limits(&self.instance.config))
        };
        let started = process::start(&self.instance.exe, &spec).await;
        let running = started.map_err(|error| failed(error.to_string()))?;
        let heard = self.hear(runtime.reader(&brief), running, dir).await;
        self.sweep(dir).await;
        self.conclude(heard, dir).await
    }

    fn brief(&self, dir: &Path, words: &str, session: Option<&str>) -> Brief {
        let desk = dir.join(file::DESK);
        let tier = self.instance.policy.tier(self.by.tier);
        let left = self.budget_usd.into_iter();
        let budget_usd = left.chain(tier.and_then(|tier| tier.budget_usd)).reduce(f64::min);
        Brief {
            task: self.about.clone(),
            attempt: self.attempt,
            epoch: self.epoch,
            tier: self.by.tier.clone(),
            model: self.by.model.to_owned(),
            workspace: self.tree.to_owned(),
            attempt_dir: dir.to_owned(),
            prompt: words.to_owned(),
            heartbeat_file: desk.join("heartbeat.json"),
            progress_file: desk.join(PROGRESS),
            outcome_file: desk.join(file::OUTCOME),
            // No token of the task's: only a word that no other session is named after.
            token: uuid::Uuid::new_v4().to_string(),
            url: None,
            timeout: self.timeout,
            session: session.map(str::to_owned),
            session_cost_usd_before: session.and(self.cost_usd),
            session_tokens_before: None,
            budget_usd,
            max_turns: None,
            attachments: Vec::new(),
            tools: self.tools.clone(),
            mcp: Vec::new(),
            contained: self.tier() != Tier::None,
            inherited: self.instance.environment.clone(),
        }
    }

    fn tier(&self) -> Tier {
        self.instance.containment.tier(self.by.runtime)
    }

    fn launch(&self, runtime: &dyn Runtime, brief: &Brief) -> Launch {
        let mut launch = runtime.launch(brief);
        lend_path(&self.instance.exe, &mut launch.env);
        for name in NOT_ITS {
            launch.env.remove(std::ffi::OsStr::new(name));
        }
        launch
    }

    async fn contain(&self, runtime: &dyn Runtime, brief: &Brief, launch: Launch) -> Result<Launch, String> {
        let containment = &self.instance.containment;
        let Some(sandbox) = containment.sandbox(self.tier()) else {
            return Ok(launch);
        };
        let shown = brief.attempt_dir.join(file::PROMPT);
        // The cell mounts it, and the process that writes it comes later.
        let written = std::fs::write(&shown, &brief.prompt);
        let starts = runtime.starts();
        let mut write = runtime.writes(brief);
        write.push(brief.attempt_dir.join(file::DESK));
        let cell = written.and_then(|()| {
            containment.review_cell(Booth {
                task: &brief.task,
                runtime: self.by.runtime,
                folder: &brief.attempt_dir,
                tree: self.tree,
                home: &self.home,
                read: std::iter::once(shown).chain(self.read.iter().cloned()).collect(),
                write,
                hosts: runtime.hosts(),
                commands: [&launch.argv, &starts],
            })
        });
        let cell = cell.map_err(|error| format!("its folders cannot be made: {error}"))?;
        let refused = |refused: crate::sandbox::Refused| format!("sandbox: {refused}");
        let probed = sandbox.probe(&cell).await.map_err(refused)?;
        let Launch { argv, env, .. } = launch;
        let wrapped = sandbox.wrap(Command { argv, env }, &cell, &probed);
        let Command { argv, env } = wrapped.map_err(refused)?;
        Ok(Launch { argv, env, ..launch })
    }

    /// What a cell left outside of its process tree goes before anything is concluded.
    async fn sweep(&self, dir: &Path) {
        let Some(sandbox) = self.instance.containment.sandbox(self.tier()) else {
            return;
        };
        while let Err(refusal) = sandbox.sweep(dir).await {
            tracing::warn!(about = %self.about, error = %refusal, "the container of a consultation is still there");
            self.instance.clock.sleep(Duration::from_secs(1)).await;
        }
    }

    /// Reads its output until nobody of its process tree is left.
    async fn hear(&self, mut reader: Box<dyn Reader>, running: Running, dir: &Path) -> Heard {
        let mut tail = Tail::new(&dir.join(file::STDOUT), 0);
        let mut waits = false;
        let mut renewed = Instant::now();
        let mut held = Held {
            running,
            ended: false,
        };
        let exit = loop {
            tokio::select! {
                exit = held.running.wait() => break exit,
                () = tokio::time::sleep(LOOK) => {}
            }
            let lease = self.instance.lease_terms();
            if renewed.elapsed() >= lease.length / RENEWALS && self.instance.keeps_workers() {
                renewed = Instant::now();
                if let Err(error) = held.running.renew_lease(lease) {
                    tracing::warn!(about = %self.about, %error, "the lease of whoever is consulted was not renewed");
                }
            }
            take(&mut tail, reader.as_mut(), &mut waits);
        };
        held.ended = true;
        take(&mut tail, reader.as_mut(), &mut waits);
        if let Some(line) = tail.rest() {
            reader.read(&line.bytes);
        }
        Heard { reader, exit, waits }
    }

    async fn conclude(&mut self, heard: Heard, dir: &Path) -> Result<Answer, Missed> {
        let Heard { reader, exit, waits } = heard;
        let word = OutcomeFile::load(&dir.join(file::DESK).join(file::OUTCOME))
            .ok()
            .flatten();
        let stderr = last_words(&dir.join(file::STDERR), LAST_WORDS).unwrap_or_default();
        let ending = reader.ending(&exit, word.as_ref(), &stderr);
        let account = reader.account();
        let own = word.as_ref().map(|word| word.spent).unwrap_or_default();
        if let Some(cost) = account.spent.or(own).cost_usd {
            self.cost_usd = Some(self.cost_usd.unwrap_or_default() + cost);
        }
        if let Some(trouble) = trouble(&ending, &exit, waits) {
            return Err(Missed::Trouble(trouble));
        }
        let message = match reader.last_message() {
            Some(message) => message.to_owned(),
            None => plain(dir, word.as_ref()),
        };
        self.clean(dir).await;
        let claims_an_end = matches!(ending.kind, EndKind::Claimed | EndKind::NoChangeNeeded);
        Ok(Answer {
            message,
            claims_an_end,
            broken: (!is_own_end(ending.kind)).then_some(ending.reason),
            session: account.session,
        })
    }

    /// What was written stays for people to read, without secrets.
    async fn clean(&self, dir: &Path) {
        for name in [file::STDOUT, file::STDERR] {
            let (path, redactor): (PathBuf, _) = (dir.join(name), self.instance.redactor.clone());
            let scrubbed = tokio::task::spawn_blocking(move || scrub(&path, &redactor)).await;
            if let Ok(Err(error)) = scrubbed {
                tracing::error!(about = %self.about, %error, "a consultation's {name} was not cleaned of secrets");
            }
        }
    }
}

/// Where it may write its log, on its desk.
const PROGRESS: &str = "progress.md";

fn take(tail: &mut Tail, reader: &mut dyn Reader, waits: &mut bool) {
    while let Ok(lines) = tail.read() {
        if lines.is_empty() {
            return;
        }
        for signal in lines.iter().flat_map(|line| reader.read(&line.bytes)) {
            match signal {
                Signal::Retrying { .. } => *waits = true,
                Signal::Alive | Signal::RateLimit(_) | Signal::Cost(_) => {}
                _ => *waits = false,
            }
        }
    }
}

/// Whether its end is its provider's doing.
fn trouble(ending: &Ending, exit: &Exit, waits: bool) -> Option<Trouble> {
    let until = match ending.kind {
        EndKind::RateLimited { until } => until,
        EndKind::Overloaded | EndKind::Auth | EndKind::Network => None,
        _ if waits && exit.cause == Cause::Timeout => None,
        _ => return None,
    };
    let pause = match ending.kind {
        EndKind::Auth => TimeDelta::minutes(5),
        _ => TimeDelta::seconds(30),
    };
    Some(Trouble {
        reason: ending.reason.clone(),
        until,
        pause,
    })
}

/// Whether it came to an end that it chose; whatever else it wrote is half an answer.
fn is_own_end(kind: EndKind) -> bool {
    matches!(
        kind,
        EndKind::Claimed
            | EndKind::NoChangeNeeded
            | EndKind::Continue
            | EndKind::Blocked
            | EndKind::NeedsStrongerModel
    )
}

/// A plain program's answer: its outcome file's words where it wrote none to its standard output.
fn plain(dir: &Path, word: Option<&OutcomeFile>) -> String {
    let output = last_words(&dir.join(file::STDOUT), OUTPUT).unwrap_or_default();
    let reason = word.and_then(|word| word.reason.clone());
    match reason {
        Some(reason) if !output.contains('{') => reason,
        _ => output,
    }
}
