//! What apps, instances, workers and incidents are called. Every name here has been checked when it was made, so that it can
//! stand in a path, an address or a page as it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not an app's name.
    #[error("invalid app name \"{0}\": must be 1 to 60 of a-z, 0-9 and -, beginning with a letter or digit")]
    App(String),
    /// Not a worker's id.
    #[error("`{0}` is no worker id: it reads `app/instance/start in ms`")]
    Worker(String),
    /// Not an incident's id.
    #[error("`{0}` is no incident id: it is 16 of 0-9 and a-f")]
    Incident(String),
}

fn shorten(text: &str) -> String {
    crate::text::seen(text).chars().take(80).collect()
}

macro_rules! text_name {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

/// An app's name: 1 to 60 of `a-z`, `0-9` and `-`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct AppName(String);

text_name!(AppName);

impl FromStr for AppName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=60).contains(&text.len())
            && !text.starts_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(NameError::App(shorten(text))) }
    }
}

/// The permanent name of an incident: 16 hexadecimal digits, the same for the same app and signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct IncidentId(String);

text_name!(IncidentId);

impl FromStr for IncidentId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text.to_owned())) } else { Err(NameError::Incident(shorten(text))) }
    }
}

/// One of an app's places to run on this node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceKey {
    /// The app.
    pub app: AppName,
    /// The place's number, from 0.
    pub index: u16,
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.index)
    }
}

/// One worker: its instance and when Medic decided to start it. No instance starts two workers in one millisecond.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkerId {
    /// Where it runs.
    pub instance: InstanceKey,
    /// When its start was decided.
    pub started_at: Timestamp,
}

/// `app/instance/start in ms`.
impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.instance, self.started_at.as_ms())
    }
}

impl FromStr for WorkerId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Worker(shorten(text));
        let mut parts = text.splitn(3, '/');
        let app = parts.next().ok_or_else(refused)?.parse()?;
        let index = parts.next().and_then(|part| part.parse().ok()).ok_or_else(refused)?;
        let ms = parts.next().and_then(|part| part.parse().ok()).ok_or_else(refused)?;
        Ok(Self { instance: InstanceKey { app, index }, started_at: Timestamp::from_ms(ms) })
    }
}

impl TryFrom<String> for WorkerId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<WorkerId> for String {
    fn from(worker: WorkerId) -> String {
        worker.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_name_can_stand_in_a_path_and_an_address() {
        for good in ["shop", "a", "0-9", &"x".repeat(60)] {
            assert!(good.parse::<AppName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "Shop", "a/b", "..", "a b", "é", &"x".repeat(61)] {
            assert!(bad.parse::<AppName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_worker_id_reads_back() {
        let worker: WorkerId = "shop/1/1769847300000".parse().unwrap();
        assert_eq!(worker.to_string(), "shop/1/1769847300000");
        assert_eq!(
            serde_json::from_str::<WorkerId>(&serde_json::to_string(&worker).unwrap()).unwrap(),
            worker
        );
        assert!("shop/1".parse::<WorkerId>().is_err());
    }
}
