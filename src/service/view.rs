//! What people and scripts are shown: the documents of `status`, `show`, `why` and `plan`, as plain data.
//!
//! These types are the JSON of the contract (section 8), version 1: fields are added, never renamed or removed.
//! Deliberately absent: how they are made (see `operations`) and how they look on a terminal (see `cli::render`).

mod figures;
mod node;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use self::figures::{BusFigures, Figures, FleetFigures, StoredFigures, SurfaceFigures};
pub use self::node::{NodeView, ParkedView, ReachView};

/// The version of every JSON document.
pub const VERSION: u32 = 1;

/// `status --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// [`VERSION`]
    pub version: u32,
    /// When this was made.
    pub generated_at: DateTime<Utc>,
    /// The service.
    pub service: ServiceView,
    /// The bus, where a server is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus: Option<BusView>,
    /// The chats, where there are some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub surfaces: Vec<SurfaceView>,
    /// Worker slots.
    pub slots: Slots,
    /// The nodes of the fleet; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<NodeView>>,
    /// The tasks, the ones with problems first.
    pub tasks: Vec<TaskView>,
    /// Whether earlier tasks that are over are left out; for the page alone, `--all` leaves nothing out.
    #[serde(skip)]
    pub more_ended: bool,
    /// Mistakes in the queue file and in what the instance needs.
    pub problems: Vec<Problem>,
}

/// The service as `status` shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ServiceView {
    /// Whether it runs.
    pub running: bool,
    /// Its process.
    pub pid: Option<u32>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// When it looks next even if nothing happens.
    pub next_tick_at: Option<DateTime<Utc>>,
    /// The emergency stop, where it is pulled.
    pub stopped: Option<Stopped>,
}

/// The server of the bus as `status` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BusView {
    /// `up` or `away`.
    pub standing: String,
    /// Since when, where a service runs that knows.
    pub since: Option<DateTime<Utc>>,
    /// Why it is away.
    pub why: Option<String>,
    /// What that means for the work.
    pub means: Option<String>,
}

/// A chat as `status` shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurfaceView {
    /// Its name in the configuration.
    pub name: String,
    /// `up`, `deaf` (what is said there is not heard) or `unknown`, where no service runs.
    pub standing: String,
    /// Since when it is listened to.
    pub since: Option<DateTime<Utc>>,
    /// Why it is not.
    pub why: Option<String>,
    /// How long ago a round trip came back, in seconds.
    pub round_trip_age_s: Option<f64>,
    /// How soon people are acknowledged: the 99th percentile, in seconds.
    pub ack_p99_s: Option<f64>,
    /// The longest that a working task showed no sign of life there, in seconds.
    pub longest_silence_s: Option<f64>,
}

/// The emergency stop.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct Stopped {
    /// Who pulled it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Stopped {
    /// What the name of who stops everything begins with when it is a restore.
    pub const RESTORE: &str = "the restore of ";

    /// Whether it is the hold after a restore.
    pub fn is_after_a_restore(&self) -> bool {
        self.by.starts_with(Self::RESTORE)
    }
}

/// Worker slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Slots {
    /// In use.
    pub used: u32,
    /// All.
    pub total: u32,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskView {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its project.
    pub project: String,
    /// Its state, in the words of the contract.
    pub state: String,
    /// Whether its section is in the archive.
    pub archived: bool,
    /// The tier of the present or planned attempt, else of the last one.
    pub tier: Option<String>,
    /// The model of the present or last attempt.
    pub model: Option<String>,
    /// The runtime of the present or last attempt.
    pub runtime: Option<String>,
    /// The node of the fleet that has its workspace; absent where there is no fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The number of the present or last attempt; 0 before the first.
    pub attempt: u32,
    /// Its priority.
    pub priority: String,
    /// Progress in percent, where the worker tells it.
    pub progress_pct: Option<u8>,
    /// What the worker says it is doing.
    pub phase: Option<String>,
    /// Age of the newest sign of life, in seconds.
    pub heartbeat_age_s: Option<f64>,
    /// `alive`, `gone` or `none`.
    pub session: String,
    /// What its attempts cost so far, and the reviews of this round, in US dollars.
    pub cost_usd: f64,
    /// Why it is blocked, where it is.
    pub blocked_reason: Option<String>,
    /// What it waits for.
    pub waiting: WaitingView,
    /// The latest run of the gate.
    pub gate: GateView,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptView>,
    /// When it was first read.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a task waits for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaitingView {
    /// `dependency`, `slot`, `budget`, `quota`, `retry`, `person` or `nothing`.
    #[serde(rename = "for")]
    pub what: String,
    /// The tasks it waits for.
    pub on: Vec<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when, where that is known.
    pub until: Option<DateTime<Utc>>,
    /// Who must act.
    pub who: Option<String>,
    /// In one sentence.
    pub why: String,
}

/// The latest run of the gate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateView {
    /// `none`, `running`, `passed` or `failed`.
    pub verdict: String,
    /// The commit it judged.
    pub commit: Option<String>,
    /// Its checks.
    pub checks: Vec<CheckView>,
}

