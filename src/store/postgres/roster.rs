//! The roster of a fleet: which nodes there are, whose lease holds, and who leads.
//!
//! Invariants: every lease is judged by the database's clock, in the statement that uses it; a node that starts raises its
//! term, and a term that is not the latest renews nothing; whoever leads next raises the leader's term, which the store
//! compares with every decision of a leader (see the writer). Deliberately absent: what follows from a lease that ran out.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use sqlx::types::Json;

use super::server::Server;
use crate::domain::node::{Announcement, Lease, Node, NodeName};
use crate::store::error::StoreError;
use crate::store::record::{Copied, Joined};
use crate::store::row::{int, nat};

/// What the leader leads.
pub(super) const SCHEDULER: &str = "scheduler";

/// The roster, over connections of its own: a lease is renewed though readers have taken all others.
#[derive(Debug)]
pub struct Roster {
    server: Server,
    pool: RwLock<PgPool>,
}

type Row = (String, i64, String, DateTime<Utc>, f64, bool, Option<String>);

impl Roster {
    pub(super) fn new(server: Server) -> Self {
        Self {
            pool: RwLock::new(server.side_pool()),
            server,
        }
    }

    /// Begins with new connections: one that never answers would be taken again and again.
    pub fn reconnect(&self) {
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = self.server.side_pool();
    }

    fn pool(&self) -> PgPool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Enters a node that starts. One of the same name is taken over where its lease ran out, or where it is of the same
    /// home: one home has one service.
    pub async fn join(
        &self,
        node: &Announcement,
        home: &str,
        lease: Duration,
        at: DateTime<Utc>,
    ) -> Result<Joined, StoreError> {
        let term: Option<i64> = sqlx::query_scalar(
            "INSERT INTO node AS n (name, term, home, announcement, joined_at, lease_until, is_gone) \
             VALUES ($1, 1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5), false) \
             ON CONFLICT (name) DO UPDATE SET term = n.term + 1, home = excluded.home, \
             announcement = excluded.announcement, joined_at = excluded.joined_at, \
             lease_until = excluded.lease_until, is_gone = false \
             WHERE n.home = excluded.home OR n.is_gone OR n.lease_until < clock_timestamp() RETURNING term",
        )
        .bind(node.name.as_str())
        .bind(home)
        .bind(Json(node))
        .bind(at)
        .bind(lease.as_secs_f64())
        .fetch_optional(&self.pool())
        .await?;
        if let Some(term) = term {
            return Ok(Joined::As(nat(term)));
        }
        let holder = self.nodes().await?.into_iter().find(|n| n.name() == &node.name);
        Ok(Joined::Taken(holder.map(|node| node.announcement.host)))
    }

