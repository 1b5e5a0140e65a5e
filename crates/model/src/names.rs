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
    /// Not a node's name.
    #[error("invalid node name \"{0}\": must be 1 to 64 of A-Z, a-z, 0-9, -, . and _")]
    Node(String),
    /// Not a place.
    #[error("invalid instance \"{0}\": must be node/app/instance")]
    Place(String),
    /// Not a worker's id.
    #[error("invalid worker id \"{0}\": must be node/app/instance/start in ms")]
    Worker(String),
    /// Not a crash's id.
    #[error(
        "invalid crash id \"{0}\": must be node/app/instance/start in ms, with /pid/start in ms for a child process"
    )]
    Crash(String),
    /// Not an incident's id.
    #[error("invalid incident id \"{0}\": must be 16 of 0-9 and a-f")]
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

/// A machine that runs Medic, by its hostname: 1 to 64 of `A-Z`, `a-z`, `0-9`, `-`, `.` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct NodeName(String);

text_name!(NodeName);

impl NodeName {
    const LENGTH_LIMIT: usize = 64;

    /// What of a hostname can stand in a name; `localhost` where nothing can.
    pub fn of_hostname(hostname: &str) -> Self {
        let name: String = hostname.chars().filter(|c| Self::takes(*c)).take(Self::LENGTH_LIMIT).collect();
        Self(if name.is_empty() { "localhost".to_owned() } else { name })
    }

    const fn takes(c: char) -> bool {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
    }
}

impl FromStr for NodeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=Self::LENGTH_LIMIT).contains(&text.len()) && text.chars().all(Self::takes);
        if fits { Ok(Self(text.to_owned())) } else { Err(NameError::Node(shorten(text))) }
    }
}

/// One of an app's instances on one node, whichever worker is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Place {
    /// The machine.
    pub node: NodeName,
    pub app: AppName,
    /// The instance's number on its node, from 0.
    pub instance: u16,
}

impl Place {
    /// `node/instance`, for where the app is known.
    pub fn within_app(&self) -> String {
        format!("{}/{}", self.node, self.instance)
    }
}

/// `node/app/instance`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.node, self.app, self.instance)
    }
}

impl FromStr for Place {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Place(shorten(text));
        let (node, rest) = text.split_once('/').ok_or_else(refused)?;
        let (app, instance) = rest.split_once('/').ok_or_else(refused)?;
        Ok(Self {
            node: node.parse()?,
            app: app.parse()?,
            instance: instance.parse().map_err(|_| refused())?,
        })
    }
}

/// One worker: its place and when Medic decided to start it. No place starts two workers in one millisecond.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkerId {
    /// Where it runs.
    pub place: Place,
    /// When its start was decided.
    pub started_at: Timestamp,
}

/// `node/app/instance/start in ms`.
impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place, self.started_at.as_ms())
    }
}

impl FromStr for WorkerId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Worker(shorten(text));
        let (place, ms) = text.rsplit_once('/').ok_or_else(refused)?;
        let ms = ms.parse().map_err(|_| refused())?;
        Ok(Self { place: place.parse().map_err(|_| refused())?, started_at: Timestamp::from_ms(ms) })
    }
}

/// One process of a worker's tree: its number, and when it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number, which another has when this one is gone.
    pub pid: u32,
    pub started_at: Timestamp,
}

/// `pid/start in ms`.
impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pid, self.started_at.as_ms())
    }
}

/// One crash, by the process that crashed: a worker's main one, or another of its serving processes. No process crashes twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CrashId {
    pub worker: WorkerId,
    /// Where it is not the main process.
    pub process: Option<ProcessId>,
}

impl CrashId {
    /// The crash of the worker's main process.
    pub const fn of_main(worker: WorkerId) -> Self {
        Self { worker, process: None }
    }
}

/// `node/app/instance/start in ms` for a main process, and for another `/pid/start in ms` behind it.
impl fmt::Display for CrashId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            None => write!(f, "{}", self.worker),
            Some(process) => write!(f, "{}/{process}", self.worker),
        }
    }
}

impl FromStr for CrashId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Crash(shorten(text));
        let mut parts = text.splitn(5, '/');
        let worker: Vec<&str> = parts.by_ref().take(4).collect();
        let worker = worker.join("/").parse().map_err(|_| refused())?;
        let process = parts.next().map(|rest| {
            let (pid, ms) = rest.split_once('/').ok_or_else(refused)?;
            let started_at = Timestamp::from_ms(ms.parse().map_err(|_| refused())?);
            Ok(ProcessId { pid: pid.parse().map_err(|_| refused())?, started_at })
        });
        Ok(Self { worker, process: process.transpose()? })
    }
}

impl TryFrom<String> for CrashId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<CrashId> for String {
    fn from(crash: CrashId) -> String {
        crash.to_string()
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
    fn a_hostname_becomes_a_node_name_whatever_is_in_it() {
        for (hostname, name) in [
            ("web-1.example.com\n", "web-1.example.com"),
            ("a/b c", "abc"),
            ("é\n", "localhost"),
            (&"x".repeat(99), &"x".repeat(64)),
        ] {
            assert_eq!(NodeName::of_hostname(hostname), name.parse().unwrap());
        }
        for bad in ["", "a/b", "a b", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_place_and_a_worker_read_back() {
        let place: Place = "web-1/shop/1".parse().unwrap();
        assert_eq!((place.to_string().as_str(), place.within_app().as_str()), ("web-1/shop/1", "web-1/1"));
        let worker: WorkerId = "web-1/shop/1/1769847300000".parse().unwrap();
        assert_eq!((worker.to_string().as_str(), &worker.place), ("web-1/shop/1/1769847300000", &place));
        assert_eq!(
            serde_json::from_str::<WorkerId>(&serde_json::to_string(&worker).unwrap()).unwrap(),
            worker
        );
        for bad in ["shop/1/1769847300000", "web-1/shop/1", "web-1/shop/x/1", "web-1/shop/1/x", ""] {
            assert!(bad.parse::<WorkerId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_crash_is_named_by_its_process_and_reads_back() {
        let worker: WorkerId = "web-1/shop/1/1769847300000".parse().unwrap();
        let process = ProcessId { pid: 4_711, started_at: Timestamp::from_ms(1_769_847_301_230) };
        for (process, text) in [
            (None, "web-1/shop/1/1769847300000"),
            (Some(process), "web-1/shop/1/1769847300000/4711/1769847301230"),
        ] {
            let id = CrashId { worker: worker.clone(), process };
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse::<CrashId>().unwrap(), id);
        }
        for bad in ["web-1/shop/1", "web-1/shop/1/17/4711", "web-1/shop/1/17/x/1", "web-1/shop/1/17/1/2/3"] {
            assert!(bad.parse::<CrashId>().is_err(), "{bad}");
        }
    }
}
