//! What a worker's end cost: requests whose connection broke a moment before anybody knew, those that it still had, and the
//! verdict that decides which of them may be tried again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use model::WorkerId;
use model::crash::{Crash, InFlightRequest};
use model::path_template::{PathCandidate, PathLearner};

use crate::retries::DEATH_IS_KNOWN_WITHIN;
use crate::settings::{Death, DeathToll};
use crate::worker::RoutedWorker;

/// Broken connections that a thread remembers; the oldest go first.
const BROKEN_LIMIT: usize = 4_096;

/// A request that a worker's end cost, and when it began.
pub(crate) struct Casualty {
    pub(crate) started: Duration,
    pub(crate) method: &'static str,
    pub(crate) path: PathCandidate,
    pub(crate) age_ms: u64,
    pub(crate) fate: Fate,
}

impl Casualty {
    /// What may be said of it by what is known of the app's paths.
    fn told(&self, paths: &PathLearner) -> InFlightRequest {
        InFlightRequest {
            method: self.method.to_owned(),
            path: paths.template(&self.path),
            age_ms: self.age_ms,
        }
    }
}

/// What becomes of a casualty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits for the verdict.
    Waits,
    /// It ends by an error of the front door's own that is not counted yet.
    Fails,
    /// Its client went away, or its failure is counted.
    Settled,
}

/// Adds up what all threads said of the `dead` (one worker, that may have been routed more than once) and judges it. `grant`
/// says how many of so many requests may be tried again.
///
/// The suspect is the only request, or, of several that a worker had when it died by itself, the newest: what had run for long
/// was survived for long.
pub(crate) fn reckon(
    dead: &[Arc<RoutedWorker>],
    death: Death,
    mut casualties: Vec<Casualty>,
    paths: &PathLearner,
    grant: impl FnOnce(u32) -> u32,
) -> DeathToll {
    casualties.sort_by_key(|casualty| casualty.started);
    let count = u32::try_from(casualties.len()).unwrap_or(u32::MAX);
    let before: u32 = dead.iter().map(|worker| worker.add_casualties(count)).sum();
    let alone = count == 1 && before == 0;
    let held_up = dead.iter().any(|worker| worker.was_retired());
    // What was told before had its own suspect.
    let has_suspect = alone || (death == Death::ByItself && before == 0 && !held_up);
    let suspect = casualties.last().filter(|_| has_suspect);
    let of_fate = |fate| casualties.iter().filter(|casualty| casualty.fate == fate).count();
    let waiting = u32::try_from(of_fate(Fate::Waits)).unwrap_or(u32::MAX);
    let innocent = waiting - u32::from(suspect.is_some_and(|suspect| suspect.fate == Fate::Waits));
    let tries = if held_up || innocent == 0 { 0 } else { grant(innocent) };
    for worker in dead {
        worker.judge(tries, suspect.map(|suspect| suspect.started));
    }
    let counted: u64 = dead.iter().map(|worker| worker.take_failed()).sum();
    // What had run for long was survived for long: the newest are the suspects.
    let surplus = casualties.len().saturating_sub(Crash::IN_FLIGHT_KEPT);
    DeathToll {
        count,
        drained: dead.iter().map(|worker| worker.take_drained()).sum(),
        failed: counted + of_fate(Fate::Fails) as u64 + u64::from(waiting - tries),
        suspect: suspect.map(|suspect| suspect.told(paths)),
        requests: casualties.iter().skip(surplus).map(|casualty| casualty.told(paths)).collect(),
    }
}

/// One thread's requests whose connection to the worker broke a moment ago.
#[derive(Default)]
pub(crate) struct Broken {
    requests: VecDeque<(WorkerId, Duration, Casualty)>,
}

impl Broken {
    pub(crate) fn push(&mut self, worker: WorkerId, now: Duration, casualty: Casualty) {
        if self.requests.len() >= BROKEN_LIMIT {
            self.requests.pop_front();
        }
        self.requests.push_back((worker, now, casualty));
    }

    /// Takes casualties back that found no taker. Their verdict came without them.
    pub(crate) fn put_back(&mut self, worker: &WorkerId, now: Duration, casualties: Vec<Casualty>) {
        for mut casualty in casualties {
            if casualty.fate == Fate::Waits {
                casualty.fate = Fate::Fails;
            }
            self.push(worker.clone(), now, casualty);
        }
    }

    pub(crate) fn take(&mut self, worker: &WorkerId, now: Duration) -> Vec<Casualty> {
        self.forget(now);
        let (taken, kept): (VecDeque<_>, _) =
            std::mem::take(&mut self.requests).into_iter().partition(|(at, ..)| at == worker);
        self.requests = kept;
        taken.into_iter().map(|(.., casualty)| casualty).collect()
    }

    pub(crate) fn forget(&mut self, now: Duration) {
        let too_old = |at: &Duration| now.saturating_sub(*at) > DEATH_IS_KNOWN_WITHIN;
        while self.requests.front().is_some_and(|(_, at, _)| too_old(at)) {
            self.requests.pop_front();
        }
    }
}
