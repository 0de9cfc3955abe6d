//! The end of an attempt: four witnesses are heard, and what was left behind is committed.

use super::super::prompt::commit_message;
use super::watch::Watch;
use super::{Drive, StartFacts};
use crate::domain::fingerprint::Fingerprint;
use crate::domain::outcome::{AttemptReport, EndKind, Ending, Evidence, Outcome, Session, Witnesses, judge};
use crate::domain::overlap;
use crate::domain::retry::come_back;
use crate::domain::task::StopReason;
use crate::format::progress::{self, Section};
use crate::runtime::process::{Cause, Exit, file};
use crate::runtime::scrub::scrub;
use crate::runtime::transcript::last_words;
use crate::runtime::{OutcomeFile, Spent};

/// How much of the worker's standard error is looked at.
const LAST_WORDS: u64 = 8 * 1024;
/// How often what an attempt left is looked at before that fails, and the pause between.
const LOOKS: u32 = 3;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(2);
/// How many changed files are listed in the progress file.
const LISTED: usize = 100;

impl Drive<'_> {
    pub(super) async fn conclude(
        &self,
        exit: &Exit,
        mut watch: Watch<'_>,
        facts: &StartFacts,
    ) -> AttemptReport {
        let word = self.outcome_file();
        let ending = self.ending(exit, &watch, word.as_ref());
        let (evidence, unseen) = self.evidence(facts).await;
        let stopped = stop_reason(exit, &watch);
        let outcome = judge(&Witnesses {
            ending: &ending,
            evidence: &evidence,
            session: session(exit),
            stopped: stopped.as_ref(),
        });
        let (outcome, reason) = match (outcome, unseen) {
            // What nobody could look at is no proof that nothing was done.
            (Outcome::Bailed, Some(error)) => (Outcome::Failed, error),
            (outcome, _) => (outcome, reason(&ending, outcome, stopped.as_ref(), exit)),
        };
        let account = watch.reader.account();
        let spent = total(account.spent, word.as_ref());
        let now = self.instance.clock.now();
        watch.persist(now).await;
        watch.write_heartbeat(now, outcome.as_str());
        let touched = self.changed_files(facts).await;
        self.log_end(outcome, &reason, &touched).await;
        self.keep_progress().await;
        if let Some(outlet) = &self.instance.outlet {
            outlet.ended(&self.task.id, self.attempt.epoch).await;
        }
        self.clean_transcript().await;
        let retry_at = match (&stopped, ending.kind) {
            (Some(StopReason::ProviderWait { until, .. }), _) => *until,
            (None, EndKind::RateLimited { until }) => until,
            _ => None,
        };
        if outcome.is_provider_trouble() {
            self.let_rest(outcome, retry_at).await;
        }
        AttemptReport {
            outcome,
            reason,
            evidence,
            cost_usd: spent.cost_usd,
            input_tokens: spent.input_tokens,
            output_tokens: spent.output_tokens,
            session: account.session,
            retry_at,
            touched: touched.into_iter().take(overlap::KEPT).collect(),
        }
    }

    /// What was written stays for people to read, without secrets.
    async fn clean_transcript(&self) {
        for path in [
            self.dir.join(file::STDOUT),
            self.dir.join(file::STDERR),
            self.outcome_path(),
        ] {
            let (name, redactor) = (path.display().to_string(), self.redactor.clone());
            let scrubbed = tokio::task::spawn_blocking(move || scrub(&path, &redactor)).await;
            if let Ok(Err(error)) = scrubbed {
                tracing::error!(task = %self.task.id, %error, "{name} was not cleaned of secrets");
            }
        }
    }

    fn outcome_file(&self) -> Option<OutcomeFile> {
        OutcomeFile::load(&self.outcome_path()).unwrap_or_else(|error| {
            tracing::warn!(task = %self.task.id, %error, "the worker's outcome file counts as missing");
            None
        })
    }

    fn ending(&self, exit: &Exit, watch: &Watch<'_>, word: Option<&OutcomeFile>) -> Ending {
        let stderr = last_words(&self.dir.join(file::STDERR), LAST_WORDS).unwrap_or_default();
        let mut ending = watch.reader.ending(exit, word, &stderr);
        ending.reason = self.redactor.redact(&ending.reason).into_owned();
        ending
    }

    /// What the attempt left: uncommitted work is committed, then the commit and the work log are looked at.
    /// The second value says why that could not be done.
    async fn evidence(&self, facts: &StartFacts) -> (Evidence, Option<String>) {
        let (mut evidence, unseen) = match self.look_with_patience(facts).await {
            Ok(evidence) => (evidence, None),
            Err(error) => {
                tracing::error!(task = %self.task.id, %error, "what the attempt left cannot be looked at");
                let why = format!("what the attempt left cannot be looked at: {error}");
                (Evidence::default(), Some(why))
            }
        };
        let text = self
            .instance
            .files
            .progress_text(&self.task.id)
            .unwrap_or_default();
        let entries = progress::worker_entries(&text);
        let shown = progress::answered(&text).saturating_sub(facts.answered);
        let new = entries.len().saturating_sub(facts.worker_entries) + shown;
        evidence.progress_entries = u32::try_from(new).unwrap_or(u32::MAX);
        let diff = Fingerprint::read(&evidence.fingerprint).diff;
        let added = entries.iter().skip(facts.worker_entries);
        let words: Vec<&str> = added.map(|e| e.text.as_str()).collect();
        evidence.fingerprint = Fingerprint::new(diff, &progress::ticked(&text), &words).to_string();
        (evidence, unseen)
    }

    /// A disk that was full or a lock that was held a moment ago must not cost the worker its work.
    async fn look_with_patience(
        &self,
        facts: &StartFacts,
    ) -> Result<Evidence, crate::workspace::WorkspaceError> {
        for _ in 1..LOOKS {
            match self.commit_and_look(facts).await {
                Ok(evidence) => return Ok(evidence),
                Err(error) => {
                    tracing::warn!(task = %self.task.id, %error, "what the attempt left is looked at again");
                }
            }
            self.instance.clock.sleep(PAUSE).await;
        }
        self.commit_and_look(facts).await
    }

    async fn commit_and_look(
        &self,
        facts: &StartFacts,
    ) -> Result<Evidence, crate::workspace::WorkspaceError> {
        let Some(workspace) = self.instance.workspaces.find(&self.task.id).await? else {
            return Ok(Evidence::default());
        };
        let message = commit_message(&self.task.definition, self.task.id.as_str(), self.attempt.n);
        let left = workspace.commit_leftovers(&message, &facts.commit).await?;
        if let Some(drift) = &left.drift {
            tracing::warn!(task = %self.task.id, "{}", drift.sentence());
        }
        workspace.evidence(&facts.commit).await
    }

    /// The orchestrator's own line in the work log, and the list of changed files.
    async fn log_end(&self, outcome: Outcome, reason: &str, changed: &[String]) {
        let now = self.instance.clock.now();
        let line = format!(
            "attempt {} at {}: {}, {reason}",
            self.attempt.n,
            self.attempt.route.tier,
            outcome.as_str()
        );
        let written = self.instance.files.log(&self.task.id, |text| {
            let text = progress::append_log(&self.redactor.redact(text), now, &line);
            match changed.is_empty() {
                true => text,
                false => progress::set_section(&text, Section::FilesChanged, &listed(changed)),
            }
        });
        if let Err(error) = written {
            tracing::error!(task = %self.task.id, %error, "its progress file was not written");
        }
    }

    /// All files that the task's branch changes so far; none where that cannot be told.
    async fn changed_files(&self, facts: &StartFacts) -> Vec<String> {
        let found = self.instance.workspaces.find(&self.task.id).await;
        match found.ok().flatten().filter(|_| !facts.commit.is_empty()) {
            Some(workspace) => {
                let files = workspace.changed_files(&workspace.base.commit).await;
                files.unwrap_or_default()
            }
            None => Vec::new(),
        }
    }

    pub(super) async fn let_rest(&self, outcome: Outcome, until: Option<chrono::DateTime<chrono::Utc>>) {
        let pause = if outcome == Outcome::Auth {
            chrono::TimeDelta::minutes(5)
        } else {
            chrono::TimeDelta::seconds(30)
        };
        let now = self.instance.clock.now();
        let until = until.map_or(now + pause, |named| come_back(named, now));
        let runtime = self.attempt.route.runtime.clone();
        // A closed inbox is a service that goes down; the next one asks the provider itself.
        let _ = self.inbox.send(super::Input::Rest { runtime, until }).await;
    }
}

