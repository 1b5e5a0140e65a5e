use super::*;
use model::memory::MemoryMinute;
use model::requests::LatencySketch;

const START: Timestamp = Timestamp::from_ms(1_769_846_400_000);

fn dry_run(
    config: &AutoHealConfig,
    range: TimeRange,
    requests: &[RequestMinute],
    memory: &[MemoryHistory],
) -> DryRun {
    let mut recorded = Recorded::new(config, range);
    for row in requests {
        recorded.add_requests(row);
    }
    for history in memory {
        recorded.add_memory(history);
    }
    recorded.dry_run()
}

fn key(index: u16) -> Place {
    Place { node: "a".parse().unwrap(), app: "shop".parse().unwrap(), instance: index }
}

fn at(minute: u32) -> Timestamp {
    START + MINUTE * minute
}

fn range() -> TimeRange {
    TimeRange { start: START, end: START + Duration::from_hours(24) }
}

fn config(triggers: &str, actions: &str) -> AutoHealConfig {
    let json = format!(r#"{{"rules":{{"triggers":{{{triggers}}},"actions":{{{actions}}}}}}}"#);
    let config: AutoHealConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(config.check(), []);
    config
}

/// One row for each count: all 2xx, each of `us` microseconds.
fn rows(counts: &[u64], us: u64) -> Vec<RequestMinute> {
    let row = |(minute, count): (u32, &u64)| {
        let mut latency = LatencySketch::default();
        (0..*count).for_each(|_| latency.record(us));
        RequestMinute { by_class: [0, *count, 0, 0, 0], latency, ..RequestMinute::empty(key(0), at(minute)) }
    };
    (0..).zip(counts).map(row).collect()
}

fn only(run: DryRun) -> ConditionRun {
    assert_eq!(run.instances.len(), 1);
    run.instances.into_iter().next().unwrap().conditions.into_iter().next().unwrap()
}

/// The verdict's name, and the minutes of the certain firings.
fn requests_run(count: u64, interval: &str, counts: &[u64], actions: &str) -> (Prediction, Vec<u32>) {
    let config = config(&format!(r#""requests":{{"count":{count},"time_interval":"{interval}"}}"#), actions);
    let run = only(dry_run(&config, range(), &rows(counts, 1_000), &[]));
    let certain = run.fires.iter().filter(|fire| fire.certain);
    let minutes =
        certain.map(|fire| u32::try_from(fire.minute.since(START).as_secs() / 60).unwrap()).collect();
    (run.prediction, minutes)
}

#[test]
fn what_a_minute_hides_is_not_guessed() {
    use Prediction::{MayFire, WouldFire, WouldNotFire};
    type Case = (u64, &'static str, &'static [u64], Prediction, &'static [u32]);
    let cases: [Case; 11] = [
        (10, "00:01:00", &[9], WouldNotFire, &[]),
        (10, "00:01:00", &[10], WouldFire, &[0]),
        (10, "00:01:00", &[5, 4], WouldNotFire, &[]),
        (10, "00:01:00", &[5, 5], MayFire, &[]),
        (10, "00:02:00", &[5, 5], WouldFire, &[1]),
        (10, "00:02:00", &[4, 1, 5], MayFire, &[]),
        (10, "00:00:30", &[9], WouldNotFire, &[]),
        (10, "00:00:30", &[18], MayFire, &[]),
        (10, "00:00:30", &[19], WouldFire, &[0]),
        (10, "00:05:00", &[2, 2, 2, 2, 2, 2], WouldFire, &[4]),
        (10, "00:01:00", &[10, 10, 0, 10], WouldFire, &[0, 1, 3]),
    ];
    for (count, interval, counts, verdict, minutes) in cases {
        let expected = (verdict, minutes.to_vec());
        assert_eq!(
            requests_run(count, interval, counts, ""),
            expected,
            "{count} in {interval} of {counts:?}"
        );
    }
}

#[test]
fn the_window_is_emptied_and_the_minimum_time_holds_back() {
    let counts = [5, 5, 5, 5, 5, 5];
    assert_eq!(requests_run(10, "00:02:00", &counts, "").1, [1, 3, 5]);
    let minimum = r#""min_process_execution_time":"00:04:00""#;
    assert_eq!(requests_run(10, "00:02:00", &counts, minimum).1, [1, 5]);
    let log = r#""action_type":"LogEvent","min_process_execution_time":"00:04:00""#;
    assert_eq!(requests_run(10, "00:02:00", &counts, log).1, [1, 3, 5], "nothing was restarted");
}

#[test]
fn a_minute_without_a_row_is_a_minute() {
    let mut gap = rows(&[5, 0, 5], 1_000);
    gap.remove(1);
    let config = config(r#""requests":{"count":10,"time_interval":"00:01:00"}"#, "");
    assert_eq!(only(dry_run(&config, range(), &gap, &[])).prediction, Prediction::WouldNotFire);
}

#[test]
fn slow_requests_by_the_sketch() {
    let slow = r#""slow_requests":{"time_taken":"00:00:30","count":5,"time_interval":"00:02:00"}"#;
    let run = |us: u64| only(dry_run(&config(slow, ""), range(), &rows(&[5], us), &[])).prediction;
    assert_eq!(run(60_000_000), Prediction::WouldFire);
    assert_eq!(run(20_000_000), Prediction::WouldNotFire);
    assert_eq!(run(30_500_000), Prediction::MayFire, "shares a bucket with 30 s");
    assert!(Recorded::new(&config(slow, ""), range()).needs_latencies());
}

#[test]
fn paths_and_single_statuses_cannot_be_told_unless_they_cannot_have_been_met() {
    let mut errors = rows(&[0], 0);
    errors[0].by_class = [0, 0, 0, 20, 12];
    let verdict = |triggers: &str| only(dry_run(&config(triggers, ""), range(), &errors, &[])).prediction;
    let status = |status: u16, count: u64, path: &str| {
        verdict(&format!(
            r#""status_codes":[{{"status":{status},"count":{count},"time_interval":"00:01:00"{path}}}]"#
        ))
    };
    let told = |prediction: Prediction| match prediction {
        Prediction::CannotTell { why } => {
            why.split(':').nth(1).unwrap().split_once(" not").unwrap().0.trim().to_owned()
        }
        other => format!("{other:?}"),
    };
    assert_eq!(told(status(500, 12, "")), "the single status is");
    assert_eq!(told(status(500, 13, "")), "WouldNotFire");
    assert_eq!(told(status(404, 20, r#","path":"/x""#)), "the paths of requests are");
    assert_eq!(told(status(404, 21, r#","path":"/x""#)), "WouldNotFire");
    let range = |range: &str, count: u64| {
        told(verdict(&format!(
            r#""status_codes_range":[{{"status_codes":"{range}","count":{count},"time_interval":"00:01:00"}}]"#
        )))
    };
    assert_eq!(range("400-499", 20), "WouldFire", "a whole class");
    assert_eq!(range("400-499", 21), "WouldNotFire");
    assert_eq!(range("500-530", 12), "the single status is");
    assert_eq!(range("400-530", 20), "WouldFire", "its 4xx alone");
    assert_eq!(range("400-530", 32), "MayFire", "only with all of its 5xx");
}

#[test]
fn instances_of_two_nodes_are_not_added_up() {
    let config = config(r#""requests":{"count":10,"time_interval":"00:01:00"}"#, "");
    let at_node = |node: &str, count| {
        let mut row = rows(&[count], 1_000).remove(0);
        row.place.node = node.parse().unwrap();
        row
    };
    let run = dry_run(&config, range(), &[at_node("b", 6), at_node("a", 12)], &[]);
    let fires: Vec<_> =
        run.instances.iter().map(|run| (run.place.within_app(), run.conditions[0].fires.len())).collect();
    assert_eq!(fires, [("a/0".to_owned(), 1), ("b/0".to_owned(), 0)]);
}

#[test]
fn memory_fires_once_a_stretch_and_by_instance() {
    let minute = |(minute, mb): &(u32, u64)| MemoryMinute {
        minute: at(*minute),
        private_bytes_max: mb << 20,
        limit_bytes: 2_000 << 20,
    };
    let memory = |index: u16, minutes: &[(u32, u64)]| MemoryHistory {
        place: key(index),
        minutes: minutes.iter().map(minute).collect(),
    };
    let recorded = [memory(0, &[(0, 200), (1, 201), (2, 300), (3, 100), (4, 201)]), memory(1, &[(0, 200)])];
    let own = config(r#""private_bytes_kib":204800"#, "");
    let run = dry_run(&own, range(), &rows(&[1], 1), &recorded);
    let fires: Vec<Vec<_>> = run
        .instances
        .iter()
        .map(|i| i.conditions[0].fires.iter().map(|fire| fire.minute).collect())
        .collect();
    assert_eq!(fires, [vec![at(1), at(4)], vec![]]);
    assert_eq!(run.instances[1].conditions[0].prediction, Prediction::WouldNotFire);
    let none = only(dry_run(&own, range(), &rows(&[1], 1), &[]));
    assert!(matches!(none.prediction, Prediction::CannotTell { .. }));
}

#[test]
fn what_lies_outside_the_range_is_not_looked_at() {
    let later = TimeRange { start: at(1), end: at(2) };
    let config = config(r#""requests":{"count":10,"time_interval":"00:01:00"}"#, "");
    assert_eq!(
        only(dry_run(&config, later, &rows(&[10, 1, 10], 1), &[])).prediction,
        Prediction::WouldNotFire
    );
}
