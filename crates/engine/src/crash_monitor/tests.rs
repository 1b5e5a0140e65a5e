use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_hours(1);
const MS: Duration = Duration::from_millis(1);
const START: Now = Now::START;

fn instance() -> Place {
    "node-a/shop/0".parse().unwrap()
}

/// A monitor with one worker after the other, as the instance machine would drive it.
struct Bench {
    monitor: CrashMonitor,
    now: Now,
    started: i64,
    effects: Vec<Effect>,
}

impl Bench {
    fn new(numbers: Numbers) -> Self {
        let monitor = CrashMonitor::new(START, instance(), numbers, true, CrashMonitorState::default());
        Self { monitor, now: START, started: 0, effects: Vec::new() }
    }

    fn tell(&mut self, input: MonitorInput) {
        self.monitor.step(self.now, input, &mut self.effects);
    }

    /// Starts a worker; tells whether the debugger was on it from the start.
    fn start(&mut self) -> (WorkerId, bool) {
        self.started += 1;
        let worker = WorkerId { place: instance(), started_at: Timestamp::from_ms(self.started) };
        let armed = self.monitor.wants_debugger(self.now);
        self.tell(MonitorInput::Started { worker: worker.clone(), armed });
        (worker, armed)
    }

    fn crash(&mut self, worker: &WorkerId) {
        let at = self.now.wall;
        self.tell(MonitorInput::Ended { worker: worker.clone(), at, crashed: true });
    }

    /// Starts a worker and lets it crash; tells whether it was armed.
    fn start_and_crash(&mut self) -> bool {
        let (worker, armed) = self.start();
        self.crash(&worker);
        self.tell(MonitorInput::Analysed { worker, captured_at: None });
        armed
    }

    fn capture(&mut self) {
        let (worker, armed) = self.start();
        assert!(armed);
        self.tell(MonitorInput::Fatal { worker: worker.clone() });
        self.crash(&worker);
        let captured_at = Some(self.now.wall);
        self.tell(MonitorInput::Analysed { worker, captured_at });
    }
}

#[test]
fn exactly_the_fourth_crash_arms_and_the_fifth_is_captured() {
    let mut bench = Bench::new(Numbers::default());
    let armed: Vec<bool> = (0..4).map(|_| bench.start_and_crash()).collect();
    assert_eq!(armed, [false; 4]);
    bench.capture();
    assert_eq!(bench.monitor.status(bench.now), Monitoring::Paused { until: (START + 8 * HOUR).wall });
    assert!(!bench.start().1, "no debugger within the pause");
}

#[test]
fn a_crash_leaves_the_window_at_24_hours_to_the_millisecond() {
    for (age, armed) in [((24 * HOUR).checked_sub(MS).unwrap(), true), (24 * HOUR, false)] {
        let mut bench = Bench::new(Numbers::default());
        bench.start_and_crash();
        bench.now = START + age;
        (0..3).for_each(|_| assert!(!bench.start_and_crash()));
        assert_eq!(bench.start().1, armed, "first crash {age:?} ago");
    }
}

#[test]
fn the_pause_ends_at_8_hours_to_the_millisecond() {
    for (age, armed) in [((8 * HOUR).checked_sub(MS).unwrap(), false), (8 * HOUR, true)] {
        let mut bench = Bench::new(Numbers::default());
        (0..4).for_each(|_| assert!(!bench.start_and_crash()));
        bench.capture();
        bench.now = START + age;
        assert_eq!(bench.start().1, armed, "{age:?} after the dump");
    }
}

#[test]
fn a_running_worker_is_armed_when_the_pause_ends() {
    let mut bench = Bench::new(Numbers::default());
    (0..4).for_each(|_| assert!(!bench.start_and_crash()));
    bench.capture();
    let (worker, _) = bench.start();
    bench.effects.clear();
    assert_eq!(bench.monitor.deadline(bench.now), Some((START + 8 * HOUR).monotonic));
    bench.now = START + 8 * HOUR;
    bench.tell(MonitorInput::Tick);
    assert!(bench.effects.contains(&Effect::Arm { worker: worker.clone() }));
    bench.tell(MonitorInput::Armed { worker });
    assert_eq!(bench.monitor.status(bench.now), Monitoring::Armed);
}

