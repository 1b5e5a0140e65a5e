-- Times are milliseconds since 1970 in UTC; JSON is text.

-- Who may sign in, and what they may do. An empty list of apps stands for all of them; the password is an argon2id hash.
CREATE TABLE account (
    name       TEXT   NOT NULL PRIMARY KEY,
    email      TEXT,
    role       TEXT   NOT NULL,
    apps       TEXT   NOT NULL,
    password   TEXT   NOT NULL,
    made_ms    BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
) WITHOUT ROWID;
