//! The fuse of one app: too many proactive restarts in a small window switch the proactive rules off for a while.
//!
//! ```text
//!           the restart that makes it `restarts` within `window`
//!  Armed ────────────────────────────────────────────────────────▶ Blown
//!    ▲                                                               │
//!    └───────────────── `off` is over, or re-armed by hand ──────────┘
//! ```
//!
//! Blown when the number is reached: with the default of 3 in 30 minutes the third restart still happens, and blows it; a
//! fourth does not happen. A restart counts for the app, whichever instance it was on, from when it was decided, whether or
//! not it then succeeded, and leaves the window when it is `window` old. Armed again, the count begins at nothing. App Service
//! never published its number; `off` is its 3 hours. The state survives a restart of Medic and goes by the
//! wall clock.

use model::auto_heal::fuse::{FuseNumbers, FuseState, FuseStatus};

use model::auto_heal::arithmetic::millis;
use model::{Monotonic, Now, Timestamp};

/// Why a proactive restart may not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuseBlown {
    /// Until then.
    pub until: Timestamp,
}

/// The fuse of one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fuse {
    numbers: FuseNumbers,
    state: FuseState,
}

impl Fuse {
    /// A fuse that goes on from `state`.
    pub const fn new(numbers: FuseNumbers, state: FuseState) -> Self {
        Self { numbers, state }
    }

    /// What is to be remembered.
    pub const fn state(&self) -> &FuseState {
        &self.state
    }

    /// A proactive restart is about to happen: counted where it may. Answers whether it blew the fuse.
    pub fn spend(&mut self, now: Now) -> Result<bool, FuseBlown> {
        self.tick(now);
        if let Some(until) = self.blown_until(now) {
            return Err(FuseBlown { until });
        }
        self.state.restarts.push(now.wall);
        let blew = self.counted() >= self.numbers.restarts;
        if blew {
            self.state = FuseState { restarts: Vec::new(), blown_at: Some(now.wall) };
        }
        Ok(blew)
    }

    /// Forgets what is over; answers whether anything changed. After a clock was set back, what lies ahead counts from now on:
    /// nothing lasts longer for it.
    pub fn tick(&mut self, now: Now) -> bool {
        let (before, window) = (self.state.clone(), self.numbers.window);
        self.state.restarts.iter_mut().for_each(|at| *at = now.wall.min(*at));
        self.state.restarts.retain(|at| now.wall < *at + window);
        self.state.blown_at = self.blown_until(now).and(self.state.blown_at).map(|at| at.min(now.wall));
        self.state != before
    }

    /// Adds what was remembered of an earlier run to what this one has counted: blown if either was, and every restart counts.
    pub fn recall(&mut self, now: Now, earlier: &FuseState) {
        self.state.blown_at = self.state.blown_at.max(earlier.blown_at);
        self.state.restarts.extend(earlier.restarts.iter().copied());
        self.state.restarts.sort_unstable();
        self.state.restarts.dedup();
        self.tick(now);
        if self.state.blown_at.is_some() {
            self.state.restarts.clear();
        } else if self.counted() >= self.numbers.restarts {
            let blown_at = self.state.restarts.last().copied();
            self.state = FuseState { restarts: Vec::new(), blown_at };
        }
    }

    /// Armed again by hand, with nothing counted; answers whether it was blown.
    pub fn rearm(&mut self) -> bool {
        std::mem::take(&mut self.state).blown_at.is_some()
    }

    /// The numbers changed. What has been counted blows a fuse of a lower number with the next restart, not now.
    pub const fn configure(&mut self, numbers: FuseNumbers) {
        self.numbers = numbers;
    }

    /// How it is.
    pub fn status(&self, now: Now) -> FuseStatus {
        if let (Some(at), Some(until)) = (self.state.blown_at, self.blown_until(now)) {
            return FuseStatus::Blown { at, until, remaining_ms: millis(until.since(now.wall)) };
        }
        let counts = self.state.restarts.iter().filter(|at| now.wall < **at + self.numbers.window).count();
        FuseStatus::Armed {
            restarts: u32::try_from(counts).unwrap_or(u32::MAX),
            limit: self.numbers.restarts,
            window_ms: millis(self.numbers.window),
        }
    }

    /// When something changes by time alone.
    pub fn deadline(&self, now: Now) -> Option<Monotonic> {
        let blown = self.state.blown_at.map(|at| at.min(now.wall) + self.numbers.off);
        let first = self.state.restarts.first();
        let due = blown.or_else(|| first.map(|at| now.wall.min(*at) + self.numbers.window));
        due.map(|at| now.due(at))
    }

    fn blown_until(&self, now: Now) -> Option<Timestamp> {
        let until = self.state.blown_at?.min(now.wall) + self.numbers.off;
        (now.wall < until).then_some(until)
    }

    fn counted(&self) -> u32 {
        u32::try_from(self.state.restarts.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
