use super::*;
use model::crash_monitor::LastEnd;
use model::crash_monitor::RecentCrashes;
use model::start::{Readiness, StartSeen, Starting};
use model::status::{ClosedAddress, Health, Monitoring};

const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
const SECOND: Duration = Duration::from_secs(1);

fn ago(seconds: u64) -> Timestamp {
    NOW - Duration::from_secs(seconds)
}

/// An instance that has been running for ten minutes.
fn running(index: u16) -> InstanceStatus {
    InstanceStatus {
        index,
        pid: Some(7),
        started_at: Some(ago(601)),
        state: InstanceState::Running,
        since: ago(600),
        port: Some(4000),
        next_start: None,
        message: None,
        not_responding: false,
        not_responding_since: None,
        ends_in_a_row: 0,
        ends: None,
        recent_crashes: None,
        monitoring: Monitoring::Armed,
        restarting: None,
        starting: None,
    }
}

fn ended(index: u16, count: u32, was_ready: bool, last: LastEnd) -> InstanceStatus {
    let ends = EndsInARow { since: ago(420), count, was_ready, last };
    InstanceStatus {
        pid: None,
        state: InstanceState::Waiting,
        since: ago(3),
        next_start: Some(NOW + 12 * SECOND),
        ends: Some(ends),
        ..running(index)
    }
}

fn app(instances: Vec<InstanceStatus>) -> AppStatus {
    AppStatus {
        name: "shop".parse().unwrap(),
        health: Health::Healthy,
        listen: "127.0.0.1:8080".to_owned(),
        not_listening: None,
        instances,
        crash_monitoring_enabled: true,
        auto_heal_enabled: true,
    }
}

fn of(instances: Vec<InstanceStatus>) -> Verdict {
    verdict(&app(instances), None, NOW)
}

#[test]
fn each_status_has_its_since_its_reason_and_what_comes_next() {
    use VerdictStatus::*;
    let exits = |count, was_ready| ended(0, count, was_ready, LastEnd::ExitCode { code: 3, fault: None });
    let up_again = InstanceStatus { state: InstanceState::Running, next_start: None, ..exits(5, true) };
    let hung = InstanceStatus { not_responding: true, not_responding_since: Some(ago(20)), ..running(0) };
    let crashes = RecentCrashes { first: ago(500), last: ago(360), count: 2 };
    let back_again = InstanceStatus { recent_crashes: Some(crashes), ..running(0) };
    let starting = InstanceStatus { state: InstanceState::Starting, pid: None, since: ago(2), ..running(0) };
    let seen = StartSeen { readiness: Readiness::NotListening, is_busy: true };
    let start = Starting { limit_ms: 230_000, seen: Some(seen) };
    let slow = InstanceStatus { starting: Some(start), since: ago(45), ..starting.clone() };
    let again =
        InstanceStatus { state: InstanceState::Starting, starting: slow.starting.clone(), ..exits(2, false) };
    let stopped = InstanceStatus { state: InstanceState::Stopped, pid: None, ..running(0) };
    let cases = [
        (vec![exits(20, false)], Down, 420, "Exit code 3, 20 consecutive exits.", "Next attempt in 12 s."),
        (
            vec![exits(5, true)],
            RestartLoop,
            420,
            "Exit code 3, 5 consecutive exits.",
            "Next attempt in 12 s.",
        ),
        (vec![up_again.clone()], RestartLoop, 420, "Exit code 3, 5 consecutive exits.", "Healthy again"),
        (vec![exits(1, true)], Down, 420, "Exit code 3.", "Next attempt in 12 s."),
        (
            vec![hung.clone()],
            NotResponding,
            20,
            "no request and no probe",
            "The rule Not responding restarts",
        ),
        (
            vec![running(0), InstanceStatus { index: 1, ..hung }],
            Degraded,
            20,
            "Instance 1: Not responding.",
            "The rule",
        ),
        (
            vec![running(0), InstanceStatus { index: 1, ..exits(4, false) }],
            Degraded,
            420,
            "Instance 1: Exit code 3, 4 consecutive exits.",
            "Next attempt in 12 s.",
        ),
        (
            vec![back_again],
            Recovering,
            500,
            "2 crashes, the last 6 min ago.",
            "Healthy in 9 min without another crash.",
        ),
        (vec![starting], Recovering, 2, "Starting.", "readiness check"),
        (
            vec![slow],
            Recovering,
            45,
            "Starting: not listening on $PORT, uses the processor.",
            "if it is not ready within 3 min 50 s.",
        ),
        (vec![again], Down, 420, "Exit code 3, 2 consecutive exits.", "Starting: not listening on $PORT"),
        (vec![running(0), running(1)], Healthy, 600, "All 2 instances are running.", ""),
        (vec![stopped], Stopped, 600, "Stopped on request.", ""),
    ];
    for (instances, status, since, reason, next) in cases {
        let found = of(instances);
        assert_eq!((found.status, found.since), (status, ago(since)), "{found:?}");
        assert!(found.reason.contains(reason), "{reason} in {found:?}");
        assert!(found.next.contains(next) && found.next.is_empty() == next.is_empty(), "{next} in {found:?}");
    }
}

