//! What a story leaves behind: the workers' ledger, the store's tables, the queue file, and what was printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use orchestrator::chat::words;
use orchestrator::domain::effect::Durable;
use orchestrator::domain::id::TaskId;
use sqlx::{PgConnection, SqliteConnection};

use super::ledger::Line;

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Tasks that somebody was told are taken.
    pub accepted: BTreeSet<String>,
    pub ledger: Vec<Line>,
    pub tasks: Vec<TaskRow>,
    pub attempts: Vec<AttemptRow>,
    pub gates: Vec<GateRow>,
    /// By their number.
    pub events: Vec<EventRow>,
    /// Durable effects, by their number.
    pub outbox: Vec<MessageRow>,
    /// How often each task has a section in the queue file and its archive.
    pub sections: BTreeMap<String, usize>,
    /// What all nodes printed, in the order in which they did.
    pub printed: Vec<String>,
    /// Attempts that stood still together with whoever watched over them.
    pub paused: Vec<Pause>,
    /// Whether a message may have been printed again: somebody died, froze or lost the store between printing and writing that
    /// down, and another one leads.
    pub may_repeat: bool,
}

/// An attempt that stood still as a whole, supervisor and all, for longer than its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub task: String,
    pub epoch: u64,
    /// When it went on, since boot.
    pub thawed_at: Duration,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct TaskRow {
    pub id: String,
    pub version: i64,
    pub epoch: i64,
    pub kind: String,
    pub done_gate: Option<i64>,
    pub done_attempt: Option<i64>,
    pub done_epoch: Option<i64>,
    pub done_commit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct AttemptRow {
    pub task_id: String,
    pub epoch: i64,
    pub is_open: bool,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct GateRow {
    pub seq: i64,
    pub task_id: String,
    pub attempt: i64,
    pub epoch: i64,
    pub commit_id: String,
    pub verdict: String,
    pub receipts: i64,
    pub passed_receipts: i64,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct EventRow {
    pub seq: i64,
    pub task_id: String,
    pub version: i64,
    pub epoch: i64,
    pub from_state: String,
    pub to_state: String,
}

/// A durable effect.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRow {
    pub seq: i64,
    pub key: String,
    pub task: String,
    pub is_done: bool,
    /// The line that people are to read; none of what is no report.
    pub line: Option<String>,
}

impl Evidence {
    /// What the store says.
    pub async fn of_store(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let outbox: Vec<(i64, String, String, String, bool)> = sqlx::query_as(
            "SELECT seq, key, task_id, payload::text, done_at IS NOT NULL FROM outbox ORDER BY seq",
        )
        .fetch_all(&mut *conn)
        .await?;
        Ok(Self {
            tasks: sqlx::query_as(
                "SELECT id, version, epoch, kind, done_gate, (state #>> '{end,attempt}')::bigint AS done_attempt, \
                 (state #>> '{end,epoch}')::bigint AS done_epoch, state #>> '{end,commit}' AS done_commit FROM task ORDER BY id",
            )
            .fetch_all(&mut *conn)
            .await?,
            attempts: sqlx::query_as("SELECT task_id, epoch, ended_at IS NULL AS is_open FROM attempt")
                .fetch_all(&mut *conn)
                .await?,
            gates: sqlx::query_as(
                "SELECT seq, task_id, attempt, epoch, commit_id, verdict, \
                 (SELECT count(*) FROM receipt r WHERE r.gate_seq = g.seq) AS receipts, \
                 (SELECT count(*) FROM receipt r WHERE r.gate_seq = g.seq AND r.verdict = 'passed' \
                  AND r.commit_id = g.commit_id) AS passed_receipts FROM gate g",
            )
            .fetch_all(&mut *conn)
            .await?,
            events: sqlx::query_as(
                "SELECT seq, task_id, version, epoch, from_state, to_state FROM event_log ORDER BY seq",
            )
            .fetch_all(&mut *conn)
            .await?,
            outbox: outbox.into_iter().map(message).collect(),
            ..Self::default()
        })
    }

    /// What an embedded store says.
    pub async fn of_embedded(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let outbox: Vec<(i64, String, String, String, bool)> =
            sqlx::query_as("SELECT seq, key, task_id, payload, done_at IS NOT NULL FROM outbox ORDER BY seq")
                .fetch_all(&mut *conn)
                .await?;
        Ok(Self {
            tasks: sqlx::query_as(
                "SELECT id, version, epoch, kind, done_gate, done_attempt, done_epoch, done_commit FROM task ORDER BY id",
            )
            .fetch_all(&mut *conn)
            .await?,
            attempts: sqlx::query_as("SELECT task_id, epoch, ended_at IS NULL AS is_open FROM attempt")
                .fetch_all(&mut *conn)
                .await?,
            gates: sqlx::query_as(
                "SELECT seq, task_id, attempt, epoch, commit_id, verdict, \
                 (SELECT count(*) FROM receipt r WHERE r.gate_seq = g.seq) AS receipts, \
                 (SELECT count(*) FROM receipt r WHERE r.gate_seq = g.seq AND r.verdict = 'passed' \
                  AND r.commit_id = g.commit_id) AS passed_receipts FROM gate g",
            )
            .fetch_all(&mut *conn)
            .await?,
            events: sqlx::query_as(
                "SELECT seq, task_id, version, epoch, from_state, to_state FROM event_log ORDER BY seq",
            )
            .fetch_all(&mut *conn)
            .await?,
            outbox: outbox.into_iter().map(message).collect(),
            ..Self::default()
        })
    }
}

fn message((seq, key, task, payload, is_done): (i64, String, String, String, bool)) -> MessageRow {
    let line = match serde_json::from_str(&payload).unwrap() {
        Durable::Report(report) => Some(words::line(&TaskId::parse(&task).unwrap(), &report)),
        Durable::Mirror | Durable::Progress { .. } => None,
    };
    MessageRow {
        seq,
        key,
        task,
        is_done,
        line,
    }
}

/// How often each task has a section in these texts.
pub fn sections<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in texts.into_iter().flat_map(str::lines) {
        if let Some((id, _title)) = line.strip_prefix("### ").and_then(|rest| rest.split_once(':')) {
            *found.entry(id.to_owned()).or_default() += 1;
        }
    }
    found
}

/// Printed lines, without the time that each begins with.
pub fn printed(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = |line: &str| Some(line.split_once(' ')?.1.to_owned());
    text.lines().filter_map(line).collect()
}

/// The time since boot, as the workers' ledger has it.
pub fn since_boot() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap();
    Duration::from_secs_f64(text.split(' ').next().unwrap().parse().unwrap())
}
