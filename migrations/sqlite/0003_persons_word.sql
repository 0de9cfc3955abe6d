-- A receipt may ask for a person's word. A CHECK stands in the text of the schema alone: no row changes with it, so the
-- table need not be made anew, whatever columns it has by now (https://sqlite.org/lang_altertable.html, section 8).

PRAGMA writable_schema = ON;

UPDATE sqlite_schema
SET sql = replace(sql, '''timed-out'', ''error'')', '''timed-out'', ''error'', ''needs-person'')')
WHERE type = 'table' AND name = 'receipt';

PRAGMA writable_schema = RESET;

-- A new object raises the schema's number, so that every other connection reads the table's text again.
-- A person's word turns such a receipt into a passed one: under a passed gate there is no other.
DROP TRIGGER receipt_matches_gate;

CREATE TRIGGER receipt_matches_gate BEFORE INSERT ON receipt
WHEN EXISTS (SELECT 1 FROM gate WHERE seq = NEW.gate_seq AND verdict = 'passed'
    AND (NEW.verdict <> 'passed' OR NEW.commit_id <> gate.commit_id))
BEGIN
    SELECT RAISE(ABORT, 'a passed gate has only passed receipts of its own commit');
END;
