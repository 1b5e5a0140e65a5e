use super::*;
use crate::auto_heal::NotRespondingNumbers;
use crate::auto_heal::cpu::CpuRule;
use crate::auto_heal::limit::{LimitSource, MemoryLimit};
use crate::auto_heal::measured::Probes;
use crate::auto_heal::watch::Watch;
use std::time::Duration;

/// As it stands in databases of older releases.
const TOLD: &str = r#"{"rule":{"name":"percent_memory"},
 "condition":"when they stay above 1.57 GB, 90 % of the limit of 1.75 GB (memory_limit), for more than 30 s",
 "observed":"private bytes were above 1.57 GB for 31 s and are 1.67 GB",
 "threshold":1691143372,"unit":"bytes","window_ms":30000,"samples":[{"at":"2026-01-31T08:15:00.000Z","value":1800000000}],
 "not_fired":[
  {"rule":{"name":"percent_request"},"standing":"waiting","why":"The worker is warming up.",
   "text":"0 of 0 requests","value":null,"threshold":80,"unit":"percent"},
  {"rule":{"name":"not_responding"},"standing":"off","why":"The fuse is blown until 2026-01-31T11:15:00Z.",
   "text":"no byte came back for 0 s","value":0,"threshold":60,"unit":"seconds"},
  {"rule":{"name":"status_code","index":1},"standing":"watching",
   "text":"answers with status 502 were 2 requests","value":2,"threshold":3,"unit":"requests"}]}"#;

#[test]
fn evidence_of_older_releases_reads_as_it_was_told() {
    let evidence: Evidence = serde_json::from_str(TOLD).unwrap();
    let Seen::Recorded(told) = &evidence.seen else { panic!("{evidence:?}") };
    assert!(told.condition.starts_with("when they stay above 1.57 GB"), "{told:?}");
    assert_eq!(told.observed, "private bytes were above 1.57 GB for 31 s and are 1.67 GB");
    let states: Vec<_> = evidence.not_fired.iter().map(|reading| reading.state.clone()).collect();
    let why = |why: &str| why.to_owned();
    assert_eq!(
        states,
        [
            RuleState::Recorded(RuleStateText::Waiting { why: why("The worker is warming up.") }),
            RuleState::Recorded(RuleStateText::Off {
                why: why("The fuse is blown until 2026-01-31T11:15:00Z.")
            }),
            RuleState::Watching,
        ]
    );
    let told = ReadingText { text: "answers with status 502 were 2 requests".to_owned() };
    assert_eq!(evidence.not_fired[2].seen, Seen::Recorded(told));
    let again = serde_json::to_string(&evidence).unwrap();
    assert_eq!(serde_json::from_str::<Evidence>(&again).unwrap(), evidence);
}

fn of_every_kind() -> Vec<Measured> {
    let limit = MemoryLimit { bytes: 1 << 30, source: LimitSource::Cgroup };
    let watch = Watch {
        statuses: Some(500..=530),
        at_least: Duration::from_millis(1_500),
        path: Some("/api/*".parse().unwrap()),
        except: Vec::new(),
    };
    vec![
        Measured::PercentMemory { limit, threshold_bytes: 1 << 29, bytes: Some(u64::MAX), above_ms: None },
        Measured::PercentRequest { all: 6, slow: 4, slow_running: 1 },
        Measured::NotResponding {
            numbers: NotRespondingNumbers::default(),
            silent_ms: 80_000,
            waiting: 3,
            given_up: 0,
            probes: Probes::Unanswered { failed: 2 },
        },
        Measured::ProactiveCpu {
            settings: CpuRule::default(),
            mean_percent: Some(99),
            busy_ms: Some(30_000),
            actions_left: 1,
        },
        Measured::Requests {
            counted: Some(watch),
            at_least: 5,
            interval: Duration::from_mins(2),
            count: 6,
            running: 1,
        },
        Measured::Requests {
            counted: None,
            at_least: 5,
            interval: Duration::from_mins(2),
            count: 6,
            running: 0,
        },
        Measured::PrivateBytes { threshold_bytes: 1 << 28, bytes: None },
    ]
}

#[test]
fn whatever_was_measured_and_however_a_rule_stands_reads_back() {
    let until = Timestamp::from_ms(1_769_847_300_000);
    let states = [
        RuleState::Watching,
        RuleState::WarmingUp,
        RuleState::Overridden { by: Rule::SlowRequestsWithPath { index: 1 } },
        RuleState::OptedOut,
        RuleState::SwitchedOff,
        RuleState::Paused { until },
        RuleState::ActionsUsed,
        RuleState::Expired,
        RuleState::Recorded(RuleStateText::Silent { why: "x".to_owned() }),
    ];
    for measured in of_every_kind() {
        let reading = Reading::new(Rule::PercentMemory, measured.clone(), Some(u64::MAX), 1, Unit::Bytes);
        let evidence = Evidence {
            rule: Rule::StatusCode { index: 3 },
            seen: measured.into(),
            threshold: 5,
            unit: Unit::Requests,
            window_ms: 1,
            samples: vec![],
            not_fired: states.clone().map(|state| reading.clone().in_state(state)).into(),
        };
        let json = serde_json::to_string(&evidence).unwrap();
        assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), evidence, "{json}");
    }
}

#[test]
fn a_rule_has_one_stored_name() {
    let json = serde_json::to_string(&Rule::SlowRequestsWithPath { index: 2 }).unwrap();
    assert_eq!(json, r#"{"name":"slow_requests_with_path","index":2}"#);
    let rules = [
        Rule::PercentMemory,
        Rule::PercentRequest,
        Rule::NotResponding,
        Rule::ProactiveCpu,
        Rule::Requests,
        Rule::PrivateBytes,
        Rule::SlowRequests,
        Rule::SlowRequestsWithPath { index: 0 },
        Rule::StatusCode { index: 0 },
        Rule::StatusCodeRange { index: 0 },
    ];
    for rule in rules {
        let json = serde_json::to_value(rule).unwrap();
        let (name, index) = rule.stored();
        assert_eq!((json["name"].as_str(), json["index"].as_u64()), (Some(name), index.map(u64::from)));
    }
}
