-- Rules that somebody wrote with blanks kept App Service's names when the sixth migration gave them Medic's own, for it looked for
-- names as Medic wrote them. Here each such row is first written as the database writes JSON. What is no JSON stays as it is.

UPDATE auto_heal SET rules = json(rules) WHERE rules LIKE '%"autoHealEnabled"%' AND json_valid(rules);
UPDATE auto_heal SET rules = replace(rules, '"autoHealRules":', '"rules":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"privateBytesInKB":', '"private_bytes_kib":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"statusCodes":', '"status_codes":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"statusCodesRange":', '"status_codes_range":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"slowRequests":', '"slow_requests":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"slowRequestsWithPath":', '"slow_requests_with_path":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"subStatus":', '"sub_status":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"win32Status":', '"win32_status":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"timeInterval":', '"time_interval":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"timeTaken":', '"time_taken":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"actionType":', '"action_type":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"customAction":', '"custom_action":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"minProcessExecutionTime":', '"min_process_execution_time":') WHERE rules LIKE '%"autoHealEnabled"%';
UPDATE auto_heal SET rules = replace(rules, '"autoHealEnabled":', '"enabled":') WHERE rules LIKE '%"autoHealEnabled"%';