#[test]
fn crashes_zero_is_always_armed() {
    let mut bench = Bench::new(Numbers { crashes: 0, pause: Duration::ZERO, ..Numbers::default() });
    (0..5).for_each(|_| bench.capture());
}

#[test]
fn the_replacement_started_at_the_signal_is_not_armed_while_the_dump_is_analysed() {
    let mut bench = Bench::new(Numbers { crashes: 0, ..Numbers::default() });
    let (first, armed) = bench.start();
    assert!(armed);
    bench.tell(MonitorInput::Fatal { worker: first.clone() });
    let (second, armed) = bench.start();
    assert!(!armed);
    assert_eq!(bench.monitor.status(bench.now), Monitoring::Analysing);
    bench.crash(&first);
    bench.effects.clear();
    // No dump came of it: the debugger goes to the replacement.
    bench.tell(MonitorInput::Analysed { worker: first, captured_at: None });
    assert_eq!(bench.effects, [Effect::Arm { worker: second }]);
}

#[test]
fn an_exit_without_a_signal_leaves_the_next_worker_armed() {
    let mut bench = Bench::new(Numbers::default());
    (0..4).for_each(|_| assert!(!bench.start_and_crash()));
    assert!(bench.start_and_crash(), "the fifth exits with a status: no dump, no pause");
    assert!(bench.start().1);
}

#[test]
fn opting_out_takes_the_debugger_off_and_in_puts_it_back() {
    let mut bench = Bench::new(Numbers { crashes: 0, ..Numbers::default() });
    let (worker, _) = bench.start();
    bench.effects.clear();
    bench.tell(MonitorInput::Configure {
        numbers: Numbers { crashes: 0, ..Numbers::default() },
        enabled: false,
    });
    assert_eq!(bench.effects, [Effect::Disarm { worker: worker.clone() }]);
    assert_eq!(bench.monitor.status(bench.now), Monitoring::OptedOut);
    bench.effects.clear();
    bench.tell(MonitorInput::Configure {
        numbers: Numbers { crashes: 0, ..Numbers::default() },
        enabled: true,
    });
    assert_eq!(bench.effects, [Effect::Arm { worker }]);
}

#[test]
fn from_the_first_crash_on_arms_a_running_worker_at_once_and_lets_it_go_again() {
    let mut bench = Bench::new(Numbers::default());
    let (worker, armed) = bench.start();
    assert!(!armed);
    let configure = |crashes| MonitorInput::Configure {
        numbers: Numbers { crashes, ..Numbers::default() },
        enabled: true,
    };
    bench.tell(configure(0));
    assert_eq!(bench.effects, [Effect::Arm { worker: worker.clone() }]);
    bench.tell(MonitorInput::Armed { worker: worker.clone() });
    bench.effects.clear();
    bench.tell(configure(3));
    assert_eq!(bench.effects, [Effect::Disarm { worker }]);
    // what is due by the crashes that were counted stays
    for _ in 0..4 {
        bench.start_and_crash();
    }
    let (worker, armed) = bench.start();
    assert!(armed);
    bench.tell(configure(0));
    bench.effects.clear();
    bench.tell(configure(3));
    assert_eq!(bench.effects, [], "{worker}");
}

#[test]
fn a_refused_attach_is_shown_and_tried_again() {
    let mut bench = Bench::new(Numbers { crashes: 0, ..Numbers::default() });
    let (worker, _) = bench.start();
    bench.tell(MonitorInput::ArmRefused { worker: worker.clone(), reason: "gdb (pid 7) is attached".into() });
    let refused = Some("gdb (pid 7) is attached".to_owned());
    assert_eq!(bench.monitor.status(bench.now), Monitoring::Arming { refused });
    bench.effects.clear();
    assert_eq!(bench.monitor.deadline(bench.now), Some((bench.now + ARM_RETRY).monotonic));
    bench.now = bench.now + ARM_RETRY;
    bench.tell(MonitorInput::Tick);
    assert_eq!(bench.effects, [Effect::Arm { worker }]);
}

