//! What the files in an app's log folders are called. Whoever deletes old ones goes by these names alone: a name tells whose file it
//! is and how old, and what is called otherwise is not Medic's.

use std::fmt;

use model::Timestamp;

/// A file of a worker's output: `<instance>-<start>-<number>.log`. The names sort by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutputName {
    pub instance: u16,
    /// The worker's start, as in its id.
    pub started_at: Timestamp,
    /// From 1; greater is newer.
    pub number: u32,
}

impl OutputName {
    /// `None` where the name is written in another way.
    pub fn read(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".log")?.splitn(3, '-');
        let instance = parts.next()?.parse().ok()?;
        let started_at = time(parts.next()?)?;
        let read = Self { instance, started_at, number: parts.next()?.parse().ok()? };
        (read.to_string() == name).then_some(read)
    }
}

impl fmt::Display for OutputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, started_at, number } = self;
        write!(f, "{instance}-{}-{number:06}.log", Written(*started_at))
    }
}

/// The file of a crash's type and message: `<time>-<instance>-<pid>.log`. The names sort by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageName {
    /// When it crashed.
    pub at: Timestamp,
    pub instance: u16,
    pub pid: u32,
}

impl MessageName {
    /// `None` where the name is written in another way.
    pub fn read(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".log")?.splitn(3, '-');
        let at = time(parts.next()?)?;
        let read = Self { at, instance: parts.next()?.parse().ok()?, pid: parts.next()?.parse().ok()? };
        (read.to_string() == name).then_some(read)
    }
}

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}.log", Written(self.at), self.instance, self.pid)
    }
}

/// `20260131T081500.000Z`: sorts by time, and stands in any file name.
struct Written(Timestamp);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.to_utc().format("%Y%m%dT%H%M%S%.3fZ"))
    }
}

fn time(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let part = |text: &str, range| text.get(range).map(str::to_owned);
    let date = [part(date, 0..4)?, part(date, 4..6)?, part(date, 6..8)?].join("-");
    let time = [part(time, 0..2)?, part(time, 2..4)?, part(time, 4..11)?].join(":");
    format!("{date}T{time}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_ms(1_769_847_300_007);

    #[test]
    fn names_read_back_and_sort_by_age() {
        let output = OutputName { instance: 3, started_at: AT, number: 12 };
        assert_eq!(output.to_string(), "3-20260131T081500.007Z-000012.log");
        assert_eq!(OutputName::read("3-20260131T081500.007Z-000012.log"), Some(output));
        let large = OutputName { number: 1_000_000, ..output };
        assert_eq!(OutputName::read(&large.to_string()), Some(large));
        assert!(
            output < large
                && large < OutputName { started_at: Timestamp::from_ms(1_769_847_300_008), ..output }
        );
        let message = MessageName { at: AT, instance: 3, pid: 4_711 };
        assert_eq!(message.to_string(), "20260131T081500.007Z-3-4711.log");
        assert_eq!(MessageName::read("20260131T081500.007Z-3-4711.log"), Some(message));
    }

    #[test]
    fn a_name_that_is_written_otherwise_is_nobodys() {
        for name in [
            "",
            ".log",
            "3-20260131T081500.007Z-000012.log.gz",
            "3-20260131T081500.007Z-12.log",
            "03-20260131T081500.007Z-000012.log",
            "+3-20260131T081500.007Z-000012.log",
            "70000-20260131T081500.007Z-000012.log",
            "3-20261331T081500.007Z-000012.log",
            "3-20260131T081500Z-000012.log",
            "3-2026-01-31T08:15:00.007Z-000012.log",
            "3-20260131T081500.007Zé-000012.log",
            "custom-action-3.log",
            "notes.log",
            "../3-20260131T081500.007Z-000012.log",
        ] {
            assert_eq!(OutputName::read(name), None, "{name}");
        }
        for name in [
            "20260131T081500.007Z-3-4711",
            "20260131T081500.007Z-3--1.log",
            "é0260131T081500.007Z-3-1.log",
            "notes.log",
        ] {
            assert_eq!(MessageName::read(name), None, "{name}");
        }
    }
}
