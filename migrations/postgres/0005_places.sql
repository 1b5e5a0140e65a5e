-- A worker is named with its node, `node/app/instance/start in ms`: two nodes that share a database can start workers of the
-- same app and instance in the same millisecond.

ALTER TABLE audit DROP CONSTRAINT audit_worker_fkey;

UPDATE audit SET worker = crash.node || '/' || audit.worker FROM crash WHERE crash.worker = audit.worker;
UPDATE crash SET worker = node || '/' || worker;
UPDATE restart SET id = node || '/' || id, old_worker = node || '/' || old_worker, new_worker = node || '/' || new_worker;
UPDATE heal_event SET id = node || '/' || id, worker = node || '/' || worker;
UPDATE instance_state SET state = replace(state, '"worker":"' || app || '/', '"worker":"' || node || '/' || app || '/');

ALTER TABLE audit ADD CONSTRAINT audit_worker_fkey FOREIGN KEY (worker) REFERENCES crash (worker) ON DELETE CASCADE;
