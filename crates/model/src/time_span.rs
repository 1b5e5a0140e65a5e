//! Lengths of time as App Service writes them: `hh:mm:ss`, with `d.` before it for days.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid length of time `{text}`: must be hh:mm:ss, such as 00:05:00, or 1.00:00:00 for a day")]
pub struct TimeSpanError {
    text: String,
}

/// Whole seconds, written `hh:mm:ss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeSpan(u64);

impl TimeSpan {
    /// No time at all: not set.
    pub const ZERO: Self = Self(0);

    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// In seconds.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Not set.
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0 / 86_400, self.0 % 86_400);
        if days > 0 {
            write!(f, "{days}.")?;
        }
        write!(f, "{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
    }
}

impl FromStr for TimeSpan {
    type Err = TimeSpanError;

    fn from_str(text: &str) -> Result<Self, TimeSpanError> {
        read(text.trim()).ok_or_else(|| TimeSpanError { text: text.chars().take(40).collect() })
    }
}

fn read(text: &str) -> Option<TimeSpan> {
    let (days, clock) = text.split_once('.').unwrap_or(("0", text));
    let mut parts = clock.split(':').map(|part| number(part, 2));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = parts.next().is_none() && hours < 24 && minutes < 60 && seconds < 60;
    let days = number(days, 5)?;
    fits.then(|| TimeSpan::from_secs(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
}

fn number(digits: &str, most: usize) -> Option<u64> {
    let plain = (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

impl TryFrom<String> for TimeSpan {
    type Error = TimeSpanError;

    fn try_from(text: String) -> Result<Self, TimeSpanError> {
        text.parse()
    }
}

impl From<TimeSpan> for String {
    fn from(span: TimeSpan) -> String {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for (text, seconds) in
            [("00:00:00", 0), ("00:05:00", 300), ("23:59:59", 86_399), ("1.00:00:00", 86_400)]
        {
            assert_eq!(text.parse(), Ok(TimeSpan::from_secs(seconds)), "{text}");
            assert_eq!(TimeSpan::from_secs(seconds).to_string(), text);
        }
        assert_eq!("0:1:2".parse(), Ok(TimeSpan::from_secs(62)));
    }

    #[test]
    fn anything_else_is_refused_with_the_way_to_write_it() {
        for bad in [
            "",
            "5",
            "24:00:00",
            "00:60:00",
            "00:00:60",
            "-1:00:00",
            "00:00",
            "00:00:00:00",
            "1:2:3x",
            "+1:00:00",
        ] {
            assert!(bad.parse::<TimeSpan>().unwrap_err().to_string().contains("hh:mm:ss"), "{bad}");
        }
    }
}
