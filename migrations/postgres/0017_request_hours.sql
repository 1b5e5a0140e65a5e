-- Times are milliseconds since 1970 in UTC.

-- An hour of an instance's requests, its minutes parted by `;`, each begun by its number within the hour. `counts` goes on with the
-- five classes of status and the most requests in flight, `latencies` with the sketch's parts as `part:count`, where a part that
-- follows the one before is its count alone: `15 12:3 4 20:1` are 3 in part 12, 4 in part 13 and one in part 20. In the key's order,
-- so that a day of one app lies together. They take the place of a row for each minute, of which a day of ten instances had 14,400.
CREATE TABLE request_hour (
    app       TEXT   NOT NULL,
    hour_ms   BIGINT NOT NULL,
    node      TEXT   NOT NULL,
    instance  BIGINT NOT NULL,
    counts    TEXT   NOT NULL,
    latencies TEXT   NOT NULL,
    PRIMARY KEY (app, hour_ms, node, instance)
);
-- to press a text takes longer than to read it whole
ALTER TABLE request_hour ALTER COLUMN latencies SET STORAGE EXTERNAL;
CREATE INDEX request_hour_by_time ON request_hour (hour_ms);

-- a sketch was JSON: [[12,3],[13,4],[20,1]]
INSERT INTO request_hour (app, hour_ms, node, instance, counts, latencies)
SELECT app, minute_ms - minute_ms % 3600000, node, instance,
    string_agg((minute_ms % 3600000 / 60000) || ' ' || status_1xx || ' ' || status_2xx || ' ' || status_3xx || ' ' || status_4xx
        || ' ' || status_5xx || ' ' || most_in_flight, ';'),
    string_agg(rtrim((minute_ms % 3600000 / 60000) || ' '
        || replace(replace(replace(replace(latency, '],[', ' '), '[', ''), ']', ''), ',', ':')), ';')
FROM request_minute
GROUP BY app, minute_ms - minute_ms % 3600000, node, instance;

DROP TABLE request_minute;
