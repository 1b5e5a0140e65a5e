use std::collections::BTreeSet;

use model::Timestamp;
use model::auto_heal::cpu::{CpuMode, CpuRule};
use model::auto_heal::evidence::{ReadingText, Unit};
use model::auto_heal::limit::{LimitSource, MemoryLimit};
use model::auto_heal::measured::Probes;
use model::auto_heal::{NotRespondingNumbers, Watch};

use super::*;

fn evidence(rule: Rule, measured: Measured) -> Evidence {
    let (seen, unit) = (measured.into(), Unit::Requests);
    Evidence { rule, seen, threshold: 1, unit, window_ms: 120_000, samples: vec![], not_fired: vec![] }
}

fn now(rule: Rule, measured: Measured) -> String {
    reading(&Reading::new(rule, measured, None, 1, Unit::Requests))
}

fn every_rule() -> [Rule; 10] {
    [
        Rule::PercentMemory,
        Rule::PercentRequest,
        Rule::NotResponding,
        Rule::ProactiveCpu,
        Rule::Requests,
        Rule::PrivateBytes,
        Rule::SlowRequests,
        Rule::SlowRequestsWithPath { index: 0 },
        Rule::StatusCode { index: 1 },
        Rule::StatusCodeRange { index: u16::MAX },
    ]
}

#[test]
fn every_rule_has_a_word_of_its_own_which_is_its_title_in_kebab_case_and_advice() {
    assert_eq!(
        every_rule().map(|rule| words(rule).word),
        *RULES.iter().map(|rule| rule.word).collect::<Vec<_>>()
    );
    assert_eq!(RULES.iter().map(|rule| rule.word).collect::<BTreeSet<_>>().len(), RULES.len());
    for rule in RULES.iter().filter(|rule| rule.word != "requests") {
        assert_eq!(rule.word, rule.title.to_lowercase().replace(' ', "-"));
        assert!(!(rule.advice)().is_empty(), "{rule:?}");
    }
    assert_eq!(title(Rule::StatusCode { index: 0 }), "Status code 1");
    assert_eq!(title(Rule::StatusCodeRange { index: u16::MAX }), "Status code range 65536");
}

#[test]
fn percent_memory_says_what_it_saw() {
    let limit = MemoryLimit { bytes: 7 << 28, source: LimitSource::MemoryLimit };
    let measured = |bytes, above_ms| {
        let threshold_bytes = 1_691_143_372;
        Measured::PercentMemory { limit, threshold_bytes, bytes, above_ms }
    };
    let acted = evidence(Rule::PercentMemory, measured(Some(1_800_000_000), Some(31_000)));
    assert_eq!(
        summary(&acted),
        "Percent memory: private bytes were above 1.57 GiB for 31 s and are 1.67 GiB; it acts when they stay above \
         1.57 GiB, 90% of the limit of 1.75 GiB (memory_limit), for more than 30 s."
    );
    assert_eq!(window(&acted), "2 min");
    let acts = "it acts when they stay above 1.57 GiB, 90% of the limit of 1.75 GiB (memory_limit), for more than 30 s";
    for (bytes, above_ms, text) in [
        (None, None, "private bytes are not known yet"),
        (Some(1 << 30), None, "private bytes are 1 GiB"),
        (Some(1_800_000_000), Some(4_000), "private bytes are 1.67 GiB, above the threshold for 4 s"),
    ] {
        assert_eq!(now(Rule::PercentMemory, measured(bytes, above_ms)), format!("{text}; {acts}"));
    }
}

#[test]
fn percent_request_speaks_of_200_seconds_within_120() {
    let condition = "when at least 80% of the requests within 120 s took 200 s or longer, and at least 5 did";
    let observed = "4 of 6 requests within 120 s took 200 s or longer (66%), 1 of them still running";
    let measured = Measured::PercentRequest { all: 6, slow: 4, slow_running: 1 };
    assert_eq!(now(Rule::PercentRequest, measured.clone()), format!("{observed}; it acts {condition}"));
    let acted = evidence(Rule::PercentRequest, measured);
    assert_eq!(
        super::evidence(&acted),
        EvidenceText { condition: condition.to_owned(), observed: observed.to_owned() }
    );
    assert_eq!(window(&acted), "120 s");
}

#[test]
fn not_responding_says_who_waited_and_what_the_probes_got() {
    let measured = |probes| {
        let numbers = NotRespondingNumbers::default();
        Measured::NotResponding { numbers, silent_ms: 80_000, waiting: 3, given_up: 0, probes }
    };
    assert_eq!(
        summary(&evidence(Rule::NotResponding, measured(Probes::Unanswered { failed: 2 }))),
        "Not responding: no byte came back for 1 min 20 s, 3 requests waiting and 0 given up on, and 2 of 2 probes got no \
         answer; it acts when no byte comes back for 1 min while at least 3 requests wait or are given up on, and 2 probes \
         get no answer within 10 s."
    );
    for (probes, text) in
        [(Probes::NotDue, "and no probe was due; it"), (Probes::Answered, "and the probe was answered; it")]
    {
        assert!(now(Rule::NotResponding, measured(probes)).contains(text));
    }
}

