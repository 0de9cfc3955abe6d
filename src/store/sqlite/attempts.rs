//! Attempts: opened and closed with their decisions, watched in between outside the task's version.
//!
//! Invariant: what a worker's side writes names the attempt's epoch and lands only while that attempt is open.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::domain::decide::AttemptChange;
use crate::domain::id::TaskId;
use crate::domain::outcome::{AttemptReport, Outcome};
use crate::domain::task::{Attempt, Task};
use crate::store::error::{CommitError, StoreError};
use crate::store::record::{AttemptFacts, AttemptRecord, Beat, ProgressMark};
use crate::store::row::{AttemptRow, FactsRow, body, int, micros, task_id, word};

pub(super) const OPEN_FACTS: &str =
    "SELECT l.* FROM attempt a JOIN attempt_live l USING (task_id, epoch) WHERE a.ended_at IS NULL";

impl SqliteStore {
    pub(super) async fn beat(&self, beats: Vec<Beat>) -> Result<Vec<TaskId>, StoreError> {
        if beats.is_empty() {
            return Ok(Vec::new());
        }
        self.writer
            .run(move |conn| Box::pin(put_beats(conn, beats)))
            .await
    }

    pub(super) async fn progress(&self, marks: Vec<ProgressMark>) -> Result<Vec<TaskId>, StoreError> {
        if marks.is_empty() {
            return Ok(Vec::new());
        }
        self.writer
            .run(move |conn| Box::pin(put_marks(conn, marks)))
            .await
    }

    pub(super) async fn attempt_facts(&self, id: &TaskId) -> Result<Option<AttemptFacts>, StoreError> {
        let row: Option<FactsRow> =
            sqlx::query_as("SELECT * FROM attempt_live WHERE task_id = $1 ORDER BY epoch DESC LIMIT 1")
                .bind(id.as_str())
                .fetch_optional(&self.readers)
                .await?;
        row.map(|row| row.into_facts(id.as_str())).transpose()
    }

    pub(super) async fn open_facts(&self) -> Result<HashMap<TaskId, AttemptFacts>, StoreError> {
        let rows: Vec<OpenRow> = sqlx::query_as(OPEN_FACTS).fetch_all(&self.readers).await?;
        rows.into_iter()
            .map(|row| Ok((task_id(&row.task_id)?, row.facts.into_facts(&row.task_id)?)))
            .collect()
    }

    pub(super) async fn attempts_of(
        &self,
        ids: &[TaskId],
    ) -> Result<HashMap<TaskId, Vec<AttemptRecord>>, StoreError> {
        let rows: Vec<AttemptRow> = sqlx::query_as(
            "SELECT a.task_id, a.ended_at, a.outcome, a.reason, a.opening, a.report, l.epoch, l.beat_at, \
             l.progress_pct, l.phase, l.transcript_offset, l.session, l.cost_usd, l.input_tokens, l.output_tokens \
             FROM json_each($1) j JOIN attempt a ON a.task_id = j.value JOIN attempt_live l USING (task_id, epoch) \
             ORDER BY a.task_id, a.epoch",
        )
        .bind(body(&ids)?)
        .fetch_all(&self.readers)
        .await?;
        let mut all: HashMap<TaskId, Vec<AttemptRecord>> = HashMap::new();
        for row in rows {
            all.entry(task_id(&row.task_id)?)
                .or_default()
                .push(row.into_record()?);
        }
        Ok(all)
    }
}

#[derive(sqlx::FromRow)]
struct OpenRow {
    task_id: String,
    #[sqlx(flatten)]
    facts: FactsRow,
}

/// Applies what a decision does to an attempt's row.
pub(super) async fn change(
    conn: &mut SqliteConnection,
    task: &Task,
    change: AttemptChange,
    at: DateTime<Utc>,
) -> Result<(), CommitError> {
    let fenced = CommitError::Fenced { actual: task.epoch };
    match change {
        AttemptChange::Opened(attempt) if attempt.epoch == task.epoch => open(conn, &task.id, &attempt).await,
        AttemptChange::ByHand { attempt, report } if attempt.epoch == task.epoch => {
            open(conn, &task.id, &attempt).await?;
            close(conn, &task.id, attempt.epoch, &report, at).await?;
            Ok(())
        }
        AttemptChange::Opened(_) | AttemptChange::ByHand { .. } => Err(fenced),
        AttemptChange::Closed { epoch, report, .. } => match close(conn, &task.id, epoch, &report, at).await?
        {
            0 => Err(fenced),
            _ => Ok(()),
        },
        // A person may claim a task that was never tried; then there is no attempt whose outcome could change.
        AttemptChange::Refused { epoch: 0, .. } => Ok(()),
        AttemptChange::Refused { epoch, reason, .. } => match refuse(conn, &task.id, epoch, &reason).await? {
            0 => Err(fenced),
            _ => Ok(()),
        },
    }
}

