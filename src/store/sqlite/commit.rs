//! The writes of a task's path: a batch of admissions and decisions, one statement a table.

use sqlx::SqliteConnection;

use super::bulk::{Bulk, text};
use super::{SqliteStore, attempts, gates, outbox};
use crate::domain::decide::{Decision, LogEntry};
use crate::domain::effect::Durable;
use crate::domain::task::Task;
use crate::store::batch::{
    AdmittedRow, Batch, Change, DefinitionRow, EventRow, Head, Heads, MovedRow, RewrittenRow,
};
use crate::store::error::{CommitError, StoreError};
use crate::store::record::Committed;
use crate::store::row::{body, nat};

impl SqliteStore {
    pub(super) async fn admit(
        &self,
        task: &Task,
        entry: LogEntry,
        durable: Vec<Durable>,
    ) -> Result<Committed, CommitError> {
        let admission = Decision {
            task: task.clone(),
            entry,
            attempt: None,
            gate: None,
            durable,
            led: None,
        };
        self.writer.change(Change::new(admission, None)?).await
    }

    pub(super) async fn commit(&self, decision: Decision, expected: u64) -> Result<Committed, CommitError> {
        self.writer.change(Change::new(decision, Some(expected))?).await
    }
}

/// Opens the group's transaction; the number of its first event.
pub(super) async fn begin(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    // The newest event of all is the last of its task, and that is never trimmed.
    let sql = "BEGIN IMMEDIATE; SELECT coalesce(max(seq), 0) + 1 FROM event_log";
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

/// What is there of the tasks of a group.
pub(super) async fn heads(
    conn: &mut SqliteConnection,
    changes: impl Iterator<Item = &Change>,
) -> Result<Heads, StoreError> {
    let ids: Vec<&str> = changes.map(|change| change.id().as_str()).collect();
    let rows: Vec<(String, i64, i64, String, bool)> = sqlx::query_as(
        "SELECT t.id, t.version, t.epoch, t.definition_hash, t.done_gate IS NOT NULL \
         FROM json_each($1) j JOIN task t ON t.id = j.value",
    )
    .bind(body(&ids)?)
    .fetch_all(conn)
    .await?;
    let head = |(id, version, epoch, definition_hash, proven)| {
        let head = Head {
            version: nat(version),
            epoch: nat(epoch),
            definition_hash,
            proven,
        };
        (id, head)
    };
    Ok(rows.into_iter().map(head).collect())
}

/// Writes changes that the heads allow. After an error whatever it wrote must be undone.
///
/// # Errors
/// Of the first change that is refused; which one it is is only known where it is alone.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    changes: &[(&Change, i64)],
    heads: &Heads,
) -> Result<(), CommitError> {
    let batch = Batch::of(changes.iter().copied(), heads)?;
    define(conn, &batch.definitions).await?;
    log(conn, &batch.events).await?;
    admit(conn, &batch.admitted).await?;
    gates::put(conn, &batch.gates).await?;
    gates::put_receipts(conn, &batch.receipts).await?;
    let written = advance(conn, &batch.moved).await? + rewrite(conn, &batch.rewritten).await?;
    if written != (batch.moved.len() + batch.rewritten.len()) as u64 {
        // The heads were read in this very transaction, so only a fault of the file can bring this.
        let rule = "the row of a task did not change".to_owned();
        return Err(StoreError::Refused { rule }.into());
    }
    attempts::open(conn, &batch.opened).await?;
    let ended = attempts::close(conn, &batch.closed).await? + attempts::refuse(conn, &batch.refused).await?;
    if let Some((change, _)) = changes.first()
        && ended != (batch.closed.len() + batch.refused.len()) as u64
    {
        return Err(change.fenced());
    }
    outbox::put(conn, &batch.effects).await?;
    Ok(())
}

static DEFINE: Bulk = Bulk::new(
    3,
    "INSERT INTO definition (task_id, hash, body_version, body) \
     SELECT column1, column2, {body_version}, column3 FROM ({rows}) WHERE column1 IS NOT NULL \
     ON CONFLICT (task_id, hash) DO NOTHING",
);

