//! Who schedules on this database: one process at a time, by a lease that the server's clock judges and a term that fences.
//!
//! Invariants: a new holder has a higher term; a group of a process that leads is written only while its term is the current one;
//! the lease is renewed three times before it runs out. A process that takes part without leading (a command) writes unfenced: its
//! changes are guarded by their tasks' versions alone.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{PostgresStore, partitions};
use crate::store::error::StoreError;

/// What is led.
pub(super) const SCHEDULER: &str = "scheduler";
/// How long a lease holds.
const LEASE: Duration = Duration::from_secs(15);
/// Between renewals.
const RENEW: Duration = Duration::from_secs(5);
/// Between rounds of housekeeping, in renewals.
const RENEWALS_A_LOOK: u32 = 720;

/// Taken where nobody holds it, or where the holder was this very node: its process is gone, or it would hold the instance's lock.
const TAKE: &str = "INSERT INTO leader (name, node, term, lease_until) \
    VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3)) ON CONFLICT (name) DO UPDATE \
    SET node = excluded.node, term = leader.term + 1, lease_until = excluded.lease_until \
    WHERE leader.lease_until < clock_timestamp() OR leader.node = excluded.node RETURNING term";
const RENEWED: &str = "UPDATE leader SET lease_until = clock_timestamp() + make_interval(secs => $3) \
    WHERE name = $1 AND term = $2 RETURNING term";
const RESIGN: &str =
    "UPDATE leader SET lease_until = clock_timestamp() - interval '1 second' WHERE name = $1 AND term = $2";
/// A writer that is only idle finds its row gone with its next commit, and introduces itself anew.
const FORGET: &str = "DELETE FROM writer WHERE seen_at < clock_timestamp() - interval '1 day'";
const HOLDER: &str = "SELECT node FROM leader WHERE name = $1";

/// The term under which this process leads.
#[derive(Debug, Default)]
pub(super) struct Term {
    /// 0 while it does not lead.
    number: AtomicI64,
    /// Who was last seen to lead in its place.
    other: Mutex<String>,
}

impl Term {
    pub(super) fn number(&self) -> i64 {
        self.number.load(Ordering::Acquire)
    }

    fn set(&self, number: i64) {
        self.number.store(number, Ordering::Release);
    }

    fn saw(&self, other: Option<String>) {
        let other = other.map_or("one that has just ended".to_owned(), |node| name_of(&node));
        *self.other.lock().unwrap_or_else(PoisonError::into_inner) = other;
    }

    /// The refusal of what is written under a term that is over.
    pub(super) fn lost(&self) -> StoreError {
        let by = self.other.lock().unwrap_or_else(PoisonError::into_inner).clone();
        StoreError::Led {
            by,
            lease_s: LEASE.as_secs(),
        }
    }
}

/// The part of a node's name that people know it by.
fn name_of(node: &str) -> String {
    node.split('#').next().unwrap_or(node).to_owned()
}

/// The lease of this process, and the task that renews it.
#[derive(Debug, Default)]
pub(super) struct Lead {
    pub(super) term: Arc<Term>,
    keeper: Mutex<JoinSet<()>>,
}

impl PostgresStore {
    /// Takes the lead and keeps it; refused while another node has it.
    pub(super) async fn take_lead(&self, node: &str) -> Result<(), StoreError> {
        let term = &self.lead.term;
        let taken = self.read(|pool| async move { take(&pool, node).await }).await?;
        match taken {
            Ok(number) => term.set(number),
            Err(other) => {
                term.saw(other);
                return Err(term.lost());
            }
        }
        let keeper = keep(self.pool(), self.lead.term.clone(), node.to_owned());
        self.lead
            .keeper
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(keeper);
        Ok(())
    }

    /// Leaves the lead to whoever comes next. What is lost of this is made good by the lease's end.
    pub(super) async fn resign_lead(&self) {
        let keeper = std::mem::take(&mut *self.lead.keeper.lock().unwrap_or_else(PoisonError::into_inner));
        drop(keeper);
        let number = self.lead.term.number();
        if number == 0 {
            return;
        }
        self.lead.term.set(0);
        let resigned = sqlx::query(RESIGN)
            .bind(SCHEDULER)
            .bind(number)
            .execute(&self.pool())
            .await;
        if let Err(error) = resigned {
            tracing::debug!(%error, "the lead was not handed back; it ends with its lease");
        }
    }
}

/// The term under which this node leads from now on, or who leads instead.
async fn take(pool: &PgPool, node: &str) -> Result<Result<i64, Option<String>>, sqlx::Error> {
    let term: Option<i64> = sqlx::query_scalar(TAKE)
        .bind(SCHEDULER)
        .bind(node)
        .bind(LEASE.as_secs_f64())
        .fetch_optional(pool)
        .await?;
    match term {
        Some(term) => Ok(Ok(term)),
        None => {
            let holder = sqlx::query_scalar(HOLDER)
                .bind(SCHEDULER)
                .fetch_optional(pool)
                .await?;
            Ok(Err(holder))
        }
    }
}

/// Renews the lease, takes it back when it was lost and is free again, and keeps house.
async fn keep(pool: PgPool, term: Arc<Term>, node: String) {
    for round in 0_u32.. {
        if round % RENEWALS_A_LOOK == 0 {
            keep_house(&pool).await;
        }
        sleep(RENEW).await;
        if let Err(error) = renew(&pool, &term, &node).await {
            tracing::warn!(%error, "the lead was not renewed; trying again");
        }
    }
}

/// Sees to the partitions of the coming days, and forgets the writers that are long gone.
async fn keep_house(pool: &PgPool) {
    if let Err(error) = partitions::ahead(pool).await {
        tracing::warn!(%error, "the event log has no partitions for the coming days yet; its rest takes what comes");
    }
    if let Err(error) = sqlx::query(FORGET).execute(pool).await {
        tracing::debug!(%error, "writers that are gone are not forgotten yet");
    }
}

async fn renew(pool: &PgPool, term: &Term, node: &str) -> Result<(), sqlx::Error> {
    let renewed: Option<i64> = sqlx::query_scalar(RENEWED)
        .bind(SCHEDULER)
        .bind(term.number())
        .bind(LEASE.as_secs_f64())
        .fetch_optional(pool)
        .await?;
    if renewed.is_some() {
        return Ok(());
    }
    match take(pool, node).await? {
        Ok(number) => {
            tracing::warn!(number, "the lead was lost and is taken back");
            term.set(number);
        }
        Err(other) => term.saw(other),
    }
    Ok(())
}
