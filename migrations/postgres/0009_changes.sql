-- Times are milliseconds since 1970 in UTC; JSON is text. A variant's word has a column, its fields stand beside it as JSON.

-- What people changed for an app, and who it was.
CREATE TABLE change (
    id            TEXT   NOT NULL PRIMARY KEY,
    app           TEXT   NOT NULL,
    at_ms         BIGINT NOT NULL,
    node          TEXT   NOT NULL,
    changed_by    TEXT,
    change        TEXT   NOT NULL,
    change_fields TEXT   NOT NULL
);
CREATE INDEX change_by_app ON change (app, at_ms);
CREATE INDEX change_by_time ON change (at_ms);
