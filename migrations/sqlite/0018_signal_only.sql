-- Times are milliseconds since 1970 in UTC.

-- What the process ran: the file's name, and its build id, or size and time.
ALTER TABLE crash ADD COLUMN executable TEXT;
ALTER TABLE crash ADD COLUMN build TEXT;

-- Crashes of which only the signal is known are counted in a row for each executable, build and instance, a part of the incident of
-- their signature. A part is counted with that incident (joined_to = part_of), or with the captured one that it probably is. Its
-- own columns of count and times are those of the part alone.
ALTER TABLE incident ADD COLUMN part_of TEXT;
ALTER TABLE incident ADD COLUMN joined_to TEXT;
-- 0 where somebody wants no parts of others to be counted with a captured incident.
ALTER TABLE incident ADD COLUMN joins BIGINT NOT NULL DEFAULT 1;
-- First and last of the incident with all parts that are counted with it; none for a part, and where nothing is counted.
ALTER TABLE incident ADD COLUMN shown_first_ms BIGINT;
ALTER TABLE incident ADD COLUMN shown_last_ms BIGINT;
UPDATE incident SET shown_first_ms = first_seen_ms, shown_last_ms = last_seen_ms;
DROP INDEX incident_by_app;
CREATE INDEX incident_shown_by_app ON incident (app, shown_last_ms);
CREATE INDEX incident_shown_by_time ON incident (shown_last_ms);
CREATE INDEX incident_joined ON incident (joined_to, last_seen_ms);
CREATE INDEX incident_parts ON incident (part_of);

-- By which signal which executable of which instance crashed, for each part and each captured incident: how they find each other.
CREATE TABLE incident_origin (
    incident   TEXT   NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    app        TEXT   NOT NULL,
    node       TEXT   NOT NULL,
    instance   BIGINT NOT NULL,
    executable TEXT   NOT NULL,
    build      TEXT   NOT NULL,
    signal     TEXT   NOT NULL,
    PRIMARY KEY (incident, node, instance, executable, build, signal)
) WITHOUT ROWID;
CREATE INDEX incident_origin_alike ON incident_origin (app, node, instance, executable, build, signal);
