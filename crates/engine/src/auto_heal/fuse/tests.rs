use proptest::prelude::*;
use std::time::Duration;

use super::*;

const START: Now = Now::START;
const MINUTE: Duration = Duration::from_mins(1);
const OFF_MS: u64 = 3 * 3_600_000;

fn at(ms: u64) -> Now {
    START + Duration::from_millis(ms)
}

fn fuse() -> Fuse {
    Fuse::new(FuseNumbers::default(), FuseState::default())
}

/// What becomes of restarts wanted at these times: `.` happens, `!` happens and blows it, `x` does not happen.
fn run(times_ms: &[u64]) -> String {
    let mut fuse = fuse();
    let spend = |ms: &u64| match fuse.spend(at(*ms)) {
        Ok(false) => '.',
        Ok(true) => '!',
        Err(_) => 'x',
    };
    times_ms.iter().map(spend).collect()
}

#[test]
fn the_third_within_30_minutes_happens_and_blows_it() {
    const WINDOW: u64 = 30 * 60_000;
    let cases: [(&[u64], &str); 6] = [
        (&[0, 1, 2], "..!"),
        (&[0, 0, 0, 0], "..!x"),
        (&[0, 1, WINDOW - 1], "..!"),
        (&[0, 1, WINDOW], "..."),
        (&[0, 1, WINDOW, WINDOW], "...!"),
        (&[0, WINDOW, 2 * WINDOW, 3 * WINDOW], "...."),
    ];
    for (times, expected) in cases {
        assert_eq!(run(times), expected, "{times:?}");
    }
}

#[test]
fn it_is_blown_for_3_hours_to_the_millisecond_and_then_begins_at_nothing() {
    assert_eq!(run(&[0, 0, 0, OFF_MS - 1]), "..!x");
    assert_eq!(run(&[0, 0, 0, OFF_MS, OFF_MS, OFF_MS, OFF_MS]), "..!..!x");
}

#[test]
fn the_countdown_and_the_deadline() {
    let mut fuse = fuse();
    assert_eq!(fuse.deadline(START), None);
    fuse.spend(START).unwrap();
    assert_eq!(fuse.status(at(1)), FuseStatus::Armed { restarts: 1, limit: 3, window_ms: 1_800_000 });
    assert_eq!(fuse.deadline(at(1)), Some((START + 30 * MINUTE).monotonic));
    fuse.spend(START).unwrap();
    fuse.spend(START).unwrap();
    let until = at(OFF_MS);
    assert_eq!(
        fuse.status(at(60_000)),
        FuseStatus::Blown { at: START.wall, until: until.wall, remaining_ms: OFF_MS - 60_000 }
    );
    assert_eq!(fuse.deadline(at(60_000)), Some(until.monotonic));
    assert!(!fuse.tick(at(OFF_MS - 1)));
    assert!(fuse.tick(until));
    assert_eq!(fuse.deadline(START), None);
}

#[test]
fn it_is_armed_again_by_hand_and_survives_a_restart() {
    let mut fuse = fuse();
    (0..3).for_each(|_| assert!(fuse.spend(START).is_ok()));
    let json = serde_json::to_string(fuse.state()).unwrap();
    let mut again = Fuse::new(FuseNumbers::default(), serde_json::from_str(&json).unwrap());
    assert_eq!(again.spend(at(1)), Err(FuseBlown { until: at(OFF_MS).wall }));
    assert!(again.rearm());
    assert!(!again.rearm());
    assert_eq!(again.spend(at(1)), Ok(false));
}

#[test]
fn a_clock_set_back_makes_the_countdown_no_longer() {
    let mut fuse = fuse();
    (0..3).for_each(|_| assert!(fuse.spend(START).is_ok()));
    let earlier = Now { wall: START.wall - Duration::from_hours(100), ..START };
    let FuseStatus::Blown { remaining_ms, .. } = fuse.status(earlier) else { panic!("armed") };
    assert_eq!(remaining_ms, OFF_MS);
    assert!(fuse.tick(earlier));
    assert!(fuse.spend(earlier + Duration::from_millis(OFF_MS - 1)).is_err());
    assert!(fuse.spend(earlier + Duration::from_millis(OFF_MS)).is_ok());
    let mut counting = self::fuse();
    (0..2).for_each(|_| assert_eq!(counting.spend(START), Ok(false)));
    assert!(counting.tick(earlier));
    let FuseStatus::Armed { restarts, .. } = counting.status(earlier + 30 * MINUTE) else { panic!("blown") };
    assert_eq!(restarts, 0, "nor the window");
}

#[test]
fn it_goes_by_the_wall_clock_alone() {
    let mut fuse = fuse();
    (0..3).for_each(|_| assert!(fuse.spend(START).is_ok()));
    let asleep = Now { monotonic: at(OFF_MS).monotonic, ..START };
    assert!(fuse.spend(asleep).is_err());
    assert_eq!(fuse.deadline(asleep), Some(asleep.monotonic + Duration::from_millis(OFF_MS)));
    let set_ahead = Now { wall: at(OFF_MS).wall, ..START };
    assert!(fuse.spend(set_ahead).is_ok());
}

#[test]
fn numbers_that_do_not_fit() {
    let good = FuseNumbers::default();
    let cases = [
        (good, None),
        (FuseNumbers { restarts: 0, ..good }, Some("fuse.restarts")),
        (FuseNumbers { restarts: 101, ..good }, Some("fuse.restarts")),
        (FuseNumbers { window: Duration::from_secs(59), ..good }, Some("fuse.window")),
        (FuseNumbers { off: Duration::from_mins(29), ..good }, Some("fuse.off")),
        (FuseNumbers { off: Duration::from_mins(30), ..good }, None),
        (FuseNumbers { off: Duration::from_hours(25), ..good }, Some("fuse.off")),
    ];
    for (numbers, field) in cases {
        let found: Vec<_> = numbers.check().into_iter().map(|violation| violation.field).collect();
        assert_eq!(found.first().map(String::as_str), field, "{numbers:?}");
    }
}

proptest! {
    /// However restarts are wanted: never more than `restarts` within any `window`, and none for `off` after it blew.
    #[test]
    fn never_more_restarts_than_it_allows(
        restarts in 1_u32..6, window_min in 1_u64..120, more_min in 0_u64..300,
        passes_s in prop::collection::vec(0_u64..3_600, 1..200), remembered in any::<bool>(),
    ) {
        let window = Duration::from_secs(window_min * 60);
        let numbers = FuseNumbers { restarts, window, off: window + Duration::from_secs(more_min * 60) };
        prop_assert_eq!(numbers.check(), []);
        let mut fuse = Fuse::new(numbers, FuseState::default());
        let (mut now, mut happened, mut blew) = (START, Vec::new(), None::<Timestamp>);
        for pass in passes_s {
            now = now + Duration::from_secs(pass);
            if remembered {
                fuse = Fuse::new(numbers, fuse.state().clone());
            }
            if let Ok(blows) = fuse.spend(now) {
                prop_assert!(blew.is_none_or(|at| now.wall.since(at) >= numbers.off));
                happened.push(now.wall);
                blew = if blows { Some(now.wall) } else { blew };
            }
            let within = happened.iter().filter(|at| now.wall < **at + window).count();
            prop_assert!(within <= restarts as usize);
        }
    }
}
