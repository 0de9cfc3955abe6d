//! What is carried: the tables of a server, each with the embedded store's table that its rows come from.
//!
//! A table that only a server has for its own sake (who writes, who is there, who leads, what workers put out) is not carried; `tests/it/backup.rs`
//! holds that every table is in one of the two lists.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Real,
    Text,
    /// Kept as it is written.
    Json,
    /// Kept by its values.
    Jsonb,
    /// A time of a server's clock.
    Stamp,
}

/// A table of the target and where its rows come from.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The table of the source.
    pub(super) from: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
}

/// A value on its way, as text.
pub(super) type Value = Option<String>;

use Kind::{Int, Json, Jsonb, Real, Stamp, Text};

/// In an order in which each finds what it refers to; the proof of completed tasks is checked at the end.
pub(super) static TABLES: [Table; 11] = [
    Table {
        name: "definition",
        from: "definition",
        columns: &[
            ("task_id", Text),
            ("hash", Text),
            ("body_version", Int),
            ("body", Json),
        ],
    },
    Table {
        name: "task",
        from: "task",
        columns: &[
            ("id", Text),
            ("version", Int),
            ("epoch", Int),
            ("seq", Int),
            ("definition_hash", Text),
            ("project", Text),
            ("priority", Int),
            ("created_at", Int),
            ("updated_at", Int),
            ("body_version", Int),
            ("done_gate", Int),
            ("state", Jsonb),
            ("history", Json),
        ],
    },
    Table {
        name: "attempt",
        from: "attempt",
        columns: &[
            ("task_id", Text),
            ("epoch", Int),
            ("n", Int),
            ("started_at", Int),
            ("ended_at", Int),
            ("outcome", Text),
            ("reason", Text),
            ("opening", Json),
            ("report", Json),
            ("beat_at", Int),
            ("progress_pct", Int),
            ("phase", Text),
            ("transcript_offset", Int),
            ("session", Text),
            ("cost_usd", Real),
            ("input_tokens", Int),
            ("output_tokens", Int),
        ],
    },
    Table {
        name: "gate",
        from: "gate",
        columns: &[
            ("seq", Int),
            ("task_id", Text),
            ("attempt", Int),
            ("epoch", Int),
            ("commit_id", Text),
            ("tree", Text),
            ("verdict", Text),
            ("started_at", Int),
            ("ended_at", Int),
        ],
    },
    Table {
        name: "receipt",
        from: "receipt",
        columns: &[
            ("gate_seq", Int),
            ("position", Int),
            ("name", Text),
            ("category", Text),
            ("source", Text),
            ("directory", Text),
            ("commit_id", Text),
            ("command", Text),
            ("exit_code", Int),
            ("verdict", Text),
            ("started_at", Int),
            ("duration_us", Int),
            ("output_tail", Text),
            ("output_sha256", Text),
            ("tree", Text),
            ("environment", Text),
            ("sandbox", Text),
            ("output_bytes", Int),
            ("files", Json),
        ],
    },
    Table {
        name: "event_log",
        from: "event_log",
        columns: &[
            ("seq", Int),
            ("task_id", Text),
            ("version", Int),
            ("epoch", Int),
            ("at", Int),
            ("kind", Text),
            ("from_state", Text),
            ("to_state", Text),
            ("why", Text),
        ],
    },
    Table {
        name: "outbox",
        from: "outbox",
        columns: &[
            ("seq", Int),
            ("key", Text),
            ("task_id", Text),
            ("kind", Text),
            ("payload", Json),
            ("created_at", Int),
            ("attempts", Int),
            ("not_before", Int),
            ("done_at", Int),
            ("error", Text),
        ],
    },
    Table {
        name: "mirror",
        from: "mirror",
        columns: &[("task_id", Text), ("version", Int), ("body", Json)],
    },
    Table {
        name: "card",
        from: "card",
        columns: &[
            ("surface", Text),
            ("task_id", Text),
            ("room", Text),
            ("message", Text),
            ("shown", Text),
            ("nonce", Text),
            ("is_over", Int),
            ("posted_at", Int),
            ("edited_at", Int),
        ],
    },
    Table {
        name: "heard",
        from: "heard",
        columns: &[
            ("surface", Text),
            ("event", Text),
            ("taken_at", Int),
            ("body", Text),
            ("done_at", Int),
            ("outcome", Text),
            ("told_at", Int),
        ],
    },
    Table {
        name: "conversation",
        from: "conversation",
        columns: &[
            ("surface", Text),
            ("room", Text),
            ("body", Text),
            ("updated_at", Int),
        ],
    },
];

/// The facts of the instance; who wrote the schema is the target's own.
pub(super) static FLAGS: Table = Table {
    name: "flag",
    from: "(SELECT * FROM flag WHERE name <> 'schema_written_by')",
    columns: &[("name", Text), ("value", Json), ("set_at", Int)],
};

/// Copies of progress files, which only a fleet has; an embedded store has them while it is a fleet's backup.
pub(super) static SUMMARIES: Table = Table {
    name: "session_summary",
    from: "session_summary",
    columns: &[
        ("task_id", Text),
        ("epoch", Int),
        ("node", Text),
        ("saved_at", Stamp),
        ("progress", Text),
    ],
};

/// What every store has.
pub(super) fn tables() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().chain(std::iter::once(&FLAGS))
}
