use proptest::prelude::*;

use super::*;

const START: Now = Now::START;
const SLOW: &str = r#""slow_requests":{"time_taken":"00:00:30","count":5,"time_interval":"00:02:00"}"#;

fn config(triggers: &str, minimum: &str) -> AutoHealConfig {
    let json = format!(
        r#"{{"enabled":true,"rules":{{"triggers":{{{triggers}}},"actions":{{"min_process_execution_time":"{minimum}"}}}}}}"#
    );
    let config: AutoHealConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(config.check(), []);
    config
}

struct Bench {
    rules: UserRules,
    uptime: Duration,
}

impl Bench {
    fn new(triggers: &str) -> Self {
        Self { rules: UserRules::new(&config(triggers, "00:00:00")), uptime: Duration::ZERO }
    }

    /// One second at `ms`: every request that ended, and `(finished, running)` of each watch.
    fn count(&mut self, ms: u64, total: u64, watched: &[(u64, u64)]) -> Option<Firing> {
        let mut seen = Observation { uptime: self.uptime, ..Observation::default() };
        seen.tallies.total.finished = total;
        let counted: Vec<_> = watched
            .iter()
            .map(|&(finished, running)| Tally { finished, running, ..Tally::default() })
            .collect();
        self.rules.observe(START + Duration::from_millis(ms), &seen, Some(&counted))
    }

    fn fires(&mut self, ms: u64, total: u64, watched: &[(u64, u64)]) -> bool {
        self.count(ms, total, watched).is_some_and(|firing| firing.refused.is_none())
    }

    fn memory(&mut self, ms: u64, private_bytes: u64) -> Option<Firing> {
        let seen =
            Observation { private_bytes: Some(private_bytes), uptime: self.uptime, ..Observation::default() };
        self.rules.observe(START + Duration::from_millis(ms), &seen, None)
    }
}

#[test]
fn each_trigger_asks_the_front_door_for_what_it_counts() {
    let rules = UserRules::new(&config(
        r#""requests":{"count":1,"time_interval":"00:01:00"},"private_bytes_kib":204800,
        "status_codes":[{"status":500,"count":10,"time_interval":"00:01:00","path":"/api/*"}],
        "status_codes_range":[{"status_codes":"500-530","count":10,"time_interval":"00:01:00"}],
        "slow_requests":{"time_taken":"00:00:30","count":5,"time_interval":"00:02:00"},
        "slow_requests_with_path":[{"time_taken":"00:00:20","count":5,"time_interval":"00:02:00","path":"/x"}]"#,
        "00:00:00",
    ));
    let watch = |statuses, seconds, path: Option<&str>| Watch {
        statuses,
        at_least: Duration::from_secs(seconds),
        path: path.map(|path| path.parse().unwrap()),
        except: vec![],
    };
    assert_eq!(
        rules.watches(),
        [
            watch(None, 30, None),
            watch(None, 20, Some("/x")),
            watch(Some(500..=500), 0, Some("/api/*")),
            watch(Some(500..=530), 0, None)
        ]
    );
    let off = AutoHealConfig { enabled: false, ..config(SLOW, "00:00:00") };
    assert!(UserRules::new(&off).watches().is_empty());
}

