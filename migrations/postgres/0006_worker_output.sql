-- What workers put out, a line a row, without secrets: so that every node can show it, also when the one that ran the worker is
-- gone. A copy: the worker's files are written first. The key makes a line that arrives twice one row: its place in the file of its
-- attempt, and the time of that attempt's claim, which tells the day's partition (the program makes those ahead).
CREATE TABLE worker_output (
    task_id text COLLATE "C" NOT NULL,
    epoch   bigint NOT NULL,
    source  smallint NOT NULL CHECK (source IN (1, 2)),
    starts  bigint NOT NULL CHECK (starts >= 0),
    ends    bigint NOT NULL,
    at      bigint NOT NULL,
    body    text   NOT NULL,
    PRIMARY KEY (task_id, epoch, source, starts, at),
    CONSTRAINT ends_behind_its_start CHECK (ends > starts)
) PARTITION BY RANGE (at);

CREATE TABLE worker_output_rest PARTITION OF worker_output DEFAULT;
