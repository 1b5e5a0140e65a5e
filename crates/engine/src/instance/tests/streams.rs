//! Streams: no rule sees a slow request in them, and a restart says how many it ended.

use super::restarts::restart_of;
use super::*;
use crate::auto_heal::fuse::Fuse;
use model::auto_heal::fuse::{FuseNumbers, FuseState};
use model::auto_heal::{Observation, Tallies, Tally};
use model::streams::{OpenCount, OpenStreams};

/// What the front door counts of six streams and nothing else.
fn six_streams(seconds: u64) -> Observation {
    let streams = OpenCount { count: 6, oldest_ms: seconds * 1_000 };
    let open = OpenStreams { streams, ..OpenStreams::default() };
    let tallies = Tallies { generation: 1, of_watch: vec![Tally::default(); 2], open, ..Tallies::default() };
    Observation { private_bytes: Some(1), tallies, ..Observation::default() }
}

#[test]
fn six_streams_and_nothing_else_restart_nothing_and_are_shown() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let mut fuse = Fuse::new(FuseNumbers::default(), FuseState::default());
    for second in 1..=15 * 60 {
        bench.now = bench.now + SECOND;
        let effects = bench.run(|instance, now, effects| {
            instance.observe(now, &worker, six_streams(second), &mut fuse, effects);
        });
        assert_eq!(effects, [], "after {second} s");
    }
    let open = bench.instance.healing_status(bench.now, &fuse).open;
    assert_eq!(open.streams, OpenCount { count: 6, oldest_ms: 900_000 });
    bench.tell(&worker, crashed(bench.now));
    assert!(!bench.instance.healing_status(bench.now, &fuse).open.any(), "they went with it");
}

#[test]
fn a_restart_says_what_it_ended() {
    let mut bench = Bench::new();
    let (old, _) = bench.replaced();
    let part = |streams_ended, tunnels_ended| AffectedRequests {
        streams_ended,
        tunnels_ended,
        ..AffectedRequests::default()
    };
    bench.tell(&old, fatal(bench.now, part(4, 1)));
    let exit = Exit::Signal(Signal(11));
    let ending = Ending::Crash(model::CrashCause::Signal);
    let (at, affected) = (bench.now.wall, part(2, 1));
    let fault = None;
    let end = WorkerEvent::Ended { pid: 7, exit, ending, at, uptime: SECOND, affected, fault };
    let effects = bench.tell(&old, end);
    let restart = restart_of(&effects).expect("a record");
    assert_eq!((restart.streams_ended, restart.tunnels_ended, restart.failed), (6, 2, 0));
}
