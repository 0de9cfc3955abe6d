-- Rows that cost less to write: the same rules with fewer indexes and fewer rows.
--
-- The program runs migrations with foreign keys switched off, and looks for broken references before it commits. Tables are
-- made anew under another name, filled, and put in the old one's place (https://sqlite.org/lang_altertable.html, section 7).

-- Every trigger that names one of these tables goes with it, or would not be understood meanwhile.
DROP TRIGGER task_numbers_rise;
DROP TRIGGER task_stays;
DROP TRIGGER task_inserted_unproven;
DROP TRIGGER task_updated_unproven;
DROP TRIGGER event_log_stays;
DROP TRIGGER attempt_numbers_stay;
DROP TRIGGER gate_is_final;
DROP TRIGGER gate_is_not_replaced;
DROP TRIGGER gate_stays;
DROP TRIGGER receipt_matches_gate;

-- A state that is not one of these has no kind, and a row without a kind is refused.
CREATE TABLE task_new (
    id              TEXT    NOT NULL PRIMARY KEY,
    version         INTEGER NOT NULL CHECK (version >= 0),
    epoch           INTEGER NOT NULL CHECK (epoch >= 0),
    seq             INTEGER NOT NULL,
    definition_hash TEXT    NOT NULL,
    project         TEXT    NOT NULL,
    priority        INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    body_version    INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    history         TEXT    NOT NULL,
    done_gate       INTEGER,
    kind            TEXT    NOT NULL GENERATED ALWAYS AS (
        CASE state ->> '$.kind'
            WHEN 'pending' THEN 'pending'
            WHEN 'assessing' THEN 'assessing'
            WHEN 'ready' THEN 'ready'
            WHEN 'claimed' THEN 'claimed'
            WHEN 'running' THEN 'running'
            WHEN 'stopping' THEN 'stopping'
            WHEN 'validating' THEN 'validating'
            WHEN 'blocked' THEN 'blocked'
            WHEN 'paused' THEN 'paused'
            WHEN 'ended' THEN
                CASE state ->> '$.end.how' WHEN 'completed' THEN 'completed' WHEN 'cancelled' THEN 'cancelled' END
        END
    ) STORED,
    live            INTEGER NOT NULL GENERATED ALWAYS AS (kind NOT IN ('completed', 'cancelled')) STORED,
    done_attempt    INTEGER GENERATED ALWAYS AS (CASE kind WHEN 'completed' THEN state ->> '$.end.attempt' END) STORED,
    done_epoch      INTEGER GENERATED ALWAYS AS (CASE kind WHEN 'completed' THEN state ->> '$.end.epoch' END) STORED,
    done_commit     TEXT    GENERATED ALWAYS AS (CASE kind WHEN 'completed' THEN state ->> '$.end.commit' END) STORED,
    done_verdict    TEXT    GENERATED ALWAYS AS (CASE kind WHEN 'completed' THEN 'passed' END) STORED,
    CONSTRAINT completed_names_its_gate CHECK (CASE kind
        WHEN 'completed' THEN done_gate IS NOT NULL AND done_attempt IS NOT NULL AND done_commit IS NOT NULL
            AND done_epoch IS NOT NULL AND done_epoch = epoch
        ELSE done_gate IS NULL END),
    CONSTRAINT defined FOREIGN KEY (id, definition_hash) REFERENCES definition (task_id, hash),
    CONSTRAINT proven FOREIGN KEY (done_gate, id, done_attempt, done_epoch, done_commit, done_verdict)
        REFERENCES gate (seq, task_id, attempt, epoch, commit_id, verdict)
) STRICT;

INSERT INTO task_new (id, version, epoch, seq, definition_hash, project, priority, created_at, updated_at, body_version,
    state, history, done_gate)
SELECT id, version, epoch, seq, definition_hash, project, priority, created_at, updated_at, body_version,
    state, history, done_gate
FROM task;

DROP TABLE task;
ALTER TABLE task_new RENAME TO task;

