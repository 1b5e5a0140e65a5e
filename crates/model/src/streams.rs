//! Answers that last: event streams, long downloads, and the tunnels that WebSockets are.
//!
//! A request's time is how long its worker kept the client waiting in one piece: for the answer's head or, once that is there,
//! for more of a body that the client would take. So a stream is no slow request, however long it stays open, and a worker that
//! stalls in the middle of a body is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An answer is a stream once it has been on its way for this long after its head, unless its content type says so at once.
pub const STREAM_AFTER: Duration = Duration::from_secs(10);

/// A worker that has sent nothing of a body for this long, which the client would take, stalls.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);

/// What a worker has open now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenStreams {
    /// Answers that last: event streams, and whatever has been on its way for long.
    pub streams: OpenCount,
    /// Connections that became another protocol's, such as WebSockets.
    pub tunnels: OpenCount,
}

/// How many are open, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenCount {
    pub count: u64,
    /// The oldest one's age since its request; 0 where there is none.
    pub oldest_ms: u64,
}

impl OpenStreams {
    /// Are there any?
    pub const fn any(&self) -> bool {
        self.streams.count > 0 || self.tunnels.count > 0
    }

    /// These and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { streams: self.streams.and(other.streams), tunnels: self.tunnels.and(other.tunnels) }
    }
}

impl OpenCount {
    /// One more, of that age.
    pub fn add(&mut self, age: Duration) {
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        *self = self.and(Self { count: 1, oldest_ms: age_ms });
    }

    fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, oldest_ms: self.oldest_ms.max(other.oldest_ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_adds_up_and_the_oldest_counts() {
        let mut some = OpenStreams::default();
        assert!(!some.any());
        some.streams.add(Duration::from_secs(3));
        some.streams.add(Duration::from_secs(9));
        let mut others = OpenStreams::default();
        others.streams.add(Duration::from_secs(5));
        others.tunnels.add(Duration::from_secs(1));
        let all = some.and(others);
        assert_eq!(all.streams, OpenCount { count: 3, oldest_ms: 9_000 });
        assert_eq!(all.tunnels, OpenCount { count: 1, oldest_ms: 1_000 });
        assert!(all.any());
    }
}
