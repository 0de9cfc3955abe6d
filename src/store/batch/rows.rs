//! The rows of a group, table by table: what an engine binds to one statement each. Borrowed from the changes they came
//! from, in the types of the columns; what is written more than once or is long is shared, so that binding copies nothing.

use std::sync::Arc;

/// A wording of a task.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct DefinitionRow<'a> {
    /// Whether the task is new too: then no other row can be in its place.
    pub(in crate::store) is_first: bool,
    pub(in crate::store) task: &'a Arc<str>,
    pub(in crate::store) hash: &'a str,
    pub(in crate::store) body: String,
}

/// An event.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct EventRow<'a> {
    pub(in crate::store) seq: i64,
    pub(in crate::store) task: &'a Arc<str>,
    pub(in crate::store) version: i64,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) at: i64,
    pub(in crate::store) kind: &'a str,
    pub(in crate::store) from: &'a str,
    pub(in crate::store) to: &'a str,
    pub(in crate::store) why: &'a str,
}

/// What every change writes of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::store) struct Step<'a> {
    pub(in crate::store) id: &'a Arc<str>,
    pub(in crate::store) version: i64,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) seq: i64,
    pub(in crate::store) updated_at: i64,
    pub(in crate::store) state: &'a Arc<str>,
    pub(in crate::store) history: &'a Arc<str>,
}

/// What a change writes of a task besides, where it is new, has another wording, or is over or no longer over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::store) struct Wording<'a> {
    pub(in crate::store) hash: &'a str,
    pub(in crate::store) project: &'a str,
    pub(in crate::store) priority: i64,
}

/// A new task.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct AdmittedRow<'a> {
    pub(in crate::store) step: Step<'a>,
    pub(in crate::store) wording: Wording<'a>,
    pub(in crate::store) created_at: i64,
}

/// A task that goes on, from version `expected`.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct MovedRow<'a> {
    pub(in crate::store) step: Step<'a>,
    pub(in crate::store) expected: i64,
    /// The epoch that the row must have, where the step is of one: a run of the gate is its attempt's.
    pub(in crate::store) held: Option<i64>,
    pub(in crate::store) hash: &'a str,
}

/// A task whose whole row is written, from version `expected`.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct RewrittenRow<'a> {
    pub(in crate::store) step: Step<'a>,
    pub(in crate::store) expected: i64,
    /// The epoch that the row must have, where the step is of one.
    pub(in crate::store) held: Option<i64>,
    pub(in crate::store) wording: Wording<'a>,
    /// What a completed task needs a passed gate of; the newest is referred to, and where there is none the schema refuses.
    pub(in crate::store) proof: Option<Proof<'a>>,
}

/// What a gate must be of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::store) struct Proof<'a> {
    pub(in crate::store) attempt: i64,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) commit: &'a str,
    /// The run of the gate itself, where it is of the same change.
    pub(in crate::store) gate: Option<i64>,
}

/// An attempt that opens.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct OpenedRow<'a> {
    pub(in crate::store) task: &'a Arc<str>,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) n: i64,
    pub(in crate::store) started_at: i64,
    pub(in crate::store) opening: &'a Arc<str>,
    pub(in crate::store) session: Option<&'a str>,
}

/// An open attempt that ends.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct ClosedRow<'a> {
    pub(in crate::store) task: &'a Arc<str>,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) ended_at: i64,
    pub(in crate::store) outcome: &'a str,
    pub(in crate::store) reason: &'a str,
    pub(in crate::store) report: &'a Arc<str>,
}

/// An ended attempt whose claim the gate refused.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct RefusedRow<'a> {
    pub(in crate::store) task: &'a Arc<str>,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) reason: &'a str,
}

/// A run of the gate. Its number is its event's.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct GateRow<'a> {
    pub(in crate::store) seq: i64,
    pub(in crate::store) task: &'a Arc<str>,
    pub(in crate::store) attempt: i64,
    pub(in crate::store) epoch: i64,
    pub(in crate::store) commit: &'a str,
    pub(in crate::store) tree: &'a str,
    pub(in crate::store) verdict: &'static str,
    pub(in crate::store) started_at: i64,
    pub(in crate::store) ended_at: i64,
}

/// A receipt of a run of the gate.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct ReceiptRow<'a> {
    pub(in crate::store) gate: i64,
    pub(in crate::store) position: i64,
    pub(in crate::store) receipt: &'a crate::domain::gate::Receipt,
    pub(in crate::store) duration_us: i64,
    pub(in crate::store) source: String,
    pub(in crate::store) files: String,
}

/// A durable effect.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct EffectRow<'a> {
    pub(in crate::store) key: String,
    pub(in crate::store) task: &'a Arc<str>,
    pub(in crate::store) kind: &'static str,
    pub(in crate::store) payload: String,
    pub(in crate::store) created_at: i64,
}
