//! The statements of a group's changes: one a table, whatever the number of changes.
//!
//! No statement but the locking of heads names what a partial index is about: after an ANALYZE of a full backlog the planner
//! would expect none of the rows there and try the whole index for each change.

use sqlx::PgConnection;

use super::columns::{
    Closed, Columns, Events, Gates, Head, Heads, Numbers, Opened, Receipts, Refused, Tasks,
};
use super::work::{Outcome, Work};
use crate::store::error::StoreError;
use crate::store::row::BODY_VERSION;

pub(super) const HEADS: &str =
    "SELECT id, version, epoch, definition_hash FROM task WHERE id = ANY($1) ORDER BY id FOR UPDATE";
const DEFINE: &str = "INSERT INTO definition (task_id, hash, body_version, body) \
    SELECT c.task_id, c.hash, $4, c.body::json FROM unnest($1::text[], $2::text[], $3::text[]) AS c (task_id, hash, body) \
    ON CONFLICT (task_id, hash) DO NOTHING";
const LOG: &str = "INSERT INTO event_log (seq, task_id, version, epoch, at, kind, from_state, to_state, why) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], \
    $8::text[], $9::text[])";
const ADMIT: &str = "INSERT INTO task (id, version, epoch, seq, definition_hash, project, priority, created_at, updated_at, \
    state, history, body_version) SELECT c.id, c.version, c.epoch, c.seq, c.hash, c.project, c.priority, c.created_at, \
    c.updated_at, c.state::jsonb, c.history::json, $12 \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], \
    $9::bigint[], $10::text[], $11::text[]) \
    AS c (id, version, epoch, seq, hash, project, priority, created_at, updated_at, state, history) ORDER BY c.id COLLATE \"C\"";
/// A completed task refers to the newest passed gate of its attempt and commit, or to none, which the schema refuses.
pub(super) const CHANGE: &str = "UPDATE task t SET version = c.version, epoch = c.epoch, seq = c.seq, definition_hash = c.hash, \
    project = c.project, priority = c.priority, updated_at = c.updated_at, state = c.state::jsonb, \
    history = c.history::json, body_version = $15, done_gate = CASE WHEN c.proof_commit IS NOT NULL THEN \
    (SELECT max(g.seq) FROM gate g WHERE g.task_id = c.id AND g.attempt = c.proof_attempt AND g.epoch = c.proof_epoch \
    AND g.commit_id = c.proof_commit AND g.verdict = 'passed') END \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], \
    $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[]) \
    AS c (id, expected, version, epoch, seq, hash, project, priority, updated_at, state, history, proof_attempt, proof_epoch, \
    proof_commit) WHERE t.id = c.id AND t.version = c.expected";
const OPEN: &str = "WITH opened AS (INSERT INTO attempt (task_id, epoch, n, started_at, opening, ended_at, outcome, reason, report) \
    SELECT c.task_id, c.epoch, c.n, c.started_at, c.opening::json, c.ended_at, c.outcome, c.reason, c.report::json \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $7::bigint[], $8::text[], $9::text[], \
    $10::text[]) AS c (task_id, epoch, n, started_at, opening, ended_at, outcome, reason, report)) \
    INSERT INTO attempt_live (task_id, epoch, session) SELECT * FROM unnest($1::text[], $2::bigint[], $6::text[])";
pub(super) const CLOSE: &str = "UPDATE attempt a SET ended_at = c.at, outcome = c.outcome, reason = c.reason, report = c.report::json \
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[]) \
    AS c (task_id, epoch, at, outcome, reason, report) \
    WHERE a.task_id = c.task_id AND a.epoch = c.epoch AND a.outcome IS NULL";
const REFUSE: &str = "UPDATE attempt a SET outcome = c.outcome, reason = c.reason \
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) AS c (task_id, epoch, outcome, reason) \
    WHERE a.task_id = c.task_id AND a.epoch = c.epoch AND a.outcome IS NOT NULL";
