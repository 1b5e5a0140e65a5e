-- Times are milliseconds since 1970 in UTC.

-- How many crashes an incident had within an hour, wherever they happened. A day has so few of these rows that a page can add them
-- up for each incident that it lists; what lies between whole hours is counted from the crashes. They take the place of a row for
-- each minute and instance, of which a day of many incidents had nearly as many as crashes.
CREATE TABLE incident_hour (
    incident    TEXT   NOT NULL,
    hour_ms     BIGINT NOT NULL,
    crash_count BIGINT NOT NULL,
    PRIMARY KEY (incident, hour_ms)
) WITHOUT ROWID;
CREATE INDEX incident_hour_by_time ON incident_hour (hour_ms);

INSERT INTO incident_hour (incident, hour_ms, crash_count)
SELECT incident, minute_ms - minute_ms % 3600000, SUM(crash_count)
FROM crash_minute
GROUP BY incident, minute_ms - minute_ms % 3600000;

DROP TABLE crash_minute;
