//! An hour of an instance's requests as two texts, since a page reads them by the hundred and JSON takes several times as long to
//! write down and to read. Minutes are parted by `;` and begin with their number within the hour, in any order, the same in both:
//!
//! ```text
//! counts     15 0 543 109 38 5 17;16 …    1xx to 5xx, the most requests in flight
//! latencies  15 12:3 4 20:1;16 …          part:count of the sketch; a part after the one before is its count alone
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::requests::{LatencySketch, RequestMinute};
use model::{Place, Timestamp};

use crate::crash_minutes::MINUTE_MS;

/// By the minute's number within the hour.
pub(crate) type Hour = BTreeMap<i64, RequestMinute>;

/// A text that nobody wrote so.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be read from byte {at} on")]
pub(crate) struct Unreadable {
    at: usize,
}

/// Counts and latencies.
pub(crate) fn write(hour: &Hour) -> (String, String) {
    let (mut counts, mut latencies) = (String::new(), String::new());
    for (number, minute) in hour {
        let parting = if counts.is_empty() { "" } else { ";" };
        let _a_string_takes_all = write!(counts, "{parting}{number}");
        for count in minute.by_class.into_iter().chain([minute.most_in_flight.into()]) {
            let _a_string_takes_all = write!(counts, " {count}");
        }
        let _a_string_takes_all = write!(latencies, "{parting}{number}");
        let mut next = None;
        for (part, count) in minute.latency.buckets() {
            let _a_string_takes_all = match next {
                Some(next) if next == *part => write!(latencies, " {count}"),
                _ => write!(latencies, " {part}:{count}"),
            };
            next = part.checked_add(1);
        }
    }
    (counts, latencies)
}

