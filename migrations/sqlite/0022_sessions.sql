-- Times are milliseconds since 1970 in UTC.

-- Who is signed in, and from where. The id is the SHA-256 of a token that only the browser has.
CREATE TABLE session (
    id         TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL,
    made_ms    BIGINT NOT NULL,
    seen_ms    BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    address    TEXT   NOT NULL,
    agent      TEXT   NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_by_account ON session (account);
CREATE INDEX session_by_expiry ON session (expires_ms);
