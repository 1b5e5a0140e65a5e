-- Times are milliseconds since 1970 in UTC.

-- The last flush of requests of each run of a Medic: one that is sent again, since its answer was lost, is known by it.
CREATE TABLE request_flush (
    node   TEXT   NOT NULL,
    boot   TEXT   NOT NULL,
    number BIGINT NOT NULL,
    at_ms  BIGINT NOT NULL,
    PRIMARY KEY (node, boot)
) WITHOUT ROWID;

-- One row: what is older than this has been forgotten. It moves on with the time that Medic has run, not with the clock alone.
CREATE TABLE retention (
    id           BIGINT NOT NULL PRIMARY KEY,
    keep_from_ms BIGINT NOT NULL
) WITHOUT ROWID;
