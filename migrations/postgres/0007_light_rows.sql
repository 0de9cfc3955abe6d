-- Rules that cost less to keep. A rule about rows of two tables is asked once a statement, of all its rows, and not row by row:
-- tasks, their wordings, their attempts and runs of the gate are never deleted and never renamed, so that what a new row refers to
-- stays. Each is planned for tables that are large: the plan of a foreign key is made once a session, and one that was made when a
-- table was empty reads all of it for each row ever after.
--
-- A step of a task changes no column that an index is about until the task ends: the server then writes no index (HOT). So what was
-- changed since a look is asked of the log, where rows lie in the order of their transactions, and nobody asks the rows of tasks
-- for those that are ready: whoever leads holds them in memory.

CREATE TRIGGER task_stays_named BEFORE UPDATE ON task FOR EACH ROW
    WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION refuse('a task keeps its name');
CREATE TRIGGER attempt_live_stays_named BEFORE UPDATE ON attempt_live FOR EACH ROW
    WHEN (NEW.task_id <> OLD.task_id OR NEW.epoch <> OLD.epoch) EXECUTE FUNCTION refuse('what is seen of an attempt stays its own');
CREATE TRIGGER effect_stays_named BEFORE UPDATE ON outbox FOR EACH ROW
    WHEN (NEW.task_id <> OLD.task_id) EXECUTE FUNCTION refuse('an effect stays of its task');
CREATE TRIGGER attempt_stays BEFORE DELETE OR TRUNCATE ON attempt
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('an attempt is never deleted');

-- A task writes its transaction itself; a program that does not know of that has it done here.
DROP TRIGGER task_numbers_rise ON task;
CREATE TRIGGER task_numbers_rise BEFORE UPDATE ON task FOR EACH ROW
    WHEN (NEW.version <= OLD.version OR NEW.epoch < OLD.epoch OR NEW.seq <= OLD.seq)
    EXECUTE FUNCTION refuse('a task changes only with a higher version and a later event, and its epoch never falls');
ALTER TABLE task ALTER COLUMN xact SET DEFAULT pg_current_xact_id()::text::bigint;
CREATE TRIGGER task_marks_transaction BEFORE UPDATE ON task FOR EACH ROW
    WHEN (NEW.xact = OLD.xact) EXECUTE FUNCTION task_marks_its_transaction();

DROP INDEX task_xact;
DROP INDEX task_ready;
ALTER TABLE event_log ADD COLUMN xact bigint NOT NULL DEFAULT 0;
ALTER TABLE event_log ALTER COLUMN xact SET DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX event_log_xact ON event_log (xact);

ALTER TABLE attempt DROP CONSTRAINT attempt_task_id_fkey;
ALTER TABLE attempt_live DROP CONSTRAINT attempt_live_task_id_epoch_fkey;
ALTER TABLE gate DROP CONSTRAINT gate_task_id_fkey;
ALTER TABLE receipt DROP CONSTRAINT receipt_gate_seq_fkey;
ALTER TABLE outbox DROP CONSTRAINT outbox_task_id_fkey;
ALTER TABLE task DROP CONSTRAINT defined;

CREATE FUNCTION attempt_has_its_task() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh f WHERE NOT EXISTS (SELECT FROM task t WHERE t.id = f.task_id)) THEN
        RAISE EXCEPTION 'an attempt is of a task that is there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER attempt_has_its_task AFTER INSERT ON attempt REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION attempt_has_its_task();

CREATE FUNCTION attempt_live_has_its_attempt() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh f WHERE NOT EXISTS (SELECT FROM attempt a WHERE a.task_id = f.task_id AND a.epoch = f.epoch)) THEN
        RAISE EXCEPTION 'what is seen of an attempt is of one that is there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER attempt_live_has_its_attempt AFTER INSERT ON attempt_live REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION attempt_live_has_its_attempt();

CREATE FUNCTION gate_has_its_task() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh f WHERE NOT EXISTS (SELECT FROM task t WHERE t.id = f.task_id)) THEN
        RAISE EXCEPTION 'a run of the gate is of a task that is there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER gate_has_its_task AFTER INSERT ON gate REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION gate_has_its_task();

CREATE FUNCTION receipt_has_its_gate() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh f WHERE NOT EXISTS (SELECT FROM gate g WHERE g.seq = f.gate_seq)) THEN
        RAISE EXCEPTION 'a receipt is of a run of the gate that is there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER receipt_has_its_gate AFTER INSERT ON receipt REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION receipt_has_its_gate();

CREATE FUNCTION effect_has_its_task() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh f WHERE NOT EXISTS (SELECT FROM task t WHERE t.id = f.task_id)) THEN
        RAISE EXCEPTION 'an effect is of a task that is there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER effect_has_its_task AFTER INSERT ON outbox REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION effect_has_its_task();

CREATE FUNCTION task_has_its_wording() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh f WHERE NOT EXISTS (SELECT FROM definition d WHERE d.task_id = f.id AND d.hash = f.definition_hash)) THEN
        RAISE EXCEPTION 'a task has a wording that is there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER task_has_its_wording AFTER INSERT ON task REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION task_has_its_wording();

-- A change of a wording is rare: row by row, and only where there is one.
CREATE FUNCTION new_wording_is_there() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM definition WHERE task_id = NEW.id AND hash = NEW.definition_hash) THEN
        RAISE EXCEPTION 'a task has a wording that is there' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER task_has_its_new_wording BEFORE UPDATE ON task FOR EACH ROW
    WHEN (NEW.definition_hash <> OLD.definition_hash) EXECUTE FUNCTION new_wording_is_there();
CREATE TRIGGER definition_stays BEFORE DELETE OR TRUNCATE ON definition
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a wording is never deleted');
CREATE TRIGGER definition_stays_named BEFORE UPDATE ON definition FOR EACH ROW
    WHEN (NEW.task_id <> OLD.task_id OR NEW.hash <> OLD.hash) EXECUTE FUNCTION refuse('a wording keeps its name');

-- A completed task is proven by a passed gate of its attempt, epoch and commit. Whoever brings both in from elsewhere has it
-- checked when all of it is there.
ALTER TABLE task DROP CONSTRAINT proven;
ALTER TABLE gate DROP CONSTRAINT gate_key;
CREATE INDEX gate_task ON gate (task_id, seq);

CREATE FUNCTION completed_is_proven() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM gate g WHERE g.seq = NEW.done_gate AND g.task_id = NEW.id AND g.attempt = NEW.done_attempt
        AND g.epoch = NEW.done_epoch AND g.commit_id = NEW.done_commit AND g.verdict = 'passed') THEN
        RAISE EXCEPTION 'completed without a passed gate of the same attempt and commit' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER proven AFTER INSERT OR UPDATE ON task DEFERRABLE FOR EACH ROW
    WHEN (NEW.done_gate IS NOT NULL) EXECUTE FUNCTION completed_is_proven();
