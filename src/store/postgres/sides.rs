//! The statements of what goes beside the path of tasks: signs of life, the outbox, flags, the mirror. Lists of a group that go
//! to one table are one statement.

use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;

use super::text::text;
use super::work::{Answer, Outcome, Work};
use crate::domain::id::TaskId;
use crate::store::record::{Beat, Mirrored, ProgressMark, TO};
use crate::store::row::{int, micros};

pub(super) const BEAT: &str = "UPDATE attempt a SET beat_at = greatest(a.beat_at, c.at), \
    progress_pct = coalesce(c.pct, a.progress_pct), phase = coalesce(c.phase, a.phase) \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[]) AS c (task_id, epoch, at, pct, phase) \
    WHERE a.task_id = c.task_id AND a.epoch = c.epoch AND a.outcome IS NULL";
const MARK: &str = "UPDATE attempt a SET transcript_offset = greatest(a.transcript_offset, c.read), \
    session = coalesce(c.session, a.session), cost_usd = coalesce(c.cost, a.cost_usd), \
    input_tokens = coalesce(c.input, a.input_tokens), output_tokens = coalesce(c.output, a.output_tokens) \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::float8[], $6::bigint[], $7::bigint[]) \
    AS c (task_id, epoch, read, session, cost, input, output) \
    WHERE a.task_id = c.task_id AND a.epoch = c.epoch AND a.outcome IS NULL";
/// Which of some attempts are open: asked only where fewer rows were changed than attempts named.
const OPEN: &str = "SELECT a.task_id, a.epoch FROM unnest($1::text[], $2::bigint[]) AS c (task_id, epoch) JOIN attempt a \
    ON a.task_id = c.task_id AND a.epoch = c.epoch WHERE a.outcome IS NULL";
const SET_FLAG: &str = "INSERT INTO flag (name, value, set_at) VALUES ($1, $2::text::json, $3) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_at = excluded.set_at";
const TELL: &str = "INSERT INTO mirror (task_id, version, body) SELECT c.task_id, c.version, c.body::json \
    FROM unnest($1::text[], $2::bigint[], $3::text[]) AS c (task_id, version, body) ON CONFLICT (task_id) DO UPDATE \
    SET version = excluded.version, body = excluded.body WHERE excluded.version >= mirror.version";
const PERFORMED: &str =
    "UPDATE outbox SET done_at = $2, error = NULL WHERE seq = ANY($1) AND done_at IS NULL";
const NOT_PERFORMED: &str = "UPDATE outbox SET attempts = attempts + 1, error = $2, not_before = $3 \
    WHERE seq = $1 AND done_at IS NULL";

const HAND_OUT: &str = "INSERT INTO outbox (key, task_id, kind, payload, created_at, not_before) \
    SELECT o.key || '@' || p.surface, o.task_id, $3 || p.surface, o.payload, o.created_at, o.created_at \
    FROM unnest($1::bigint[], $2::text[]) AS p (seq, surface) JOIN outbox o ON o.seq = p.seq WHERE o.done_at IS NULL \
    ORDER BY o.seq ON CONFLICT (key) DO NOTHING";

/// The attempts that a statement found open.
enum Found {
    All,
    Only(HashSet<(String, i64)>),
}

impl Found {
    fn has(&self, id: &TaskId, epoch: u64) -> bool {
        match self {
            Self::All => true,
            Self::Only(rows) => rows.contains(&(id.to_string(), int(epoch))),
        }
    }
}

/// Does what a group has beside its changes, and answers it where it stood.
pub(super) async fn sides(
    conn: &mut PgConnection,
    works: &[&Work],
    answers: &mut [Option<Outcome>],
) -> Result<(), sqlx::Error> {
    let beaten = put_beats(conn, works).await?;
    let marked = put_marks(conn, works).await?;
    for (work, answer) in works.iter().zip(answers) {
        let done = match work {
            Work::Change(_) => continue,
            Work::Beats(beats) => Answer::Refused(missing(&beaten, beats.iter().map(|b| (&b.task, b.epoch)))),
            Work::Marks(marks) => Answer::Refused(missing(&marked, marks.iter().map(|m| (&m.task, m.epoch)))),
            Work::Flag { name, value, at } => {
                put_flag(conn, name, value.as_deref(), *at).await?;
                Answer::Done
            }
            Work::Mirrored(told) => {
                put_mirrored(conn, told).await?;
                Answer::Done
            }
            Work::Performed { seqs, at } => {
                put_performed(conn, seqs, *at).await?;
                Answer::Done
            }
            Work::HandedOut { seqs, to, at } => {
                let (rows, surfaces): (Vec<i64>, Vec<&str>) =
                    to.iter().map(|(seq, to)| (*seq, to.as_str())).unzip();
                sqlx::query(HAND_OUT)
                    .bind(rows)
                    .bind(surfaces)
                    .bind(TO)
                    .execute(&mut *conn)
                    .await?;
                put_performed(conn, seqs, *at).await?;
                Answer::Done
            }
            Work::NotPerformed {
                seq,
                error,
                not_before,
            } => {
                sqlx::query(NOT_PERFORMED)
                    .bind(seq)
                    .bind(text(error))
                    .bind(not_before)
                    .execute(&mut *conn)
                    .await?;
                Answer::Done
            }
        };
        *answer = Some(Ok(done));
    }
    Ok(())
}

