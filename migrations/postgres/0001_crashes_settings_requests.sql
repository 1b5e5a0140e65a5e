-- Times are milliseconds since 1970 in UTC; JSON is text. The exception's message has no column, here or anywhere.

CREATE TABLE incident (
    id            TEXT   NOT NULL PRIMARY KEY,
    app           TEXT   NOT NULL,
    signature     TEXT   NOT NULL,
    crash_count   BIGINT NOT NULL,
    first_seen_ms BIGINT NOT NULL,
    last_seen_ms  BIGINT NOT NULL
);
CREATE INDEX incident_by_app ON incident (app, last_seen_ms);
CREATE INDEX incident_by_time ON incident (last_seen_ms);

-- Where an incident's crashes happened, so that no page has to scan them.
CREATE TABLE incident_instance (
    incident TEXT   NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    node     TEXT   NOT NULL,
    instance BIGINT NOT NULL,
    PRIMARY KEY (incident, node, instance)
);

CREATE TABLE crash (
    worker          TEXT   NOT NULL PRIMARY KEY,
    app             TEXT   NOT NULL,
    at_ms           BIGINT NOT NULL,
    node            TEXT   NOT NULL,
    instance        BIGINT NOT NULL,
    incident        TEXT   NOT NULL REFERENCES incident (id),
    -- 1 where a dump was captured: that crash shows more than one without.
    captured        BIGINT NOT NULL,
    pid             BIGINT NOT NULL,
    uptime_ms       BIGINT NOT NULL,
    cause           TEXT   NOT NULL,
    signal          TEXT,
    exit_code       BIGINT,
    exception_type  TEXT   NOT NULL,
    runtime         TEXT   NOT NULL,
    signature       TEXT   NOT NULL,
    in_flight_count BIGINT NOT NULL,
    in_flight       TEXT   NOT NULL,
    notes           TEXT   NOT NULL,
    crashing_thread TEXT   NOT NULL,
    modules         TEXT   NOT NULL
);
CREATE INDEX crash_by_app ON crash (app, at_ms);
CREATE INDEX crash_by_time ON crash (at_ms);
CREATE INDEX crash_by_incident ON crash (incident, at_ms);
-- Finds the crash that an incident shows: the latest captured one, else the latest.
CREATE INDEX crash_shown ON crash (incident, captured, at_ms, worker);

-- One row a dump: the proof that it was dropped.
CREATE TABLE audit (
    worker         TEXT   NOT NULL PRIMARY KEY REFERENCES crash (worker) ON DELETE CASCADE,
    app            TEXT   NOT NULL,
    incident       TEXT   NOT NULL,
    size_bytes     BIGINT NOT NULL,
    sha256         TEXT   NOT NULL,
    captured_at_ms BIGINT NOT NULL,
    dropped_at_ms  BIGINT NOT NULL,
    stopped_us     BIGINT NOT NULL,
    result         TEXT   NOT NULL
);
CREATE INDEX audit_by_app ON audit (app, captured_at_ms);

CREATE TABLE app_setting (
    app   TEXT NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (app, name)
);

-- What guards people and so outlives a restart: crash counts, the pause after a capture.
CREATE TABLE instance_state (
    node     TEXT   NOT NULL,
    app      TEXT   NOT NULL,
    instance BIGINT NOT NULL,
    state    TEXT   NOT NULL,
    PRIMARY KEY (node, app, instance)
);

-- One row an instance and minute.
CREATE TABLE request_minute (
    app            TEXT   NOT NULL,
    minute_ms      BIGINT NOT NULL,
    node           TEXT   NOT NULL,
    instance       BIGINT NOT NULL,
    status_1xx     BIGINT NOT NULL,
    status_2xx     BIGINT NOT NULL,
    status_3xx     BIGINT NOT NULL,
    status_4xx     BIGINT NOT NULL,
    status_5xx     BIGINT NOT NULL,
    most_in_flight BIGINT NOT NULL,
    latency        TEXT   NOT NULL,
    PRIMARY KEY (app, minute_ms, node, instance)
);
CREATE INDEX request_minute_by_time ON request_minute (minute_ms);
