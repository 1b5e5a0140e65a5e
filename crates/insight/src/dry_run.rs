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

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rules::{counting as counted, private_bytes};
use crate::words::{bytes, requests};
use engine::auto_heal::user_rules::{Counting, counting};
use model::auto_heal::arithmetic::millis;
use model::auto_heal::config::{ActionType, AutoHealConfig};
use model::auto_heal::evidence::Rule;
use model::memory::MemoryHistory;
use model::requests::RequestMinute;
use model::time::humanise;
use model::{Place, TimeRange, Timestamp};

const MINUTE: Duration = Duration::from_mins(1);

/// What the rules would have done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DryRun {
    /// From then (included).
    pub from: Timestamp,
    /// To then (not included).
    pub to: Timestamp,
    /// Each instance of which anything is recorded, by node and number.
    pub instances: Vec<InstanceRun>,
    /// What was taken for granted; a sentence each.
    pub assumptions: Vec<String>,
}

/// What they would have done on one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InstanceRun {
    #[serde(flatten)]
    pub place: Place,
    /// Each condition of the rules.
    pub conditions: Vec<ConditionRun>,
}

/// What came of one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConditionRun {
    /// Which.
    pub rule: Rule,
    /// When it acts, in words and numbers.
    pub condition: String,
    /// Whether it would have.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// When it would have, oldest first.
    pub fires: Vec<WouldFire>,
}

/// Whether a condition would have acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Prediction {
    /// At the minutes that stand beside.
    WouldFire,
    /// It depends on what lay where within a minute.
    MayFire,
    /// Not once.
    WouldNotFire,
    /// It cannot be told from what is recorded.
    CannotTell {
        /// Why not; one sentence.
        why: String,
    },
}

/// One minute in which it would have acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WouldFire {
    /// The minute's start.
    pub minute: Timestamp,
    /// Whatever the minute hides; otherwise it may have.
    pub certain: bool,
    /// What was recorded; one sentence.
    pub text: String,
}

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

/// From how many microseconds on a request counts, where that is what is counted.
fn by_latency(counting: &Counting) -> Option<u64> {
    let watch = counting.watch.as_ref().filter(|watch| watch.statuses.is_none())?;
    Some(millis(watch.at_least).saturating_mul(1_000))
}

fn count(row: &RequestMinute, counting: &Counting) -> (u64, u64) {
    let all: u64 = row.by_class.iter().sum();
    let Some(watch) = &counting.watch else { return (all, all) };
    let (least, most) = match &watch.statuses {
        None => row.latency.count_from(by_latency(counting).unwrap_or_default()),
        Some(statuses) => {
            (100_u16..).step_by(100).zip(row.by_class).fold((0, 0), |(least, most), (first, count)| {
                let last = first + 99;
                let whole = statuses.contains(&first) && statuses.contains(&last);
                let touched = *statuses.start() <= last && first <= *statuses.end();
                (least + if whole { count } else { 0 }, most + if touched { count } else { 0 })
            })
        }
    };
    if watch.path.is_some() { (0, most) } else { (least, most) }
}

/// Why no minute can settle a condition, where none can.
fn unsettled(counting: &Counting) -> Option<String> {
    let watch = counting.watch.as_ref()?;
    let what = match (&watch.statuses, &watch.path) {
        (_, Some(_)) => "the paths of requests are",
        (Some(statuses), None) if statuses.start() / 100 == statuses.end() / 100 && !is_class(statuses) => {
            "the single status is"
        }
        _ => return None,
    };
    Some(format!("Unknown: {what} not recorded, and the condition may have been met."))
}

fn is_class(statuses: &std::ops::RangeInclusive<u16>) -> bool {
    statuses.start().is_multiple_of(100) && statuses.end() % 100 == 99
}

struct Track {
    counting: Counting,
    /// The counts of the minutes that the window can touch, oldest first.
    recent: VecDeque<(u64, u64)>,
    /// What is certain in the whole minutes that fit into the window, and what is possible in all that it can touch: kept as
    /// minutes come and go, so that a long window costs no more than a short one.
    least: u64,
    most: u64,
    possible: bool,
    fires: Vec<WouldFire>,
    may_be_said: bool,
}

impl Track {
    fn new(counting: Counting) -> Self {
        Self {
            counting,
            recent: VecDeque::new(),
            least: 0,
            most: 0,
            possible: false,
            fires: Vec::new(),
            may_be_said: true,
        }
    }

