//! One run of the gate, from the commit to the report.

mod asked_for;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};
use sha2::{Digest, Sha256};

use super::asked::Asked;
use super::capture::hex;
use super::confine::{Confine, Confined, Room};
use super::detect::{RootFiles, detect};
use super::house::{self, Look};
use super::runner::{Ended, Ran, Script};
use super::work::{self, Rules};
use super::{changes, empty, environment, exhibits, older, refusals, select};
use crate::domain::gate::{Category, CheckSpec, CheckVerdict, GateReport, Receipt, Trace};
use crate::workspace::{Diff, GateCheckout, Merge, Spares, Workspace, WorkspaceError};

/// Checks that take longer than this are not disturbed by the laying of a spare checkout.
const LONG: Duration = Duration::from_secs(2);

/// The gate could not be run; nothing was judged.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The commit cannot be checked out or read.
    #[error("the gate cannot look at the work: {0}")]
    Workspace(#[from] WorkspaceError),
    /// The checks cannot be put into a sandbox as they must be: the reason, with what to do.
    #[error("{0}")]
    Unconfined(String),
}

/// What is to be judged, and by what.
pub struct GateRequest<'a> {
    /// Where the commit is. Checks run in a fresh checkout, never in this folder.
    pub workspace: &'a Workspace,
    /// The commit.
    pub commit: &'a str,
    /// The configured checks (see [`super::select()`]); detected ones serve where this is empty.
    pub checks: &'a [CheckSpec],
    /// The most time a check may take that names no timeout itself.
    pub default_timeout: Duration,
    /// Variables for the checks, besides the allow-list.
    pub env: BTreeMap<String, String>,
    /// Who has the sandboxes that checks run in; none only where the configuration says so by name.
    pub confine: Option<&'a dyn Confine>,
    /// Where the whole output of checks is kept.
    pub keep: Option<&'a dyn Keep>,
    /// Whether the documentation category asks for the progress file.
    pub require_progress: bool,
    /// Sections that the progress file lacks; none where there is no file.
    pub progress_missing: Option<Vec<String>>,
    /// Entries of this attempt that the worker itself wrote into the Work Log.
    pub worker_entries: u32,
    /// Whether a change of tests and checks is the task's work, and needs no person's word.
    pub tests_may_change: bool,
    /// What the work must keep to, besides.
    pub rules: Rules,
    /// Spare checkouts, where somebody keeps some.
    pub spares: Option<&'a Spares>,
    /// What the task asks for besides its checks.
    pub asked: Asked<'a>,
}

/// The gate.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gate;

/// Keeps what checks said.
pub trait Keep: Send + Sync {
    /// Keeps an output by the digest of the whole; it is cut in its middle where it is very long.
    fn keep(&self, sha256: &str, output: &str) -> std::io::Result<()>;
}

/// Tells the time of a receipt.
type Clock<'a> = &'a (dyn Fn() -> DateTime<Utc> + Sync);

impl Gate {
    /// Judges a commit: every check and every look of the house leaves a receipt, in the order they ran.
    ///
    /// All checks run, also when one is red, so that the worker hears everything at once.
    pub async fn run(&self, request: &GateRequest<'_>, now: Clock<'_>) -> Result<GateReport, GateError> {
        let started_at = now().trunc_subsecs(6);
        let workspace = request.workspace;
        let checkout = workspace.checkout_with(request.spares, request.commit).await?;
        let commit = checkout.commit().to_owned();
        let checks = chosen(request, &commit).await?;
        let bench = Bench {
            request,
            commit: &commit,
            now,
            keep: request.keep,
        };
        let lay_there = exhibits::find(checkout.root(), request.asked.exhibits).await;
        // What the work changes is read from the repository alone, so it is looked at while the checks run.
        let (receipts, (diff, changes)) =
            tokio::join!(bench.first(&checkout, &checks), bench.changes(&checks));
        let mut receipts = receipts?;
        let base = &request.workspace.base.commit;
        bench.hold_to_difference(base, &checks, &mut receipts).await;
        let tree = checkout.tree().to_owned();
        let (clean, ignored, merge) =
            tokio::join!(bench.clean(&checkout), bench.ignored(&checkout), bench.merge());
        receipts.push(clean);
        receipts.extend(ignored);
        receipts.extend(bench.exhibits(&checkout, &lay_there).await?);
        checkout.remove();
        receipts.extend(changes);
        receipts.extend(bench.integration(&diff, merge, &checks).await?);
        receipts.extend(bench.documentation());
        receipts.extend(bench.asked_for(&receipts).await);
        receipts.iter_mut().for_each(refusals::refer);
        for look in receipts.iter_mut().filter(|r| r.trace.tree.is_empty()) {
            look.trace.tree.clone_from(&tree);
        }
        if let Some(spares) = request.spares {
            spares.lay_soon(workspace);
        }
        Ok(GateReport {
            commit,
            tree,
            receipts,
            started_at,
            ended_at: now().trunc_subsecs(6),
        })
    }
}