async fn put_performed(conn: &mut PgConnection, seqs: &[i64], at: i64) -> Result<(), sqlx::Error> {
    sqlx::query(PERFORMED).bind(seqs).bind(at).execute(conn).await?;
    Ok(())
}

/// Those that were changed stay open and locked until the commit, and none opens again: the answer is of the change's own moment.
async fn found(
    conn: &mut PgConnection,
    done: u64,
    ids: Vec<&str>,
    epochs: Vec<i64>,
) -> Result<Found, sqlx::Error> {
    if done == ids.len() as u64 {
        return Ok(Found::All);
    }
    let rows: Vec<(String, i64)> = sqlx::query_as(OPEN)
        .bind(ids)
        .bind(epochs)
        .fetch_all(conn)
        .await?;
    Ok(Found::Only(rows.into_iter().collect()))
}

fn missing<'a>(found: &Found, asked: impl Iterator<Item = (&'a TaskId, u64)>) -> Vec<TaskId> {
    asked
        .filter(|(id, epoch)| !found.has(id, *epoch))
        .map(|(id, _)| id.clone())
        .collect()
}

/// One statement changes a row once: of several beats of one attempt the newest of each value counts.
async fn put_beats(conn: &mut PgConnection, works: &[&Work]) -> Result<Found, sqlx::Error> {
    let mut merged: BTreeMap<(&TaskId, u64), Beat> = BTreeMap::new();
    for beat in works.iter().flat_map(|work| match work {
        Work::Beats(beats) => beats.as_slice(),
        _ => &[],
    }) {
        let held = merged
            .entry((&beat.task, beat.epoch))
            .or_insert_with(|| beat.clone());
        held.at = held.at.max(beat.at);
        held.pct = beat.pct.or(held.pct);
        held.phase = beat.phase.clone().or(held.phase.take());
    }
    if merged.is_empty() {
        return Ok(Found::All);
    }
    let of = || merged.values();
    let pct = |beat: &Beat| beat.pct.map(|pct| i64::from(pct.min(100)));
    let ids: Vec<&str> = of().map(|b| b.task.as_str()).collect();
    let epochs: Vec<i64> = of().map(|b| int(b.epoch)).collect();
    let done = sqlx::query(BEAT)
        .bind(&ids)
        .bind(&epochs)
        .bind(of().map(|b| micros(b.at)).collect::<Vec<_>>())
        .bind(of().map(pct).collect::<Vec<_>>())
        .bind(of().map(|b| b.phase.as_deref().map(text)).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    found(conn, done.rows_affected(), ids, epochs).await
}

async fn put_marks(conn: &mut PgConnection, works: &[&Work]) -> Result<Found, sqlx::Error> {
    let mut merged: BTreeMap<(&TaskId, u64), ProgressMark> = BTreeMap::new();
    for mark in works.iter().flat_map(|work| match work {
        Work::Marks(marks) => marks.as_slice(),
        _ => &[],
    }) {
        let held = merged
            .entry((&mark.task, mark.epoch))
            .or_insert_with(|| mark.clone());
        held.transcript_offset = held.transcript_offset.max(mark.transcript_offset);
        held.session = mark.session.clone().or(held.session.take());
        held.cost_usd = mark.cost_usd.or(held.cost_usd);
        held.input_tokens = mark.input_tokens.or(held.input_tokens);
        held.output_tokens = mark.output_tokens.or(held.output_tokens);
    }
    if merged.is_empty() {
        return Ok(Found::All);
    }
    let of = || merged.values();
    let ids: Vec<&str> = of().map(|m| m.task.as_str()).collect();
    let epochs: Vec<i64> = of().map(|m| int(m.epoch)).collect();
    let done = sqlx::query(MARK)
        .bind(&ids)
        .bind(&epochs)
        .bind(of().map(|m| int(m.transcript_offset)).collect::<Vec<_>>())
        .bind(of().map(|m| m.session.as_deref().map(text)).collect::<Vec<_>>())
        .bind(of().map(|m| m.cost_usd).collect::<Vec<_>>())
        .bind(of().map(|m| m.input_tokens.map(int)).collect::<Vec<_>>())
        .bind(of().map(|m| m.output_tokens.map(int)).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    found(conn, done.rows_affected(), ids, epochs).await
}

async fn put_flag(
    conn: &mut PgConnection,
    name: &str,
    value: Option<&str>,
    at: i64,
) -> Result<(), sqlx::Error> {
    let query = match value {
        Some(value) => sqlx::query(SET_FLAG).bind(name).bind(value).bind(at),
        None => sqlx::query("DELETE FROM flag WHERE name = $1").bind(name),
    };
    query.execute(conn).await?;
    Ok(())
}

async fn put_mirrored(conn: &mut PgConnection, told: &[(TaskId, Mirrored)]) -> Result<(), sqlx::Error> {
    // Of two tellings of one task in a list the later version counts; one statement changes a row once.
    let mut newest: BTreeMap<&TaskId, &Mirrored> = BTreeMap::new();
    for (id, told) in told {
        let held = newest.entry(id).or_insert(told);
        if told.version >= held.version {
            *held = told;
        }
    }
    let bodies: Vec<String> = newest.values().map(|told| told.body.to_string()).collect();
    sqlx::query(TELL)
        .bind(newest.keys().map(ToString::to_string).collect::<Vec<_>>())
        .bind(newest.values().map(|told| int(told.version)).collect::<Vec<_>>())
        .bind(bodies)
        .execute(conn)
        .await?;
    Ok(())
}
