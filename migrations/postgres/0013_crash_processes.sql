-- A crash is named by the process that crashed: by its worker where that was the main one, and by `worker/pid/start in ms` for
-- another serving process that the worker had started. Of older releases' crashes all were of main ones.

ALTER TABLE crash RENAME COLUMN worker TO id;
ALTER TABLE crash ADD COLUMN role TEXT NOT NULL DEFAULT 'main';
ALTER TABLE audit RENAME COLUMN worker TO crash;
