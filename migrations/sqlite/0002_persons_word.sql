-- A receipt may ask for a person's word. SQLite changes a CHECK only with a new table.

CREATE TABLE receipt_new (
    gate_seq      INTEGER NOT NULL REFERENCES gate (seq),
    position      INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    category      TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    directory     TEXT    NOT NULL,
    commit_id     TEXT    NOT NULL,
    command       TEXT    NOT NULL,
    exit_code     INTEGER,
    verdict       TEXT    NOT NULL CHECK (verdict IN ('passed', 'failed', 'timed-out', 'error', 'needs-person')),
    started_at    INTEGER NOT NULL,
    duration_us   INTEGER NOT NULL CHECK (duration_us >= 0),
    output_tail   TEXT    NOT NULL,
    output_sha256 TEXT    NOT NULL,
    PRIMARY KEY (gate_seq, position)
) STRICT;

INSERT INTO receipt_new
SELECT gate_seq, position, name, category, source, directory, commit_id, command, exit_code, verdict, started_at,
    duration_us, output_tail, output_sha256
FROM receipt;

DROP TABLE receipt;
ALTER TABLE receipt_new RENAME TO receipt;

-- A person's word turns such a receipt into a passed one: under a passed gate there is no other.
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
