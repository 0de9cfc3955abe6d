-- Rows that cost less to write: one index is both what a completed task refers to and the way from a task to its gates. A run of
-- the gate has its event's number. A task and its gate refer to each other: whoever brings both in from elsewhere has the proof
-- checked when all of it is there.
ALTER TABLE task DROP CONSTRAINT proven;
ALTER TABLE gate DROP CONSTRAINT gate_key;
ALTER TABLE gate ADD CONSTRAINT gate_key UNIQUE (task_id, seq, attempt, epoch, commit_id, verdict);
ALTER TABLE task ADD CONSTRAINT proven FOREIGN KEY (done_gate, id, done_attempt, done_epoch, done_commit, done_verdict)
    REFERENCES gate (seq, task_id, attempt, epoch, commit_id, verdict) DEFERRABLE;
DROP INDEX gate_task;
