-- The ledger: tasks, their attempts, what the gate saw, what happened, and what is still to be done for people.
--
-- Times are whole microseconds since 1970-01-01 UTC and always come from the program, never from the engine's clock.
-- What SQL must see of a state is generated from the very JSON that the program reads, so the two cannot differ.

-- What people asked for, one row a wording: a task's own row stays narrow.
CREATE TABLE definition (
    task_id      TEXT    NOT NULL,
    hash         TEXT    NOT NULL,
    body_version INTEGER NOT NULL,
    body         TEXT    NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (task_id, hash)
) STRICT;

CREATE TABLE task (
    id              TEXT    NOT NULL PRIMARY KEY,
    version         INTEGER NOT NULL CHECK (version >= 0),
    epoch           INTEGER NOT NULL CHECK (epoch >= 0),
    seq             INTEGER NOT NULL UNIQUE,
    definition_hash TEXT    NOT NULL,
    project         TEXT    NOT NULL,
    priority        INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    body_version    INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (json_valid(state)),
    history         TEXT    NOT NULL CHECK (json_valid(history)),
    done_gate       INTEGER,
    kind            TEXT    NOT NULL GENERATED ALWAYS AS (
        CASE state ->> '$.kind' WHEN 'ended' THEN state ->> '$.end.how' ELSE state ->> '$.kind' END
    ) STORED,
    live            INTEGER NOT NULL GENERATED ALWAYS AS (kind NOT IN ('completed', 'cancelled')) STORED,
    done_attempt    INTEGER GENERATED ALWAYS AS (CASE kind WHEN 'completed' THEN state ->> '$.end.attempt' END) STORED,
    done_epoch      INTEGER GENERATED ALWAYS AS (CASE kind WHEN 'completed' THEN state ->> '$.end.epoch' END) STORED,
    done_commit     TEXT    GENERATED ALWAYS AS (CASE kind WHEN 'completed' THEN state ->> '$.end.commit' END) STORED,
    done_verdict    TEXT    GENERATED ALWAYS AS (CASE kind WHEN 'completed' THEN 'passed' END) STORED,
    CONSTRAINT known_state CHECK (kind IN ('pending', 'assessing', 'ready', 'claimed', 'running', 'stopping',
        'validating', 'blocked', 'paused', 'completed', 'cancelled')),
    CONSTRAINT ended_is_how CHECK ((state ->> '$.kind' = 'ended') = (kind IN ('completed', 'cancelled'))),
    CONSTRAINT completed_names_its_gate CHECK (CASE kind
        WHEN 'completed' THEN done_gate IS NOT NULL AND done_attempt IS NOT NULL AND done_commit IS NOT NULL
            AND done_epoch IS NOT NULL AND done_epoch = epoch
        ELSE done_gate IS NULL END),
    CONSTRAINT defined FOREIGN KEY (id, definition_hash) REFERENCES definition (task_id, hash),
    CONSTRAINT proven FOREIGN KEY (done_gate, id, done_attempt, done_epoch, done_commit, done_verdict)
        REFERENCES gate (seq, task_id, attempt, epoch, commit_id, verdict)
) STRICT;

CREATE INDEX task_live ON task (id) WHERE live = 1;
CREATE INDEX task_project ON task (project, seq);
CREATE INDEX task_proof ON task (done_gate) WHERE done_gate IS NOT NULL;

-- One row an attempt; at most one of a task is open.
CREATE TABLE attempt (
    task_id    TEXT    NOT NULL REFERENCES task (id),
    epoch      INTEGER NOT NULL CHECK (epoch > 0),
    n          INTEGER NOT NULL CHECK (n > 0),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    outcome    TEXT,
    reason     TEXT,
    opening    TEXT    NOT NULL CHECK (json_valid(opening)),
    report     TEXT    CHECK (report IS NULL OR json_valid(report)),
    PRIMARY KEY (task_id, epoch),
    UNIQUE (task_id, n),
    CONSTRAINT ended_with_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;

CREATE UNIQUE INDEX attempt_open ON attempt (task_id) WHERE ended_at IS NULL;

-- What is seen of a worker while it works: written often, outside the task's version.
CREATE TABLE attempt_live (
    task_id           TEXT    NOT NULL,
    epoch             INTEGER NOT NULL,
    beat_at           INTEGER,
    progress_pct      INTEGER CHECK (progress_pct BETWEEN 0 AND 100),
    phase             TEXT,
    transcript_offset INTEGER NOT NULL DEFAULT 0 CHECK (transcript_offset >= 0),
    session           TEXT,
    cost_usd          REAL,
    input_tokens      INTEGER,
    output_tokens     INTEGER,
    PRIMARY KEY (task_id, epoch),
    FOREIGN KEY (task_id, epoch) REFERENCES attempt (task_id, epoch)
) STRICT;

-- One row a run of the gate. The wide key is what a completed task refers to.
CREATE TABLE gate (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id    TEXT    NOT NULL REFERENCES task (id),
    attempt    INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    commit_id  TEXT    NOT NULL CHECK (commit_id <> ''),
    tree       TEXT    NOT NULL,
    verdict    TEXT    NOT NULL CHECK (verdict IN ('passed', 'failed', 'needs-person')),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    UNIQUE (seq, task_id, attempt, epoch, commit_id, verdict)
) STRICT;

CREATE INDEX gate_task ON gate (task_id, seq);

CREATE TABLE receipt (
    gate_seq      INTEGER NOT NULL REFERENCES gate (seq),
    position      INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    category      TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    directory     TEXT    NOT NULL,
    commit_id     TEXT    NOT NULL,
    command       TEXT    NOT NULL,
    exit_code     INTEGER,
    verdict       TEXT    NOT NULL CHECK (verdict IN ('passed', 'failed', 'timed-out', 'error')),
    started_at    INTEGER NOT NULL,
    duration_us   INTEGER NOT NULL CHECK (duration_us >= 0),
    output_tail   TEXT    NOT NULL,
    output_sha256 TEXT    NOT NULL,
    PRIMARY KEY (gate_seq, position)
) STRICT;

CREATE TABLE event_log (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id    TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    from_state TEXT    NOT NULL,
    to_state   TEXT    NOT NULL,
    why        TEXT    NOT NULL
) STRICT;

CREATE INDEX event_log_task ON event_log (task_id, seq);

-- Durable effects, each to be performed at least once and recognised by its key.
CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    key        TEXT    NOT NULL UNIQUE,
    task_id    TEXT    NOT NULL REFERENCES task (id),
    kind       TEXT    NOT NULL,
    payload    TEXT    NOT NULL CHECK (json_valid(payload)),
    created_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL,
    done_at    INTEGER,
    error      TEXT
) STRICT;

