//! Share links: a snapshot of a report, and who may read it for how long. Whoever has the link reads it, so the link's token is
//! stored nowhere, and what it shows is a type of its own (`insight::share`), which has no place for what is private.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AppName, IncidentId, TimeRange, Timestamp};

/// The shortest time that a link works.
pub const SHORTEST: Duration = Duration::from_hours(1);
/// The longest.
pub const LONGEST: Duration = Duration::from_hours(90 * 24);
/// Where nobody says how long.
pub const USUAL: Duration = Duration::from_hours(7 * 24);
/// Links that work at the same time. Ours: nobody keeps an eye on more, and each is a snapshot in the database.
pub const ACTIVE_LIMIT: u64 = 1_000;

/// The name of a link, by which it is listed and revoked: 16 hexadecimal digits. It opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct ShareId(String);

/// Not a link's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid share ID: must be 16 of 0-9 and a-f")]
pub struct ShareIdError;

impl FromStr for ShareId {
    type Err = ShareIdError;

    fn from_str(text: &str) -> Result<Self, ShareIdError> {
        let fits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text.to_owned())) } else { Err(ShareIdError) }
    }
}

impl TryFrom<String> for ShareId {
    type Error = ShareIdError;

    fn try_from(text: String) -> Result<Self, ShareIdError> {
        text.parse()
    }
}

impl From<ShareId> for String {
    fn from(id: ShareId) -> Self {
        id.0
    }
}

impl fmt::Display for ShareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a link shows a snapshot of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "subject", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ShareSubject {
    /// An incident.
    Incident { incident: IncidentId },
    /// What a detector says of a range.
    Detector {
        /// Its id.
        detector: String,
        range: TimeRange,
    },
    /// One restart.
    Restart {
        /// Its name among the app's, see [`crate::auto_heal::restart::RestartKey`].
        restart: String,
    },
}

/// What a snapshot holds that it would leave out otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Included {
    /// The app's name.
    pub app: bool,
    /// The names of machines.
    pub hosts: bool,
    /// Whole paths of files, and paths of requests.
    pub paths: bool,
}

/// How often a link was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Opened {
    /// In a browser, by somebody who went there.
    pub by_people: u64,
    /// By programs: previews of chats, scanners of mail, tools.
    pub by_programs: u64,
    pub last_at: Option<Timestamp>,
}

/// Who opens a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    Person,
    Program,
}

/// A link, as it is listed: without its token, which only its reader has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Share {
    pub id: ShareId,
    pub app: AppName,
    /// What the snapshot is called.
    pub title: String,
    #[serde(flatten)]
    pub subject: ShareSubject,
    pub included: Included,
    pub made_at: Timestamp,
    /// Who made it, such as `alice (uid 1000)`.
    pub made_by: Option<String>,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
    pub opened: Opened,
}

/// Whether a link works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ShareState {
    Active,
    Expired,
    Revoked,
}

impl Share {
    pub fn state(&self, now: Timestamp) -> ShareState {
        if self.revoked_at.is_some() {
            ShareState::Revoked
        } else if self.expires_at <= now {
            ShareState::Expired
        } else {
            ShareState::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_sixteen_hexadecimal_digits() {
        assert_eq!("0123456789abcdef".parse::<ShareId>().unwrap().to_string(), "0123456789abcdef");
        for wrong in ["", "0123456789abcde", "0123456789abcdeg", "0123456789ABCDEF", "../3456789abcdef"] {
            assert_eq!(wrong.parse::<ShareId>(), Err(ShareIdError), "{wrong}");
        }
    }

    #[test]
    fn a_link_works_until_it_expires_or_is_revoked() {
        let at = Timestamp::from_ms;
        let share = Share {
            id: "0123456789abcdef".parse().unwrap(),
            app: "shop".parse().unwrap(),
            title: "2 crashes".to_owned(),
            subject: ShareSubject::Incident { incident: "a".repeat(16).parse().unwrap() },
            included: Included::default(),
            made_at: at(0),
            made_by: None,
            expires_at: at(10),
            revoked_at: None,
            revoked_by: None,
            opened: Opened::default(),
        };
        assert_eq!([9, 10].map(|ms| share.state(at(ms))), [ShareState::Active, ShareState::Expired]);
        let revoked = Share { revoked_at: Some(at(5)), ..share };
        assert_eq!([9, 10].map(|ms| revoked.state(at(ms))), [ShareState::Revoked; 2]);
    }
}