#[test]
fn the_count_and_the_window() {
    for (first, second, age_ms, fires) in
        [(100, 99, 59_999, false), (100, 100, 59_999, true), (100, 100, 60_000, false), (0, 200, 0, true)]
    {
        let mut bench = Bench::new(r#""requests":{"count":200,"time_interval":"00:01:00"}"#);
        assert!(!bench.fires(0, first, &[]));
        assert_eq!(bench.fires(age_ms, second, &[]), fires, "{first} and {second} after {age_ms} ms");
    }
}

#[test]
fn a_status_counts_by_its_own_watch() {
    let mut bench = Bench::new(
        r#""status_codes":[{"status":500,"count":2,"time_interval":"00:01:00"},{"status":502,"count":2,"time_interval":"00:01:00"}]"#,
    );
    assert!(!bench.fires(0, 100, &[(1, 0), (1, 0)]), "one of each is two of neither");
    let firing = bench.count(1_000, 100, &[(0, 0), (1, 0)]).unwrap();
    assert_eq!(firing.evidence.rule, Rule::StatusCode { index: 1 });
    let measured = Measured::Requests {
        counted: Some(Watch {
            statuses: Some(502..=502),
            at_least: Duration::ZERO,
            path: None,
            except: vec![],
        }),
        at_least: 2,
        interval: Duration::from_mins(1),
        count: 2,
        running: 0,
    };
    assert_eq!(firing.evidence.seen, measured.into());
    let other = &firing.evidence.not_fired[0];
    assert_eq!((other.rule, other.towards_percent()), (Rule::StatusCode { index: 0 }, Some(50)));
    assert!(!bench.fires(2_000, 0, &[(1, 0), (1, 0)]), "every window was emptied");
}

#[test]
fn a_slow_request_counts_while_it_runs_and_once() {
    let mut bench = Bench::new(SLOW);
    assert!(!bench.fires(0, 0, &[(2, 2)]));
    assert!(bench.fires(1_000, 0, &[(0, 3)]), "two ended and three run");
    assert!(!bench.fires(2_000, 0, &[(0, 3)]), "the same three");
    assert!(!bench.fires(3_000, 0, &[(3, 4)]), "the three ended, four others run");
    assert!(bench.fires(4_000, 0, &[(1, 4)]), "one ended, its place was taken");
    assert!(!bench.fires(5_000, 0, &[(0, 0)]), "the four were cut off");
    assert!(!bench.fires(6_000, 0, &[(4, 0)]), "and these are others");
    assert!(bench.fires(7_000, 0, &[(1, 0)]));
}

#[test]
fn private_bytes_act_above_and_rest_until_they_were_below() {
    const LIMIT: u64 = 204_800 * 1_024;
    let mut bench = Bench::new(r#""private_bytes_kib":204800"#);
    assert!(bench.memory(0, LIMIT).is_none());
    assert!(bench.memory(1_000, LIMIT + 1).is_some());
    assert!(bench.memory(2_000, LIMIT + 1).is_none());
    assert!(bench.memory(3_000, LIMIT).is_none());
    assert!(bench.memory(4_000, LIMIT + 1).is_some());
    assert!(bench.memory(303_999, LIMIT + 1).is_none());
    assert!(bench.memory(304_000, LIMIT + 1).is_some());
    bench.rules.clear();
    assert!(bench.memory(305_000, LIMIT + 1).is_some(), "a new worker");
}

#[test]
fn nothing_happens_to_a_worker_before_its_minimum_time_and_that_is_said_once() {
    let mut bench = Bench { rules: UserRules::new(&config(SLOW, "00:10:00")), uptime: Duration::ZERO };
    bench.uptime = Duration::from_millis(599_998);
    let firing = bench.count(0, 0, &[(5, 0)]).unwrap();
    assert_eq!(firing.refused, Some(RefusalReason::MinimumProcessTime { remaining_ms: 2 }));
    bench.uptime = Duration::from_millis(599_999);
    assert_eq!(bench.count(1, 0, &[(0, 0)]), None, "said already");
    bench.uptime = Duration::from_mins(10);
    assert!(bench.fires(2, 0, &[(0, 0)]), "still met");
    bench.uptime = Duration::ZERO;
    assert!(bench.count(3, 0, &[(5, 0)]).unwrap().refused.is_some(), "another time");
}

proptest! {
    /// Without a restart in between, slow requests are never counted twice: firings are at most a fifth of the requests.
    #[test]
    fn no_request_fires_twice(steps in prop::collection::vec((0_u64..6, 0_u64..6), 1..200)) {
        let mut bench = Bench::new(SLOW);
        let (mut running, mut begun, mut firings) = (0_u64, 0, 0);
        for (second, (begin, end)) in (0_u64..).zip(steps) {
            let ended = end.min(running);
            running = running - ended + begin;
            begun += begin;
            firings += u64::from(bench.fires(second * 1_000, 0, &[(ended, running)]));
            prop_assert!(firings * 5 <= begun, "{firings} firings of {begun}");
        }
    }
}