#[test]
fn proactive_cpu_says_how_busy_it_was_and_how_often_it_may_still_act() {
    let settings = CpuRule { mode: CpuMode::Kill, ..CpuRule::default() };
    let measured =
        |mean_percent, busy_ms| Measured::ProactiveCpu { settings, mean_percent, busy_ms, actions_left: 2 };
    let condition = "when each check, the mean of 15 s, is 75% or more for 30 s";
    let acted = super::evidence(&evidence(Rule::ProactiveCpu, measured(Some(99), Some(31_000))));
    assert_eq!(acted.observed, "the processors were busy for 31 s, lately by 99%");
    assert_eq!(acted.condition, condition);
    for (mean, text) in [(None, "not checked yet"), (Some(10), "the mean was 10%")] {
        let expected = format!("{text}; it acts {condition}; actions left: 2");
        assert_eq!(now(Rule::ProactiveCpu, measured(mean, None)), expected);
    }
}

#[test]
fn a_rule_that_counts_says_what() {
    let watch = |statuses, seconds, path: Option<&str>| {
        let path = path.map(|path| path.parse().unwrap());
        Some(Watch { statuses, at_least: Duration::from_secs(seconds), path, except: vec![] })
    };
    let measured = |counted, running| Measured::Requests {
        counted,
        at_least: 2,
        interval: Duration::from_mins(1),
        count: 2,
        running,
    };
    assert_eq!(
        summary(&evidence(Rule::StatusCode { index: 1 }, measured(watch(Some(502..=502), 0, None), 0))),
        "Status code 2: answers with status 502 were 2 requests; it acts when answers with status 502 are at least \
         2 requests within 1 min."
    );
    for (counted, running, text) in [
        (None, 0, "requests that ended were 2 requests"),
        (
            watch(None, 30, None),
            1,
            "requests that took 30 s or longer were 2 requests, 1 of them still running",
        ),
        (watch(None, 90, Some("/x*")), 0, "requests of /x* that took 1 min 30 s or longer were 2 requests"),
        (watch(Some(500..=530), 0, Some("/x")), 0, "answers of /x with status 500-530 were 2 requests"),
    ] {
        assert_eq!(super::evidence(&evidence(Rule::Requests, measured(counted, running))).observed, text);
    }
}

#[test]
fn private_bytes_say_how_many() {
    let measured = |bytes| Measured::PrivateBytes { threshold_bytes: 200 << 20, bytes };
    let acts = "it acts when they are above 200 MiB";
    assert_eq!(now(Rule::PrivateBytes, measured(None)), format!("private bytes are not known yet; {acts}"));
    assert_eq!(
        summary(&evidence(Rule::PrivateBytes, measured(Some(300 << 20)))),
        format!("Private bytes: private bytes are 300 MiB; {acts}.")
    );
}

#[test]
fn a_rule_that_fired_too_says_so() {
    let measured = Measured::PrivateBytes { threshold_bytes: 200 << 20, bytes: Some(300 << 20) };
    let other = Reading::new(Rule::PrivateBytes, measured, None, 1, Unit::Bytes);
    let text = reading(&Reading { fired_too: true, ..other });
    assert_eq!(text, "also triggered: private bytes are 300 MiB; it acts when they are above 200 MiB");
}

#[test]
fn what_older_releases_recorded_stays_as_it_was_told() {
    let recorded = EvidenceText { condition: "when x".to_owned(), observed: "it was y".to_owned() };
    let measured = Measured::PrivateBytes { threshold_bytes: 1, bytes: None };
    let evidence =
        Evidence { seen: Seen::Recorded(recorded.clone()), ..evidence(Rule::Requests, measured.clone()) };
    assert_eq!(super::evidence(&evidence), recorded);
    assert_eq!(summary(&evidence), "Request count: it was y; it acts when x.");
    let now = Reading::new(Rule::Requests, measured, None, 1, Unit::Bytes);
    let text = "y; it acts when x".to_owned();
    assert_eq!(reading(&Reading { seen: Seen::Recorded(ReadingText { text: text.clone() }), ..now }), text);
    let why = "It was blown.".to_owned();
    let off = RuleState::Recorded(RuleStateText::Off { why: why.clone() });
    assert_eq!(Watching::of(&off), Watching::Off { why });
}

#[test]
fn a_rule_that_does_not_look_says_why() {
    let until = Timestamp::from_ms(1_769_847_300_000);
    let cases = [
        (RuleState::WarmingUp, "waiting", "The worker is warming up."),
        (
            RuleState::Overridden { by: Rule::PrivateBytes },
            "silent",
            "Overridden by custom rule Private bytes.",
        ),
        (
            RuleState::Overridden { by: Rule::SlowRequestsWithPath { index: 0 } },
            "silent",
            "Overridden by custom rule Slow requests with path 1.",
        ),
        (RuleState::OptedOut, "off", "Proactive auto-heal is off in the app's settings."),
        (RuleState::SwitchedOff, "off", "not_responding is false in medic.toml."),
        (RuleState::Paused { until }, "off", "Proactive rules are paused until 2026-01-31T08:15:00.000Z."),
        (RuleState::ActionsUsed, "off", "It has acted as often as it may."),
        (RuleState::Expired, "off", "Its hours are over."),
    ];
    for (state, word, why) in cases {
        let json = serde_json::to_value(Watching::of(&state)).unwrap();
        assert_eq!((json["standing"].as_str(), json["why"].as_str()), (Some(word), Some(why)));
    }
    assert_eq!(serde_json::to_value(Watching::of(&RuleState::Watching)).unwrap()["standing"], "watching");
}
