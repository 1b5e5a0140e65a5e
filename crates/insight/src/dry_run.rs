//! A user's rules over recorded minutes: when they would have acted, before they are saved.
//!
//! A minute tells how many requests ended in it by status class and latency, and the most memory; nothing of paths, of single
//! statuses, or of what lay where within the minute. So each condition is asked twice: was it *certainly* met, whatever the
//! minute hides, and was it *possibly* met. Certainly met is a firing. Possibly but not certainly is said as such, and where no
//! minute could ever settle it, it "cannot be told from what is recorded". Never possibly is a plain no.
//!
//! ```text
//!  window of whole minutes   certain: the whole minutes that fit into it     possible: all that it can touch
//!  window below a minute     certain: more than fit apart into the minute    possible: it and the one before
//! ```

mod memory;
mod outcome;
mod requests;

use std::collections::BTreeMap;
use std::time::Duration;

pub use self::outcome::{ConditionRun, DryRun, InstanceRun, Prediction, WouldFire};

use self::memory::MemoryTrack;
use self::requests::{Track, by_latency, count};
use engine::auto_heal::user_rules::{Counting, counting};
use model::auto_heal::config::{ActionType, AutoHealConfig};
use model::memory::MemoryHistory;
use model::requests::RequestMinute;
use model::time::humanise;
use model::{Place, TimeRange, Timestamp};

const MINUTE: Duration = Duration::from_mins(1);

/// What is recorded, counted for each condition of the rules as it is taken in, so that nobody must hold a day of it.
pub struct Recorded {
    config: AutoHealConfig,
    range: TimeRange,
    counting: Vec<Counting>,
    places: BTreeMap<Place, BTreeMap<Timestamp, Minute>>,
}

/// What is recorded of one minute of one instance.
#[derive(Default)]
struct Minute {
    /// How many requests certainly, and how many possibly, count for each condition; none where no request is recorded.
    counts: Vec<(u64, u64)>,
    private_bytes: Option<u64>,
}

impl Recorded {
    /// Nothing yet. The rules are tried as if they were switched on.
    pub fn new(config: &AutoHealConfig, range: TimeRange) -> Self {
        let config = AutoHealConfig { enabled: true, ..config.clone() };
        Self { range, counting: counting(&config), config, places: BTreeMap::new() }
    }

    /// Does a condition go by latency? Otherwise minutes may come without theirs.
    pub fn needs_latencies(&self) -> bool {
        self.counting.iter().any(|counting| by_latency(counting).is_some())
    }

    /// Takes in a minute of requests, in any order.
    pub fn add_requests(&mut self, row: &RequestMinute) {
        if !self.range.contains(row.minute) {
            return;
        }
        let minutes = match self.places.get_mut(&row.place) {
            Some(minutes) => minutes,
            None => self.places.entry(row.place.clone()).or_default(),
        };
        let minute = minutes.entry(row.minute).or_default();
        minute.counts.resize(self.counting.len(), (0, 0));
        for ((least, most), counting) in minute.counts.iter_mut().zip(&self.counting) {
            let counted = count(row, counting);
            *least += counted.0;
            *most += counted.1;
        }
    }

    /// Takes in an instance's memory.
    pub fn add_memory(&mut self, history: &MemoryHistory) {
        let minutes = self.places.entry(history.place.clone()).or_default();
        for row in history.minutes.iter().filter(|row| self.range.contains(row.minute)) {
            let minute = minutes.entry(row.minute).or_default();
            minute.private_bytes = minute.private_bytes.max(Some(row.private_bytes_max));
        }
    }

    /// What the rules would have done.
    pub fn dry_run(self) -> DryRun {
        let Self { config, range, counting, places } = self;
        let instances = places
            .into_iter()
            .map(|(place, minutes)| InstanceRun { place, conditions: run(&config, &counting, &minutes) })
            .collect();
        DryRun { from: range.start, to: range.end, instances, assumptions: assumptions(&config) }
    }
}

fn run(
    config: &AutoHealConfig,
    counting: &[Counting],
    minutes: &BTreeMap<Timestamp, Minute>,
) -> Vec<ConditionRun> {
    let actions = &config.rules.actions;
    let minimum = actions.min_process_execution_time.duration();
    let restarts = actions.action_type == ActionType::Recycle;
    let mut memory = MemoryTrack::new(config);
    let mut tracks: Vec<Track> = counting.iter().cloned().map(Track::new).collect();
    let mut restarted: Option<Timestamp> = None;
    let (Some(first), Some(last)) = (minutes.keys().next(), minutes.keys().next_back()) else {
        return Vec::new();
    };
    let mut at = *first;
    while at <= *last {
        let nothing = Minute::default();
        let minute = minutes.get(&at).unwrap_or(&nothing);
        let held_back = restarted.is_some_and(|restarted| at.since(restarted) < minimum);
        let mut fired =
            memory.as_mut().is_some_and(|memory| memory.take(at, minute.private_bytes, held_back));
        for (index, track) in tracks.iter_mut().enumerate() {
            let counts = minute.counts.get(index).copied().unwrap_or_default();
            fired |= track.take(at, counts, held_back, fired);
        }
        if fired {
            for track in &mut tracks {
                track.begin_anew();
            }
            restarted = restarts.then_some(at).or(restarted);
        }
        at = at + MINUTE;
    }
    memory.map(MemoryTrack::finish).into_iter().chain(tracks.into_iter().map(Track::finish)).collect()
}

fn assumptions(config: &AutoHealConfig) -> Vec<String> {
    let actions = &config.rules.actions;
    let mut assumptions = vec![
        "A request counts in the minute in which it ended, although a slow one counts while it still runs."
            .to_owned(),
    ];
    if actions.action_type == ActionType::Recycle {
        assumptions.push(
            "The recorded load is from workers that were not restarted. A later restart assumes the same load on a new worker."
                .to_owned(),
        );
    }
    if !actions.min_process_execution_time.is_zero() {
        assumptions.push(format!(
            "Each worker is assumed to have run for {} before the first trigger. After a restart, its uptime is counted in minutes.",
            humanise(actions.min_process_execution_time.duration())
        ));
    }
    assumptions
}

#[cfg(test)]
mod tests;
