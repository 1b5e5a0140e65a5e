//! What a front door is asked to count, so that no policy sees a single request.
//!
//! The front door holds the list that the engine gives, looks at each request of a worker once when it has
//! ended, and once a second says for each watch how many ended since it last said so, and how many that are still running
//! match by their time up to now. A request's time is how long the worker kept the client waiting in one piece
//! ([`crate::streams`]). A request that its client gave up, or that had no answer, has ended too. A stream is no running request
//! while it goes on; an event stream has ended as a request when its head is there, an upgraded connection when it is upgraded. Counts are those of the worker that takes an instance's new requests: what an old worker
//! still finishes is not its successor's.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::auto_heal::path_glob::PathGlob;
use crate::streams::OpenStreams;

/// The requests to count. What is not said does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Their answer's status.
    pub statuses: Option<RangeInclusive<u16>>,
    /// They took this long or longer.
    pub at_least: Duration,
    /// Their path.
    pub path: Option<PathGlob>,
    /// Not of these paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<PathGlob>,
}

impl Watch {
    /// Does a request count that ended with `status` after `took`?
    pub fn matches(&self, status: u16, took: Duration, path: &str) -> bool {
        self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&status)) && self.fits(took, path)
    }

    /// Does a request count that has been running for `age`? It has no status, so it fits no watch of statuses.
    pub fn matches_running(&self, age: Duration, path: &str) -> bool {
        self.statuses.is_none() && self.fits(age, path)
    }

    fn fits(&self, took: Duration, path: &str) -> bool {
        took >= self.at_least
            && self.path.as_ref().is_none_or(|glob| glob.matches(path))
            && !self.except.iter().any(|glob| glob.matches(path))
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests that ended since the last tally.
    pub finished: u64,
    /// Those of them that were given up on before a byte came and were younger than [`super::percent_request::SLOW`].
    #[serde(default)]
    pub given_up_early: u64,
    /// Requests that are running now.
    pub running: u64,
}

/// Requests that no byte of an answer came for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// Given up on by their clients since the last tally, or by the front door, because the worker took no connection.
    pub given_up: u64,
    /// Waiting now.
    pub waiting: u64,
    /// A byte came, for whatever request, since the last tally.
    pub heard: bool,
}

/// The tallies of one second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallies {
    /// Which list of watches this answers (the engine numbers them); the answer to another list is not looked at.
    pub generation: u64,
    /// Every request.
    pub total: Tally,
    /// One for each watch of the list, in its order.
    pub of_watch: Vec<Tally>,
    /// Those that the worker does not answer.
    pub unanswered: Unanswered,
    /// Streams and tunnels, which are no requests any more.
    #[serde(default)]
    pub open: OpenStreams,
}

/// What an instance is seen to do, about once a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The worker's private bytes; absent when they could not be read.
    pub private_bytes: Option<u64>,
    /// The worker's share of the processors that it may use, in whole hundredths rounded down, since the last observation.
    pub cpu_percent: Option<u8>,
    /// What the front door counted.
    pub tallies: Tallies,
    /// The worker is still warming up.
    pub warm_up: bool,
    /// How long the worker has run; its instance knows.
    pub uptime: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(statuses: Option<RangeInclusive<u16>>, at_least_ms: u64, path: Option<&str>) -> Watch {
        let path = path.map(|path| path.parse().unwrap());
        Watch { statuses, at_least: Duration::from_millis(at_least_ms), path, except: Vec::new() }
    }

    #[test]
    fn each_edge_of_a_watch() {
        let cases = [
            (watch(None, 30_000, None), 200, 29_999, "/", false),
            (watch(None, 30_000, None), 200, 30_000, "/", true),
            (watch(Some(500..=530), 0, None), 499, 0, "/", false),
            (watch(Some(500..=530), 0, None), 500, 0, "/", true),
            (watch(Some(500..=530), 0, None), 530, 0, "/", true),
            (watch(Some(500..=530), 0, None), 531, 0, "/", false),
            (watch(Some(404..=404), 0, Some("/a/*")), 404, 0, "/a/b", true),
            (watch(Some(404..=404), 0, Some("/a/*")), 404, 0, "/b/a", false),
        ];
        for (watch, status, took_ms, path, expected) in cases {
            assert_eq!(
                watch.matches(status, Duration::from_millis(took_ms), path),
                expected,
                "{watch:?} {status}"
            );
        }
    }

    #[test]
    fn a_path_that_is_left_out_counts_nowhere() {
        let watch = Watch {
            except: vec!["/poll/*".parse().unwrap(), "/wait".parse().unwrap()],
            ..watch(None, 0, Some("/*"))
        };
        for (path, counts) in [("/poll/1", false), ("/wait", false), ("/wait/1", true), ("/", true)] {
            assert_eq!(watch.matches(200, Duration::ZERO, path), counts, "{path}");
            assert_eq!(watch.matches_running(Duration::ZERO, path), counts, "{path}");
        }
    }

    #[test]
    fn a_running_request_counts_by_age_and_has_no_status() {
        let slow = watch(None, 30_000, Some("/a*"));
        assert!(slow.matches_running(Duration::from_secs(30), "/ab"));
        assert!(!slow.matches_running(Duration::from_millis(29_999), "/ab"));
        assert!(!slow.matches_running(Duration::from_secs(30), "/b"));
        assert!(!watch(Some(100..=530), 0, None).matches_running(Duration::from_secs(30), "/"));
    }
}
