-- Steps that touch no index at all, and half the rows.
--
-- An index on a column that each step writes costs each step an entry in every index, also where the index is partial and the row
-- is not in it. The order of the archive therefore has a column of its own, which is set once. Pages are left half empty, so that
-- the next version of a row fits beside it.

DROP INDEX task_ended;
DROP INDEX task_ended_project;
ALTER TABLE task DROP CONSTRAINT completed_names_its_gate;
ALTER TABLE task DROP CONSTRAINT ended_is_how;
DROP TRIGGER proven ON task;
DROP FUNCTION completed_is_proven();
ALTER TABLE task
    DROP COLUMN done_attempt,
    DROP COLUMN done_epoch,
    DROP COLUMN done_commit,
    DROP COLUMN done_verdict,
    ADD COLUMN ended_seq bigint GENERATED ALWAYS AS (CASE WHEN state ->> 'kind' = 'ended' THEN seq END) STORED,
    ADD CONSTRAINT ended_is_how CHECK ((ended_seq IS NOT NULL) = (NOT live)),
    ADD CONSTRAINT completed_names_its_gate CHECK ((kind = 'completed') = (done_gate IS NOT NULL)),
    SET (fillfactor = 45);
CREATE INDEX task_ended ON task (ended_seq, project) WHERE ended_seq IS NOT NULL;

-- Rules of single rows are asked after the change: asked before it, they would have each row looked up and locked once more.
DROP TRIGGER task_stays_named ON task;
DROP TRIGGER task_numbers_rise ON task;
DROP TRIGGER task_marks_transaction ON task;
DROP FUNCTION task_marks_its_transaction();
DROP TRIGGER task_has_its_new_wording ON task;
CREATE TRIGGER task_numbers_rise AFTER UPDATE ON task FOR EACH ROW
    WHEN (NEW.version <= OLD.version OR NEW.epoch < OLD.epoch OR NEW.seq <= OLD.seq OR NEW.id <> OLD.id)
    EXECUTE FUNCTION refuse('a task keeps its name and changes only with a higher version and a later event, and its epoch never falls');
CREATE TRIGGER task_has_its_new_wording AFTER UPDATE ON task FOR EACH ROW
    WHEN (NEW.definition_hash <> OLD.definition_hash) EXECUTE FUNCTION new_wording_is_there();

-- A completed task is proven by a passed gate of its attempt, epoch and commit, as its state names them. A step is asked with all
-- rows of its statement. Whoever brings tasks and gates in from elsewhere has new rows asked when all of it is there.
CREATE FUNCTION completed_are_proven() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh f WHERE f.done_gate IS NOT NULL AND (SELECT true FROM gate g WHERE g.seq = f.done_gate
        AND g.task_id = f.id AND g.epoch = f.epoch AND g.verdict = 'passed' AND g.attempt = (f.state #>> '{end,attempt}')::bigint
        AND g.epoch = (f.state #>> '{end,epoch}')::bigint AND g.commit_id = f.state #>> '{end,commit}') IS NOT TRUE) THEN
        RAISE EXCEPTION 'completed without a passed gate of the same attempt and commit' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER steps_are_proven AFTER UPDATE ON task REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION completed_are_proven();

CREATE FUNCTION completed_is_proven() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM gate g WHERE g.seq = NEW.done_gate
        AND g.task_id = NEW.id AND g.epoch = NEW.epoch AND g.verdict = 'passed' AND g.attempt = (NEW.state #>> '{end,attempt}')::bigint
        AND g.epoch = (NEW.state #>> '{end,epoch}')::bigint AND g.commit_id = NEW.state #>> '{end,commit}') THEN
        RAISE EXCEPTION 'completed without a passed gate of the same attempt and commit' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER proven AFTER INSERT ON task DEFERRABLE FOR EACH ROW
    WHEN (NEW.done_gate IS NOT NULL) EXECUTE FUNCTION completed_is_proven();

-- What is seen of a worker lies in its attempt's row, as in the embedded store.
DROP TRIGGER attempt_numbers_stay ON attempt;
ALTER TABLE attempt
    ADD COLUMN beat_at bigint,
    ADD COLUMN progress_pct bigint CHECK (progress_pct BETWEEN 0 AND 100),
    ADD COLUMN phase text,
    ADD COLUMN transcript_offset bigint NOT NULL DEFAULT 0 CHECK (transcript_offset >= 0),
    ADD COLUMN session text,
    ADD COLUMN cost_usd double precision,
    ADD COLUMN input_tokens bigint,
    ADD COLUMN output_tokens bigint;
UPDATE attempt a SET beat_at = l.beat_at, progress_pct = l.progress_pct, phase = l.phase, transcript_offset = l.transcript_offset,
    session = l.session, cost_usd = l.cost_usd, input_tokens = l.input_tokens, output_tokens = l.output_tokens
    FROM attempt_live l WHERE l.task_id = a.task_id AND l.epoch = a.epoch;
DROP TABLE attempt_live;
DROP FUNCTION attempt_live_has_its_attempt();

-- One open attempt a task, without an index of what is open: one opens only under its task's own epoch, in the transaction that
-- wrote the task's row (xact) and so holds it; and no task leaves an epoch whose attempt is open.
DROP INDEX attempt_open;
ALTER TABLE attempt DROP CONSTRAINT attempt_task_id_n_key;
ALTER TABLE attempt SET (fillfactor = 40);
CREATE TRIGGER attempt_numbers_stay AFTER UPDATE ON attempt FOR EACH ROW
    WHEN (NEW.task_id <> OLD.task_id OR NEW.epoch <> OLD.epoch OR NEW.n <> OLD.n
        OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at))
    EXECUTE FUNCTION refuse('an attempt keeps its number and its epoch, and is not opened again');

CREATE OR REPLACE FUNCTION attempt_has_its_task() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh f WHERE (SELECT f.ended_at IS NOT NULL OR t.epoch = f.epoch AND t.xact = pg_current_xact_id()::text::bigint
        FROM task t WHERE t.id = f.task_id) IS NOT TRUE) THEN
        RAISE EXCEPTION 'an attempt is of a task that is there, and opens with its step' USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF EXISTS (SELECT FROM fresh f WHERE f.epoch > 1
        AND (SELECT count(*) FROM attempt a WHERE a.task_id = f.task_id AND a.n = f.n) > 1) THEN
        RAISE EXCEPTION 'an attempt has a number of its own' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION no_attempt_is_left_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM attempt WHERE task_id = NEW.id AND epoch = OLD.epoch AND ended_at IS NULL) THEN
        RAISE EXCEPTION 'a task goes on to the next attempt when the last one has ended' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER no_attempt_is_left_open AFTER UPDATE ON task DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.epoch <> OLD.epoch AND OLD.epoch > 0) EXECUTE FUNCTION no_attempt_is_left_open();

-- A program of the version before this one goes on beside newer ones until it is replaced: it knows what is seen of a worker as a
-- table, and makes a row there with each attempt, which is there already.
CREATE VIEW attempt_live AS SELECT task_id, epoch, beat_at, progress_pct, phase, transcript_offset, session, cost_usd,
    input_tokens, output_tokens FROM attempt;

CREATE FUNCTION attempt_is_there() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEW;
END $$;

CREATE TRIGGER attempt_is_there INSTEAD OF INSERT ON attempt_live FOR EACH ROW EXECUTE FUNCTION attempt_is_there();