/// One check of the gate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckView {
    /// Its name.
    pub name: String,
    /// Its category.
    pub category: String,
    /// `passed`, `failed`, `timed-out`, `error` or `needs-person`.
    pub verdict: String,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// Where it ran.
    pub directory: String,
    /// What ran.
    pub command: String,
    /// The tail of its output; only in `show` and `validate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tail: Option<String>,
    /// What it ran on and in; only in `show` and `validate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
}

/// The rest of a check's receipt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReceiptView {
    /// The commit.
    pub commit: String,
    /// The tree that was checked out.
    pub tree: String,
    /// SHA-256 over its environment.
    pub environment: String,
    /// By what its sandbox was made, and a digest of what that allowed; none where it ran in none.
    pub sandbox: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// SHA-256 of the whole output; `logs ID --check NAME` prints it.
    pub output_sha256: String,
    /// Its length.
    pub output_bytes: u64,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptView {
    /// Its number.
    pub n: u32,
    /// Its tier.
    pub tier: String,
    /// Its runtime.
    pub runtime: String,
    /// Its model.
    pub model: String,
    /// The node of the fleet that ran it; absent where there is no fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// How it ended; `null` while it runs.
    pub outcome: Option<String>,
    /// Why, in one sentence.
    pub reason: Option<String>,
    /// What it cost, in US dollars, where reported.
    pub cost_usd: Option<f64>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How its worker is contained, in `show`; absent where it is not, and elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containment: Option<ContainmentView>,
}

/// The cell of an attempt, as it was probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContainmentView {
    /// Its tier.
    pub tier: String,
    /// By what it is made.
    pub by: String,
    /// The digest of what it allows.
    pub policy: String,
    /// What was tried before the worker ran, and held.
    pub tried: Vec<String>,
    /// What it does not stop that others of its tier do.
    pub gaps: Vec<String>,
}

/// A mistake, with its place and its cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, relative to the instance.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
    /// `error` or `warning`.
    pub severity: String,
    /// A stable word for the kind of mistake.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// `show ID --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Show {
    /// [`VERSION`]
    pub version: u32,
    /// The task as in `status`, with the output tails of its checks.
    pub task: TaskView,
    /// What is asked.
    pub description: String,
    /// What it must fulfil.
    pub acceptance: Vec<String>,
    /// Its dependencies.
    pub depends_on: Vec<String>,
    /// Where the work is done.
    pub workspace: Option<String>,
    /// The branch with its work.
    pub branch: Option<String>,
    /// Why it started at its tier.
    pub assessment: Vec<String>,
    /// What its workers asked people, and what they were told.
    pub questions: Vec<QuestionView>,
    /// The task that it is a part of.
    pub parent: Option<String>,
    /// The sub-tasks that its workers made.
    pub children: Vec<String>,
    /// What the last run of its gate kept for people to look at.
    pub evidence: Vec<ExhibitView>,
    /// Its progress file.
    pub progress: Option<String>,
    /// What happened, oldest first.
    pub events: Vec<EventView>,
}

/// `evidence ID --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// [`VERSION`]
    pub version: u32,
    /// The task.
    pub id: String,
    /// The commit that was judged last.
    pub commit: Option<String>,
    /// What was kept of it.
    pub evidence: Vec<ExhibitView>,
}

/// One piece of evidence that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExhibitView {
    /// Its name.
    pub name: String,
    /// `passed` where all that was asked for is there.
    pub verdict: String,
    /// Its files.
    pub files: Vec<KeptView>,
}

/// A file that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptView {
    /// Its path from the folder of the work.
    pub path: String,
    /// Its size, in bytes.
    pub bytes: u64,
    /// Its media type.
    pub kind: String,
    /// SHA-256 of what is kept.
    pub sha256: String,
    /// Whether the worker committed it; else a command of the gate made it.
    pub committed: bool,
    /// Whether secrets were taken out.
    pub redacted: bool,
    /// Where it lies; none where it is not kept any more.
    pub stored: Option<String>,
}

/// A question of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuestionView {
    /// Its words.
    pub question: String,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// What was answered; absent while it is open.
    pub answer: Option<String>,
    /// Who answered.
    pub by: Option<String>,
}

/// One line of the event log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventView {
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of event.
    pub kind: String,
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// Why, in one sentence.
    pub why: String,
}

/// `why ID --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Why {
    /// [`VERSION`]
    pub version: u32,
    /// The task.
    pub id: String,
    /// Its state.
    pub state: String,
    /// What it waits for, since when, until what, who must act.
    pub waiting: WaitingView,
    /// The recorded decisions that led here, newest first.
    pub decisions: Vec<EventView>,
}

/// `plan --json`: what the next tick would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// [`VERSION`]
    pub version: u32,
    /// One line a step, in order.
    pub steps: Vec<PlanStep>,
    /// Mistakes that keep tasks from running.
    pub problems: Vec<Problem>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanStep {
    /// The task.
    pub id: String,
    /// `admit`, `change`, `cancel`, `assess`, `start`, `wait`.
    pub action: String,
    /// Why, in one sentence.
    pub why: String,
}