#[test]
fn an_app_that_nobody_can_reach_is_down_whatever_its_workers_do() {
    let closed = ClosedAddress {
        app: Some("shop".parse().unwrap()),
        address: "127.0.0.1:80".to_owned(),
        since: ago(60),
        reason: "permission denied".to_owned(),
        still_listening: None,
    };
    let status = AppStatus { not_listening: Some(closed.clone()), ..app(vec![running(0)]) };
    let found = verdict(&status, None, NOW);
    assert_eq!((found.status, found.since), (VerdictStatus::Down, ago(60)));
    assert!(found.reason.contains("127.0.0.1:80: permission denied"), "{found:?}");
    let closed = ClosedAddress { still_listening: Some("127.0.0.1:81".to_owned()), ..closed };
    let status = AppStatus { not_listening: Some(closed), ..app(vec![running(0)]) };
    let found = verdict(&status, None, NOW);
    assert_eq!((found.status, found.since), (VerdictStatus::Degraded, ago(60)));
    assert!(found.impact.contains("127.0.0.1:81"), "{found:?}");
}

#[test]
fn how_a_worker_ended_is_said_in_the_terms_of_the_field() {
    let cases = [
        (LastEnd::ExitCode { code: 3, fault: None }, "Exit code 3"),
        (LastEnd::Signal { signal: "SIGSEGV".to_owned() }, "Terminated by SIGSEGV"),
        (LastEnd::OutOfMemory, "Out of memory"),
        (
            LastEnd::NotReady { limit_ms: 30_000, readiness: None, fault: None },
            "Not ready within 30 s: no valid response on $PORT",
        ),
        (LastEnd::StartFailed { reason: "no such file.".to_owned() }, "Failed to start: no such file"),
    ];
    for (end, text) in cases {
        assert_eq!(last_end(&end), text);
    }
    assert!(last_end(&LastEnd::ExitCode { code: 0, fault: None }).contains("must keep running"));
}

#[test]
fn the_headline_says_how_long() {
    let down = of(vec![ended(0, 20, false, LastEnd::OutOfMemory)]);
    assert_eq!(down.headline(NOW), "Down for 7 min");
}

#[test]
fn a_status_has_one_severity() {
    let severities = [
        (VerdictStatus::Down, Severity::Critical),
        (VerdictStatus::RestartLoop, Severity::Critical),
        (VerdictStatus::NotResponding, Severity::Critical),
        (VerdictStatus::Degraded, Severity::Warning),
        (VerdictStatus::Recovering, Severity::Warning),
        (VerdictStatus::Healthy, Severity::Healthy),
    ];
    for (status, severity) in severities {
        assert_eq!(status.severity(), severity);
    }
}
