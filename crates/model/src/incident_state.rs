//! Whether an incident is still somebody's task.
//!
//! ```text
//!                resolve                       crash of later code
//!       open ──────────────────▶ resolved ───────────────────────────▶ regressed
//!        ▲  ignore, until ▲▼ its time is over       ▲                      │
//!        │              ignored                     └────── resolve ───────┘
//!        └── reopen: from each of the others
//! ```

use serde::{Deserialize, Serialize};

use crate::deploy::Code;
use crate::{Timestamp, text};

/// What people said of an incident, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum IncidentState {
    #[default]
    Open,
    Resolved(Resolution),
    /// It was resolved, and crashed again in later code.
    Regressed {
        /// When it crashed again first.
        regressed_at: Timestamp,
        /// Of the code that crashed again, where it is known.
        #[serde(default, deserialize_with = "text::maybe")]
        regressed_in: Option<String>,
        #[serde(flatten)]
        resolution: Resolution,
    },
    /// Nobody wants to hear of it until then.
    Ignored {
        until: Timestamp,
        /// Who said so, such as `alice (uid 1000)`.
        #[serde(default, deserialize_with = "text::maybe")]
        by: Option<String>,
    },
}

/// That the fault is mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Resolution {
    /// When it was said.
    pub resolved_at: Timestamp,
    /// Who said so, such as `alice (uid 1000)`.
    #[serde(default, deserialize_with = "text::maybe")]
    pub resolved_by: Option<String>,
    /// The build id, revision or deploy with the mended code, as they named it.
    #[serde(default, deserialize_with = "text::maybe")]
    pub fixed_in: Option<String>,
    /// The GNU build id of the faulty code, where it is known.
    #[serde(default, deserialize_with = "text::maybe")]
    pub faulty_build: Option<String>,
    /// What the worker was started from that crashed last, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faulty_code: Option<Box<Code>>,
}

/// What somebody makes of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncidentDecision {
    Resolve {
        /// The build id, revision or deploy with the mended code.
        fixed_in: Option<String>,
    },
    Ignore {
        until: Timestamp,
    },
    Reopen,
}

impl IncidentState {
    /// As it is at `now`: what is ignored for a time is open after it.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Ignored { until, .. } if until <= now => Self::Open,
            state => state,
        }
    }

    /// What it becomes by a crash of a worker that was started at `started_at` from this code, in a file of this GNU build id; `None`
    /// where that changes nothing.
    pub fn after_crash(
        &self,
        at: Timestamp,
        started_at: Timestamp,
        build: Option<&str>,
        code: Option<&Code>,
    ) -> Option<Self> {
        let Self::Resolved(resolution) = self else { return None };
        (!resolution.expects(started_at, build, code)).then(|| Self::Regressed {
            regressed_at: at,
            regressed_in: build.map(str::to_owned),
            resolution: resolution.clone(),
        })
    }
}

impl Resolution {
    /// Is it a crash of the code that was known to be faulty? Workers that were running when the fault was said to be mended go
    /// on crashing, and so does the faulty build wherever it is still started. Where the builds are not known, a restart alone is no
    /// other code; and where nothing is known of the code either, a worker that was started later is later code.
    fn expects(&self, started_at: Timestamp, build: Option<&str>, code: Option<&Code>) -> bool {
        let are_known = self.faulty_build.is_some() && build.is_some();
        let is_same = if are_known {
            self.faulty_build.as_deref() == build
        } else {
            self.faulty_code.is_some() && self.faulty_code.as_deref() == code
        };
        started_at < self.resolved_at || is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1_000)
    }

    #[test]
    fn a_resolved_incident_regresses_by_a_crash_of_later_code() {
        let resolved = |faulty: Option<&str>| {
            IncidentState::Resolved(Resolution {
                resolved_at: at(100),
                resolved_by: None,
                fixed_in: None,
                faulty_build: faulty.map(str::to_owned),
                faulty_code: None,
            })
        };
        for (faulty, started_at, build, regresses) in [
            (Some("a"), 90, Some("a"), false),
            (Some("a"), 105, Some("a"), false),
            (Some("a"), 105, Some("b"), true),
            (Some("a"), 90, Some("b"), false),
            (Some("a"), 105, None, true),
            (None, 90, None, false),
            (None, 105, None, true),
            (None, 105, Some("a"), true),
        ] {
            let after = resolved(faulty).after_crash(at(110), at(started_at), build, None);
            assert_eq!(after.is_some(), regresses, "{faulty:?} {started_at} {build:?}");
        }
        let after = resolved(Some("a")).after_crash(at(110), at(105), Some("b"), None).unwrap();
        assert!(
            matches!(&after, IncidentState::Regressed { regressed_in: Some(build), .. } if build == "b"),
            "{after:?}"
        );
        assert_eq!(after.after_crash(at(120), at(115), Some("c"), None), None);
        assert_eq!(IncidentState::Open.after_crash(at(120), at(115), None, None), None);
    }

    #[test]
    fn without_builds_a_restart_of_the_same_code_is_no_later_code() {
        let code = |command: &str| Code {
            revision: None,
            executable: None,
            script: None,
            command: command.to_owned(),
        };
        let regresses = |faulty: Option<Code>, build: Option<&str>, now: Option<Code>| {
            let resolution = Resolution {
                resolved_at: at(100),
                resolved_by: None,
                fixed_in: None,
                faulty_build: Some("a".to_owned()).filter(|_| build.is_some()),
                faulty_code: faulty.map(Box::new),
            };
            IncidentState::Resolved(resolution).after_crash(at(110), at(105), build, now.as_ref()).is_some()
        };
        assert!(!regresses(Some(code("1")), None, Some(code("1"))));
        assert!(regresses(Some(code("1")), None, Some(code("2"))));
        assert!(regresses(Some(code("1")), None, None) && regresses(None, None, Some(code("1"))));
        assert!(regresses(Some(code("1")), Some("b"), Some(code("1"))), "the builds say more");
        assert!(!regresses(Some(code("1")), Some("a"), Some(code("2"))));
    }

    #[test]
    fn what_is_ignored_for_a_time_is_open_after_it() {
        let ignored = IncidentState::Ignored { until: at(100), by: None };
        assert_eq!(ignored.clone().at(at(99)), ignored);
        assert_eq!(ignored.at(at(100)), IncidentState::Open);
    }
}
