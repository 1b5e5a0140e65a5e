use proptest::prelude::*;

use super::*;

const OLD: &str = r#"<?xml version="1.0"?>
<configuration>
  <location path="." inheritInChildApplications="false">
    <system.webServer>
      <handlers><add name="x" path="*" /></handlers>
      <monitoring>
        <triggers>
          <requests count="1000" timeInterval="00:10:00" />
          <slowRequests timeTaken="00:00:45" count="20" timeInterval="00:02:00" />
          <memory privateBytesInKB="800000" />
          <statusCode>
            <add statusCode="500" subStatusCode="100" win32StatusCode="0" count="10" timeInterval="00:00:30" />
            <add statusCode="502" count="3" timeInterval="00:01:00" />
          </statusCode>
        </triggers>
        <actions value="customaction"><customAction exe="/usr/bin/logger" parameters="-t &quot;a &amp; b&quot;" /></actions>
      </monitoring>
    </system.webServer>
  </location>
</configuration>"#;

#[test]
fn the_old_form_is_read_and_written_back() {
    let first = import(OLD).unwrap();
    assert_eq!(first.notes, Vec::<String>::new());
    assert_eq!(first.rules.check(), []);
    let rules = &first.rules.rules;
    assert_eq!(rules.triggers.private_bytes_kib, Some(800_000));
    assert_eq!(rules.triggers.status_codes.len(), 2);
    assert_eq!(rules.triggers.slow_requests.as_ref().unwrap().time_taken.as_secs(), 45);
    assert_eq!(rules.actions.custom_action.as_ref().unwrap().parameters.reveal(), r#"-t "a & b""#);
    let written = export(&first.rules);
    assert!(written.notes.len() == 1 && written.notes[0].contains("parameters"), "{:?}", written.notes);
    assert!(written.rules.contains(r#"parameters="***""#), "{}", written.rules);
    let back = import(&written.rules).unwrap();
    assert_eq!((back.rules.keep_from(&first.rules), back.notes), (Ok(first.rules), Vec::new()));
}

#[test]
fn the_element_alone_is_enough() {
    let text = r#"<monitoring><triggers><memory privateBytesInKB="204800"/></triggers><actions value="Recycle"/></monitoring>"#;
    assert_eq!(import(text).unwrap().rules.rules.triggers.private_bytes_kib, Some(204_800));
    for none in ["<configuration/>", "<configuration><monitoring/></configuration>"] {
        assert_eq!(import(none), Err(WebConfigError::NoMonitoring), "{none}");
    }
}

#[test]
fn wrong_values_name_their_element_and_attribute_all_at_once() {
    let text = r#"<monitoring><triggers><requests count="many" timeInterval="00:01:00"/>
        <statusCode><add statusCode="500" count="1" timeInterval="00:01:00"/><add statusCode="502" count="1" timeInterval="1 h"/></statusCode>
        </triggers><actions value="Reboot"/></monitoring>"#;
    let Err(WebConfigError::Values(wrong)) = import(text) else { panic!("taken") };
    let expected = [
        Violation::new("<triggers/requests> count", "`many`", Accepted::WholeNumber),
        Violation::new("<triggers/statusCode/add[2]> timeInterval", "`1 h`", Accepted::TimeSpan),
        Violation::new("<actions> value", "`Reboot`", Accepted::ActionType),
    ];
    assert_eq!(wrong, expected);
}

#[test]
fn what_is_not_known_is_noted() {
    let text = r#"<monitoring><triggers extra="1"><gc count="1"/></triggers></monitoring>"#;
    let notes = import(text).unwrap().notes;
    assert_eq!(
        notes,
        ["<triggers>: unknown attribute extra was ignored.", "<triggers>: unknown element <gc> was ignored."]
    );
}

#[test]
fn hostile_files_are_refused() {
    let entities = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><monitoring><triggers>&b;</triggers></monitoring>"#;
    assert!(matches!(import(entities), Err(WebConfigError::Xml(roxmltree::Error::DtdDetected))));
    let outside = r#"<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><monitoring>&a;</monitoring>"#;
    assert!(matches!(import(outside), Err(WebConfigError::Xml(_))));
    assert_eq!(
        import(&" ".repeat(SIZE_LIMIT_BYTES + 1)),
        Err(WebConfigError::TooLarge(SIZE_LIMIT_BYTES + 1))
    );
    let deep = format!("{}{}", "<a>".repeat(19_000), "</a>".repeat(19_000));
    assert_eq!(import(&deep), Err(WebConfigError::NoMonitoring), "read without a stack frame a level");
    let many = format!("<monitoring>{}</monitoring>", "<a/>".repeat(30_000));
    assert!(matches!(import(&many), Err(WebConfigError::Xml(roxmltree::Error::NodesLimitReached))));
    assert!(matches!(import("<monitoring>"), Err(WebConfigError::Xml(_))));
}

#[test]
fn what_the_old_form_cannot_say_is_listed() {
    let json = r#"{"autoHealRules":{"triggers":{
        "statusCodes":[{"status":500,"count":1,"timeInterval":"00:01:00"},{"status":404,"count":1,"timeInterval":"00:01:00","path":"/x"}],
        "statusCodesRange":[{"statusCodes":"500-530","count":1,"timeInterval":"00:01:00"}],
        "slowRequestsWithPath":[{"timeTaken":"00:00:01","count":1,"timeInterval":"00:01:00","path":"/x"}]},
        "actions":{"actionType":0,"minProcessExecutionTime":"00:10:00"}}}"#;
    let config = crate::arm::read(&mut serde_json::Deserializer::from_str(json)).unwrap().unwrap();
    let written = export(&config);
    assert_eq!(written.notes.len(), 5, "{:?}", written.notes);
    assert!(
        written.notes[0].starts_with("autoHealRules.triggers.statusCodes[1], which has a path, has no place")
    );
    let back = import(&written.rules).unwrap().rules.rules.triggers;
    assert_eq!(back.status_codes, config.rules.triggers.status_codes[..1]);
}

proptest! {
    /// Whatever the old form can say comes back as it was, but for what is nobody's to read.
    #[test]
    fn round_trip(count in 1_u64..1_000_000, interval in 1_u64..86_400, taken in 0_u64..100, kb in prop::option::of(1_u64..40_000_000),
                  codes in prop::collection::vec((101_u64..530, prop::option::of(1_u64..999), 1_u64..99), 0..5),
                  exe in "/[ -~é]{0,20}", parameters in "[ -~é\\\\]{0,30}", action in 0_usize..3) {
        let time_interval = TimeSpan::from_secs(interval);
        let triggers = Triggers {
            requests: Some(RequestsTrigger { count, time_interval }),
            private_bytes_kib: kb,
            slow_requests: Some(SlowRequestsTrigger { time_taken: TimeSpan::from_secs(taken), count, time_interval, path: None }),
            status_codes: codes.into_iter().map(|(status, sub_status, count)| StatusCodeTrigger { status, sub_status, count, time_interval, ..Default::default() }).collect(),
            ..Triggers::default()
        };
        let parameters = Parameters::new(parameters);
        let actions = Actions { action_type: ActionType::ALL[action], custom_action: Some(CustomAction { exe, parameters }), ..Actions::default() };
        let config = AutoHealConfig { enabled: true, rules: AutoHealRules { triggers, actions } };
        let back = import(&export(&config).rules).unwrap();
        prop_assert_eq!(back.rules.keep_from(&config), Ok(config));
    }

    #[test]
    fn no_text_makes_it_fall(text in "[<>/a-z =\"&;!\\[\\]?-]{0,200}") {
        let _ = import(&text);
    }
}
