-- An app's settings get names of Medic's own; before, they stood in App Service's.

UPDATE app_setting SET name = 'crash_monitoring' WHERE name = 'WEBSITE_PROACTIVE_CRASHMONITORING_ENABLED';
UPDATE app_setting SET name = 'auto_heal' WHERE name = 'WEBSITE_PROACTIVE_AUTOHEAL_ENABLED';