/// Files as a list for people.
fn listed(files: &[String]) -> String {
    let mut list: String = files.iter().take(LISTED).map(|f| format!("- {f}\n")).collect();
    let more = files.len().saturating_sub(LISTED);
    if more > 0 {
        list.push_str(&format!("- and {more} more\n"));
    }
    list
}

/// A stop that the supervisor made by itself, or one that the driver knows of; what else the orchestrator asked for is
/// in the task's state, and outranks this.
fn stop_reason(exit: &Exit, watch: &Watch<'_>) -> Option<StopReason> {
    match exit.cause {
        Cause::Timeout => Some(StopReason::Timeout),
        Cause::Stopped => watch.course.condemned().cloned(),
        _ => None,
    }
}

/// What became of the session; only asked when nobody of it is left.
fn session(exit: &Exit) -> Session {
    match (&exit.cause, exit.stragglers_killed) {
        (Cause::Vanished, _) => Session::Vanished,
        (Cause::Exited, n @ 1..) => Session::LeftBehind(n),
        _ => Session::Ended,
    }
}

fn reason(ending: &Ending, outcome: Outcome, stopped: Option<&StopReason>, exit: &Exit) -> String {
    let told = match (stopped, outcome) {
        (Some(stop), _) => return stop.sentence(),
        (None, Outcome::Bailed) => format!(
            "ended without any commit, changed file or progress entry ({})",
            ending.reason
        ),
        _ => ending.reason.clone(),
    };
    match session(exit) {
        Session::LeftBehind(n) => format!("{told}; {n} of its processes went on and were killed"),
        Session::Ended | Session::Vanished => told,
    }
}

/// What the client reports, else what the worker's own outcome file says.
fn total(reported: Spent, word: Option<&OutcomeFile>) -> Spent {
    let own = word.map(|w| w.spent).unwrap_or_default();
    Spent {
        cost_usd: reported.cost_usd.or(own.cost_usd),
        input_tokens: reported.input_tokens.or(own.input_tokens),
        output_tokens: reported.output_tokens.or(own.output_tokens),
    }
}
