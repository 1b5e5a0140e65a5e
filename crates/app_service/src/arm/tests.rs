use model::auto_heal::config::{ActionType, TimeSpan};
use model::violation::{Accepted, Remedy};

use super::*;

const FULL: &str = r#"{
 "autoHealEnabled": true,
 "autoHealRules": {
  "triggers": {
   "requests": {"count": 200, "timeInterval": "00:05:00"},
   "privateBytesInKB": 512000,
   "statusCodes": [{"status": 500, "subStatus": 100, "win32Status": 64, "count": 10, "timeInterval": "00:01:00", "path": "/api/*"}],
   "statusCodesRange": [{"statusCodes": "500-530", "count": 10, "timeInterval": "00:01:00"}],
   "slowRequests": {"timeTaken": "00:00:30", "count": 5, "timeInterval": "00:02:00"},
   "slowRequestsWithPath": [{"timeTaken": "00:00:30", "count": 5, "timeInterval": "00:02:00", "path": "/api/*"}]},
  "actions": {
   "actionType": "Recycle",
   "customAction": {"exe": "/usr/bin/logger", "parameters": "-t heal"},
   "minProcessExecutionTime": "00:10:00"}}}"#;

fn judged(json: &str) -> Result<Result<AutoHealConfig, Vec<Violation>>, serde_json::Error> {
    super::read(&mut serde_json::Deserializer::from_str(json))
}

fn read(json: &str) -> AutoHealConfig {
    judged(json).unwrap().unwrap()
}

/// The only value that cannot be read: its field, and what it takes.
fn refusal(json: &str) -> (String, Accepted) {
    let mut wrong = judged(json).unwrap().unwrap_err();
    let Violation { field, accepted, .. } = wrong.pop().unwrap();
    assert_eq!(wrong, []);
    (field, accepted)
}

fn written(config: &AutoHealConfig) -> serde_json::Value {
    serde_json::to_value(Properties::from(config)).unwrap()
}

fn check(json: &str) -> Vec<Violation> {
    named(read(json).check())
}

fn with_trigger(trigger: &str) -> String {
    format!(
        r#"{{"autoHealEnabled":true,"autoHealRules":{{"triggers":{{{trigger}}},"actions":{{"actionType":0}}}}}}"#
    )
}

fn with_action(action: &str) -> String {
    format!(
        r#"{{"autoHealEnabled":true,"autoHealRules":{{"triggers":{{"privateBytesInKB":204800}},"actions":{{{action}}}}}}}"#
    )
}

#[test]
fn the_whole_shape_reads_and_writes() {
    let config = read(FULL);
    assert_eq!(config.check(), []);
    let written = written(&config);
    let shown = FULL.replace("-t heal", "***");
    assert_eq!(written, serde_json::from_str::<serde_json::Value>(&shown).unwrap());
}

