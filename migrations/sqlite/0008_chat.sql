-- What chats have of tasks, and what was heard there.

-- The message that shows a task on a surface: its room and id there, what it shows, and what its buttons carry.
CREATE TABLE card (
    surface    TEXT NOT NULL,
    task_id    TEXT NOT NULL,
    room       TEXT NOT NULL,
    message    TEXT NOT NULL,
    shown      TEXT NOT NULL,
    nonce      TEXT NOT NULL,
    is_over    INTEGER NOT NULL,
    posted_at  INTEGER NOT NULL,
    edited_at  INTEGER NOT NULL,
    PRIMARY KEY (surface, task_id)
) STRICT;

CREATE INDEX card_message ON card (surface, message);
CREATE INDEX card_open ON card (surface) WHERE is_over = 0;

-- What people said and pressed, each event once, with what came of it, and when they were told that. A row that was not told is
-- still to be answered; the others are the record of who wanted what.
CREATE TABLE heard (
    surface  TEXT NOT NULL,
    event    TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    body     TEXT NOT NULL,
    done_at  INTEGER,
    outcome  TEXT,
    told_at  INTEGER,
    PRIMARY KEY (surface, event),
    CONSTRAINT done_with_outcome CHECK ((done_at IS NULL) = (outcome IS NULL)),
    CONSTRAINT told_after_it_was_done CHECK (told_at IS NULL OR done_at IS NOT NULL)
) STRICT;

CREATE INDEX heard_open ON heard (surface, taken_at, event) WHERE told_at IS NULL;
CREATE INDEX heard_told ON heard (told_at) WHERE told_at IS NOT NULL;

-- What was talked about with an agent, a row a room or thread.
CREATE TABLE conversation (
    surface    TEXT NOT NULL,
    room       TEXT NOT NULL,
    body       TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (surface, room)
) STRICT;