CREATE INDEX outbox_open ON outbox (kind, seq) WHERE done_at IS NULL;
CREATE INDEX outbox_open_task ON outbox (task_id, kind, seq) WHERE done_at IS NULL;
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;

-- What the queue file was last told of a task.
CREATE TABLE mirror (
    task_id TEXT    NOT NULL PRIMARY KEY REFERENCES task (id),
    version INTEGER NOT NULL,
    body    TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;

-- Facts of the instance: the emergency stop, the last tick, the running service, who wrote the schema.
CREATE TABLE flag (
    name   TEXT    NOT NULL PRIMARY KEY,
    value  TEXT    NOT NULL CHECK (json_valid(value)),
    set_at INTEGER NOT NULL
) STRICT;

-- The rules again as triggers: they also hold for a connection that has foreign keys switched off.

CREATE TRIGGER task_numbers_rise BEFORE UPDATE ON task
WHEN NEW.version <= OLD.version OR NEW.epoch < OLD.epoch OR NEW.seq <= OLD.seq OR NEW.id <> OLD.id
BEGIN
    SELECT RAISE(ABORT, 'a task changes only with a higher version and a later event, and its epoch never falls');
END;

CREATE TRIGGER task_stays BEFORE DELETE ON task
BEGIN
    SELECT RAISE(ABORT, 'a task is never deleted');
END;

CREATE TRIGGER task_inserted_unproven AFTER INSERT ON task
WHEN NEW.kind = 'completed' AND NOT EXISTS (
    SELECT 1 FROM gate WHERE seq = NEW.done_gate AND task_id = NEW.id AND attempt = NEW.done_attempt
        AND epoch = NEW.done_epoch AND commit_id = NEW.done_commit AND verdict = 'passed')
BEGIN
    SELECT RAISE(ABORT, 'completed without a passed gate of the same attempt and commit');
END;

CREATE TRIGGER task_updated_unproven AFTER UPDATE ON task
WHEN NEW.kind = 'completed' AND NOT EXISTS (
    SELECT 1 FROM gate WHERE seq = NEW.done_gate AND task_id = NEW.id AND attempt = NEW.done_attempt
        AND epoch = NEW.done_epoch AND commit_id = NEW.done_commit AND verdict = 'passed')
BEGIN
    SELECT RAISE(ABORT, 'completed without a passed gate of the same attempt and commit');
END;

CREATE TRIGGER gate_is_final BEFORE UPDATE ON gate
BEGIN
    SELECT RAISE(ABORT, 'a run of the gate is never changed');
END;

CREATE TRIGGER gate_is_not_replaced BEFORE INSERT ON gate
WHEN EXISTS (SELECT 1 FROM gate WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'a run of the gate is never replaced');
END;

CREATE TRIGGER gate_stays BEFORE DELETE ON gate
BEGIN
    SELECT RAISE(ABORT, 'a run of the gate is never deleted');
END;

CREATE TRIGGER receipt_matches_gate BEFORE INSERT ON receipt
WHEN EXISTS (SELECT 1 FROM gate WHERE seq = NEW.gate_seq AND verdict = 'passed'
    AND (NEW.verdict <> 'passed' OR NEW.commit_id <> gate.commit_id))
BEGIN
    SELECT RAISE(ABORT, 'a passed gate has only passed receipts of its own commit');
END;

CREATE TRIGGER receipt_is_final BEFORE UPDATE ON receipt
BEGIN
    SELECT RAISE(ABORT, 'a receipt is never changed');
END;

CREATE TRIGGER receipt_stays BEFORE DELETE ON receipt
BEGIN
    SELECT RAISE(ABORT, 'a receipt is never deleted');
END;

CREATE TRIGGER attempt_numbers_stay BEFORE UPDATE ON attempt
WHEN NEW.task_id <> OLD.task_id OR NEW.epoch <> OLD.epoch OR NEW.n <> OLD.n
    OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS NOT OLD.ended_at)
BEGIN
    SELECT RAISE(ABORT, 'an attempt keeps its number and its epoch, and is not opened again');
END;

CREATE TRIGGER event_log_is_final BEFORE UPDATE ON event_log
BEGIN
    SELECT RAISE(ABORT, 'the event log is append-only');
END;

-- Retention may take the old rows of ended tasks, never the last one.
CREATE TRIGGER event_log_stays BEFORE DELETE ON event_log
WHEN EXISTS (SELECT 1 FROM task WHERE id = OLD.task_id AND (live = 1 OR seq = OLD.seq))
BEGIN
    SELECT RAISE(ABORT, 'the event log of a live task is append-only');
END;
