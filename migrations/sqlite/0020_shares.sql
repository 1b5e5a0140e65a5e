-- Times are milliseconds since 1970 in UTC; JSON is text. A variant's word has a column, its fields stand beside it as JSON.

-- Share links, each with the snapshot that it shows. The link's token is stored nowhere: a row is found by its SHA-256. A row goes
-- when the newest of what it shows is past the retention.
CREATE TABLE share (
    id                 TEXT   NOT NULL PRIMARY KEY,
    token_sha256       TEXT   NOT NULL UNIQUE,
    app                TEXT   NOT NULL,
    title              TEXT   NOT NULL,
    subject            TEXT   NOT NULL,
    subject_fields     TEXT   NOT NULL,
    included           TEXT   NOT NULL,
    report             TEXT   NOT NULL,
    data_until_ms      BIGINT NOT NULL,
    made_ms            BIGINT NOT NULL,
    made_by            TEXT,
    expires_ms         BIGINT NOT NULL,
    revoked_ms         BIGINT,
    revoked_by         TEXT,
    opened_by_people   BIGINT NOT NULL DEFAULT 0,
    opened_by_programs BIGINT NOT NULL DEFAULT 0,
    last_opened_ms     BIGINT
);
CREATE INDEX share_by_data ON share (data_until_ms);
CREATE INDEX share_by_time ON share (made_ms);