#[test]
fn a_crash_reported_twice_counts_once_across_a_restart() {
    let mut bench = Bench::new(Numbers::default());
    let (worker, _) = bench.start();
    bench.crash(&worker);
    let Some(Effect::RememberCrashMonitor { state, .. }) = bench.effects.last().cloned() else {
        panic!("nothing remembered")
    };
    let state: CrashMonitorState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    let mut again = CrashMonitor::new(START, instance(), Numbers::default(), true, state);
    let mut effects = Vec::new();
    again.step(bench.now, MonitorInput::Ended { worker, at: bench.now.wall, crashed: true }, &mut effects);
    assert_eq!(again.status(bench.now), Monitoring::Counting { crashes: 1, limit: 3 });
    assert!(effects.is_empty());
}

/// A wall clock that was set, while Medic ran or between two runs.
fn again(monitor: &CrashMonitor, now: Now) -> CrashMonitor {
    CrashMonitor::new(now, instance(), monitor.numbers, true, monitor.state.clone())
}

#[test]
fn a_clock_set_back_prolongs_neither_the_pause_nor_the_window() {
    for restarted in [false, true] {
        let mut bench = Bench::new(Numbers::default());
        (0..4).for_each(|_| assert!(!bench.start_and_crash()));
        bench.capture();
        bench.now.wall = bench.now.wall - 100 * HOUR;
        if restarted {
            bench.monitor = again(&bench.monitor, bench.now);
        }
        bench.tell(MonitorInput::Tick);
        let paused = Monitoring::Paused { until: (bench.now + 8 * HOUR).wall };
        assert_eq!(bench.monitor.status(bench.now), paused);
        bench.now = bench.now + 8 * HOUR;
        assert!(bench.start().1, "the pause is over after its own length");
        bench.now = bench.now + 16 * HOUR;
        bench.tell(MonitorInput::Configure {
            numbers: Numbers { crashes: 4, ..Numbers::default() },
            enabled: true,
        });
        assert!(!bench.start().1, "and the crashes have left after theirs");
    }
}

#[test]
fn a_clock_set_ahead_ends_what_goes_by_it_and_an_attach_is_tried_again_in_its_own_time() {
    let mut bench = Bench::new(Numbers { crashes: 0, ..Numbers::default() });
    bench.capture();
    bench.now.wall = bench.now.wall + 8 * HOUR;
    let (worker, armed) = bench.start();
    assert!(armed, "8 hours by the clock that people read");
    bench.tell(MonitorInput::ArmRefused { worker, reason: "traced".to_owned() });
    bench.effects.clear();
    let due = bench.now.monotonic + ARM_RETRY;
    bench.now.wall = bench.now.wall - 100 * HOUR;
    bench.tell(MonitorInput::Tick);
    let arms = |bench: &Bench| bench.effects.iter().any(|effect| matches!(effect, Effect::Arm { .. }));
    assert_eq!((bench.monitor.deadline(bench.now), arms(&bench)), (Some(due), false));
    bench.now.monotonic = due;
    bench.tell(MonitorInput::Tick);
    assert!(arms(&bench));
}

proptest! {
    /// However crashes and times fall: no two dumps of one instance within the pause, and no debugger while opted out.
    #[test]
    fn never_two_dumps_within_the_pause(steps in prop::collection::vec((0_u64..10 * 3_600_000, any::<bool>(), any::<bool>()), 1..60)) {
        let mut bench = Bench::new(Numbers::default());
        let mut last_dump: Option<Timestamp> = None;
        for (pass_ms, by_signal, enabled) in steps {
            bench.now = bench.now + Duration::from_millis(pass_ms);
            bench.tell(MonitorInput::Configure { numbers: Numbers::default(), enabled });
            let (worker, armed) = bench.start();
            prop_assert!(enabled || !armed);
            let dump = armed && by_signal;
            if dump {
                bench.tell(MonitorInput::Fatal { worker: worker.clone() });
                if let Some(earlier) = last_dump {
                    prop_assert!(bench.now.wall.since(earlier) >= 8 * HOUR);
                }
                last_dump = Some(bench.now.wall);
            }
            bench.crash(&worker);
            let captured_at = dump.then_some(bench.now.wall);
            bench.tell(MonitorInput::Analysed { worker, captured_at });
        }
    }
}