-- A change of a live task moves one entry; the archive's entries are written once. That every number is one event's and every
-- event one task's, the log says: its newest row of a task is what `seq` names.
CREATE INDEX task_live ON task (seq, project) WHERE live = 1;
CREATE INDEX task_ended ON task (seq, project) WHERE live = 0;

-- What is seen of a worker lies in its attempt's row.
CREATE TABLE attempt_new (
    task_id           TEXT    NOT NULL REFERENCES task (id),
    epoch             INTEGER NOT NULL CHECK (epoch > 0),
    n                 INTEGER NOT NULL CHECK (n > 0),
    started_at        INTEGER NOT NULL,
    ended_at          INTEGER,
    outcome           TEXT,
    reason            TEXT,
    beat_at           INTEGER,
    progress_pct      INTEGER CHECK (progress_pct BETWEEN 0 AND 100),
    phase             TEXT,
    transcript_offset INTEGER NOT NULL DEFAULT 0 CHECK (transcript_offset >= 0),
    session           TEXT,
    cost_usd          REAL,
    input_tokens      INTEGER,
    output_tokens     INTEGER,
    opening           TEXT    NOT NULL,
    report            TEXT,
    PRIMARY KEY (task_id, epoch),
    CONSTRAINT ended_with_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO attempt_new
SELECT a.task_id, a.epoch, a.n, a.started_at, a.ended_at, a.outcome, a.reason, l.beat_at, l.progress_pct, l.phase,
    coalesce(l.transcript_offset, 0), l.session, l.cost_usd, l.input_tokens, l.output_tokens, a.opening, a.report
FROM attempt a LEFT JOIN attempt_live l USING (task_id, epoch);

DROP TABLE attempt_live;
DROP TABLE attempt;
ALTER TABLE attempt_new RENAME TO attempt;

CREATE UNIQUE INDEX attempt_open ON attempt (task_id) WHERE ended_at IS NULL;

-- One index is both what a completed task refers to and the way from a task to its gates. A run has its event's number.
CREATE TABLE gate_new (
    seq        INTEGER PRIMARY KEY,
    task_id    TEXT    NOT NULL REFERENCES task (id),
    attempt    INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    commit_id  TEXT    NOT NULL CHECK (commit_id <> ''),
    tree       TEXT    NOT NULL,
    verdict    TEXT    NOT NULL CHECK (verdict IN ('passed', 'failed', 'needs-person')),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    UNIQUE (task_id, seq, attempt, epoch, commit_id, verdict)
) STRICT;

INSERT INTO gate_new SELECT seq, task_id, attempt, epoch, commit_id, tree, verdict, started_at, ended_at FROM gate;

DROP TABLE gate;
ALTER TABLE gate_new RENAME TO gate;

-- The rules as triggers again.

CREATE TRIGGER task_numbers_rise AFTER UPDATE ON task
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

CREATE TRIGGER attempt_number_is_new BEFORE INSERT ON attempt
WHEN EXISTS (SELECT 1 FROM attempt WHERE task_id = NEW.task_id AND n = NEW.n)
BEGIN
    SELECT RAISE(ABORT, 'an attempt has a number of its own');
END;

CREATE TRIGGER attempt_numbers_stay AFTER UPDATE OF task_id, epoch, n, ended_at ON attempt
WHEN NEW.task_id <> OLD.task_id OR NEW.epoch <> OLD.epoch OR NEW.n <> OLD.n
    OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS NOT OLD.ended_at)
BEGIN
    SELECT RAISE(ABORT, 'an attempt keeps its number and its epoch, and is not opened again');
END;

-- Retention may take the old rows of ended tasks, never the last one.
CREATE TRIGGER event_log_stays BEFORE DELETE ON event_log
WHEN EXISTS (SELECT 1 FROM task WHERE id = OLD.task_id AND (live = 1 OR seq = OLD.seq))
BEGIN
    SELECT RAISE(ABORT, 'the event log of a live task is append-only');
END;