    /// Takes in a minute: is the condition certainly, and is it possibly met in it?
    fn take(&mut self, count: (u64, u64)) -> (bool, bool) {
        let seconds = self.counting.interval.as_secs().max(1);
        let touched = usize::try_from(seconds.div_ceil(60)).unwrap_or(usize::MAX).saturating_add(1);
        let whole = usize::try_from(seconds / 60).unwrap_or(usize::MAX);
        self.recent.push_back(count);
        self.least += count.0;
        self.most += count.1;
        let leaves = self.recent.len().checked_sub(whole.saturating_add(1));
        if let Some((least, _)) = leaves.and_then(|index| self.recent.get(index)) {
            self.least -= least;
        }
        if self.recent.len() > touched
            && let Some((_, most)) = self.recent.pop_front()
        {
            self.most -= most;
        }
        let certain = if whole == 0 {
            // So many fit into the minute with never `count` of them within one interval.
            let apart = (self.counting.count - 1).saturating_mul(60_u64.div_ceil(seconds));
            count.0 > apart
        } else {
            self.least >= self.counting.count
        };
        (certain, self.most >= self.counting.count)
    }

    fn begin_anew(&mut self) {
        self.recent.clear();
        (self.least, self.most) = (0, 0);
    }

    fn finish(self) -> ConditionRun {
        let certain = self.fires.iter().any(|fire| fire.certain);
        let unsettled = unsettled(&self.counting).filter(|_| self.possible);
        let prediction = match unsettled {
            _ if certain => Prediction::WouldFire,
            Some(why) => Prediction::CannotTell { why },
            None if self.possible => Prediction::MayFire,
            None => Prediction::WouldNotFire,
        };
        let Counting { rule, watch, count, interval } = self.counting;
        let condition = counted::condition(watch.as_ref(), count, interval);
        ConditionRun { rule, condition, prediction, fires: self.fires }
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
            let (certain, possible) = track.take(minute.counts.get(index).copied().unwrap_or_default());
            track.possible |= possible && !held_back;
            // One firing empties every window of the instance, so the first of a minute is the only one.
            if certain && !held_back && !fired {
                fired = true;
                track.fires.push(fire(at, true, track));
            } else if possible
                && !certain
                && !held_back
                && track.may_be_said
                && unsettled(&track.counting).is_none()
            {
                track.fires.push(fire(at, false, track));
            }
            track.may_be_said = !possible;
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

fn fire(minute: Timestamp, certain: bool, track: &Track) -> WouldFire {
    let span = MINUTE * u32::try_from(track.recent.len()).unwrap_or(u32::MAX);
    let text = format!(
        "Of {}, up to {} were recorded in {}.",
        counted::what(track.counting.watch.as_ref()),
        requests(track.most),
        humanise(span)
    );
    WouldFire { minute, certain, text }
}

/// Private bytes: above in a minute is certain, and one stretch above is one firing, since the recorded worker went on.
struct MemoryTrack {
    limit: u64,
    seen: bool,
    above: bool,
    fires: Vec<WouldFire>,
}

impl MemoryTrack {
    fn new(config: &AutoHealConfig) -> Option<Self> {
        let limit = config.rules.triggers.private_bytes_kib?.saturating_mul(1_024);
        Some(Self { limit, seen: false, above: false, fires: Vec::new() })
    }

    fn take(&mut self, minute: Timestamp, private_bytes: Option<u64>, held_back: bool) -> bool {
        let Some(value) = private_bytes else { return false };
        self.seen = true;
        if value <= self.limit {
            self.above = false;
            return false;
        }
        let fires = !self.above && !held_back;
        if fires {
            self.above = true;
            let text = format!("Private bytes reached {}.", bytes(value));
            self.fires.push(WouldFire { minute, certain: true, text });
        }
        fires
    }

    fn finish(self) -> ConditionRun {
        let prediction = match (self.seen, self.fires.is_empty()) {
            (false, _) => Prediction::CannotTell {
                why: "No memory is recorded of this instance in that time.".to_owned(),
            },
            (true, true) => Prediction::WouldNotFire,
            (true, false) => Prediction::WouldFire,
        };
        let condition = private_bytes::condition(self.limit);
        ConditionRun { rule: Rule::PrivateBytes, condition, prediction, fires: self.fires }
    }
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