/// The configured checks, or what is detected at the base and at the commit.
async fn chosen(request: &GateRequest<'_>, commit: &str) -> Result<Vec<CheckSpec>, WorkspaceError> {
    if !request.checks.is_empty() {
        return Ok(select::select(request.checks, &[], &[], Vec::new()));
    }
    let workspace = request.workspace;
    let base = detect(&RootFiles::read(workspace, &workspace.base.commit).await?);
    let here = detect(&RootFiles::read(workspace, commit).await?);
    Ok(select::at_least(base, here))
}

/// A merge with the base, and how long it took.
struct Merged {
    merge: Result<Merge, WorkspaceError>,
    at: DateTime<Utc>,
    took: Duration,
}

/// Where receipts are made: everything that they have in common.
struct Bench<'a> {
    request: &'a GateRequest<'a>,
    commit: &'a str,
    now: Clock<'a>,
    keep: Option<&'a dyn Keep>,
}

impl Bench<'_> {
    /// Runs the checks at the commit. While they take their time the next spare checkout is laid: the base, or the merge with it, may have
    /// to be judged right after.
    async fn first(&self, checkout: &GateCheckout, checks: &[CheckSpec]) -> Result<Vec<Receipt>, GateError> {
        let laying = async {
            tokio::time::sleep(LONG).await;
            if let Some(spares) = self.request.spares {
                spares.lay_soon(self.request.workspace);
            }
            std::future::pending().await
        };
        tokio::select! {
            receipts = self.at(checkout, checks) => receipts,
            never = laying => never,
        }
    }

    /// Runs the checks in this checkout, one after the other.
    async fn at(&self, checkout: &GateCheckout, checks: &[CheckSpec]) -> Result<Vec<Receipt>, GateError> {
        let mut receipts = Vec::with_capacity(checks.len() + 6);
        let confined = match self.request.confine {
            Some(confine) if !checks.is_empty() => {
                let confined = confine.confine(&Room::of(checkout)).await;
                Some(confined.map_err(GateError::Unconfined)?)
            }
            _ => None,
        };
        let confined = confined.as_deref();
        for check in checks {
            receipts.push(self.check(checkout, check, confined).await);
        }
        Ok(receipts)
    }

    /// Runs what failed at the base, too, and says which failures are older than the work. What cannot be run there
    /// stays as it is.
    async fn hold_to_difference(&self, base: &str, checks: &[CheckSpec], receipts: &mut [Receipt]) {
        let failed = |r: &Receipt| r.verdict == CheckVerdict::Failed && r.exit_code.is_some();
        if base == self.commit || !receipts.iter().any(failed) {
            return;
        }
        let workspace = self.request.workspace;
        let (Ok(root), Ok(checkout)) = (
            RootFiles::read(workspace, base).await,
            workspace.checkout_with(self.request.spares, base).await,
        ) else {
            return;
        };
        let red = checks.iter().zip(receipts.iter_mut()).filter(|(_, r)| failed(r));
        let (checks, red): (Vec<CheckSpec>, Vec<&mut Receipt>) = red.map(|(c, r)| (c.clone(), r)).unzip();
        let Ok(before) = self.at(&checkout, &checks).await else {
            return;
        };
        for ((check, receipt), before) in checks.iter().zip(red).zip(&before) {
            older::compare(receipt, before, &older::stands_for(check, &root), base);
            refusals::compare(receipt, before);
        }
        checkout.remove();
    }

    async fn check(
        &self,
        checkout: &GateCheckout,
        check: &CheckSpec,
        confined: Option<&dyn Confined>,
    ) -> Receipt {
        let started_at = (self.now)().trunc_subsecs(6);
        let env = environment::given(&checkout.scratch(), &self.request.env);
        let script = Script {
            text: &check.run,
            directory: checkout.root(),
            home: checkout.home(),
            env: &env,
            confined,
            timeout: check.timeout.unwrap_or(self.request.default_timeout),
        };
        let trace = Trace {
            tree: checkout.tree().to_owned(),
            environment: environment::digest(&env, checkout.home()),
            sandbox: confined
                .map(|confined| confined.told().to_owned())
                .unwrap_or_default(),
            ..Trace::default()
        };
        let before = confined.map_or(0, |confined| confined.refused().len());
        let mut receipt = Receipt {
            trace,
            name: check.name.clone(),
            category: check.category,
            source: check.source,
            directory: checkout.root().display().to_string(),
            commit: self.commit.to_owned(),
            command: check.run.clone(),
            exit_code: None,
            verdict: CheckVerdict::Error,
            started_at,
            duration: Duration::ZERO,
            output_tail: String::new(),
            output_sha256: hex(&Sha256::digest([])),
        };
        match script.run().await {
            _ if empty::is_blank(&check.run) => empty::BLANK.clone_into(&mut receipt.output_tail),
            Ok(ran) => self.fill(&mut receipt, &ran),
            Err(e) => receipt.output_tail = format!("the check could not be started: {e}"),
        }
        receipt.trace.refused = refusals::since(confined, before);
        void_if_moved(&mut receipt, checkout);
        receipt
    }

    fn fill(&self, receipt: &mut Receipt, ran: &Ran) {
        receipt.duration = ran.duration;
        receipt.output_sha256 = ran.output.sha256();
        receipt.output_tail = environment::redact(&ran.output.tail(), &self.request.env);
        receipt.trace.output_bytes = ran.output.total();
        let whole = environment::redact(&ran.output.stored(), &self.request.env);
        self.keep(receipt, &whole);
        receipt.verdict = match ran.ended {
            Ended::TimedOut => CheckVerdict::TimedOut,
            Ended::Itself(status) if status.success() => CheckVerdict::Passed,
            Ended::Itself(_) => CheckVerdict::Failed,
        };
        if let Ended::Itself(status) = ran.ended {
            receipt.exit_code = status.code();
        }
        let passed = receipt.verdict == CheckVerdict::Passed && receipt.category == Category::Functionality;
        let nothing = || empty::ran_nothing(&whole).or_else(|| empty::untold(&receipt.command, &whole));
        if let Some(words) = passed.then(nothing).flatten() {
            receipt.verdict = CheckVerdict::Failed;
            receipt.output_tail.push_str(&format!("\n{words}\n"));
        }
        if !ran.cleared {
            receipt.verdict = CheckVerdict::Error;
            receipt
                .output_tail
                .push_str("\nprocesses of this check could not be killed\n");
        }
    }

    /// The end of the output is in the receipt in any case.
    fn keep(&self, receipt: &Receipt, whole: &str) {
        if whole.is_empty() {
            return;
        }
        let kept = self.keep.map(|keep| keep.keep(&receipt.output_sha256, whole));
        if let Some(Err(error)) = kept {
            tracing::error!(check = receipt.name, %error, "its output was not stored");
        }
    }

    async fn clean(&self, checkout: &GateCheckout) -> Receipt {
        let (at, began) = ((self.now)().trunc_subsecs(6), Instant::now());
        let mut dirt = checkout.dirt().await;
        if let Ok(files) = &mut dirt {
            // What is asked for as evidence is made by checks, and is no dirt.
            let patterns = || self.request.asked.exhibits.iter().flat_map(|spec| &spec.files);
            let here = |path: &str| self.request.workspace.from_root(path).to_owned();
            files.retain(|path| !patterns().any(|pattern| pattern.matches(&here(path))));
        }
        let look = house::clean(&dirt);
        let directory = checkout.root().display().to_string();
        look.receipt(self.commit, &directory, at, began.elapsed())
    }

    /// What the commit does to tests and checks, and what it adds.
    async fn changes(&self, checks: &[CheckSpec]) -> (Result<Diff, WorkspaceError>, Vec<Receipt>) {
        let (at, began) = ((self.now)().trunc_subsecs(6), Instant::now());
        let workspace = self.request.workspace;
        let diff = workspace.diff_since_base(self.commit).await;
        let found = match &diff {
            Ok(diff) => changes::findings(workspace, diff, checks).await,
            Err(_) => Ok(Vec::new()),
        };
        let found = diff.as_ref().and(found.as_ref());
        let look = house::tests_and_checks(found, self.request.tests_may_change);
        let mut receipts = vec![self.seen(look, at, began.elapsed())];
        let (at, began) = ((self.now)().trunc_subsecs(6), Instant::now());
        let looks = work::looks(workspace, &diff, self.commit, &self.request.rules).await;
        receipts.extend(looks.into_iter().map(|look| self.seen(look, at, began.elapsed())));
        (diff, receipts)
    }

    /// The commit's merge with its base as that is now.
    async fn merge(&self) -> Merged {
        let (at, began) = ((self.now)().trunc_subsecs(6), Instant::now());
        let merge = self.request.workspace.merges_with_base(self.commit).await;
        Merged {
            merge,
            at,
            took: began.elapsed(),
        }
    }

    /// Read by the index that no check sees.
    async fn ignored(&self, checkout: &GateCheckout) -> Option<Receipt> {
        let (at, began) = ((self.now)().trunc_subsecs(6), Instant::now());
        let look = house::ignored(&self.request.workspace.ignored_in(checkout).await);
        look.map(|look| self.seen(look, at, began.elapsed()))
    }

    async fn taken_back(&self, base: &str) -> Option<Receipt> {
        let (at, began) = ((self.now)().trunc_subsecs(6), Instant::now());
        let found = self.request.workspace.taken_back(base, self.commit).await;
        house::taken_back(&found).map(|look| self.seen(look, at, began.elapsed()))
    }

    /// Whether it fits the base as that is now, and whether what depends on it still works there.
    async fn integration(
        &self,
        diff: &Result<Diff, WorkspaceError>,
        merged: Merged,
        checks: &[CheckSpec],
    ) -> Result<Vec<Receipt>, GateError> {
        let Merged { merge, at, took } = merged;
        let reference = &self.request.workspace.base.reference;
        let marks = match diff {
            Ok(diff) => changes::conflict_marks(diff).await,
            Err(_) => Ok(Vec::new()),
        };
        let marks = diff.as_ref().and(marks.as_ref());
        let look = house::merges(&merge, marks, reference);
        let mut receipts = vec![self.seen(look, at, took)];
        if let Ok(Merge::Unmoved { base }) = &merge {
            receipts.extend(self.taken_back(base).await);
        }
        let spoken_for = checks.iter().any(|c| c.category == Category::Dependencies);
        match merge {
            Ok(Merge::Unmoved { base }) if !checks.is_empty() && !spoken_for => {
                receipts.push(self.seen(house::base_unmoved(&base), at, Duration::ZERO));
            }
            Ok(Merge::Clean { base, merged }) => receipts.extend(self.merged(&base, &merged, checks).await?),
            _ => {}
        }
        Ok(receipts)
    }

    /// The checks that build and test, once more on the merge with the moved base.
    async fn merged(
        &self,
        base: &str,
        merged: &str,
        checks: &[CheckSpec],
    ) -> Result<Vec<Receipt>, GateError> {
        let short = base.get(..10).unwrap_or(base);
        let again = |c: &CheckSpec| CheckSpec {
            name: format!("{} (merged with {short})", c.name),
            category: Category::Dependencies,
            ..c.clone()
        };
        let speaks = |c: &&CheckSpec| {
            matches!(
                c.category,
                Category::Build | Category::Functionality | Category::Dependencies
            )
        };
        let checks: Vec<CheckSpec> = checks.iter().filter(speaks).map(again).collect();
        if checks.is_empty() {
            return Ok(Vec::new());
        }
        let (workspace, spares) = (self.request.workspace, self.request.spares);
        let checkout = workspace.checkout_with(spares, merged).await?;
        let mut receipts = self.at(&checkout, &checks).await?;
        checkout.remove();
        self.hold_to_difference(base, &checks, &mut receipts).await;
        Ok(receipts)
    }

    fn documentation(&self) -> Vec<Receipt> {
        if !self.request.require_progress {
            return Vec::new();
        }
        let at = (self.now)().trunc_subsecs(6);
        [
            house::progress_file(self.request.progress_missing.as_deref()),
            house::worker_entry(self.request.worker_entries),
        ]
        .map(|look| self.seen(look, at, Duration::ZERO))
        .to_vec()
    }

    fn seen(&self, look: Look, at: DateTime<Utc>, took: Duration) -> Receipt {
        let directory = self.request.workspace.root.display().to_string();
        look.receipt(self.commit, &directory, at, took)
    }
}

/// A receipt counts only while the checkout stands where it stood.
fn void_if_moved(receipt: &mut Receipt, checkout: &GateCheckout) {
    let words = match checkout.head() {
        Some(head) if head == checkout.commit() => return,
        Some(head) => format!("the check moved HEAD to {head}; its receipt is void"),
        None => "the check destroyed the checkout; its receipt is void".to_owned(),
    };
    receipt.verdict = CheckVerdict::Error;
    receipt.output_tail = format!("{}\n{words}\n", receipt.output_tail.trim_end());
}
