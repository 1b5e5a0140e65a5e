use std::time::Duration;

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
const DAY: Duration = Duration::from_hours(24);

fn app(name: &str) -> AppName {
    name.parse().unwrap()
}

fn output(
    name: &str,
    instance: u16,
    started_days_ago: u32,
    number: u32,
    days_ago: u32,
    bytes: u64,
) -> LogFile {
    let kind = LogKind::Output { instance, started_at: NOW - DAY * started_days_ago, number };
    LogFile { app: app(name), kind, written_at: NOW - DAY * days_ago, bytes }
}

fn other(name: &str, kind: LogKind, days_ago: u32, bytes: u64) -> LogFile {
    LogFile { app: app(name), kind, written_at: NOW - DAY * days_ago, bytes }
}

fn bounds(quota_bytes: u64, apps: &[(&str, u64)]) -> LogBounds {
    LogBounds {
        keep_from: NOW - DAY * 30,
        settled_until: NOW - Duration::from_mins(15),
        quota_bytes,
        app_quotas: apps.iter().map(|(name, quota)| (app(name), *quota)).collect(),
    }
}

fn living(workers: &[(&str, u16, u32)]) -> BTreeSet<LogWriter> {
    workers.iter().map(|(name, instance, days)| (app(name), *instance, NOW - DAY * *days)).collect()
}

#[test]
fn what_is_past_the_retention_goes_and_a_living_workers_newest_stays() {
    let files = [
        output("shop", 0, 90, 1, 60, 10),
        output("shop", 0, 90, 2, 40, 10),
        output("shop", 1, 50, 1, 45, 10),
        output("gone", 0, 99, 1, 31, 10),
        output("gone", 0, 99, 2, 29, 10),
        other("shop", LogKind::CrashMessage, 31, 10),
        other("shop", LogKind::Action, 30, 10),
    ];
    let expected: &[usize] = &[0, 2, 3, 5];
    assert_eq!(expendable(&files, &living(&[("shop", 0, 90)]), &bounds(1_000, &[])), expected);
    // nobody lives
    assert_eq!(expendable(&files, &living(&[]), &bounds(1_000, &[])), [0, 2, 1, 3, 5]);
}

#[test]
fn a_quota_takes_the_oldest_output_first_across_instances_and_messages_last() {
    let files = [
        other("shop", LogKind::CrashMessage, 20, 10),
        other("shop", LogKind::Action, 19, 10),
        output("shop", 0, 9, 1, 5, 10),
        output("shop", 0, 9, 2, 1, 10),
        output("shop", 1, 9, 1, 7, 10),
        output("shop", 1, 9, 2, 6, 10),
        output("blog", 0, 9, 1, 9, 10),
    ];
    let living = living(&[("shop", 0, 9), ("shop", 1, 9)]);
    let of = |quota, apps: &[(&str, u64)]| expendable(&files, &living, &bounds(quota, apps));
    assert!(of(70, &[("shop", 60)]).is_empty(), "what is allowed stays");
    assert_eq!(of(70, &[("shop", 59)]), [4]);
    assert_eq!(of(70, &[("shop", 40)]), [4, 2]);
    assert_eq!(of(70, &[("shop", 20)]), [4, 2, 1, 0]);
    assert_eq!(of(70, &[("shop", 0)]), [4, 2, 1, 0], "what is written stays, whatever the quota");
    assert_eq!(of(60, &[("shop", 60)]), [6], "the oldest of all, whose app has no quota any more");
    assert_eq!(of(0, &[]), [6, 4, 2, 1, 0]);
}

#[test]
fn what_an_action_or_a_crash_writes_just_now_stays() {
    let now = |kind| LogFile { written_at: NOW, ..other("shop", kind, 0, 10) };
    let files = [now(LogKind::Action), now(LogKind::CrashMessage), other("shop", LogKind::Action, 1, 10)];
    assert_eq!(expendable(&files, &BTreeSet::new(), &bounds(0, &[])), [2]);
}

