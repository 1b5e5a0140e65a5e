//! How Medic itself does: what it cannot use, since when, and what that means for those who read its pages.
//!
//! Every page and `/healthz` say it in the same sentences, so they are made here.

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

/// One thing that is wrong with Medic itself, as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Requests fail now.
    pub critical: bool,
    /// What is wrong.
    pub title: String,
    /// Since when.
    pub since: Timestamp,
    /// Why, and what to do.
    pub details: String,
}

impl MedicHealth {
    /// Is there nothing to say?
    pub fn is_well(&self) -> bool {
        self.problems().is_empty()
    }

    /// Everything that is wrong, the worst first.
    pub fn problems(&self) -> Vec<Problem> {
        let closed = self.not_listening.iter().map(ClosedAddress::problem);
        closed
            .chain(self.database.state.problem())
            .chain(self.database.begun_anew.as_ref().map(anew))
            .collect()
    }

    /// Since when there is no database to read, while there is none.
    pub const fn unavailable_since(&self) -> Option<Timestamp> {
        match &self.database.state {
            DatabaseState::Unavailable { since, .. } => Some(*since),
            _ => None,
        }
    }
}

impl DatabaseState {
    fn problem(&self) -> Option<Problem> {
        let (title, since, reason, meaning) = match self {
            Self::Opening | Self::Available => return None,
            Self::WritesFail { since, reason } => (
                "Database cannot be written",
                since,
                reason,
                "Apps are served. Crashes are kept until they can be recorded. Settings cannot be changed.",
            ),
            Self::Unavailable { since, reason } => (
                "Database unavailable",
                since,
                reason,
                "Apps are served. History is missing here. Crashes are kept until they can be recorded.",
            ),
        };
        let details = format!("{} {meaning}", sentence(reason));
        Some(Problem { critical: false, title: title.to_owned(), since: *since, details })
    }
}

impl ClosedAddress {
    fn problem(&self) -> Problem {
        let Self { app, address, since, reason } = self;
        let who = app.as_ref().map_or_else(|| "Dashboard".to_owned(), ToString::to_string);
        Problem {
            critical: app.is_some(),
            title: format!("{who} is not listening on {address}"),
            since: *since,
            details: format!("{} Medic tries again.", sentence(reason)),
        }
    }
}

fn anew(BegunAnew { at, kept_as }: &BegunAnew) -> Problem {
    let details = match kept_as {
        Some(path) => format!(
            "The damaged file is {path}. Earlier history is missing here. Restore a backup or repair the file, or delete it to \
             clear this message."
        ),
        None => {
            "The database file was deleted. Earlier history is missing here. Restart Medic to clear this message.".to_owned()
        }
    };
    Problem { critical: false, title: "New database, history lost".to_owned(), since: *at, details }
}

fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_ms(1_769_847_300_000);

    #[test]
    fn what_is_wrong_is_said_with_its_time_and_the_worst_first() {
        let reason = || "the disk is full".to_owned();
        let mut health = MedicHealth::default();
        assert!(health.is_well(), "a database that is being opened is no problem yet");
        health.database.state = DatabaseState::Available;
        assert!(health.is_well());
        health.database.state = DatabaseState::WritesFail { since: AT, reason: reason() };
        assert_eq!(health.unavailable_since(), None);
        health.database.begun_anew =
            Some(BegunAnew { at: AT, kept_as: Some("/d/medic.db.damaged-1".to_owned()) });
        let app = Some("shop".parse().unwrap());
        let address = "127.0.0.1:80".to_owned();
        health.not_listening = vec![ClosedAddress { app, address, since: AT, reason: "in use".to_owned() }];
        let problems = health.problems();
        assert!(problems.iter().all(|problem| problem.since == AT));
        let titles: Vec<_> = problems.iter().map(|problem| problem.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "shop is not listening on 127.0.0.1:80",
                "Database cannot be written",
                "New database, history lost"
            ]
        );
        assert!(problems[0].critical && problems[0].details.starts_with("In use. "));
        assert!(problems[1].details.starts_with("The disk is full. Apps are served."));
        assert!(problems[2].details.contains("/d/medic.db.damaged-1"));
        health.database.state = DatabaseState::Unavailable { since: AT, reason: reason() };
        assert_eq!(health.unavailable_since(), Some(AT));
        assert_eq!(health.problems()[1].title, "Database unavailable");
    }
}
