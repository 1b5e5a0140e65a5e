use super::*;

#[test]
fn rules_read_back_as_they_were_written_and_what_is_not_there_is_not_set() {
    let interval = |text: &str| text.parse().unwrap();
    let config = AutoHealConfig {
        enabled: true,
        rules: AutoHealRules {
            triggers: Triggers {
                private_bytes_kib: Some(204_800),
                status_codes: vec![StatusCodeTrigger {
                    status: 500,
                    count: 3,
                    time_interval: interval("00:01:00"),
                    ..StatusCodeTrigger::default()
                }],
                ..Triggers::default()
            },
            actions: Actions { action_type: ActionType::LogEvent, ..Actions::default() },
        },
    };
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        json,
        r#"{"enabled":true,"rules":{"triggers":{"private_bytes_kib":204800,"status_codes":[{"status":500,"count":3,"time_interval":"00:01:00"}]},"actions":{"action_type":"LogEvent","min_process_execution_time":"00:00:00"}}}"#
    );
    assert_eq!(serde_json::from_str::<AutoHealConfig>(&json).unwrap(), config);
    assert_eq!(serde_json::from_str::<AutoHealConfig>("{}").unwrap(), AutoHealConfig::default());
}

#[test]
fn a_rule_that_is_not_known_is_not_passed_over() {
    for json in [
        r#"{"rules":{"triggers":{"privateBytesInKB":204800}}}"#,
        r#"{"autoHealEnabled":true}"#,
        r#"{"rules":{"triggers":{"requests":{"count":1,"path":"/x"}}}}"#,
    ] {
        let refusal = serde_json::from_str::<AutoHealConfig>(json).unwrap_err().to_string();
        assert!(refusal.contains("unknown field"), "{refusal}");
    }
}
