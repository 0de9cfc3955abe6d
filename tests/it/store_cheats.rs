//! Ways round the rules of a server's schema, in raw SQL: none of them may be had.

/// A completed state.
macro_rules! ended {
    ($attempt:literal, $epoch:literal, $commit:literal) => {
        concat!(
            r#"{"kind":"ended","since":"2026-02-02T02:40:00.123456Z","end":{"how":"completed","attempt":"#,
            $attempt,
            r#","epoch":"#,
            $epoch,
            $commit,
            "}}"
        )
    };
}

macro_rules! archive {
    ($id:literal, $gate:literal, $($state:tt)+) => {
        concat!(
            "UPDATE task SET version = version + 1, seq = seq + 1000, done_gate = ", $gate, ", state = '",
            $($state)+, "' WHERE id = '", $id, "'"
        )
    };
}

macro_rules! receipt {
    ($verdict:literal, $commit:literal) => {
        concat!(
            "INSERT INTO receipt SELECT PASSED, 9, name, category, source, directory, '",
            $commit,
            "', command, exit_code, '",
            $verdict,
            "', 0, 0, '', '' FROM receipt LIMIT 1"
        )
    };
}

/// The one way that is none round: the proof is right.
pub const C0FFEE: &str = archive!("done", "PASSED", ended!(1, 1, r#","commit":"c0ffee""#));

/// Ways round the proof and the log. `FAILED` and `PASSED` stand for the numbers of the two gates.
pub const CHEATS: &[(&str, &str)] = &[
    (
        "update without a gate",
        archive!("judged", "NULL", ended!(1, 1, r#","commit":"c0ffee""#)),
    ),
    (
        "update with a failed gate",
        archive!("judged", "FAILED", ended!(1, 1, r#","commit":"c0ffee""#)),
    ),
    (
        "update with another task's gate",
        archive!("judged", "PASSED", ended!(1, 1, r#","commit":"c0ffee""#)),
    ),
    (
        "update with a gate that is not there",
        archive!("judged", "777777", ended!(1, 1, r#","commit":"c0ffee""#)),
    ),
    (
        "never tried, another's gate",
        archive!("new", "PASSED", ended!(0, 0, r#","commit":"c0ffee""#)),
    ),
    (
        "another epoch than the task's",
        archive!("judged", "PASSED", ended!(1, 9, r#","commit":"c0ffee""#)),
    ),
    ("no commit", archive!("judged", "PASSED", ended!(1, 1, ""))),
    (
        "completed under another name",
        archive!("judged", "NULL", r#"{"kind":"completed"}"#),
    ),
    (
        "ended as something live",
        archive!("judged", "NULL", r#"{"kind":"ended","end":{"how":"running"}}"#),
    ),
    (
        "a state that nobody knows",
        archive!("judged", "NULL", r#"{"kind":"perfect"}"#),
    ),
    ("no state at all", archive!("judged", "NULL", "{}")),
    (
        "the completed one with another commit",
        archive!("done", "PASSED", ended!(1, 1, r#","commit":"beef""#)),
    ),
    (
        "the completed one with another attempt",
        archive!("done", "PASSED", ended!(2, 1, r#","commit":"c0ffee""#)),
    ),
    (
        "the gate's commit afterwards",
        "UPDATE gate SET commit_id = 'beef'",
    ),
    (
        "the gate's verdict beforehand",
        "UPDATE gate SET verdict = 'passed'",
    ),
    ("the gate deleted", "DELETE FROM gate"),
    ("the gates emptied", "TRUNCATE gate CASCADE"),
    (
        "a failed receipt under a passed gate",
        receipt!("failed", "c0ffee"),
    ),
    (
        "a receipt of another commit under a passed gate",
        receipt!("passed", "beef"),
    ),
    ("a receipt changed", "UPDATE receipt SET verdict = 'passed'"),
    ("a receipt deleted", "DELETE FROM receipt"),
    ("a task deleted", "DELETE FROM task WHERE id = 'new'"),
    (
        "a version that falls",
        "UPDATE task SET version = version - 1, seq = seq + 1000",
    ),
    (
        "an epoch that falls",
        "UPDATE task SET version = version + 1, epoch = 0, seq = seq + 1000 WHERE id = 'judged'",
    ),
    ("an event changed", "UPDATE event_log SET why = ''"),
    (
        "an event of a live task deleted",
        "DELETE FROM event_log WHERE task_id = 'new'",
    ),
    (
        "the last event deleted",
        "DELETE FROM event_log WHERE task_id = 'done' AND version = 4",
    ),
    (
        "an attempt opened again",
        "UPDATE attempt SET ended_at = NULL, outcome = NULL",
    ),
    (
        "two attempts open at once",
        "INSERT INTO attempt SELECT task_id, 8 + k, 8 + k, 0, NULL, NULL, NULL, opening, NULL FROM attempt, \
         generate_series(1, 2) AS k WHERE task_id = 'done'",
    ),
    (
        "an attempt opened beside the open one",
        "INSERT INTO attempt (task_id, epoch, n, started_at, opening) SELECT task_id, 2, 2, 0, opening FROM attempt \
         WHERE task_id = 'working'",
    ),
    (
        "the next attempt opened with its task's step, the last one still open",
        "WITH step AS (UPDATE task SET version = version + 1, epoch = 2, seq = seq + 1000, \
         xact = pg_current_xact_id()::text::bigint WHERE id = 'working' RETURNING id) \
         INSERT INTO attempt (task_id, epoch, n, started_at, opening) SELECT id, 2, 2, 0, '{}' FROM step",
    ),
    (
        "an epoch left while its attempt is open",
        "UPDATE task SET version = version + 1, epoch = 2, seq = seq + 1000 WHERE id = 'working'",
    ),
    (
        "an attempt with the number of another",
        "INSERT INTO attempt (task_id, epoch, n, started_at, ended_at, outcome, opening) \
         SELECT task_id, 2, n, 0, 1, 'done', opening FROM attempt WHERE task_id = 'done'",
    ),
    (
        "an attempt of a task that is not there",
        "INSERT INTO attempt (task_id, epoch, n, started_at, ended_at, outcome, opening) VALUES ('nobody', 1, 1, 0, 1, 'done', '{}')",
    ),
];
