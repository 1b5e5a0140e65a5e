-- Times are milliseconds since 1970 in UTC; JSON is text.

-- When an app's workers began to run other code on a node, and what it was before. The first that was seen has nothing before it.
CREATE TABLE deploy (
    app       TEXT   NOT NULL,
    at_ms     BIGINT NOT NULL,
    node      TEXT   NOT NULL,
    code      TEXT   NOT NULL,
    code_from TEXT,
    PRIMARY KEY (app, at_ms, node)
) WITHOUT ROWID;
CREATE INDEX deploy_by_time ON deploy (at_ms);

-- What an app's workers run on a node, and since when: what the next one is compared with, however long ago that was.
CREATE TABLE app_code (
    node     TEXT   NOT NULL,
    app      TEXT   NOT NULL,
    since_ms BIGINT NOT NULL,
    code     TEXT   NOT NULL,
    PRIMARY KEY (node, app)
) WITHOUT ROWID;
