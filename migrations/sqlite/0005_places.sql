-- A worker is named with its node, `node/app/instance/start in ms`: two nodes that share a database can start workers of the
-- same app and instance in the same millisecond.

PRAGMA defer_foreign_keys = ON;

UPDATE audit SET worker = (SELECT crash.node FROM crash WHERE crash.worker = audit.worker) || '/' || worker;
UPDATE crash SET worker = node || '/' || worker;
UPDATE restart SET id = node || '/' || id, old_worker = node || '/' || old_worker, new_worker = node || '/' || new_worker;
UPDATE heal_event SET id = node || '/' || id, worker = node || '/' || worker;
UPDATE instance_state SET state = replace(state, '"worker":"' || app || '/', '"worker":"' || node || '/' || app || '/');
