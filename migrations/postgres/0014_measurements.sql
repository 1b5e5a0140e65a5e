-- What a rule measured before it acted (samples, and the other rules' readings) as JSON, apart from what it saw and when it acts: a
-- list of a thousand restarts does not read it. Where it is absent, it stands in the evidence.
ALTER TABLE restart ADD COLUMN measurements TEXT;
ALTER TABLE heal_event ADD COLUMN measurements TEXT;