/// Hands on each minute of an hour that was written by [`write`]; without its latencies where they are not given.
pub(crate) fn read(
    place: Place,
    hour_ms: i64,
    counts: &str,
    latencies: Option<&str>,
    mut each: impl FnMut(&RequestMinute),
) -> Result<(), Unreadable> {
    let mut minute = RequestMinute::empty(place, Timestamp::from_ms(hour_ms));
    let mut counts = Scanner::new(counts);
    let mut latencies = latencies.map(Scanner::new);
    loop {
        let number: i64 = counts.number_below(60)?;
        minute.minute = Timestamp::from_ms(hour_ms + number * MINUTE_MS);
        for class in &mut minute.by_class {
            counts.expect(b' ')?;
            *class = counts.number()?;
        }
        counts.expect(b' ')?;
        minute.most_in_flight = counts.number_below::<u32>(1 << 32)?;
        if let Some(latencies) = &mut latencies {
            if latencies.number_below::<i64>(60)? != number {
                return Err(latencies.unreadable());
            }
            latencies.sketch(&mut minute.latency)?;
        }
        each(&minute);
        let goes_on = counts.skip(b';');
        if let Some(latencies) = &mut latencies
            && latencies.skip(b';') != goes_on
        {
            return Err(latencies.unreadable());
        }
        if !goes_on {
            return counts.end().and_then(|()| latencies.as_ref().map_or(Ok(()), Scanner::end));
        }
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0 }
    }

    fn unreadable(&self) -> Unreadable {
        Unreadable { at: self.at }
    }

    fn number(&mut self) -> Result<u64, Unreadable> {
        let begun = self.at;
        let mut value = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at) {
            let more = value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0')));
            value = more.ok_or_else(|| self.unreadable())?;
            self.at += 1;
        }
        if self.at == begun { Err(self.unreadable()) } else { Ok(value) }
    }

    fn number_below<T: TryFrom<u64>>(&mut self, limit: u64) -> Result<T, Unreadable> {
        let number = self.number()?;
        let number = (number < limit).then_some(number);
        number.and_then(|number| number.try_into().ok()).ok_or_else(|| self.unreadable())
    }

    /// What is left of a minute's latencies.
    fn sketch(&mut self, sketch: &mut LatencySketch) -> Result<(), Unreadable> {
        sketch.clear();
        let mut next = 0;
        while self.skip(b' ') {
            let mut count = self.number()?;
            if self.skip(b':') {
                next = u16::try_from(count).map_err(|_| self.unreadable())?;
                count = self.number()?;
            }
            sketch.extend([(next, count)]);
            next = next.wrapping_add(1);
        }
        Ok(())
    }

    fn skip(&mut self, byte: u8) -> bool {
        let is_there = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unreadable> {
        if self.skip(byte) { Ok(()) } else { Err(self.unreadable()) }
    }

    fn end(&self) -> Result<(), Unreadable> {
        if self.at == self.text.len() { Ok(()) } else { Err(self.unreadable()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_MS: i64 = 3_600_000;

    fn place() -> Place {
        "node-a/shop/3".parse().unwrap()
    }

    fn hour(minutes: &[(i64, [u64; 5], u32, Vec<u64>)]) -> Hour {
        let minute = |(number, by_class, most_in_flight, latencies): &(i64, [u64; 5], u32, Vec<u64>)| {
            let mut minute = RequestMinute::empty(place(), Timestamp::from_ms(HOUR_MS + number * MINUTE_MS));
            (minute.by_class, minute.most_in_flight) = (*by_class, *most_in_flight);
            for us in latencies {
                minute.latency.record(*us);
            }
            (*number, minute)
        };
        minutes.iter().map(minute).collect()
    }

    fn read_back(counts: &str, latencies: Option<&str>) -> Result<Vec<RequestMinute>, Unreadable> {
        let mut minutes = Vec::new();
        read(place(), HOUR_MS, counts, latencies, |minute| minutes.push(minute.clone()))?;
        Ok(minutes)
    }

    proptest! {
        #[test]
        fn an_hour_reads_back_as_it_was(minutes in prop::collection::vec(
            (0_i64..60, any::<[u64; 5]>(), any::<u32>(), prop::collection::vec(any::<u64>(), 0..40)), 1..60,
        )) {
            let hour = hour(&minutes);
            let (counts, latencies) = write(&hour);
            prop_assert_eq!(
                read_back(&counts, Some(&latencies)).unwrap(),
                hour.values().cloned().collect::<Vec<_>>()
            );
            let mut without = read_back(&counts, None).unwrap();
            for (minute, whole) in without.iter_mut().zip(hour.values()) {
                prop_assert_eq!(minute.latency.count(), 0);
                minute.latency = whole.latency.clone();
            }
            prop_assert_eq!(without, hour.into_values().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_texts_are_as_short_as_they_are_said_to_be() {
        let minutes = [(15, [0, 8, 0, 0, 1], 17, vec![6, 6, 6, 7, 7, 7, 7, 20]), (59, [0; 5], 0, vec![])];
        let (counts, latencies) = write(&hour(&minutes));
        assert_eq!(
            (counts.as_str(), latencies.as_str()),
            ("15 0 8 0 0 1 17;59 0 0 0 0 0 0", "15 6:3 4 18:1;59")
        );
        // as the migration writes them, with every part's number
        assert_eq!(
            read_back(&counts, Some("15 6:3 7:4 18:1;59")).unwrap(),
            read_back(&counts, Some(&latencies)).unwrap()
        );
    }

    #[test]
    fn what_nobody_wrote_is_refused() {
        for (counts, latencies, at) in [
            ("", None, 0),
            ("60 0 0 0 0 0 0", None, 2),
            ("1 0 0 0 0 0", None, 11),
            ("1 0 0 0 0 0 -1", None, 12),
            ("1 0 0 0 0 0 0 0", None, 13),
            ("1 0 0 0 0 0 0;", None, 14),
            ("1 99999999999999999999 0 0 0 0 0", None, 21),
            ("1 0 0 0 0 0 0", Some("2 6:1"), 1),
            ("1 0 0 0 0 0 0", Some("1 6:1;2"), 6),
            ("1 0 0 0 0 0 0;2 0 0 0 0 0 0", Some("1 6:1"), 5),
            ("1 0 0 0 0 0 0", Some("1 70000:1"), 8),
            ("1 0 0 0 0 0 0", Some("1 6:1 "), 6),
            ("1 0 0 0 0 0 0", Some("1 6:x"), 4),
        ] {
            let error = read_back(counts, latencies).unwrap_err();
            assert_eq!(error.at, at, "{counts} | {latencies:?}");
        }
    }
}