#[test]
fn it_is_said_before_there_is_no_room_left() {
    assert!(!is_near(79, 100) && is_near(80, 100) && is_near(u64::MAX, u64::MAX) && !is_near(0, 100));
    let disk = |free_bytes, total_bytes, free_inodes, total_inodes| {
        is_nearly_full(&DiskSpace { free_bytes, total_bytes, free_inodes, total_inodes })
    };
    let gib = 1 << 30;
    for (free, total, is_full) in [
        (gib, 100 * gib, false),
        (gib - 1, 100 * gib, true),
        (gib / 2, 4 * gib, false),
        (gib / 4, 4 * gib, true),
        (0, 0, false),
    ] {
        assert_eq!(disk(free, total, 1 << 20, 1 << 20), is_full, "{free} of {total}");
    }
    assert!(disk(100 * gib, 100 * gib, 9_999, 1 << 20) && !disk(100 * gib, 100 * gib, 0, 0));
}

fn any_file() -> impl Strategy<Value = LogFile> {
    let kind = prop_oneof![
        4 => (0_u16..3, 0_u32..3, 1_u32..6).prop_map(|(instance, started, number)| LogKind::Output {
            instance,
            started_at: NOW - DAY * started,
            number
        }),
        1 => Just(LogKind::Action),
        1 => Just(LogKind::CrashMessage),
    ];
    (prop_oneof![Just("shop"), Just("blog")], kind, -2_i64..60, 0_u64..100).prop_map(
        |(name, kind, days, bytes)| {
            let written_at = Timestamp::from_ms(NOW.as_ms() - days * 86_400_000);
            LogFile { app: app(name), kind, written_at, bytes }
        },
    )
}

proptest! {
    /// Whatever is there: no living worker's newest file goes, nothing goes twice, what is past the retention goes, and what is
    /// left keeps the quotas, or is being written.
    #[test]
    fn bounds_hold_and_nothing_that_is_written_goes(
        files in prop::collection::vec(any_file(), 0..40),
        workers in prop::collection::btree_set((0_usize..2, 0_u16..3, 0_u32..3), 0..6),
        quotas in (0_u64..1_500, 0_u64..800),
    ) {
        let names = ["shop", "blog"];
        let workers: Vec<_> = workers.into_iter().map(|(name, instance, days)| (names[name], instance, days)).collect();
        let (living, bounds) = (living(&workers), bounds(quotas.0, &[("shop", quotas.1)]));
        let gone = expendable(&files, &living, &bounds);
        let set: BTreeSet<usize> = gone.iter().copied().collect();
        prop_assert_eq!(set.len(), gone.len());
        let is_written = |index: usize| match files[index].kind {
            LogKind::Output { instance, started_at, number } => {
                living.contains(&(files[index].app.clone(), instance, started_at))
                    && files.iter().enumerate().all(|(at, file)| match file.kind {
                        LogKind::Output { instance: i, started_at: s, number: n } => {
                            file.app != files[index].app
                                || (i, s) != (instance, started_at)
                                || (n, at) <= (number, index)
                        }
                        _ => true,
                    })
            }
            _ => files[index].written_at > bounds.settled_until,
        };
        let left: Vec<usize> = (0..files.len()).filter(|index| !set.contains(index)).collect();
        prop_assert!(gone.iter().all(|index| !is_written(*index)));
        prop_assert!(left.iter().all(|index| is_written(*index) || files[*index].written_at >= bounds.keep_from));
        for (name, quota) in [(None, quotas.0), (Some(app("shop")), quotas.1)] {
            let of: Vec<usize> =
                left.iter().copied().filter(|index| name.as_ref().is_none_or(|name| files[*index].app == *name)).collect();
            let used: u64 = of.iter().map(|index| files[*index].bytes).sum();
            prop_assert!(used <= quota || of.iter().all(|index| is_written(*index)));
        }
    }
}