async fn define(conn: &mut SqliteConnection, rows: &[DefinitionRow<'_>]) -> Result<u64, StoreError> {
    DEFINE
        .run(conn, rows, |query, row| {
            query
                .bind(row.task.clone())
                .bind(text(row.hash))
                .bind(text(&row.body))
        })
        .await
}

static LOG: Bulk = Bulk::new(
    9,
    "INSERT INTO event_log (seq, task_id, version, epoch, at, kind, from_state, to_state, why) \
     SELECT * FROM ({rows}) WHERE column1 IS NOT NULL",
);

async fn log(conn: &mut SqliteConnection, rows: &[EventRow<'_>]) -> Result<u64, StoreError> {
    LOG.run(conn, rows, |query, row| {
        query
            .bind(row.seq)
            .bind(row.task.clone())
            .bind(row.version)
            .bind(row.epoch)
            .bind(row.at)
            .bind(text(row.kind))
            .bind(text(row.from))
            .bind(text(row.to))
            .bind(text(row.why))
    })
    .await
}

static ADMIT: Bulk = Bulk::new(
    11,
    "INSERT INTO task (id, version, epoch, seq, updated_at, state, history, definition_hash, project, priority, \
     created_at, body_version) SELECT *, {body_version} FROM ({rows}) WHERE column1 IS NOT NULL",
);

async fn admit(conn: &mut SqliteConnection, rows: &[AdmittedRow<'_>]) -> Result<u64, StoreError> {
    ADMIT
        .run(
            conn,
            rows,
            |query,
             AdmittedRow {
                 step,
                 wording,
                 created_at,
             }| {
                query
                    .bind(step.id.clone())
                    .bind(step.version)
                    .bind(step.epoch)
                    .bind(step.seq)
                    .bind(step.updated_at)
                    .bind(step.state.clone())
                    .bind(step.history.clone())
                    .bind(text(wording.hash))
                    .bind(text(wording.project))
                    .bind(wording.priority)
                    .bind(created_at)
            },
        )
        .await
}

/// Names no column that refers to another table, so that the engine need not look there.
pub(super) static ADVANCE: Bulk = Bulk::new(
    8,
    "UPDATE task SET version = v.column3, epoch = v.column4, seq = v.column5, updated_at = v.column6, \
     state = v.column7, history = v.column8, body_version = {body_version} \
     FROM ({rows}) v WHERE task.id = v.column1 AND task.version = v.column2",
);

async fn advance(conn: &mut SqliteConnection, rows: &[MovedRow<'_>]) -> Result<u64, StoreError> {
    ADVANCE
        .run(conn, rows, |query, MovedRow { step, expected, .. }| {
            query
                .bind(step.id.clone())
                .bind(expected)
                .bind(step.version)
                .bind(step.epoch)
                .bind(step.seq)
                .bind(step.updated_at)
                .bind(step.state.clone())
                .bind(step.history.clone())
        })
        .await
}

pub(super) static REWRITE: Bulk = Bulk::new(
    14,
    "UPDATE task SET version = v.column3, epoch = v.column4, seq = v.column5, updated_at = v.column6, \
     state = v.column7, history = v.column8, body_version = {body_version}, definition_hash = v.column9, \
     project = v.column10, priority = v.column11, done_gate = (SELECT max(g.seq) FROM gate g \
     WHERE g.task_id = v.column1 AND g.attempt = v.column12 AND g.epoch = v.column13 AND g.commit_id = v.column14 \
     AND g.verdict = 'passed') \
     FROM ({rows}) v WHERE task.id = v.column1 AND task.version = v.column2",
);

async fn rewrite(conn: &mut SqliteConnection, rows: &[RewrittenRow<'_>]) -> Result<u64, StoreError> {
    REWRITE
        .run(conn, rows, |query, row| {
            query
                .bind(row.step.id.clone())
                .bind(row.expected)
                .bind(row.step.version)
                .bind(row.step.epoch)
                .bind(row.step.seq)
                .bind(row.step.updated_at)
                .bind(row.step.state.clone())
                .bind(row.step.history.clone())
                .bind(text(row.wording.hash))
                .bind(text(row.wording.project))
                .bind(row.wording.priority)
                .bind(row.proof.map(|proof| proof.attempt))
                .bind(row.proof.map(|proof| proof.epoch))
                .bind(row.proof.map(|proof| text(proof.commit)))
        })
        .await
}
