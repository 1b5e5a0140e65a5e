//! The two clocks. [`Timestamp`] is the wall clock, as everything in Medic says and stores it: whole milliseconds since 1970 in
//! UTC, RFC 3339 when written. [`Monotonic`] is the clock that nobody can set. What is due within a run of Medic goes by the
//! monotonic one, so that a wall clock that is set can neither put it off nor bring it forward; what people read, and what
//! outlives the run, goes by the wall. A policy is given both as [`Now`].

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where [`Now`] comes from. The one implementation that reads the machine's clocks is `shim::SystemClock`; tests move their own.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn wall(&self) -> Timestamp;
    /// A clock that never goes back: the time since an arbitrary start; for latencies and ages.
    fn monotonic(&self) -> Duration;
    /// Both at once.
    fn now(&self) -> Now {
        Now { wall: self.wall(), monotonic: Monotonic::from_start(self.monotonic()) }
    }
}

/// One moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Now {
    /// For people, and for what outlives the run. It may be set at any time, by days and in either direction.
    pub wall: Timestamp,
    /// For what is due within the run.
    pub monotonic: Monotonic,
}

impl Now {
    /// When it will be `wall`, if nobody sets the wall clock until then.
    pub fn due(self, wall: Timestamp) -> Monotonic {
        self.monotonic + wall.since(self.wall)
    }

    /// What the wall clock will say, or said, at `moment`, as far as it is known now.
    pub fn wall_at(self, moment: Monotonic) -> Timestamp {
        self.wall + moment.since(self.monotonic) - self.monotonic.since(moment)
    }
}

/// Where tests begin.
impl Now {
    pub const START: Self = Self {
        wall: Timestamp::from_ms(1_769_847_300_000),
        monotonic: Monotonic::from_start(Duration::from_secs(7)),
    };
}

/// The same while later on both clocks.
impl Add<Duration> for Now {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self { wall: self.wall + duration, monotonic: self.monotonic + duration }
    }
}

/// A moment of this run: the time since an arbitrary start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// The moment that long after the start.
    pub const fn from_start(since: Duration) -> Self {
        Self(since)
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, format = DateTime))]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970 in UTC.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970 in UTC.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies ahead (the wall clock may be set back).
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The start of the minute that this lies in.
    #[must_use]
    pub const fn minute(self) -> Self {
        Self(self.0.div_euclid(60_000) * 60_000)
    }

    /// As a calendar time; times outside chrono's range become 1970.
    pub fn to_utc(self) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(self.0).single().unwrap_or_default()
    }
}

/// RFC 3339 in UTC with milliseconds, such as `2026-01-31T08:15:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// Why a text is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid time `{text}`. Use 2026-01-31T08:15:00Z")]
pub struct TimestampError {
    text: String,
}

/// RFC 3339, with seconds and zone left out where people leave them out (`2026-01-31T08:15`, as `<input type=datetime-local>`
/// sends it); no zone means UTC.
impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self(time.timestamp_millis()));
        }
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%MZ"]
            .iter()
            .find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok())
            .map(|time| Self(time.and_utc().timestamp_millis()))
            .ok_or_else(|| TimestampError { text: text.chars().take(40).collect() })
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A duration as people read it: the two largest units, such as `7 h 59 min` or `1.2 s`.
pub fn humanise(duration: Duration) -> String {
    let (seconds, ms) = (duration.as_secs(), duration.subsec_millis());
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match () {
        // A day is said in hours: the windows that people know are "24 hours".
        () if days > 1 => two(days, "d", hours, "h"),
        () if days + hours > 0 => two(24 * days + hours, "h", minutes, "min"),
        () if minutes > 0 => two(minutes, "min", seconds % 60, "s"),
        () if seconds >= 10 || (seconds > 0 && ms < 50) => format!("{seconds} s"),
        () if seconds > 0 => format!("{seconds}.{} s", ms / 100),
        () => format!("{ms} ms"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_what_a_form_sends() {
        let time = Timestamp::from_ms(1_769_847_300_000);
        assert_eq!(time.to_string(), "2026-01-31T08:15:00.000Z");
        for text in [
            "2026-01-31T08:15:00.000Z",
            "2026-01-31T08:15",
            "2026-01-31 08:15:00",
            "2026-01-31T09:15:00+01:00",
        ] {
            assert_eq!(text.parse(), Ok(time), "{text}");
        }
        assert!(
            "yesterday".parse::<Timestamp>().unwrap_err().to_string().contains("Invalid time `yesterday`")
        );
    }

    #[test]
    fn durations_read_in_their_two_largest_units() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_250, "1.2 s"),
            (12_400, "12 s"),
            (61_000, "1 min 1 s"),
        ];
        for (ms, text) in cases {
            assert_eq!(humanise(Duration::from_millis(ms)), text);
        }
        assert_eq!(humanise(Duration::from_hours(8)), "8 h");
        assert_eq!(humanise(Duration::from_hours(24)), "24 h");
        assert_eq!(humanise(Duration::from_hours(49)), "2 d 1 h");
    }

    #[test]
    fn a_clock_set_back_gives_no_negative_age() {
        assert_eq!(Timestamp::from_ms(5).since(Timestamp::from_ms(9)), Duration::ZERO);
    }

    #[test]
    fn a_time_of_one_clock_is_told_by_the_other() {
        let start = Monotonic::from_start(Duration::from_secs(10));
        let now = Now { wall: Timestamp::from_ms(1_000_000), monotonic: start };
        let later = now + Duration::from_secs(3);
        assert_eq!((now.due(later.wall), now.wall_at(later.monotonic)), (later.monotonic, later.wall));
        assert_eq!(later.wall_at(now.monotonic), now.wall);
        assert_eq!(later.due(now.wall), later.monotonic, "what is over is due now");
    }
}
