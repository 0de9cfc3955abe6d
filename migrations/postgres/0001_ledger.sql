-- The ledger: tasks, their attempts, what the gate saw, what happened, and what is still to be done for people.
--
-- Times of the ledger are whole microseconds since 1970-01-01 UTC and always come from the program. Only what processes must
-- agree on among themselves (leases) is judged by the server's clock, and is a timestamptz.
-- What SQL must see of a state is generated from the very JSON that the program reads, so the two cannot differ. Whatever else
-- the program alone reads is json (kept as it was written).

-- What people asked for, one row a wording: a task's own row stays narrow.
CREATE TABLE definition (
    task_id      text COLLATE "C" NOT NULL,
    hash         text COLLATE "C" NOT NULL,
    body_version bigint NOT NULL,
    body         json   NOT NULL,
    PRIMARY KEY (task_id, hash)
);

-- Numbers of events. They rise in the order in which they are drawn; transactions may become visible in another order.
CREATE SEQUENCE event_seq AS bigint;

-- One row a task, written with every step. xact is the transaction that wrote it last: a reader who remembers the oldest
-- transaction that was still running when it looked (pg_snapshot_xmin) misses nothing by asking from there.
CREATE TABLE task (
    id              text COLLATE "C" NOT NULL PRIMARY KEY,
    version         bigint NOT NULL CHECK (version >= 0),
    epoch           bigint NOT NULL CHECK (epoch >= 0),
    seq             bigint NOT NULL,
    xact            bigint NOT NULL,
    definition_hash text   NOT NULL,
    project         text COLLATE "C" NOT NULL,
    priority        bigint NOT NULL CHECK (priority BETWEEN 0 AND 3),
    created_at      bigint NOT NULL,
    updated_at      bigint NOT NULL,
    body_version    bigint NOT NULL,
    done_gate       bigint,
    state           jsonb  NOT NULL,
    history         json   NOT NULL,
    kind            text   NOT NULL GENERATED ALWAYS AS (
        CASE state ->> 'kind' WHEN 'ended' THEN state #>> '{end,how}' ELSE state ->> 'kind' END
    ) STORED,
    live            boolean NOT NULL GENERATED ALWAYS AS (
        CASE state ->> 'kind' WHEN 'ended' THEN state #>> '{end,how}' ELSE state ->> 'kind' END
            NOT IN ('completed', 'cancelled')
    ) STORED,
    done_attempt    bigint GENERATED ALWAYS AS (
        CASE WHEN state ->> 'kind' = 'ended' AND state #>> '{end,how}' = 'completed'
            THEN (state #>> '{end,attempt}')::bigint END) STORED,
    done_epoch      bigint GENERATED ALWAYS AS (
        CASE WHEN state ->> 'kind' = 'ended' AND state #>> '{end,how}' = 'completed'
            THEN (state #>> '{end,epoch}')::bigint END) STORED,
    done_commit     text GENERATED ALWAYS AS (
        CASE WHEN state ->> 'kind' = 'ended' AND state #>> '{end,how}' = 'completed'
            THEN state #>> '{end,commit}' END) STORED,
    done_verdict    text GENERATED ALWAYS AS (
        CASE WHEN state ->> 'kind' = 'ended' AND state #>> '{end,how}' = 'completed' THEN 'passed' END) STORED,
    CONSTRAINT known_state CHECK (kind IN ('pending', 'assessing', 'ready', 'claimed', 'running', 'stopping',
        'validating', 'blocked', 'paused', 'completed', 'cancelled')),
    CONSTRAINT ended_is_how CHECK ((state ->> 'kind' = 'ended') = (kind IN ('completed', 'cancelled'))),
    CONSTRAINT completed_names_its_gate CHECK (CASE kind
        WHEN 'completed' THEN done_gate IS NOT NULL AND done_attempt IS NOT NULL AND done_commit IS NOT NULL
            AND done_epoch IS NOT NULL AND done_epoch = epoch
        ELSE done_gate IS NULL END),
    CONSTRAINT defined FOREIGN KEY (id, definition_hash) REFERENCES definition (task_id, hash)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE INDEX task_xact ON task (xact);
CREATE INDEX task_live ON task (id) WHERE live;
CREATE INDEX task_ready ON task (priority, created_at, id) WHERE kind = 'ready';
CREATE INDEX task_ended ON task (seq) WHERE NOT live;
CREATE INDEX task_ended_project ON task (project, seq) WHERE NOT live;

-- One row an attempt; at most one of a task is open.
CREATE TABLE attempt (
    task_id    text COLLATE "C" NOT NULL REFERENCES task (id),
    epoch      bigint NOT NULL CHECK (epoch > 0),
    n          bigint NOT NULL CHECK (n > 0),
    started_at bigint NOT NULL,
    ended_at   bigint,
    outcome    text,
    reason     text,
    opening    json   NOT NULL,
    report     json,
    PRIMARY KEY (task_id, epoch),
    UNIQUE (task_id, n),
    CONSTRAINT ended_with_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE UNIQUE INDEX attempt_open ON attempt (task_id) WHERE ended_at IS NULL;

-- What is seen of a worker while it works: written often, outside the task's version. Nothing that changes is indexed.
CREATE TABLE attempt_live (
    task_id           text COLLATE "C" NOT NULL,
    epoch             bigint NOT NULL,
    beat_at           bigint,
    progress_pct      bigint CHECK (progress_pct BETWEEN 0 AND 100),
    phase             text,
    transcript_offset bigint NOT NULL DEFAULT 0 CHECK (transcript_offset >= 0),
    session           text,
    cost_usd          double precision,
    input_tokens      bigint,
    output_tokens     bigint,
    PRIMARY KEY (task_id, epoch),
    FOREIGN KEY (task_id, epoch) REFERENCES attempt (task_id, epoch)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- One row a run of the gate. The wide key is what a completed task refers to.
CREATE TABLE gate (
    seq        bigint NOT NULL PRIMARY KEY,
    task_id    text COLLATE "C" NOT NULL REFERENCES task (id),
    attempt    bigint NOT NULL,
    epoch      bigint NOT NULL,
    commit_id  text   NOT NULL CHECK (commit_id <> ''),
    tree       text   NOT NULL,
    verdict    text   NOT NULL CHECK (verdict IN ('passed', 'failed', 'needs-person')),
    started_at bigint NOT NULL,
    ended_at   bigint NOT NULL,
    CONSTRAINT gate_key UNIQUE (seq, task_id, attempt, epoch, commit_id, verdict)
);

CREATE INDEX gate_task ON gate (task_id, seq);

ALTER TABLE task ADD CONSTRAINT proven FOREIGN KEY (done_gate, id, done_attempt, done_epoch, done_commit, done_verdict)
    REFERENCES gate (seq, task_id, attempt, epoch, commit_id, verdict);

CREATE TABLE receipt (
    gate_seq      bigint NOT NULL REFERENCES gate (seq),
    position      bigint NOT NULL,
    name          text   NOT NULL,
    category      text   NOT NULL,
    source        text   NOT NULL,
    directory     text   NOT NULL,
    commit_id     text   NOT NULL,
    command       text   NOT NULL,
    exit_code     bigint,
    verdict       text   NOT NULL CONSTRAINT known_verdict CHECK (verdict IN ('passed', 'failed', 'timed-out', 'error')),
    started_at    bigint NOT NULL,
    duration_us   bigint NOT NULL CHECK (duration_us >= 0),
    output_tail   text   NOT NULL,
    output_sha256 text   NOT NULL,
    PRIMARY KEY (gate_seq, position)
);

-- What happened. A day is a partition (made ahead by the program); what belongs to no day that is there lies in the rest. The only
-- index is the key, by which a task's events lie together in their order.
CREATE TABLE event_log (
    seq        bigint NOT NULL,
    task_id    text COLLATE "C" NOT NULL,
    version    bigint NOT NULL,
    epoch      bigint NOT NULL,
    at         bigint NOT NULL,
    kind       text   NOT NULL,
    from_state text   NOT NULL,
    to_state   text   NOT NULL,
    why        text   NOT NULL,
    PRIMARY KEY (task_id, version, at)
) PARTITION BY RANGE (at);

CREATE TABLE event_log_rest PARTITION OF event_log DEFAULT;

-- Durable effects, each to be performed at least once and recognised by its key.
CREATE TABLE outbox (
    seq        bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    key        text COLLATE "C" NOT NULL UNIQUE,
    task_id    text COLLATE "C" NOT NULL REFERENCES task (id),
    kind       text   NOT NULL,
    payload    json   NOT NULL,
    created_at bigint NOT NULL,
    attempts   bigint NOT NULL DEFAULT 0,
    not_before bigint NOT NULL,
    done_at    bigint,
    error      text
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE INDEX outbox_open ON outbox (kind, seq) WHERE done_at IS NULL;
CREATE INDEX outbox_open_task ON outbox (task_id, kind, seq) WHERE done_at IS NULL;
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;

-- What the queue file was last told of a task.
CREATE TABLE mirror (
    task_id text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES task (id),
    version bigint NOT NULL,
    body    json   NOT NULL
) WITH (fillfactor = 70);

-- Facts of the instance: the emergency stop, the last tick, the running service, who wrote the schema.
CREATE TABLE flag (
    name   text   NOT NULL PRIMARY KEY,
    value  json   NOT NULL,
    set_at bigint NOT NULL
);

-- One row a process that writes, with the number of its commits: by it a process that lost its connection learns whether its
-- last commit took place, and the others learn cheaply that somebody wrote. Nothing that changes is indexed.
CREATE TABLE writer (
    id      uuid        NOT NULL PRIMARY KEY,
    commits bigint      NOT NULL,
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- The nodes of a fleet. A lease is a promise until a time of the server's clock; nothing that changes with it is indexed.
CREATE TABLE node (
    name         text COLLATE "C" NOT NULL PRIMARY KEY,
    term         bigint      NOT NULL CHECK (term > 0),
    home         text        NOT NULL,
    announcement jsonb       NOT NULL,
    joined_at    timestamptz NOT NULL,
    lease_until  timestamptz NOT NULL,
    is_gone      boolean     NOT NULL,
    cordoned     text
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- Who leads in what. A new holder has a higher term; what was decided under an older one is refused.
CREATE TABLE leader (
    name        text        NOT NULL PRIMARY KEY,
    node        text        NOT NULL,
    node_term   bigint      NOT NULL,
    term        bigint      NOT NULL CHECK (term > 0),
    lease_until timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- What a worker has written down so far, for the node that goes on with its task.
CREATE TABLE session_summary (
    task_id  text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES task (id),
    epoch    bigint      NOT NULL,
    node     text        NOT NULL,
    saved_at timestamptz NOT NULL,
    progress text        NOT NULL
) WITH (fillfactor = 50);

-- The rules that no constraint can tell.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION task_marks_its_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.xact := pg_current_xact_id()::text::bigint;
    IF TG_OP = 'UPDATE' AND
        (NEW.version <= OLD.version OR NEW.epoch < OLD.epoch OR NEW.seq <= OLD.seq OR NEW.id <> OLD.id) THEN
        RAISE EXCEPTION 'a task changes only with a higher version and a later event, and its epoch never falls'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER task_numbers_rise BEFORE INSERT OR UPDATE ON task
    FOR EACH ROW EXECUTE FUNCTION task_marks_its_transaction();

CREATE TRIGGER task_stays BEFORE DELETE OR TRUNCATE ON task
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a task is never deleted');

CREATE TRIGGER gate_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON gate
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a run of the gate is never changed or deleted');

CREATE TRIGGER receipt_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON receipt
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('a receipt is never changed or deleted');

CREATE FUNCTION receipts_match_their_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh r JOIN gate g ON g.seq = r.gate_seq
        WHERE g.verdict = 'passed' AND (r.verdict <> 'passed' OR r.commit_id <> g.commit_id)) THEN
        RAISE EXCEPTION 'a passed gate has only passed receipts of its own commit'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER receipt_matches_gate AFTER INSERT ON receipt REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION receipts_match_their_gate();

CREATE TRIGGER attempt_numbers_stay BEFORE UPDATE ON attempt FOR EACH ROW
    WHEN (NEW.task_id <> OLD.task_id OR NEW.epoch <> OLD.epoch OR NEW.n <> OLD.n
        OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at))
    EXECUTE FUNCTION refuse('an attempt keeps its number and its epoch, and is not opened again');

CREATE TRIGGER event_log_is_final BEFORE UPDATE ON event_log
    FOR EACH ROW EXECUTE FUNCTION refuse('the event log is append-only');

-- Retention may take the old rows of ended tasks, never the last one.
CREATE FUNCTION event_of_a_live_task_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM task WHERE id = OLD.task_id AND (live OR version = OLD.version)) THEN
        RAISE EXCEPTION 'the event log of a live task is append-only' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER event_log_stays BEFORE DELETE ON event_log
    FOR EACH ROW EXECUTE FUNCTION event_of_a_live_task_stays();