const JUDGE: &str = "INSERT INTO gate (seq, task_id, attempt, epoch, commit_id, tree, verdict, started_at, ended_at) \
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], \
    $8::bigint[], $9::bigint[])";
const RECEIVE: &str = "INSERT INTO receipt (gate_seq, position, name, category, source, directory, commit_id, command, exit_code, \
    verdict, started_at, duration_us, output_tail, output_sha256, tree, environment, sandbox, output_bytes, files) \
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
    /// The store.
    Store(StoreError),
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Applies the changes of a group. Answers what came of each; work that is no change of a task has no answer here.
pub(super) async fn changes(
    conn: &mut PgConnection,
    works: &[&Work],
    mut numbers: Numbers,
) -> Result<Vec<Option<Outcome>>, Stop> {
    let mut ids: Vec<&str> = works
        .iter()
        .filter_map(|w| w.task())
        .map(|id| id.as_str())
        .collect();
    if ids.is_empty() {
        return Ok(works.iter().map(|_| None).collect());
    }
    ids.sort_unstable();
    let heads: Vec<Head> = sqlx::query_as(HEADS).bind(ids).fetch_all(&mut *conn).await?;
    let heads: Heads = heads.into_iter().map(|head| (head.id.clone(), head)).collect();
    // The lowest numbers go to those who came first.
    numbers.events.reverse();
    numbers.gates.reverse();
    let mut columns = Columns::default();
    let answers = works
        .iter()
        .map(|work| columns.take(work, &heads, &mut numbers))
        .collect();
    write(conn, columns).await?;
    Ok(answers)
}

