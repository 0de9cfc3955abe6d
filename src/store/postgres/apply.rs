//! The statements of a group's changes: one a table, whatever the number of changes.
//!
//! No statement names what a partial index is about: after an ANALYZE of a full backlog the planner would expect none of the rows
//! there and try the whole index for each change. What holds for all rows of a statement (its transaction) is asked once.
//!
//! Nearly always a change finds its task as it supposes it, so it is written on that supposition, and the statements look whether
//! it holds. Where it does not, the heads are read and locked first, which tells whose it was that did not.

use std::borrow::Cow;

use sqlx::PgConnection;

use super::fault::{self, After};
use super::text::{searchable, text};
use super::work::{Answer, Outcome, Work};
use crate::domain::outcome::Outcome as AttemptOutcome;
use crate::store::batch::{
    AdmittedRow, Batch, Change, ClosedRow, DefinitionRow, EffectRow, EventRow, GateRow, Head, Heads,
    MovedRow, OpenedRow, ReceiptRow, RefusedRow, RewrittenRow,
};
use crate::store::error::StoreError;
use crate::store::record::Committed;
use crate::store::row::{BODY_VERSION, int, micros, nat, word};

pub(super) const HEADS: &str = "SELECT id, version, epoch, definition_hash, done_gate IS NOT NULL FROM task \
    WHERE id = ANY($1) ORDER BY id FOR UPDATE";
const DEFINE_FIRST: &str = "INSERT INTO definition (task_id, hash, body_version, body) \
    SELECT c.task_id, c.hash, $4, c.body::json FROM unnest($1::text[], $2::text[], $3::text[]) AS c (task_id, hash, body)";
const DEFINE: &str = "INSERT INTO definition (task_id, hash, body_version, body) \
    SELECT c.task_id, c.hash, $4, c.body::json FROM unnest($1::text[], $2::text[], $3::text[]) AS c (task_id, hash, body) \
    ON CONFLICT (task_id, hash) DO NOTHING";
const LOG: &str = "INSERT INTO event_log (seq, task_id, version, epoch, at, kind, from_state, to_state, why, xact) \
    SELECT c.*, (SELECT pg_current_xact_id()::text::bigint) FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], \
    $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[]) AS c";
const ADMIT: &str = "INSERT INTO task (id, version, epoch, seq, updated_at, state, history, definition_hash, project, priority, \
    created_at, body_version) SELECT c.id, c.version, c.epoch, c.seq, c.updated_at, c.state::jsonb, c.history::json, c.hash, \
    c.project, c.priority, c.created_at, $12 \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], \
    $9::text[], $10::bigint[], $11::bigint[]) \
    AS c (id, version, epoch, seq, updated_at, state, history, hash, project, priority, created_at) ORDER BY c.id COLLATE \"C\"";
pub(super) const MOVE: &str = "UPDATE task t SET version = c.version, epoch = c.epoch, seq = c.seq, updated_at = c.updated_at, \
    xact = (SELECT pg_current_xact_id()::text::bigint), state = c.state::jsonb, history = c.history::json, body_version = $11 \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], \
    $9::bigint[], $10::text[]) AS c (id, version, epoch, seq, updated_at, state, history, expected, held, hash) \
    WHERE t.id = c.id AND t.version = c.expected AND t.epoch = coalesce(c.held, t.epoch) AND t.definition_hash = c.hash \
    AND t.done_gate IS NULL";
