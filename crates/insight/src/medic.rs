//! What is wrong with Medic itself, in the same sentences on every page and in `/healthz`.

use model::Timestamp;
use model::status::{BegunAnew, ClosedAddress, DatabaseState, MedicHealth};

use crate::severity::Severity;
use crate::words::capitalized;

/// One thing that is wrong with Medic itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub title: String,
    pub since: Timestamp,
    /// Why, what that means, and what to do.
    pub details: String,
}

/// Everything that is wrong, the worst first.
pub fn problems(health: &MedicHealth) -> Vec<Problem> {
    let closed = health.not_listening.iter().map(closed);
    closed
        .chain(database(&health.database.state))
        .chain(health.database.begun_anew.as_ref().map(anew))
        .collect()
}

fn closed(closed: &ClosedAddress) -> Problem {
    let ClosedAddress { app, address, since, reason } = closed;
    let who = app.as_ref().map_or_else(|| "Dashboard".to_owned(), ToString::to_string);
    Problem {
        severity: if app.is_some() { Severity::Critical } else { Severity::Warning },
        title: format!("{who} is not listening on {address}"),
        since: *since,
        details: format!("{}. Medic tries again.", capitalized(reason)),
    }
}

fn database(state: &DatabaseState) -> Option<Problem> {
    let (title, since, reason, meaning) = match state {
        DatabaseState::Opening | DatabaseState::Available => return None,
        DatabaseState::WritesFail { since, reason } => (
            "Database cannot be written",
            since,
            reason,
            "Apps are served. Crashes are kept until they can be recorded. Settings cannot be changed.",
        ),
        DatabaseState::Unavailable { since, reason } => (
            "Database unavailable",
            since,
            reason,
            "Apps are served. History is missing here. Crashes are kept until they can be recorded.",
        ),
    };
    let details = format!("{}. {meaning}", capitalized(reason));
    Some(Problem { severity: Severity::Warning, title: title.to_owned(), since: *since, details })
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
    let title = "New database, history lost".to_owned();
    Problem { severity: Severity::Warning, title, since: *at, details }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_ms(1_769_847_300_000);

    #[test]
    fn what_is_wrong_is_said_with_its_time_and_the_worst_first() {
        let reason = || "the disk is full".to_owned();
        let mut health = MedicHealth::default();
        assert_eq!(problems(&health), [], "a database that is being opened is no problem yet");
        health.database.state = DatabaseState::Available;
        assert_eq!(problems(&health), []);
        health.database.state = DatabaseState::WritesFail { since: AT, reason: reason() };
        assert_eq!(health.unavailable_since(), None);
        health.database.begun_anew =
            Some(BegunAnew { at: AT, kept_as: Some("/d/medic.db.damaged-1".to_owned()) });
        let app = Some("shop".parse().unwrap());
        let address = "127.0.0.1:80".to_owned();
        health.not_listening = vec![ClosedAddress { app, address, since: AT, reason: "in use".to_owned() }];
        let found = problems(&health);
        assert!(found.iter().all(|problem| problem.since == AT));
        let titles: Vec<_> = found.iter().map(|problem| problem.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "shop is not listening on 127.0.0.1:80",
                "Database cannot be written",
                "New database, history lost"
            ]
        );
        assert_eq!(found[0].severity, Severity::Critical);
        assert!(found[0].details.starts_with("In use. "));
        assert!(found[1].details.starts_with("The disk is full. Apps are served."));
        assert!(found[2].details.contains("/d/medic.db.damaged-1"));
        health.database.state = DatabaseState::Unavailable { since: AT, reason: reason() };
        assert_eq!(health.unavailable_since(), Some(AT));
        assert_eq!(problems(&health)[1].title, "Database unavailable");
    }
}
