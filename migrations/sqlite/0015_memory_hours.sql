-- Times are milliseconds since 1970 in UTC; JSON is text.

-- An hour of an instance's memory: of each minute its number within the hour, the most private bytes and the limit. In the key's
-- order, so that a day of one app lies together. They take the place of a row for each minute, of which a day of ten instances had
-- 14,400.
CREATE TABLE memory_hour (
    app      TEXT   NOT NULL,
    hour_ms  BIGINT NOT NULL,
    node     TEXT   NOT NULL,
    instance BIGINT NOT NULL,
    minutes  TEXT   NOT NULL,
    PRIMARY KEY (app, hour_ms, node, instance)
) WITHOUT ROWID;
CREATE INDEX memory_hour_by_time ON memory_hour (hour_ms);

INSERT INTO memory_hour (app, hour_ms, node, instance, minutes)
SELECT app, minute_ms - minute_ms % 3600000, node, instance,
    '[' || string_agg('[' || (minute_ms % 3600000 / 60000) || ',' || private_bytes_max || ',' || limit_bytes || ']', ',') || ']'
FROM memory_minute
GROUP BY app, minute_ms - minute_ms % 3600000, node, instance;

DROP TABLE memory_minute;
