-- How many streams and tunnels a restart ended, beside how many requests failed.
ALTER TABLE restart ADD COLUMN streams_ended BIGINT NOT NULL DEFAULT 0;
ALTER TABLE restart ADD COLUMN tunnels_ended BIGINT NOT NULL DEFAULT 0;