/// A completed task refers to the run of the gate that comes with it, or to the newest passed one of its attempt and commit, or to
/// none, which the schema refuses.
const REWRITE: &str = "UPDATE task t SET version = c.version, epoch = c.epoch, seq = c.seq, updated_at = c.updated_at, \
    xact = (SELECT pg_current_xact_id()::text::bigint), state = c.state::jsonb, history = c.history::json, \
    definition_hash = c.hash, project = c.project, \
    priority = c.priority, body_version = $17, done_gate = CASE WHEN c.proof_gate IS NOT NULL THEN c.proof_gate \
    WHEN c.proof_commit IS NOT NULL THEN \
    (SELECT max(g.seq) FROM gate g WHERE g.task_id = c.id AND g.attempt = c.proof_attempt AND g.epoch = c.proof_epoch \
    AND g.commit_id = c.proof_commit AND g.verdict = 'passed') END \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], \
    $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::text[], $16::bigint[]) \
    AS c (id, version, epoch, seq, updated_at, state, history, expected, held, hash, project, priority, proof_attempt, \
    proof_epoch, proof_commit, proof_gate) WHERE t.id = c.id AND t.version = c.expected AND t.epoch = coalesce(c.held, t.epoch)";
const OPEN: &str = "INSERT INTO attempt (task_id, epoch, n, started_at, opening, session) \
    SELECT c.task_id, c.epoch, c.n, c.started_at, c.opening::json, c.session \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[]) \
    AS c (task_id, epoch, n, started_at, opening, session)";
pub(super) const CLOSE: &str = "UPDATE attempt a SET ended_at = c.at, outcome = c.outcome, reason = c.reason, \
    report = c.report::json FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[]) \
    AS c (task_id, epoch, at, outcome, reason, report) \
    WHERE a.task_id = c.task_id AND a.epoch = c.epoch AND a.outcome IS NULL";
const REFUSE: &str = "UPDATE attempt a SET outcome = $4, reason = c.reason \
    FROM unnest($1::text[], $2::bigint[], $3::text[]) AS c (task_id, epoch, reason) \
    WHERE a.task_id = c.task_id AND a.epoch = c.epoch AND a.outcome IS NOT NULL";
const JUDGE: &str = "INSERT INTO gate (seq, task_id, attempt, epoch, commit_id, tree, verdict, started_at, ended_at) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], \
    $8::bigint[], $9::bigint[])";
const RECEIVE: &str = "INSERT INTO receipt (gate_seq, position, name, category, source, directory, commit_id, command, \
    exit_code, verdict, started_at, duration_us, output_tail, output_sha256, tree, environment, sandbox, output_bytes, files) \
    SELECT c.gate_seq, c.position, c.name, c.category, c.source, c.directory, c.commit_id, c.command, c.exit_code, c.verdict, \
    c.started_at, c.duration_us, c.output_tail, c.output_sha256, c.tree, c.environment, c.sandbox, c.output_bytes, \
    c.files::json FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
    $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[], \
    $16::text[], $17::text[], $18::bigint[], $19::text[]) AS c (gate_seq, position, name, category, source, directory, \
    commit_id, command, exit_code, verdict, started_at, duration_us, output_tail, output_sha256, tree, environment, \
    sandbox, output_bytes, files)";
const OWE: &str = "INSERT INTO outbox (key, task_id, kind, payload, created_at, not_before) \
    SELECT c.key, c.task_id, c.kind, c.payload::json, c.at, c.at \
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS c (key, task_id, kind, payload, at)";

/// Why a group cannot stand as it is.
#[derive(Debug)]
pub(super) enum Stop {
    /// The server.
    Sql(sqlx::Error),
    /// One of its changes writes to an attempt that is not the open one; which, only each alone can tell.
    Fenced,
    /// One of its tasks is not as its change supposes; which, and how it is, their heads tell.
    Otherwise,
    /// The store.
    Store(StoreError),
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Stop {
    /// Whether another try that reads the heads first could tell more, or go through.
    pub(super) fn heads_tell_more(&self) -> bool {
        match self {
            Self::Otherwise => true,
            Self::Sql(error) => fault::after(error) == After::Again || fault::is_a_rule(error),
            Self::Fenced | Self::Store(_) => false,
        }
    }
}

/// When a group looks whether its tasks are as its changes suppose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Their heads are read and locked first.
    Before,
    /// The statements that write them look; nothing tells what it is that they did not find.
    Within,
}

