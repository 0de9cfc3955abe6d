//! Taking in new tasks: a group that holds nothing else is one statement, which also counts up the writer's own row.
//!
//! Nothing can be known of a new task beforehand. That it is there already, the schema's own key tells; then the group is written
//! as any other, after a look at what is there.

use sqlx::PgConnection;
use sqlx::types::Uuid;

use super::apply::{self, Stop, col, shared, words};
use super::text::searchable;
use super::work::{Answer, Outcome, Work};
use crate::store::batch::{Batch, Change};
use crate::store::record::Committed;
use crate::store::row::{BODY_VERSION, nat};

/// The numbers of the events, in the order of the tasks; nothing where it is not this writer's turn.
const TAKE_IN: &str = "WITH turn AS (UPDATE writer SET commits = $2 + 1, seen_at = clock_timestamp() \
    WHERE id = $1 AND commits = $2 AND ($3::bigint = 0 OR EXISTS (SELECT FROM leader WHERE name = $4 AND term = $3 FOR SHARE)) \
    RETURNING 1), \
    c AS MATERIALIZED (SELECT nextval('event_seq') AS seq, u.* FROM turn, unnest($6::text[], $7::bigint[], $8::bigint[], \
    $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::text[], $17::bigint[], \
    $18::bigint[], $19::text[], $20::text[], $21::text[], $22::text[]) WITH ORDINALITY AS u (id, version, epoch, updated_at, \
    state, history, hash, project, priority, created_at, body, said_epoch, said_at, kind, from_state, to_state, why, place)), \
    defined AS (INSERT INTO definition (task_id, hash, body_version, body) SELECT id, hash, $5, body::json FROM c), \
    logged AS (INSERT INTO event_log (seq, task_id, version, epoch, at, kind, from_state, to_state, why, xact) \
    SELECT seq, id, version, said_epoch, said_at, kind, from_state, to_state, why, (SELECT pg_current_xact_id()::text::bigint) \
    FROM c), \
    admitted AS (INSERT INTO task (id, version, epoch, seq, updated_at, state, history, definition_hash, project, priority, \
    created_at, body_version) SELECT id, version, epoch, seq, updated_at, state::jsonb, history::json, hash, project, priority, \
    created_at, $5 FROM c) \
    SELECT array_agg(seq ORDER BY place) FROM c";

/// The writer's row, as it must be found: its name, how many commits it tells of, and the leadership that is decided under.
pub(super) type Turn = (Uuid, i64, i64);

/// The changes of a group that holds nothing but new tasks.
pub(super) fn only_new<'w>(works: &[&'w Work]) -> Option<Vec<&'w Change>> {
    let new = |work: &&'w Work| work.change().filter(|change| change.is_admission());
    works.iter().map(new).collect()
}

/// Takes them in; what came of each, or nothing where it is not this writer's turn.
pub(super) async fn take_in(
    conn: &mut PgConnection,
    changes: &[&Change],
    (id, commits, term): Turn,
) -> Result<Option<Vec<Outcome>>, Stop> {
    // The statement draws the numbers.
    let unnumbered = changes.iter().map(|change| (*change, 0));
    let batch = Batch::supposing(unnumbered).map_err(Stop::Store)?;
    let (tasks, said) = (&batch.admitted, &batch.events);
    let numbers: Option<Vec<i64>> = sqlx::query_scalar(TAKE_IN)
        .bind(id)
        .bind(commits)
        .bind(term)
        .bind(super::roster::SCHEDULER)
        .bind(BODY_VERSION)
        .bind(shared(tasks, |r| r.step.id))
        .bind(col(tasks, |r| r.step.version))
        .bind(col(tasks, |r| r.step.epoch))
        .bind(col(tasks, |r| r.step.updated_at))
        .bind(col(tasks, |r| searchable(r.step.state)))
        .bind(shared(tasks, |r| r.step.history))
        .bind(words(tasks, |r| r.wording.hash))
        .bind(words(tasks, |r| r.wording.project))
        .bind(col(tasks, |r| r.wording.priority))
        .bind(col(tasks, |r| r.created_at))
        .bind(col(&batch.definitions, |r| r.body.as_str()))
        .bind(col(said, |r| r.epoch))
        .bind(col(said, |r| r.at))
        .bind(words(said, |r| r.kind))
        .bind(words(said, |r| r.from))
        .bind(words(said, |r| r.to))
        .bind(words(said, |r| r.why))
        .fetch_one(&mut *conn)
        .await?;
    let Some(numbers) = numbers else {
        return Ok(None);
    };
    apply::owe(conn, &batch.effects).await?;
    let committed = |seq| Ok(Answer::Committed(Committed { seq: nat(seq) }));
    Ok(Some(numbers.into_iter().map(committed).collect()))
}
