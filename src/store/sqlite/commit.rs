//! The writes of a task's path: admission and decisions, each one transaction with everything that belongs to it.

use sqlx::SqliteConnection;

use super::{SqliteStore, attempts, gates, outbox};
use crate::domain::decide::{Decision, LogEntry};
use crate::domain::effect::Durable;
use crate::domain::id::TaskId;
use crate::domain::task::{End, State, Task};
use crate::store::error::{CommitError, StoreError};
use crate::store::record::Committed;
use crate::store::row::{BODY_VERSION, body, int, micros, nat, rank};

impl SqliteStore {
    pub(super) async fn admit(
        &self,
        task: &Task,
        entry: LogEntry,
        durable: Vec<Durable>,
    ) -> Result<Committed, CommitError> {
        let task = task.clone();
        self.writer
            .run(move |conn| Box::pin(admit(conn, task, entry, durable)))
            .await
    }

    pub(super) async fn commit(&self, decision: Decision, expected: u64) -> Result<Committed, CommitError> {
        self.writer
            .run(move |conn| Box::pin(commit(conn, decision, expected)))
            .await
    }
}

/// What a change must know of the row that it starts from.
struct Head {
    version: u64,
    epoch: u64,
    definition_hash: String,
}

async fn head(conn: &mut SqliteConnection, id: &TaskId) -> Result<Option<Head>, CommitError> {
    let row: Option<(i64, i64, String)> =
        sqlx::query_as("SELECT version, epoch, definition_hash FROM task WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|(version, epoch, definition_hash)| Head {
        version: nat(version),
        epoch: nat(epoch),
        definition_hash,
    }))
}

async fn admit(
    conn: &mut SqliteConnection,
    task: Task,
    entry: LogEntry,
    durable: Vec<Durable>,
) -> Result<Committed, CommitError> {
    if let Some(head) = head(conn, &task.id).await? {
        return Err(CommitError::Conflict { actual: head.version });
    }
    define(conn, &task).await?;
    let seq = log(conn, &task, &entry).await?;
    sqlx::query(
        "INSERT INTO task (id, version, epoch, seq, definition_hash, project, priority, created_at, updated_at, \
         body_version, state, history) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(task.id.as_str())
    .bind(int(task.version))
    .bind(int(task.epoch))
    .bind(seq)
    .bind(&task.definition_hash)
    .bind(&task.definition.project)
    .bind(rank(task.definition.priority))
    .bind(micros(task.created_at))
    .bind(micros(task.updated_at))
    .bind(BODY_VERSION)
    .bind(body(&task.state)?)
    .bind(body(&task.history)?)
    .execute(&mut *conn)
    .await?;
    outbox::put(conn, &task, &durable, entry.at).await?;
    Ok(Committed { seq: nat(seq) })
}

async fn commit(
    conn: &mut SqliteConnection,
    decision: Decision,
    expected: u64,
) -> Result<Committed, CommitError> {
    let Decision {
        task,
        entry,
        attempt,
        gate,
        durable,
        led: _,
    } = decision;
    let head = head(conn, &task.id).await?.ok_or(CommitError::Unknown)?;
    if head.version != expected {
        return Err(CommitError::Conflict { actual: head.version });
    }
    if head.epoch > task.epoch {
        return Err(CommitError::Fenced { actual: head.epoch });
    }
    if head.definition_hash != task.definition_hash {
        define(conn, &task).await?;
    }
    if let Some(gate) = gate {
        gates::put(conn, &task.id, gate, head.epoch).await?;
    }
    let seq = write(conn, &task, &entry, expected).await?;
    if let Some(change) = attempt {
        attempts::change(conn, &task, change, entry.at).await?;
    }
    outbox::put(conn, &task, &durable, entry.at).await?;
    Ok(Committed { seq: nat(seq) })
}

async fn define(conn: &mut SqliteConnection, task: &Task) -> Result<(), CommitError> {
    sqlx::query(
        "INSERT INTO definition (task_id, hash, body_version, body) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (task_id, hash) DO NOTHING",
    )
    .bind(task.id.as_str())
    .bind(&task.definition_hash)
    .bind(BODY_VERSION)
    .bind(body(&task.definition)?)
    .execute(conn)
    .await?;
    Ok(())
}

async fn log(conn: &mut SqliteConnection, task: &Task, entry: &LogEntry) -> Result<i64, CommitError> {
    let done = sqlx::query(
        "INSERT INTO event_log (task_id, version, epoch, at, kind, from_state, to_state, why) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(task.id.as_str())
    .bind(int(task.version))
    .bind(int(entry.epoch))
    .bind(micros(entry.at))
    .bind(&entry.kind)
    .bind(&entry.from)
    .bind(&entry.to)
    .bind(&entry.why)
    .execute(conn)
    .await?;
    Ok(done.last_insert_rowid())
}

/// The event and the change that it led to, in one script; the row refers to the event by its number.
const LOG_AND_UPDATE: &str = "INSERT INTO event_log (task_id, version, epoch, at, kind, from_state, to_state, why) \
    VALUES ($1, $3, $13, $14, $15, $16, $17, $18); \
    UPDATE task SET version = $3, epoch = $4, seq = last_insert_rowid(), definition_hash = $5, project = $6, \
    priority = $7, updated_at = $8, body_version = $9, state = $10, history = $11, done_gate = $12 \
    WHERE id = $1 AND version = $2 AND epoch <= $4";

/// Writes the event and the task's row. A completed task refers to the newest passed gate of its attempt and commit, or to
/// none, which the schema refuses.
async fn write(
    conn: &mut SqliteConnection,
    task: &Task,
    entry: &LogEntry,
    expected: u64,
) -> Result<i64, CommitError> {
    let gate = match &task.state {
        State::Ended {
            end:
                End::Completed {
                    attempt,
                    epoch,
                    commit,
                    ..
                },
            ..
        } => gates::proof(conn, &task.id, *attempt, *epoch, commit).await?,
        _ => None,
    };
    let done = sqlx::query(LOG_AND_UPDATE)
        .bind(task.id.as_str())
        .bind(int(expected))
        .bind(int(task.version))
        .bind(int(task.epoch))
        .bind(&task.definition_hash)
        .bind(&task.definition.project)
        .bind(rank(task.definition.priority))
        .bind(micros(task.updated_at))
        .bind(BODY_VERSION)
        .bind(body(&task.state)?)
        .bind(body(&task.history)?)
        .bind(gate)
        .bind(int(entry.epoch))
        .bind(micros(entry.at))
        .bind(&entry.kind)
        .bind(&entry.from)
        .bind(&entry.to)
        .bind(&entry.why)
        .execute(conn)
        .await?;
    match done.rows_affected() {
        2 => Ok(done.last_insert_rowid()),
        // The head was read in this very transaction, so only a fault of the file can bring this.
        _ => Err(StoreError::Refused {
            rule: format!("the row of task {} did not change", task.id),
        }
        .into()),
    }
}
