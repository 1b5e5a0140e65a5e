-- Times are milliseconds since 1970 in UTC.

-- How many crashes an incident had on an instance within a minute: no page reads every crash of a day.
CREATE TABLE crash_minute (
    app         TEXT   NOT NULL,
    minute_ms   BIGINT NOT NULL,
    node        TEXT   NOT NULL,
    instance    BIGINT NOT NULL,
    incident    TEXT   NOT NULL,
    crash_count BIGINT NOT NULL,
    last_ms     BIGINT NOT NULL,
    PRIMARY KEY (app, minute_ms, node, instance, incident)
) WITHOUT ROWID;
CREATE INDEX crash_minute_by_time ON crash_minute (minute_ms);

INSERT INTO crash_minute (app, minute_ms, node, instance, incident, crash_count, last_ms)
SELECT app, at_ms - at_ms % 60000, node, instance, incident, COUNT(*), MAX(at_ms)
FROM crash
GROUP BY app, at_ms - at_ms % 60000, node, instance, incident;
