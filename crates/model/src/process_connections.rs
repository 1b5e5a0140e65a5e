//! The connections that a process had open when it stood still before its death: which of its worker's requests it had read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All that a process had of its worker's port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessConnections {
    /// When it stood still, in microseconds by a monotonic clock: the machine's own where one process tells another. What was
    /// sent later it never read.
    pub stopped_us: u64,
    /// The port of each connection's other end, and how many bytes had come that nobody had read.
    pub unread: Vec<(u16, u32)>,
    /// The same port, and how many bytes had been read since the connection was opened. Older shims do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<(u16, u64)>,
}

impl ProcessConnections {
    /// When it stood still.
    pub fn stopped(&self) -> Duration {
        Duration::from_micros(self.stopped_us)
    }

    /// The same by another clock, which shows `there` while the present one shows `here`.
    #[must_use]
    pub fn by_clock(self, here: Duration, there: Duration) -> Self {
        let stopped = there.saturating_sub(here.saturating_sub(self.stopped()));
        Self { stopped_us: u64::try_from(stopped.as_micros()).unwrap_or(u64::MAX), ..self }
    }

    /// How much was unread of the connection from this port; `None` where it had no such connection.
    pub fn unread_of(&self, port: u16) -> Option<u64> {
        let (_, unread) = self.unread.iter().find(|(other, _)| *other == port)?;
        Some(u64::from(*unread))
    }

    /// How much had been read of the connection from this port; `None` where that is not known.
    pub fn read_of(&self, port: u16) -> Option<u64> {
        let (_, read) = self.read.iter().find(|(other, _)| *other == port)?;
        Some(*read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_process_says_is_put_on_the_own_clock() {
        let told =
            ProcessConnections { stopped_us: 7_000_000, unread: vec![(40_001, 3)], read: vec![(40_001, 5)] };
        let seconds = Duration::from_secs;
        let own = told.clone().by_clock(seconds(9), seconds(100));
        assert_eq!(
            (own.stopped(), own.unread_of(40_001), own.unread_of(40_002)),
            (seconds(98), Some(3), None)
        );
        assert_eq!((own.read_of(40_001), own.read_of(40_002)), (Some(5), None));
        assert_eq!(
            told.by_clock(seconds(9), seconds(1)).stopped(),
            Duration::ZERO,
            "before this process began"
        );
    }
}
