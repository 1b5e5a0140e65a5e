//! Which code an app runs, as far as that can be seen, and when that became other code.
//!
//! A worker is started from a program, with a command, in a folder. If any of what is seen there differs from what the app's last
//! worker on this node was started from, that start is a deploy: not a mere restart.

use serde::{Deserialize, Serialize};

use crate::{AppName, NodeName, Timestamp, text};

/// The file of the program that a process ran.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Executable {
    /// Its name without folders.
    #[serde(deserialize_with = "text::text")]
    pub name: String,
    /// Its GNU build id in hexadecimal digits. Of a file without one its size in bytes and the time of its last change in ms since
    /// 1970, as `size-time`.
    #[serde(deserialize_with = "text::text")]
    pub build: String,
}

/// What a worker is started from. What cannot be seen is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Code {
    /// The commit, version or image of the whole app.
    #[serde(default)]
    pub revision: Option<Revision>,
    /// The program.
    #[serde(default)]
    pub executable: Option<Executable>,
    /// The file that the command gives to the program, such as a script: its size and time of change as the build.
    #[serde(default)]
    pub script: Option<Executable>,
    /// The first 16 hexadecimal digits of SHA-256 over the command. Its arguments may hold secrets.
    #[serde(deserialize_with = "text::text")]
    pub command: String,
}

/// The name of an app's code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Revision {
    /// As it was given, at most 200 characters.
    #[serde(deserialize_with = "text::text")]
    pub name: String,
    /// The variable of the app's environment that it stands in, or `git`.
    #[serde(deserialize_with = "text::text")]
    pub source: String,
}

/// An app's worker was started from other code than the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Deploy {
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub app: AppName,
    /// The machine that started it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub node: NodeName,
    /// When the first worker was started from it.
    pub at: Timestamp,
    pub to: Code,
    /// What was run before; absent in the first that was ever seen.
    #[serde(default)]
    pub from: Option<Code>,
}
