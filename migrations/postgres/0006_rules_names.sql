-- A user's own rules get names of Medic's own; before, they stood in App Service's. The JSON was written without blanks, and a
-- quote within a text has a backslash before it, so that what is replaced here is a name and nothing else.

UPDATE auto_heal SET rules = replace(rules, '"autoHealEnabled":', '"enabled":');
UPDATE auto_heal SET rules = replace(rules, '"autoHealRules":', '"rules":');
UPDATE auto_heal SET rules = replace(rules, '"privateBytesInKB":', '"private_bytes_kib":');
UPDATE auto_heal SET rules = replace(rules, '"statusCodes":', '"status_codes":');
UPDATE auto_heal SET rules = replace(rules, '"statusCodesRange":', '"status_codes_range":');
UPDATE auto_heal SET rules = replace(rules, '"slowRequests":', '"slow_requests":');
UPDATE auto_heal SET rules = replace(rules, '"slowRequestsWithPath":', '"slow_requests_with_path":');
UPDATE auto_heal SET rules = replace(rules, '"subStatus":', '"sub_status":');
UPDATE auto_heal SET rules = replace(rules, '"win32Status":', '"win32_status":');
UPDATE auto_heal SET rules = replace(rules, '"timeInterval":', '"time_interval":');
UPDATE auto_heal SET rules = replace(rules, '"timeTaken":', '"time_taken":');
UPDATE auto_heal SET rules = replace(rules, '"actionType":', '"action_type":');
UPDATE auto_heal SET rules = replace(rules, '"customAction":', '"custom_action":');
UPDATE auto_heal SET rules = replace(rules, '"minProcessExecutionTime":', '"min_process_execution_time":');