async fn write(conn: &mut PgConnection, columns: Columns) -> Result<(), Stop> {
    let Columns {
        definitions,
        events,
        admitted,
        changed,
        opened,
        closed,
        refused,
        gates,
        receipts,
        outbox,
    } = columns;
    if !definitions.task_id.is_empty() {
        sqlx::query(DEFINE)
            .bind(definitions.task_id)
            .bind(definitions.hash)
            .bind(definitions.body)
            .bind(BODY_VERSION)
            .execute(&mut *conn)
            .await?;
    }
    write_gates(conn, gates, receipts).await?;
    write_events(conn, events).await?;
    write_admitted(conn, admitted).await?;
    write_changed(conn, changed).await?;
    write_opened(conn, opened).await?;
    write_closed(conn, closed).await?;
    write_refused(conn, refused).await?;
    if !outbox.key.is_empty() {
        sqlx::query(OWE)
            .bind(outbox.key)
            .bind(outbox.task_id)
            .bind(outbox.kind)
            .bind(outbox.payload)
            .bind(outbox.at)
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn write_events(conn: &mut PgConnection, events: Events) -> Result<(), Stop> {
    if events.seq.is_empty() {
        return Ok(());
    }
    sqlx::query(LOG)
        .bind(events.seq)
        .bind(events.task_id)
        .bind(events.version)
        .bind(events.epoch)
        .bind(events.at)
        .bind(events.kind)
        .bind(events.from)
        .bind(events.to)
        .bind(events.why)
        .execute(conn)
        .await?;
    Ok(())
}

async fn write_admitted(conn: &mut PgConnection, tasks: Tasks) -> Result<(), Stop> {
    if tasks.id.is_empty() {
        return Ok(());
    }
    sqlx::query(ADMIT)
        .bind(tasks.id)
        .bind(tasks.version)
        .bind(tasks.epoch)
        .bind(tasks.seq)
        .bind(tasks.definition_hash)
        .bind(tasks.project)
        .bind(tasks.priority)
        .bind(tasks.created_at)
        .bind(tasks.updated_at)
        .bind(tasks.state)
        .bind(tasks.history)
        .bind(BODY_VERSION)
        .execute(conn)
        .await?;
    Ok(())
}

async fn write_changed(conn: &mut PgConnection, tasks: Tasks) -> Result<(), Stop> {
    let wanted = tasks.id.len();
    if wanted == 0 {
        return Ok(());
    }
    let done = sqlx::query(CHANGE)
        .bind(tasks.id)
        .bind(tasks.expected)
        .bind(tasks.version)
        .bind(tasks.epoch)
        .bind(tasks.seq)
        .bind(tasks.definition_hash)
        .bind(tasks.project)
        .bind(tasks.priority)
        .bind(tasks.updated_at)
        .bind(tasks.state)
        .bind(tasks.history)
        .bind(tasks.proof_attempt)
        .bind(tasks.proof_epoch)
        .bind(tasks.proof_commit)
        .bind(BODY_VERSION)
        .execute(conn)
        .await?;
    match done.rows_affected() == wanted as u64 {
        true => Ok(()),
        // Their heads are locked by this very transaction, so only a fault of the database can bring this.
        false => Err(Stop::Store(StoreError::Damaged {
            reason: "a task that was read and locked did not change".to_owned(),
        })),
    }
}

async fn write_opened(conn: &mut PgConnection, opened: Opened) -> Result<(), Stop> {
    if opened.task_id.is_empty() {
        return Ok(());
    }
    sqlx::query(OPEN)
        .bind(opened.task_id)
        .bind(opened.epoch)
        .bind(opened.n)
        .bind(opened.started_at)
        .bind(opened.opening)
        .bind(opened.session)
        .bind(opened.ended_at)
        .bind(opened.outcome)
        .bind(opened.reason)
        .bind(opened.report)
        .execute(conn)
        .await?;
    Ok(())
}

async fn write_closed(conn: &mut PgConnection, closed: Closed) -> Result<(), Stop> {
    let wanted = closed.task_id.len();
    if wanted == 0 {
        return Ok(());
    }
    let done = sqlx::query(CLOSE)
        .bind(closed.task_id)
        .bind(closed.epoch)
        .bind(closed.at)
        .bind(closed.outcome)
        .bind(closed.reason)
        .bind(closed.report)
        .execute(conn)
        .await?;
    all_of(wanted, done.rows_affected())
}

async fn write_refused(conn: &mut PgConnection, refused: Refused) -> Result<(), Stop> {
    let wanted = refused.task_id.len();
    if wanted == 0 {
        return Ok(());
    }
    let done = sqlx::query(REFUSE)
        .bind(refused.task_id)
        .bind(refused.epoch)
        .bind(refused.outcome)
        .bind(refused.reason)
        .execute(conn)
        .await?;
    all_of(wanted, done.rows_affected())
}

async fn write_gates(conn: &mut PgConnection, gates: Gates, receipts: Receipts) -> Result<(), Stop> {
    if gates.seq.is_empty() {
        return Ok(());
    }
    sqlx::query(JUDGE)
        .bind(gates.seq)
        .bind(gates.task_id)
        .bind(gates.attempt)
        .bind(gates.epoch)
        .bind(gates.commit_id)
        .bind(gates.tree)
        .bind(gates.verdict)
        .bind(gates.started_at)
        .bind(gates.ended_at)
        .execute(&mut *conn)
        .await?;
    if receipts.gate_seq.is_empty() {
        return Ok(());
    }
    sqlx::query(RECEIVE)
        .bind(receipts.gate_seq)
        .bind(receipts.position)
        .bind(receipts.name)
        .bind(receipts.category)
        .bind(receipts.source)
        .bind(receipts.directory)
        .bind(receipts.commit_id)
        .bind(receipts.command)
        .bind(receipts.exit_code)
        .bind(receipts.verdict)
        .bind(receipts.started_at)
        .bind(receipts.duration_us)
        .bind(receipts.output_tail)
        .bind(receipts.output_sha256)
        .bind(receipts.tree)
        .bind(receipts.environment)
        .bind(receipts.sandbox)
        .bind(receipts.output_bytes)
        .bind(receipts.files)
        .execute(conn)
        .await?;
    Ok(())
}

fn all_of(wanted: usize, done: u64) -> Result<(), Stop> {
    match done == wanted as u64 {
        true => Ok(()),
        false => Err(Stop::Fenced),
    }
}