/// Applies the changes of a group, each under its number. Answers what came of each; work that is no change of a task has no
/// answer here.
pub(super) async fn changes(
    conn: &mut PgConnection,
    works: &[&Work],
    numbers: &[i64],
    look: Look,
) -> Result<Vec<Option<Outcome>>, Stop> {
    let mut answers: Vec<Option<Outcome>> = works.iter().map(|_| None).collect();
    let changes: Vec<&Change> = works.iter().filter_map(|work| work.change()).collect();
    if changes.is_empty() {
        return Ok(answers);
    }
    let heads = match look {
        Look::Before => Some(lock(conn, &changes).await?),
        Look::Within => None,
    };
    let mut numbers = numbers.iter().copied();
    let mut allowed: Vec<(&Change, i64)> = Vec::with_capacity(changes.len());
    for (work, answer) in works.iter().zip(&mut answers) {
        let Some(change) = work.change() else { continue };
        let seq = numbers.next().ok_or(Stop::Store(StoreError::Closed))?;
        let checked = match &heads {
            Some(heads) => change.check(heads),
            None => change.check_supposed(),
        };
        *answer = Some(checked.map(|()| {
            allowed.push((change, seq));
            Answer::Committed(Committed { seq: nat(seq) })
        }));
    }
    let batch = match &heads {
        Some(heads) => Batch::of(allowed, heads),
        None => Batch::supposing(allowed),
    };
    let mut batch = batch.map_err(Stop::Store)?;
    // As the heads are locked: so that no two groups wait for each other in a circle.
    batch.moved.sort_unstable_by_key(|row| row.step.id);
    batch.rewritten.sort_unstable_by_key(|row| row.step.id);
    write(conn, &batch).await?;
    Ok(answers)
}

/// Locks the rows of the tasks, in the order of their ids, so that no two groups wait for each other in a circle.
async fn lock(conn: &mut PgConnection, changes: &[&Change]) -> Result<Heads, sqlx::Error> {
    let mut ids: Vec<&str> = changes.iter().map(|change| change.id().as_str()).collect();
    ids.sort_unstable();
    let rows: Vec<(String, i64, i64, String, bool)> = sqlx::query_as(HEADS).bind(ids).fetch_all(conn).await?;
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

async fn write(conn: &mut PgConnection, batch: &Batch<'_>) -> Result<(), Stop> {
    define(conn, &batch.definitions).await?;
    log(conn, &batch.events).await?;
    admit(conn, &batch.admitted).await?;
    judge(conn, &batch.gates).await?;
    receive(conn, &batch.receipts).await?;
    advance(conn, &batch.moved).await?;
    rewrite(conn, &batch.rewritten).await?;
    open(conn, &batch.opened).await?;
    close(conn, &batch.closed).await?;
    refuse(conn, &batch.refused).await?;
    owe(conn, &batch.effects).await
}

/// A column of rows.
pub(super) fn col<'r, R, C>(rows: &'r [R], value: impl Fn(&'r R) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}

/// A column of what is shared and holds no NUL: names of tasks, JSON.
pub(super) fn shared<'r, R>(rows: &'r [R], value: impl Fn(&'r R) -> &'r str) -> Vec<&'r str> {
    rows.iter().map(value).collect()
}

/// A column of text.
pub(super) fn words<'r, R>(rows: &'r [R], value: impl Fn(&'r R) -> &'r str) -> Vec<Cow<'r, str>> {
    rows.iter().map(|row| text(value(row))).collect()
}

