//! Conditions that count requests.

use std::collections::VecDeque;

use super::MINUTE;
use super::outcome::{ConditionRun, Prediction, WouldFire};
use crate::rules::counting as counted;
use crate::words::requests;
use engine::auto_heal::user_rules::Counting;
use model::Timestamp;
use model::auto_heal::arithmetic::millis;
use model::requests::RequestMinute;
use model::time::humanise;

/// From how many microseconds on a request counts, where that is what is counted.
pub(super) fn by_latency(counting: &Counting) -> Option<u64> {
    let watch = counting.watch.as_ref().filter(|watch| watch.statuses.is_none())?;
    Some(millis(watch.at_least).saturating_mul(1_000))
}

/// How many of a minute's requests certainly, and how many possibly count.
pub(super) fn count(row: &RequestMinute, counting: &Counting) -> (u64, u64) {
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

/// A condition that counts requests, from one minute of an instance to the next.
pub(super) struct Track {
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
    pub(super) fn new(counting: Counting) -> Self {
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

    /// Takes in a minute: does the condition act in it? One firing empties every window of the instance, so that the first of a
    /// minute is the only one.
    pub(super) fn take(
        &mut self,
        minute: Timestamp,
        count: (u64, u64),
        held_back: bool,
        has_fired: bool,
    ) -> bool {
        let (certain, possible) = self.is_met(count);
        self.possible |= possible && !held_back;
        let fires = certain && !held_back && !has_fired;
        let may_fire = possible && !certain && !held_back && self.may_be_said;
        if fires || (may_fire && unsettled(&self.counting).is_none()) {
            self.fires.push(self.fire(minute, certain));
        }
        self.may_be_said = !possible;
        fires
    }

    /// Certainly, and possibly, with what was counted in one more minute.
    fn is_met(&mut self, count: (u64, u64)) -> (bool, bool) {
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

    fn fire(&self, minute: Timestamp, certain: bool) -> WouldFire {
        let span = MINUTE * u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
        let text = format!(
            "Of {}, up to {} were recorded in {}.",
            counted::what(self.counting.watch.as_ref()),
            requests(self.most),
            humanise(span)
        );
        WouldFire { minute, certain, text }
    }

    pub(super) fn begin_anew(&mut self) {
        self.recent.clear();
        (self.least, self.most) = (0, 0);
    }

    pub(super) fn finish(self) -> ConditionRun {
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

#[cfg(test)]
mod tests {
    use engine::auto_heal::user_rules::counting;
    use model::auto_heal::config::AutoHealConfig;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The sums that are kept are those of the minutes that the window has, whatever comes and however long it is.
        #[test]
        fn what_is_kept_of_a_window_is_the_sum_of_its_minutes(
            minutes in proptest::collection::vec((0_u64..5, 0_u64..5), 1..60),
            seconds in 1_u64..1_500,
            anew in 0_usize..60,
        ) {
            let json = format!(
                r#"{{"enabled":true,"rules":{{"triggers":{{"requests":{{"count":3,"time_interval":"00:{:02}:{:02}"}}}}}}}}"#,
                seconds / 60,
                seconds % 60
            );
            let config: AutoHealConfig = serde_json::from_str(&json).unwrap();
            let mut track = Track::new(counting(&config).remove(0));
            let mut all: Vec<(u64, u64)> = Vec::new();
            for (index, (least, more)) in minutes.into_iter().enumerate() {
                if index == anew {
                    track.begin_anew();
                    all.clear();
                }
                all.push((least, least + more));
                track.is_met((least, least + more));
                let newest = |count: u64| all.iter().rev().take(usize::try_from(count).unwrap());
                let most: u64 = newest(seconds.div_ceil(60) + 1).map(|(_, most)| most).sum();
                prop_assert_eq!(track.most, most);
                if seconds >= 60 {
                    let least: u64 = newest(seconds / 60).map(|(least, _)| least).sum();
                    prop_assert_eq!(track.least, least);
                }
            }
        }
    }
}
