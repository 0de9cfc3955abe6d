//! Attempts: opened and closed with their decisions, watched in between outside the task's version.
//!
//! Invariant: what a worker's side writes names the attempt's epoch and lands only while that attempt is open.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::SqliteStore;
use super::bulk::{Bulk, text};
use crate::domain::id::TaskId;
use crate::domain::outcome::Outcome;
use crate::store::batch::{ClosedRow, OpenedRow, RefusedRow, rounds};
use crate::store::error::StoreError;
use crate::store::record::{AttemptFacts, AttemptRecord, Beat, ProgressMark};
use crate::store::row::{AttemptRow, FactsRow, body, int, micros, nat, task_id, word};

pub(super) const OPEN_FACTS: &str = "SELECT task_id, epoch, beat_at, progress_pct, phase, transcript_offset, session, cost_usd, input_tokens, \
     output_tokens FROM attempt WHERE ended_at IS NULL";

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
            sqlx::query_as("SELECT * FROM attempt WHERE task_id = $1 ORDER BY epoch DESC LIMIT 1")
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
            "SELECT a.* FROM json_each($1) j JOIN attempt a ON a.task_id = j.value ORDER BY a.task_id, a.epoch",
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

static OPEN: Bulk = Bulk::new(
    6,
    "INSERT INTO attempt (task_id, epoch, n, started_at, opening, session) \
     SELECT * FROM ({rows}) WHERE column1 IS NOT NULL",
);

pub(super) async fn open(conn: &mut SqliteConnection, rows: &[OpenedRow<'_>]) -> Result<u64, StoreError> {
    OPEN.run(conn, rows, |query, row| {
        query
            .bind(row.task.clone())
            .bind(row.epoch)
            .bind(row.n)
            .bind(row.started_at)
            .bind(row.opening.clone())
            .bind(row.session.map(text))
    })
    .await
}

/// The sign keeps the engine from walking through the index of open attempts: an attempt is looked up by its key.
pub(super) static CLOSE: Bulk = Bulk::new(
    6,
    "UPDATE attempt SET ended_at = v.column3, outcome = v.column4, reason = v.column5, report = v.column6 \
     FROM ({rows}) v WHERE attempt.task_id = v.column1 AND attempt.epoch = v.column2 AND +attempt.ended_at IS NULL",
);

pub(super) async fn close(conn: &mut SqliteConnection, rows: &[ClosedRow<'_>]) -> Result<u64, StoreError> {
    CLOSE
        .run(conn, rows, |query, row| {
            query
                .bind(row.task.clone())
                .bind(row.epoch)
                .bind(row.ended_at)
                .bind(text(row.outcome))
                .bind(text(row.reason))
                .bind(row.report.clone())
        })
        .await
}

pub(super) static REFUSE: Bulk = Bulk::new(
    4,
    "UPDATE attempt SET outcome = v.column3, reason = v.column4 FROM ({rows}) v \
     WHERE attempt.task_id = v.column1 AND attempt.epoch = v.column2 AND attempt.ended_at IS NOT NULL",
);

pub(super) async fn refuse(conn: &mut SqliteConnection, rows: &[RefusedRow<'_>]) -> Result<u64, StoreError> {
    let outcome = word(Outcome::GateFailed)?;
    REFUSE
        .run(conn, rows, |query, row| {
            query
                .bind(row.task.clone())
                .bind(row.epoch)
                .bind(outcome.clone())
                .bind(text(row.reason))
        })
        .await
}

pub(super) static BEAT: Bulk = Bulk::new(
    5,
    "UPDATE attempt SET beat_at = max(v.column3, coalesce(beat_at, v.column3)), \
     progress_pct = coalesce(v.column4, progress_pct), phase = coalesce(v.column5, phase) FROM ({rows}) v \
     WHERE attempt.task_id = v.column1 AND attempt.epoch = v.column2 AND +attempt.ended_at IS NULL",
);

async fn put_beats(conn: &mut SqliteConnection, beats: Vec<Beat>) -> Result<Vec<TaskId>, StoreError> {
    let mut touched = 0;
    for round in rounds(&beats, |beat| &beat.task) {
        touched += BEAT
            .run(conn, &round, |query, beat| {
                query
                    .bind(beat.task.as_str())
                    .bind(int(beat.epoch))
                    .bind(micros(beat.at))
                    .bind(beat.pct.map(|pct| i64::from(pct.min(100))))
                    .bind(beat.phase.as_deref())
            })
            .await?;
    }
    if touched == beats.len() as u64 {
        return Ok(Vec::new());
    }
    not_open(conn, beats.into_iter().map(|beat| (beat.task, beat.epoch))).await
}

pub(super) static MARK: Bulk = Bulk::new(
    7,
    "UPDATE attempt SET transcript_offset = max(v.column3, transcript_offset), \
     session = coalesce(v.column4, session), cost_usd = coalesce(v.column5, cost_usd), \
     input_tokens = coalesce(v.column6, input_tokens), output_tokens = coalesce(v.column7, output_tokens) \
     FROM ({rows}) v WHERE attempt.task_id = v.column1 AND attempt.epoch = v.column2 AND +attempt.ended_at IS NULL",
);

async fn put_marks(conn: &mut SqliteConnection, marks: Vec<ProgressMark>) -> Result<Vec<TaskId>, StoreError> {
    let mut touched = 0;
    for round in rounds(&marks, |mark| &mark.task) {
        touched += MARK
            .run(conn, &round, |query, mark| {
                query
                    .bind(mark.task.as_str())
                    .bind(int(mark.epoch))
                    .bind(int(mark.transcript_offset))
                    .bind(mark.session.as_deref())
                    .bind(mark.cost_usd)
                    .bind(mark.input_tokens.map(int))
                    .bind(mark.output_tokens.map(int))
            })
            .await?;
    }
    if touched == marks.len() as u64 {
        return Ok(Vec::new());
    }
    not_open(conn, marks.into_iter().map(|mark| (mark.task, mark.epoch))).await
}

/// Those of the named attempts that are not the open one of their task.
async fn not_open(
    conn: &mut SqliteConnection,
    named: impl Iterator<Item = (TaskId, u64)>,
) -> Result<Vec<TaskId>, StoreError> {
    let named: Vec<(TaskId, u64)> = named.collect();
    let ids: Vec<&str> = named.iter().map(|(id, _)| id.as_str()).collect();
    let open: Vec<(String, i64)> = sqlx::query_as(
        "SELECT a.task_id, a.epoch FROM json_each($1) j JOIN attempt a ON a.task_id = j.value \
         WHERE a.ended_at IS NULL",
    )
    .bind(body(&ids)?)
    .fetch_all(conn)
    .await?;
    let open: HashMap<String, u64> = open.into_iter().map(|(id, epoch)| (id, nat(epoch))).collect();
    Ok(named
        .into_iter()
        .filter(|(id, epoch)| open.get(id.as_str()) != Some(epoch))
        .map(|(id, _)| id)
        .collect())
}
