-- Whether an incident is still somebody's task: open, resolved, regressed, or ignored for a time.
ALTER TABLE incident ADD COLUMN state TEXT NOT NULL DEFAULT 'open';
ALTER TABLE incident ADD COLUMN state_fields TEXT NOT NULL DEFAULT '{}';