#[test]
fn an_action_is_a_word_in_any_case_or_the_portals_number() {
    let cases = [
        ("0", ActionType::Recycle),
        ("1", ActionType::LogEvent),
        ("2", ActionType::CustomAction),
        ("null", ActionType::Recycle),
        (r#""recycle""#, ActionType::Recycle),
        (r#""LOGEVENT""#, ActionType::LogEvent),
        (r#""customAction""#, ActionType::CustomAction),
    ];
    for (text, action) in cases {
        let config = read(&with_action(&format!(r#""actionType":{text}"#)));
        assert_eq!(config.rules.actions.action_type, action, "{text}");
        assert_eq!(written(&config)["autoHealRules"]["actions"]["actionType"], action.word());
    }
    for bad in ["3", "-1", "true", r#""Restart""#, "0.5"] {
        let (field, accepted) = refusal(&with_action(&format!(r#""actionType":{bad}"#)));
        assert_eq!(
            (&*field, accepted),
            ("autoHealRules.actions.actionType", Accepted::ActionTypeOrNumber),
            "{bad}"
        );
    }
}

#[test]
fn zero_null_and_nothing_are_not_set() {
    let unset = [
        "{}",
        r#"{"autoHealEnabled":null,"autoHealRules":null,"numberOfWorkers":1}"#,
        r#"{"autoHealRules":{"triggers":null,"actions":null}}"#,
        r#"{"autoHealRules":{"triggers":{"requests":null,"privateBytesInKB":0,"statusCodes":null,"statusCodesRange":[],
            "slowRequests":{"timeTaken":"00:00:00","count":0,"timeInterval":"00:00:00","path":null},"slowRequestsWithPath":[]},
            "actions":{"actionType":"Recycle","customAction":{"exe":"","parameters":""},"minProcessExecutionTime":"00:00:00"}}}"#,
        r#"{"autoHealRules":{"triggers":{"requests":{"count":0,"timeInterval":"00:05:00"},"privateBytesInKB":null,"statusCodes":[{"status":0,"count":0,"timeInterval":"","path":""}]}}}"#,
    ];
    for json in unset {
        let config = read(json);
        assert_eq!(config, AutoHealConfig::default(), "{json}");
        assert_eq!(config.check(), []);
    }
}

#[test]
fn what_is_no_value_is_refused_with_its_field() {
    let cases = [
        (r#""requests":{"count":-1}"#, "requests.count", Accepted::WholeNumber),
        (r#""privateBytesInKB":"much""#, "privateBytesInKB", Accepted::WholeNumber),
        (
            r#""statusCodes":[{"status":500,"count":1,"timeInterval":"1 h"}]"#,
            "statusCodes[0].timeInterval",
            Accepted::TimeSpan,
        ),
        (r#""slowRequests":{"count":1,"timeInterval":30}"#, "slowRequests.timeInterval", Accepted::TimeSpan),
        (r#""requests":{"count":1,"path":"/x"}"#, "requests.path", Accepted::NoSuchField),
    ];
    for (trigger, field, accepted) in cases {
        assert_eq!(
            refusal(&with_trigger(trigger)),
            (format!("autoHealRules.triggers.{field}"), accepted),
            "{trigger}"
        );
    }
    let unknown = judged(&with_trigger(r#""privateBytesInKb":204800"#)).unwrap_err().to_string();
    assert!(unknown.contains("unknown field `privateBytesInKb`"), "{unknown}");
}

/// A trigger on either side of each of the form's limits: the field that is refused, or none.
#[test]
fn each_limit_of_the_form() {
    let counted = |field: &str, count: u64, interval: &str| {
        format!(r#""{field}":{{"count":{count},"timeInterval":"{interval}","timeTaken":"00:00:30"}}"#)
    };
    let status =
        |status: u64| format!(r#""statusCodes":[{{"status":{status},"count":1,"timeInterval":"00:01:00"}}]"#);
    let range = |range: &str| {
        format!(r#""statusCodesRange":[{{"statusCodes":"{range}","count":1,"timeInterval":"00:01:00"}}]"#)
    };
    let path = |path: &str| {
        format!(
            r#""slowRequestsWithPath":[{{"timeTaken":"00:00:01","count":1,"timeInterval":"00:01:00","path":"{path}"}}]"#
        )
    };
    let cases = [
        (r#""privateBytesInKB":102400"#.to_owned(), Some("privateBytesInKB")),
        (r#""privateBytesInKB":102401"#.to_owned(), None),
        (r#""privateBytesInKB":33554432"#.to_owned(), None),
        (r#""privateBytesInKB":33554433"#.to_owned(), Some("privateBytesInKB")),
        (status(100), Some("statusCodes[0].status")),
        (status(101), None),
        (status(529), None),
        (status(530), Some("statusCodes[0].status")),
        (range("100-530"), None),
        (range("99-530"), Some("statusCodesRange[0].statusCodes")),
        (range("100-531"), Some("statusCodesRange[0].statusCodes")),
        (range("500-501"), None),
        (range("500-500"), Some("statusCodesRange[0].statusCodes")),
        (range("501-500"), Some("statusCodesRange[0].statusCodes")),
        (range("500"), Some("statusCodesRange[0].statusCodes")),
        (path("/a-b_c.D/*"), None),
        (path("/a?"), Some("slowRequestsWithPath[0].path")),
        (path(""), Some("slowRequestsWithPath[0].path")),
        (counted("slowRequests", 1, "00:00:30"), None),
        (counted("slowRequests", 1, "00:00:29"), Some("slowRequests.timeInterval")),
        (counted("slowRequests", 1, "1.00:00:00"), None),
        (counted("slowRequests", 1, "1.00:00:01"), Some("slowRequests.timeInterval")),
        (r#""requests":{"count":1,"timeInterval":"00:00:00"}"#.to_owned(), Some("requests.timeInterval")),
        (r#""requests":{"count":1,"timeInterval":"00:00:01"}"#.to_owned(), None),
        (r#""requests":{"count":1000000001,"timeInterval":"00:00:01"}"#.to_owned(), Some("requests.count")),
        (
            r#""statusCodes":[{"status":500,"count":0,"timeInterval":"00:01:00"}]"#.to_owned(),
            Some("statusCodes[0].count"),
        ),
        (
            r#""slowRequests":{"timeTaken":"00:00:30","count":1,"timeInterval":"00:01:00","path":"/x"}"#
                .to_owned(),
            Some("slowRequests.path"),
        ),
        (
            r#""slowRequests":{"count":1,"timeInterval":"00:01:00"}"#.to_owned(),
            Some("slowRequests.timeTaken"),
        ),
    ];
    for (trigger, field) in cases {
        let found = check(&with_trigger(&trigger));
        let fields: Vec<_> = found.iter().map(|violation| violation.field.as_str()).collect();
        let expected = field.map(|field| format!("autoHealRules.triggers.{field}"));
        assert_eq!(fields, expected.as_deref().into_iter().collect::<Vec<_>>(), "{trigger}");
    }
}

#[test]
fn each_limit_of_the_actions() {
    let cases = [
        (r#""minProcessExecutionTime":"02:00:00""#, None),
        (
            r#""minProcessExecutionTime":"02:00:01""#,
            Some(("minProcessExecutionTime", Accepted::between(TimeSpan::ZERO, TimeSpan::from_secs(7_200)))),
        ),
        (r#""actionType":2"#, Some(("customAction.exe", Accepted::ExecutablePath))),
        (
            r#""actionType":2,"customAction":{"exe":"MemoryDump"}"#,
            Some(("customAction.exe", Accepted::ExecutablePath)),
        ),
        (
            r#""actionType":2,"customAction":{"exe":"Profiler -mode:CollectLogsAndKill","parameters":"DurationSeconds=30"}"#,
            Some(("customAction.exe", Accepted::ExecutablePath)),
        ),
        (
            r#""actionType":2,"customAction":{"exe":"logger"}"#,
            Some(("customAction.exe", Accepted::ExecutablePath)),
        ),
        (r#""actionType":2,"customAction":{"exe":"/usr/bin/logger"}"#, None),
        (
            r#""actionType":2,"customAction":{"exe":"/bin/x","parameters":"a\u0000b"}"#,
            Some(("customAction.parameters", Accepted::VisibleText)),
        ),
        (r#""actionType":1,"customAction":{"exe":"MemoryDump"}"#, None),
    ];
    for (action, expected) in cases {
        let found = check(&with_action(action));
        match expected {
            None => assert_eq!(found, [], "{action}"),
            Some((field, accepted)) => {
                assert_eq!(found.len(), 1, "{action}");
                assert_eq!(found[0].field, format!("autoHealRules.actions.{field}"), "{action}");
                assert_eq!(found[0].accepted, accepted, "{action}");
                let is_tool = action.contains("MemoryDump") || action.contains("Profiler");
                assert_eq!(found[0].remedy, is_tool.then_some(Remedy::NoDiagnosticTools), "{action}");
            }
        }
    }
}

#[test]
fn rules_without_a_trigger_are_refused_where_they_are_to_act() {
    let none = check(&with_trigger(""));
    assert_eq!(
        (&*none[0].field, none[0].remedy),
        ("autoHealRules.triggers", Some(Remedy::SetConditionOrDisable))
    );
}

#[test]
fn every_violation_is_told_at_once() {
    let found = check(&with_trigger(
        r#""privateBytesInKB":1,"statusCodes":[{"status":99,"count":1,"timeInterval":"00:01:00"},{"status":500}]"#,
    ));
    let fields: Vec<_> =
        found.iter().map(|v| v.field.strip_prefix("autoHealRules.triggers.").unwrap()).collect();
    assert_eq!(
        fields,
        ["privateBytesInKB", "statusCodes[0].status", "statusCodes[1].count", "statusCodes[1].timeInterval"]
    );
}

#[test]
fn every_value_that_is_none_is_named_at_once() {
    let text = r#"{"autoHealRules":{"triggers":{"requests":{"count":-1,"timeInterval":"soon"}},"actions":{"actionType":7}}}"#;
    let read = super::read(&mut serde_json::Deserializer::from_str(text)).unwrap();
    let fields: Vec<_> = read.unwrap_err().into_iter().map(|violation| violation.field).collect();
    assert_eq!(
        fields,
        [
            "autoHealRules.triggers.requests.count",
            "autoHealRules.triggers.requests.timeInterval",
            "autoHealRules.actions.actionType"
        ]
    );
}

#[test]
fn a_field_has_its_name_here() {
    for (path, name) in [
        ("enabled", "autoHealEnabled"),
        ("rules", "autoHealRules"),
        ("rules.triggers.private_bytes_kib", "autoHealRules.triggers.privateBytesInKB"),
        (
            "rules.triggers.slow_requests_with_path[3].time_interval",
            "autoHealRules.triggers.slowRequestsWithPath[3].timeInterval",
        ),
        ("rules.triggers.status_codes[0].win32_status", "autoHealRules.triggers.statusCodes[0].win32Status"),
        ("rules.actions.custom_action.exe", "autoHealRules.actions.customAction.exe"),
        ("<triggers/memory> privateBytesInKB", "<triggers/memory> privateBytesInKB"),
        ("fuse.restarts_in", "fuse.restarts_in"),
    ] {
        assert_eq!(field(path), name);
    }
}
