-- Times are milliseconds since 1970 in UTC; JSON is text. A variant's word has a column, its fields stand beside it as JSON.

-- Private bytes over a worker's last minutes, where the kernel killed it for want of memory.
ALTER TABLE crash ADD COLUMN memory TEXT NOT NULL DEFAULT '[]';

-- One row a replacement of a worker, or the attempt.
CREATE TABLE restart (
    id             TEXT   NOT NULL PRIMARY KEY,
    app            TEXT   NOT NULL,
    at_ms          BIGINT NOT NULL,
    node           TEXT   NOT NULL,
    instance       BIGINT NOT NULL,
    old_worker     TEXT   NOT NULL,
    new_worker     TEXT,
    reason         TEXT   NOT NULL,
    reason_fields  TEXT   NOT NULL,
    outcome        TEXT   NOT NULL,
    outcome_fields TEXT   NOT NULL,
    failed         BIGINT NOT NULL,
    drained        BIGINT NOT NULL,
    duration_ms    BIGINT NOT NULL,
    evidence       TEXT   NOT NULL
);
CREATE INDEX restart_by_app ON restart (app, at_ms);
CREATE INDEX restart_by_time ON restart (at_ms);

-- What auto-heal did short of a restart.
CREATE TABLE heal_event (
    id           TEXT   NOT NULL PRIMARY KEY,
    app          TEXT   NOT NULL,
    at_ms        BIGINT NOT NULL,
    node         TEXT   NOT NULL,
    worker       TEXT   NOT NULL,
    event        TEXT   NOT NULL,
    event_fields TEXT   NOT NULL,
    evidence     TEXT   NOT NULL
);
CREATE INDEX heal_event_by_app ON heal_event (app, at_ms);
CREATE INDEX heal_event_by_time ON heal_event (at_ms);

-- A user's own rules.
CREATE TABLE auto_heal (
    app   TEXT NOT NULL PRIMARY KEY,
    rules TEXT NOT NULL
) WITHOUT ROWID;

-- What guards people and so outlives a restart of Medic: when the rules of an instance last acted.
CREATE TABLE heal_guard (
    node     TEXT   NOT NULL,
    app      TEXT   NOT NULL,
    instance BIGINT NOT NULL,
    state    TEXT   NOT NULL,
    PRIMARY KEY (node, app, instance)
) WITHOUT ROWID;

-- The same of an app: how its fuse is.
CREATE TABLE fuse (
    node  TEXT NOT NULL,
    app   TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (node, app)
) WITHOUT ROWID;

-- One row an instance and minute. In the key's order, so that a day of one app lies together.
CREATE TABLE memory_minute (
    app               TEXT   NOT NULL,
    minute_ms         BIGINT NOT NULL,
    node              TEXT   NOT NULL,
    instance          BIGINT NOT NULL,
    private_bytes_max BIGINT NOT NULL,
    limit_bytes       BIGINT NOT NULL,
    PRIMARY KEY (app, minute_ms, node, instance)
) WITHOUT ROWID;
CREATE INDEX memory_minute_by_time ON memory_minute (minute_ms);
