//! Proactive crash monitoring of one instance, as App Service defines it: more than 3 crashes in 24 hours attach the debugger to
//! the next worker; it waits for one fatal signal; after a captured dump there is no other for 8 hours.
//!
//! ```text
//!            more than `crashes` within `window`         fatal signal
//!  Counting ───────────────────────────────────▶ Armed ──────────────▶ Analysing ──dump──▶ Paused
//!     ▲  ▲                                        │ ▲                     │                   │
//!     │  └──────── no dump came of it ────────────┼─┴─────────────────────┘                   │
//!     │                                           │ a worker ended otherwise: the next one    │
//!     │                                           ▼ is armed                                  │
//!     └──────────────────────────────── `pause` is over ◀────────────────────────────────────┘
//! ```
//!
//! Opting out takes the debugger off at once, from every state, and so does the end of "always armed" where too few crashes count.
//! Otherwise an armed debugger stays until the worker has crashed, even when the crashes that armed it have left the window. A serving process that the worker has started counts as the worker does; the
//! worker stays, and the debugger with it. What guards people, the counted crashes and the pause, is a
//! [`CrashMonitorState`], which is remembered across restarts of Medic and goes by the wall clock; a crash is counted once,
//! however often it is reported.

use model::crash_monitor::{Counted, CrashMonitorState, EndsInARow, Numbers, RECENT, RecentCrashes};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use model::status::Monitoring;
use model::{Monotonic, Now, Place, ProcessId, Timestamp, WorkerId, text};

/// An attach that was refused is tried again after this long (another tracer may have gone by then).
pub const ARM_RETRY: Duration = Duration::from_secs(30);
/// More counted crashes than this are not remembered: a crash loop must not grow the state.
const COUNTED_LIMIT: usize = 1_000;