    /// Renews a node's lease, and what it says of itself. False: the lease ran out, or the name was taken over; what was done under
    /// it is over.
    pub async fn renew(&self, node: &Announcement, term: u64, lease: Duration) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE node SET lease_until = clock_timestamp() + make_interval(secs => $3), announcement = $4 \
             WHERE name = $1 AND term = $2 AND NOT is_gone AND lease_until >= clock_timestamp()",
        )
        .bind(node.name.as_str())
        .bind(int(term))
        .bind(lease.as_secs_f64())
        .bind(Json(node))
        .execute(&self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a node off that goes by itself and leaves nothing behind.
    pub async fn leave(&self, name: &NodeName, term: u64) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE node SET is_gone = true, lease_until = clock_timestamp() WHERE name = $1 AND term = $2",
        )
        .bind(name.as_str())
        .bind(int(term))
        .execute(&self.pool())
        .await?;
        Ok(())
    }

    /// Gives the lead up, where this node has it: the next one need not wait for the end of its lease.
    pub async fn resign(&self, name: &NodeName, term: u64) -> Result<(), StoreError> {
        let sql = "UPDATE leader SET lease_until = clock_timestamp() WHERE name = $1 AND node = $2 AND node_term = $3";
        sqlx::query(sql)
            .bind(SCHEDULER)
            .bind(name.as_str())
            .bind(int(term))
            .execute(&self.pool())
            .await?;
        Ok(())
    }

    /// All nodes, by name.
    pub async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT name, term, announcement::text, joined_at, \
             extract(epoch FROM lease_until - clock_timestamp())::float8, is_gone, cordoned FROM node ORDER BY name",
        )
        .fetch_all(&self.pool())
        .await?;
        rows.into_iter().map(node).collect()
    }

    /// Keeps new work away from a node (`by` says who), or lets it come again. False: there is no such node.
    pub async fn cordon(&self, name: &NodeName, by: Option<&str>) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE node SET cordoned = $2 WHERE name = $1")
            .bind(name.as_str())
            .bind(by)
            .execute(&self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets a node that is not there. False: it is there, or there is no such node.
    pub async fn remove(&self, name: &NodeName) -> Result<bool, StoreError> {
        let sql = "DELETE FROM node WHERE name = $1 AND (is_gone OR lease_until < clock_timestamp())";
        let done = sqlx::query(sql).bind(name.as_str()).execute(&self.pool()).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes the lead, or keeps it: the term of the leadership, where this node has it now.
    pub async fn lead(&self, name: &NodeName, term: u64, lease: Duration) -> Result<Option<u64>, StoreError> {
        let led: Option<i64> = sqlx::query_scalar(
            "INSERT INTO leader AS l (name, node, node_term, term, lease_until) \
             SELECT $1, $2, $3, 1, clock_timestamp() + make_interval(secs => $4) \
             ON CONFLICT (name) DO UPDATE SET node = excluded.node, node_term = excluded.node_term, \
             lease_until = excluded.lease_until, \
             term = l.term + CASE WHEN l.node = excluded.node AND l.node_term = excluded.node_term \
                 AND l.lease_until >= clock_timestamp() THEN 0 ELSE 1 END \
             WHERE (l.node = excluded.node AND l.node_term <= excluded.node_term) OR l.lease_until < clock_timestamp() \
             RETURNING term",
        )
        .bind(SCHEDULER)
        .bind(name.as_str())
        .bind(int(term))
        .bind(lease.as_secs_f64())
        .fetch_optional(&self.pool())
        .await?;
        Ok(led.map(nat))
    }

    /// Who leads at the moment.
    pub async fn leader(&self) -> Result<Option<NodeName>, StoreError> {
        let sql = "SELECT node FROM leader WHERE name = $1 AND lease_until >= clock_timestamp()";
        let name: Option<String> = sqlx::query_scalar(sql)
            .bind(SCHEDULER)
            .fetch_optional(&self.pool())
            .await?;
        name.map(|name| NodeName::parse(&name).map_err(unreadable))
            .transpose()
    }

    /// Keeps a copy of a task's progress file, for the node that goes on with it. One of an earlier attempt replaces none of a later.
    pub async fn keep_progress(&self, task: &str, copied: &Copied) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO session_summary AS s (task_id, epoch, node, saved_at, progress) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (task_id) DO UPDATE SET epoch = excluded.epoch, node = excluded.node, \
             saved_at = excluded.saved_at, progress = excluded.progress WHERE s.epoch <= excluded.epoch",
        )
        .bind(task)
        .bind(int(copied.epoch))
        .bind(copied.node.as_str())
        .bind(copied.at)
        .bind(&copied.text)
        .execute(&self.pool())
        .await?;
        Ok(())
    }

    /// The copy of a task's progress file.
    pub async fn kept_progress(&self, task: &str) -> Result<Option<Copied>, StoreError> {
        let row: Option<(i64, String, DateTime<Utc>, String)> =
            sqlx::query_as("SELECT epoch, node, saved_at, progress FROM session_summary WHERE task_id = $1")
                .bind(task)
                .fetch_optional(&self.pool())
                .await?;
        let copied = |(epoch, node, at, text): (i64, String, DateTime<Utc>, String)| {
            Ok(Copied {
                epoch: nat(epoch),
                node: NodeName::parse(&node).map_err(unreadable)?,
                at,
                text,
            })
        };
        row.map(copied).transpose()
    }
}

fn node((_, term, announcement, joined_at, left, is_gone, cordoned): Row) -> Result<Node, StoreError> {
    let announcement = serde_json::from_str(&announcement).map_err(|error| unreadable(error.to_string()))?;
    let lease = match is_gone {
        true => Lease::Left,
        false if left >= 0.0 => Lease::Held(seconds(left)),
        false => Lease::Expired(seconds(-left)),
    };
    Ok(Node {
        announcement,
        term: nat(term),
        joined_at,
        lease,
        cordoned,
    })
}

fn seconds(count: f64) -> Duration {
    Duration::try_from_secs_f64(count).unwrap_or(Duration::MAX)
}

fn unreadable(reason: String) -> StoreError {
    StoreError::Unreadable {
        what: "a row of the fleet's roster".to_owned(),
        reason,
    }
}
