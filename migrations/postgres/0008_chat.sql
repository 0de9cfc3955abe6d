-- What chats have of tasks, and what was heard there.

-- The message that shows a task on a surface: its room and id there, what it shows, and what its buttons carry.
CREATE TABLE card (
    surface    text COLLATE "C" NOT NULL,
    task_id    text COLLATE "C" NOT NULL,
    room       text COLLATE "C" NOT NULL,
    message    text COLLATE "C" NOT NULL,
    shown      text COLLATE "C" NOT NULL,
    nonce      text COLLATE "C" NOT NULL,
    is_over    bigint NOT NULL,
    posted_at  bigint NOT NULL,
    edited_at  bigint NOT NULL,
    PRIMARY KEY (surface, task_id)
);

CREATE INDEX card_message ON card (surface, message);
CREATE INDEX card_open ON card (surface) WHERE is_over = 0;

-- What people said and pressed, each event once, with what came of it, and when they were told that. A row that was not told is
-- still to be answered; the others are the record of who wanted what.
CREATE TABLE heard (
    surface  text COLLATE "C" NOT NULL,
    event    text COLLATE "C" NOT NULL,
    taken_at bigint NOT NULL,
    body     text COLLATE "C" NOT NULL,
    done_at  bigint,
    outcome  text COLLATE "C",
    told_at  bigint,
    PRIMARY KEY (surface, event),
    CONSTRAINT done_with_outcome CHECK ((done_at IS NULL) = (outcome IS NULL)),
    CONSTRAINT told_after_it_was_done CHECK (told_at IS NULL OR done_at IS NOT NULL)
);

CREATE INDEX heard_open ON heard (surface, taken_at, event) WHERE told_at IS NULL;
CREATE INDEX heard_told ON heard (told_at) WHERE told_at IS NOT NULL;

-- What was talked about with an agent, a row a room or thread.
CREATE TABLE conversation (
    surface    text COLLATE "C" NOT NULL,
    room       text COLLATE "C" NOT NULL,
    body       text COLLATE "C" NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (surface, room)
);
