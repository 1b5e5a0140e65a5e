-- Times are milliseconds since 1970 in UTC.

-- How many crashes there were on an instance within a minute, whatever their incidents: charts read these.
CREATE TABLE crash_place_minute (
    app           TEXT   NOT NULL,
    minute_ms     BIGINT NOT NULL,
    node          TEXT   NOT NULL,
    instance      BIGINT NOT NULL,
    crash_count   BIGINT NOT NULL,
    -- How many of them were kills for want of memory.
    out_of_memory BIGINT NOT NULL,
    first_ms      BIGINT NOT NULL,
    last_ms       BIGINT NOT NULL,
    PRIMARY KEY (app, minute_ms, node, instance)
) WITHOUT ROWID;
CREATE INDEX crash_place_minute_by_time ON crash_place_minute (minute_ms);

INSERT INTO crash_place_minute (app, minute_ms, node, instance, crash_count, out_of_memory, first_ms, last_ms)
SELECT app, at_ms - at_ms % 60000, node, instance, COUNT(*),
    SUM(CASE WHEN cause = 'out_of_memory' THEN 1 ELSE 0 END), MIN(at_ms), MAX(at_ms)
FROM crash
GROUP BY app, at_ms - at_ms % 60000, node, instance;

-- Of one incident after the other, how many there were in a range.
CREATE INDEX crash_minute_by_incident ON crash_minute (incident, minute_ms, crash_count);