async fn open(conn: &mut SqliteConnection, id: &TaskId, attempt: &Attempt) -> Result<(), CommitError> {
    sqlx::query(
        "INSERT INTO attempt (task_id, epoch, n, started_at, opening) VALUES ($1, $2, $3, $4, $5); \
         INSERT INTO attempt_live (task_id, epoch, session) VALUES ($1, $2, $6)",
    )
    .bind(id.as_str())
    .bind(int(attempt.epoch))
    .bind(i64::from(attempt.n))
    .bind(micros(attempt.started_at))
    .bind(body(attempt)?)
    .bind(&attempt.session)
    .execute(conn)
    .await?;
    Ok(())
}

async fn close(
    conn: &mut SqliteConnection,
    id: &TaskId,
    epoch: u64,
    report: &AttemptReport,
    at: DateTime<Utc>,
) -> Result<u64, CommitError> {
    let done = sqlx::query(
        "UPDATE attempt SET ended_at = $3, outcome = $4, reason = $5, report = $6 \
         WHERE task_id = $1 AND epoch = $2 AND ended_at IS NULL",
    )
    .bind(id.as_str())
    .bind(int(epoch))
    .bind(micros(at))
    .bind(word(report.outcome)?)
    .bind(&report.reason)
    .bind(body(report)?)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

async fn refuse(
    conn: &mut SqliteConnection,
    id: &TaskId,
    epoch: u64,
    reason: &str,
) -> Result<u64, CommitError> {
    let done = sqlx::query(
        "UPDATE attempt SET outcome = $3, reason = $4 WHERE task_id = $1 AND epoch = $2 AND ended_at IS NOT NULL",
    )
    .bind(id.as_str())
    .bind(int(epoch))
    .bind(word(Outcome::GateFailed)?)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

async fn put_beats(conn: &mut SqliteConnection, beats: Vec<Beat>) -> Result<Vec<TaskId>, StoreError> {
    let mut refused = Vec::new();
    for beat in beats {
        let done = sqlx::query(
            "UPDATE attempt_live SET beat_at = max($3, coalesce(beat_at, $3)), \
             progress_pct = coalesce($4, progress_pct), phase = coalesce($5, phase) WHERE task_id = $1 AND epoch = $2 \
             AND EXISTS (SELECT 1 FROM attempt WHERE task_id = $1 AND epoch = $2 AND ended_at IS NULL)",
        )
        .bind(beat.task.as_str())
        .bind(int(beat.epoch))
        .bind(micros(beat.at))
        .bind(beat.pct.map(|pct| i64::from(pct.min(100))))
        .bind(beat.phase)
        .execute(&mut *conn)
        .await?;
        if done.rows_affected() == 0 {
            refused.push(beat.task);
        }
    }
    Ok(refused)
}

async fn put_marks(conn: &mut SqliteConnection, marks: Vec<ProgressMark>) -> Result<Vec<TaskId>, StoreError> {
    let mut refused = Vec::new();
    for mark in marks {
        let done = sqlx::query(
            "UPDATE attempt_live SET transcript_offset = max($3, transcript_offset), session = coalesce($4, session), \
             cost_usd = coalesce($5, cost_usd), input_tokens = coalesce($6, input_tokens), \
             output_tokens = coalesce($7, output_tokens) WHERE task_id = $1 AND epoch = $2 \
             AND EXISTS (SELECT 1 FROM attempt WHERE task_id = $1 AND epoch = $2 AND ended_at IS NULL)",
        )
        .bind(mark.task.as_str())
        .bind(int(mark.epoch))
        .bind(int(mark.transcript_offset))
        .bind(mark.session)
        .bind(mark.cost_usd)
        .bind(mark.input_tokens.map(int))
        .bind(mark.output_tokens.map(int))
        .execute(&mut *conn)
        .await?;
        if done.rows_affected() == 0 {
            refused.push(mark.task);
        }
    }
    Ok(refused)
}