async fn define(conn: &mut PgConnection, rows: &[DefinitionRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    // What is of a new task meets nothing that could be there already.
    let first = rows.iter().all(|row| row.is_first);
    sqlx::query(if first { DEFINE_FIRST } else { DEFINE })
        .bind(shared(rows, |r| r.task))
        .bind(words(rows, |r| r.hash))
        .bind(col(rows, |r| r.body.as_str()))
        .bind(BODY_VERSION)
        .execute(conn)
        .await?;
    Ok(())
}

async fn log(conn: &mut PgConnection, rows: &[EventRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(LOG)
        .bind(col(rows, |r| r.seq))
        .bind(shared(rows, |r| r.task))
        .bind(col(rows, |r| r.version))
        .bind(col(rows, |r| r.epoch))
        .bind(col(rows, |r| r.at))
        .bind(words(rows, |r| r.kind))
        .bind(words(rows, |r| r.from))
        .bind(words(rows, |r| r.to))
        .bind(words(rows, |r| r.why))
        .execute(conn)
        .await?;
    Ok(())
}

async fn admit(conn: &mut PgConnection, rows: &[AdmittedRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(ADMIT)
        .bind(shared(rows, |r| r.step.id))
        .bind(col(rows, |r| r.step.version))
        .bind(col(rows, |r| r.step.epoch))
        .bind(col(rows, |r| r.step.seq))
        .bind(col(rows, |r| r.step.updated_at))
        .bind(col(rows, |r| searchable(r.step.state)))
        .bind(shared(rows, |r| r.step.history))
        .bind(words(rows, |r| r.wording.hash))
        .bind(words(rows, |r| r.wording.project))
        .bind(col(rows, |r| r.wording.priority))
        .bind(col(rows, |r| r.created_at))
        .bind(BODY_VERSION)
        .execute(conn)
        .await?;
    Ok(())
}

async fn judge(conn: &mut PgConnection, rows: &[GateRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(JUDGE)
        .bind(col(rows, |r| r.seq))
        .bind(shared(rows, |r| r.task))
        .bind(col(rows, |r| r.attempt))
        .bind(col(rows, |r| r.epoch))
        .bind(words(rows, |r| r.commit))
        .bind(words(rows, |r| r.tree))
        .bind(col(rows, |r| r.verdict))
        .bind(col(rows, |r| r.started_at))
        .bind(col(rows, |r| r.ended_at))
        .execute(conn)
        .await?;
    Ok(())
}

async fn receive(conn: &mut PgConnection, rows: &[ReceiptRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(RECEIVE)
        .bind(col(rows, |r| r.gate))
        .bind(col(rows, |r| r.position))
        .bind(words(rows, |r| &r.receipt.name))
        .bind(col(rows, |r| r.receipt.category.as_str()))
        .bind(col(rows, |r| r.source.as_str()))
        .bind(words(rows, |r| &r.receipt.directory))
        .bind(words(rows, |r| &r.receipt.commit))
        .bind(words(rows, |r| &r.receipt.command))
        .bind(col(rows, |r| r.receipt.exit_code.map(i64::from)))
        .bind(col(rows, |r| r.receipt.verdict.as_str()))
        .bind(col(rows, |r| micros(r.receipt.started_at)))
        .bind(col(rows, |r| r.duration_us))
        .bind(words(rows, |r| &r.receipt.output_tail))
        .bind(words(rows, |r| &r.receipt.output_sha256))
        .bind(words(rows, |r| &r.receipt.trace.tree))
        .bind(words(rows, |r| &r.receipt.trace.environment))
        .bind(words(rows, |r| &r.receipt.trace.sandbox))
        .bind(col(rows, |r| int(r.receipt.trace.output_bytes)))
        .bind(col(rows, |r| r.files.as_str()))
        .execute(conn)
        .await?;
    Ok(())
}

async fn advance(conn: &mut PgConnection, rows: &[MovedRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(MOVE)
        .bind(shared(rows, |r| r.step.id))
        .bind(col(rows, |r| r.step.version))
        .bind(col(rows, |r| r.step.epoch))
        .bind(col(rows, |r| r.step.seq))
        .bind(col(rows, |r| r.step.updated_at))
        .bind(col(rows, |r| searchable(r.step.state)))
        .bind(shared(rows, |r| r.step.history))
        .bind(col(rows, |r| r.expected))
        .bind(col(rows, |r| r.held))
        .bind(words(rows, |r| r.hash))
        .bind(BODY_VERSION)
        .execute(conn)
        .await?;
    changed(rows.len(), done.rows_affected())
}

async fn rewrite(conn: &mut PgConnection, rows: &[RewrittenRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(REWRITE)
        .bind(shared(rows, |r| r.step.id))
        .bind(col(rows, |r| r.step.version))
        .bind(col(rows, |r| r.step.epoch))
        .bind(col(rows, |r| r.step.seq))
        .bind(col(rows, |r| r.step.updated_at))
        .bind(col(rows, |r| searchable(r.step.state)))
        .bind(shared(rows, |r| r.step.history))
        .bind(col(rows, |r| r.expected))
        .bind(col(rows, |r| r.held))
        .bind(words(rows, |r| r.wording.hash))
        .bind(words(rows, |r| r.wording.project))
        .bind(col(rows, |r| r.wording.priority))
        .bind(col(rows, |r| r.proof.map(|proof| proof.attempt)))
        .bind(col(rows, |r| r.proof.map(|proof| proof.epoch)))
        .bind(col(rows, |r| r.proof.map(|proof| text(proof.commit))))
        .bind(col(rows, |r| r.proof.and_then(|proof| proof.gate)))
        .bind(BODY_VERSION)
        .execute(conn)
        .await?;
    changed(rows.len(), done.rows_affected())
}

async fn open(conn: &mut PgConnection, rows: &[OpenedRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(OPEN)
        .bind(shared(rows, |r| r.task))
        .bind(col(rows, |r| r.epoch))
        .bind(col(rows, |r| r.n))
        .bind(col(rows, |r| r.started_at))
        .bind(shared(rows, |r| r.opening))
        .bind(col(rows, |r| r.session.map(text)))
        .execute(conn)
        .await?;
    Ok(())
}

async fn close(conn: &mut PgConnection, rows: &[ClosedRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(CLOSE)
        .bind(shared(rows, |r| r.task))
        .bind(col(rows, |r| r.epoch))
        .bind(col(rows, |r| r.ended_at))
        .bind(col(rows, |r| r.outcome))
        .bind(words(rows, |r| r.reason))
        .bind(shared(rows, |r| r.report))
        .execute(conn)
        .await?;
    all_of(rows.len(), done.rows_affected())
}

async fn refuse(conn: &mut PgConnection, rows: &[RefusedRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(REFUSE)
        .bind(shared(rows, |r| r.task))
        .bind(col(rows, |r| r.epoch))
        .bind(words(rows, |r| r.reason))
        .bind(word(AttemptOutcome::GateFailed).map_err(Stop::Store)?)
        .execute(conn)
        .await?;
    all_of(rows.len(), done.rows_affected())
}

pub(super) async fn owe(conn: &mut PgConnection, rows: &[EffectRow<'_>]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(OWE)
        .bind(col(rows, |r| r.key.as_str()))
        .bind(shared(rows, |r| r.task))
        .bind(col(rows, |r| r.kind))
        .bind(col(rows, |r| r.payload.as_str()))
        .bind(col(rows, |r| r.created_at))
        .execute(conn)
        .await?;
    Ok(())
}

/// Fewer rows than changes: one of them found its task otherwise.
fn changed(wanted: usize, done: u64) -> Result<(), Stop> {
    match done == wanted as u64 {
        true => Ok(()),
        false => Err(Stop::Otherwise),
    }
}

fn all_of(wanted: usize, done: u64) -> Result<(), Stop> {
    match done == wanted as u64 {
        true => Ok(()),
        false => Err(Stop::Fenced),
    }
}