/// What the monitor is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MonitorInput {
    /// Time has passed.
    Tick,
    /// A worker runs; `armed`: with the debugger attached already.
    Started {
        worker: WorkerId,
        /// With the debugger.
        armed: bool,
    },
    /// The debugger is attached.
    Armed {
        /// To whom.
        worker: WorkerId,
    },
    /// The debugger could not be attached.
    ArmRefused {
        /// To whom.
        worker: WorkerId,
        /// Why; one sentence.
        reason: String,
    },
    /// The debugger stopped the worker at its fatal signal.
    Fatal { worker: WorkerId },
    /// The debugger, which stays, stopped a serving process that the worker has started at its fatal signal.
    ChildFatal { worker: WorkerId },
    /// Such a process crashed.
    ChildCrashed { worker: WorkerId, process: ProcessId, at: Timestamp },
    /// The worker is gone.
    Ended {
        worker: WorkerId,
        at: Timestamp,
        /// It crashed.
        crashed: bool,
    },
    /// The analysis is there.
    Analysed {
        /// Of whom.
        worker: WorkerId,
        /// When the dump was taken, where one was.
        captured_at: Option<Timestamp>,
    },
    /// The settings changed.
    Configure {
        /// The numbers from now on.
        numbers: Numbers,
        /// Not opted out.
        enabled: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Debugger {
    Off,
    Attaching { refused: Option<String>, retry_at: Option<Monotonic> },
    Attached,
}

/// The monitor of one instance.
#[derive(Clone, Debug)]
pub struct CrashMonitor {
    place: Place,
    numbers: Numbers,
    enabled: bool,
    state: CrashMonitorState,
    watched: Option<(WorkerId, Debugger)>,
    capturing: Option<WorkerId>,
}

impl CrashMonitor {
    /// A monitor that goes on from `state`.
    pub fn new(now: Now, place: Place, numbers: Numbers, enabled: bool, state: CrashMonitorState) -> Self {
        let mut monitor = Self { place, numbers, enabled, state, watched: None, capturing: None };
        monitor.bring_back(now);
        monitor
    }

    /// The start of the latest worker whose crash is counted.
    pub fn last_start(&self) -> Option<Timestamp> {
        self.state.crashes.iter().map(|crash| crash.worker.started_at).max()
    }

    /// Should a worker that is started now have the debugger attached?
    pub fn wants_debugger(&self, now: Now) -> bool {
        self.may_attach(now) && self.capturing.is_none() && self.is_due(now)
    }

    /// Takes in one event.
    pub fn step(&mut self, now: Now, input: MonitorInput, effects: &mut Vec<Effect>) {
        let before = self.state.clone();
        let was_always = self.numbers.crashes == 0;
        self.take(input);
        self.forget(now);
        self.attach_or_detach(now, was_always && self.numbers.crashes > 0, effects);
        if self.state != before {
            effects
                .push(Effect::RememberCrashMonitor { place: self.place.clone(), state: self.state.clone() });
        }
    }

    /// Adds what was remembered of an earlier run to what this one has counted; the longer pause holds.
    pub fn recall(&mut self, now: Now, earlier: &CrashMonitorState, effects: &mut Vec<Effect>) {
        for crash in &earlier.crashes {
            self.count_once(crash.worker.clone(), crash.process, crash.at);
        }
        self.state.paused_until = self.state.paused_until.max(earlier.paused_until);
        let ends = [self.state.ends.take(), earlier.ends.clone()].into_iter().flatten();
        self.state.ends = ends.min_by_key(|ends| ends.since);
        self.state.start_took_ms = self.state.start_took_ms.or(earlier.start_took_ms);
        self.step(now, MonitorInput::Tick, effects);
    }

    /// Keeps how long the last good start took, and has it remembered where that matters: a limit goes by it.
    pub fn set_start_took(&mut self, took: Duration, effects: &mut Vec<Effect>) {
        let seconds = took.as_secs().saturating_add(1);
        let rounded = Some(seconds.saturating_mul(1_000));
        if self.state.start_took_ms != rounded {
            self.state.start_took_ms = rounded;
            effects
                .push(Effect::RememberCrashMonitor { place: self.place.clone(), state: self.state.clone() });
        }
    }

    /// Keeps the ends in a row, and has them remembered where they changed.
    pub fn set_ends(&mut self, ends: Option<EndsInARow>, effects: &mut Vec<Effect>) {
        if self.state.ends != ends {
            self.state.ends = ends;
            effects
                .push(Effect::RememberCrashMonitor { place: self.place.clone(), state: self.state.clone() });
        }
    }

    /// The counted crashes that are close to one another and to now.
    pub fn recent_crashes(&self, now: Now) -> Option<RecentCrashes> {
        let mut recent: Option<RecentCrashes> = None;
        for crash in self.state.crashes.iter().rev() {
            let later = recent.map_or(now.wall, |recent| recent.first);
            if later.since(crash.at) >= RECENT {
                break;
            }
            let (last, count) = recent.map_or((crash.at, 0), |recent| (recent.last, recent.count));
            recent = Some(RecentCrashes { first: crash.at, last, count: count + 1 });
        }
        recent
    }

    /// What is to be remembered.
    pub const fn state(&self) -> &CrashMonitorState {
        &self.state
    }

    /// When something changes by time alone: a pause ends, a crash leaves the window, an attach is tried again.
    pub fn deadline(&self, now: Now) -> Option<Monotonic> {
        let leaves = self.state.crashes.first().map(|crash| crash.at.min(now.wall) + self.numbers.window);
        let paused_until = self.state.paused_until.map(|until| until.min(now.wall + self.numbers.pause));
        let by_the_wall = [leaves, paused_until].into_iter().flatten().min();
        let retry = match &self.watched {
            Some((_, Debugger::Attaching { retry_at, .. })) => *retry_at,
            _ => None,
        };
        by_the_wall.map(|at| now.due(at)).into_iter().chain(retry).min()
    }

    /// What it is doing, for the pages.
    pub fn status(&self, now: Now) -> Monitoring {
        let paused = self.state.paused_until.filter(|until| now.wall < *until);
        match (&self.watched, paused) {
            _ if !self.enabled => Monitoring::OptedOut,
            _ if self.capturing.is_some() => Monitoring::Analysing,
            (_, Some(until)) => Monitoring::Paused { until },
            (Some((_, Debugger::Attached)), None) => Monitoring::Armed,
            (Some((_, Debugger::Attaching { refused, .. })), None) => {
                Monitoring::Arming { refused: refused.clone() }
            }
            (None, None) if self.wants_debugger(now) => Monitoring::Arming { refused: None },
            _ => Monitoring::Counting { crashes: self.count(now), limit: self.numbers.crashes },
        }
    }

    fn take(&mut self, input: MonitorInput) {
        match input {
            MonitorInput::Tick => {}
            MonitorInput::Started { worker, armed } => {
                self.watched = Some((worker, if armed { Debugger::Attached } else { Debugger::Off }));
            }
            MonitorInput::Armed { worker } => self.set_debugger(&worker, Debugger::Attached),
            MonitorInput::ArmRefused { worker, reason } => {
                let refused = Some(text::seen(&reason).into_owned());
                self.set_debugger(&worker, Debugger::Attaching { refused, retry_at: None });
            }
            MonitorInput::Fatal { worker } => {
                self.unwatch(&worker);
                self.capturing = Some(worker);
            }
            MonitorInput::ChildFatal { worker } => self.capturing = Some(worker),
            MonitorInput::ChildCrashed { worker, process, at } => self.count_once(worker, Some(process), at),
            MonitorInput::Ended { worker, at, crashed } => {
                self.unwatch(&worker);
                if crashed {
                    self.count_once(worker, None, at);
                } else if self.capturing.as_ref() == Some(&worker) {
                    self.capturing = None;
                }
            }
            MonitorInput::Analysed { worker, captured_at } => {
                if self.capturing.as_ref() == Some(&worker) {
                    self.capturing = None;
                }
                if let Some(at) = captured_at {
                    let until = at + self.numbers.pause;
                    self.state.paused_until =
                        Some(self.state.paused_until.map_or(until, |earlier| earlier.max(until)));
                }
            }
            MonitorInput::Configure { numbers, enabled } => {
                self.numbers = numbers;
                self.enabled = enabled;
            }
        }
    }

    /// `is_let_off`: capture was always armed until now, and is not to be any more.
    fn attach_or_detach(&mut self, now: Now, is_let_off: bool, effects: &mut Vec<Effect>) {
        let wants = self.wants_debugger(now);
        let may = self.may_attach(now) && (!is_let_off || self.is_due(now));
        let Some((worker, debugger)) = &mut self.watched else { return };
        match debugger {
            Debugger::Off if wants => {
                *debugger = Debugger::Attaching { refused: None, retry_at: None };
                effects.push(Effect::Arm { worker: worker.clone() });
            }
            Debugger::Attached | Debugger::Attaching { .. } if !may => {
                *debugger = Debugger::Off;
                effects.push(Effect::Disarm { worker: worker.clone() });
            }
            Debugger::Attaching { refused: Some(_), retry_at } => match *retry_at {
                None => *retry_at = Some(now.monotonic + ARM_RETRY),
                Some(at) if at <= now.monotonic => {
                    *debugger = Debugger::Attaching { refused: None, retry_at: None };
                    effects.push(Effect::Arm { worker: worker.clone() });
                }
                Some(_) => {}
            },
            _ => {}
        }
    }

    fn is_due(&self, now: Now) -> bool {
        self.numbers.crashes == 0 || self.count(now) > self.numbers.crashes
    }

    fn may_attach(&self, now: Now) -> bool {
        self.enabled && self.state.paused_until.is_none_or(|until| now.wall >= until)
    }

    fn count(&self, now: Now) -> u32 {
        let counts = |crash: &&Counted| now.wall < crash.at + self.numbers.window;
        u32::try_from(self.state.crashes.iter().filter(counts).count()).unwrap_or(u32::MAX)
    }

    fn count_once(&mut self, worker: WorkerId, process: Option<ProcessId>, at: Timestamp) {
        let is_other = |crash: &Counted| crash.worker != worker || crash.process != process;
        if self.state.crashes.iter().all(is_other) {
            self.state.crashes.push(Counted { worker, process, at });
            self.state.crashes.sort_by_key(|crash| crash.at);
        }
    }

    fn forget(&mut self, now: Now) {
        self.bring_back(now);
        let window = self.numbers.window;
        self.state.crashes.retain(|crash| now.wall < crash.at + window);
        let surplus = self.state.crashes.len().saturating_sub(COUNTED_LIMIT);
        self.state.crashes.drain(..surplus);
        self.state.paused_until = self.state.paused_until.filter(|until| now.wall < *until);
    }

    /// After the wall clock was set back, what lies ahead counts from now on: nothing lasts longer for it.
    fn bring_back(&mut self, now: Now) {
        for crash in &mut self.state.crashes {
            crash.at = crash.at.min(now.wall);
        }
        let latest = now.wall + self.numbers.pause;
        self.state.paused_until = self.state.paused_until.map(|until| until.min(latest));
    }

    fn set_debugger(&mut self, worker: &WorkerId, to: Debugger) {
        if let Some((watched, debugger)) = &mut self.watched
            && watched == worker
        {
            *debugger = to;
        }
    }

    fn unwatch(&mut self, worker: &WorkerId) {
        if self.watched.as_ref().is_some_and(|(watched, _)| watched == worker) {
            self.watched = None;
        }
    }
}

#[cfg(test)]
mod tests;
