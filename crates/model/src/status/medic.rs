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
    /// What its files take of the disk, where that needs a look.
    pub storage: StorageHealth,
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
    /// Where Medic listens for the app until then: the address that it had before.
    pub still_listening: Option<String>,
}

/// What Medic's files take of the disk, where that needs a look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StorageHealth {
    /// The quotas of log files that are nearly used up, that of all apps first.
    pub near_quotas: Vec<NearQuota>,
    /// The disk of the data folder is nearly full.
    pub disk: Option<NearlyFullDisk>,
    /// Files that should be gone and cannot be deleted.
    pub undeleted: Option<Undeleted>,
}

/// A quota of log files that is nearly used up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NearQuota {
    /// Whose; absent for that of all apps.
    pub app: Option<AppName>,
    /// Since when.
    pub since: Timestamp,
    /// What the files take.
    pub used_bytes: u64,
    /// What they may take.
    pub quota_bytes: u64,
}

/// A disk that is nearly full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NearlyFullDisk {
    /// Since when.
    pub since: Timestamp,
    /// What is left.
    pub space: DiskSpace,
    /// It is files that there can be no more of.
    pub is_out_of_inodes: bool,
    /// Medic's folder there.
    pub folder: String,
}

/// What is left of a disk, for whoever is not root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DiskSpace {
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// How many more files it takes.
    pub free_inodes: u64,
    /// How many it has in all; 0 where it has no such number.
    pub total_inodes: u64,
}

/// A file that should be gone and cannot be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Undeleted {
    /// Since when.
    pub since: Timestamp,
    /// The first of them, or a folder that cannot be looked into.
    pub path: String,
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
