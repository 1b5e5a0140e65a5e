//! How Medic itself does: what it cannot use, and since when.

use serde::{Deserialize, Serialize};

use crate::{AppName, Timestamp};

/// How Medic itself does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MedicHealth {
    /// Its database.
    pub database: DatabaseHealth,
    /// The addresses that it should listen on and does not, sorted.
    pub not_listening: Vec<ClosedAddress>,
}

/// How the database does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DatabaseHealth {
    /// Whether it can be used now.
    pub state: DatabaseState,
    /// The last time that it had to be begun anew, while that is to be known.
    pub begun_anew: Option<BegunAnew>,
}

/// Whether the database can be used now. Reasons are sentences without a capital and a period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DatabaseState {
    /// It is being opened for the first time.
    #[default]
    Opening,
    /// It is open.
    Available,
    /// It can be read, and nothing can be written.
    WritesFail {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
    /// It can be neither read nor written.
    Unavailable {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
}

/// A database that was lost and begun anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BegunAnew {
    /// When.
    pub at: Timestamp,
    /// Where the damaged file is now; absent where the file was gone.
    pub kept_as: Option<String>,
}

/// An address that Medic should listen on and does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ClosedAddress {
    /// Whose; absent for the dashboard's.
    pub app: Option<AppName>,
    /// Which.
    pub address: String,
    /// Since when.
    pub since: Timestamp,
    /// Why; a sentence without a capital and a period.
    pub reason: String,
}

impl MedicHealth {
    /// Since when there is no database to read, while there is none.
    pub const fn unavailable_since(&self) -> Option<Timestamp> {
        match &self.database.state {
            DatabaseState::Unavailable { since, .. } => Some(*since),
            _ => None,
        }
    }
}
