//! What is wrong with Medic itself, in the same sentences on every page and in `/healthz`.

use model::Timestamp;
use model::status::{
    BegunAnew, ClosedAddress, DatabaseState, DiskSpace, MedicHealth, NearQuota, NearlyFullDisk,
    StorageHealth, Undeleted,
};

use crate::severity::Severity;
use crate::words::{bytes, capitalized};

/// One thing that is wrong with Medic itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub title: String,
    pub since: Timestamp,
    /// Why, what that means, and what to do.
    pub details: String,
    /// Medic lacks something that it needs now.
    pub is_failure: bool,
}

/// Everything that is wrong, the worst first.
pub fn problems(health: &MedicHealth) -> Vec<Problem> {
    let closed = health.not_listening.iter().map(closed);
    closed
        .chain(database(&health.database.state))
        .chain(health.database.begun_anew.as_ref().map(anew))
        .chain(storage(&health.storage))
        .collect()
}

/// What will be wrong soon with what Medic's files take of the disk.
pub fn storage(health: &StorageHealth) -> Vec<Problem> {
    let StorageHealth { near_quotas, disk, undeleted } = health;
    let disk = disk.as_ref().map(nearly_full);
    disk.into_iter()
        .chain(near_quotas.iter().map(near_quota))
        .chain(undeleted.as_ref().map(not_deleted))
        .collect()
}

fn closed(closed: &ClosedAddress) -> Problem {
    let ClosedAddress { app, address, since, reason, still_listening } = closed;
    let still = still_listening.as_ref();
    let still_said = still.map_or_else(String::new, |old| format!(" It still listens on {old}."));
    let who = app.as_ref().map_or_else(|| "Dashboard".to_owned(), ToString::to_string);
    Problem {
        severity: if app.is_some() && still.is_none() { Severity::Critical } else { Severity::Warning },
        title: format!("{who} is not listening on {address}"),
        since: *since,
        details: format!("{}. Medic tries again.{still_said}", capitalized(reason)),
        is_failure: true,
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
    Some(Problem {
        severity: Severity::Warning,
        title: title.to_owned(),
        since: *since,
        details,
        is_failure: true,
    })
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
    Problem { severity: Severity::Warning, title, since: *at, details, is_failure: true }
}

fn warning(title: String, since: Timestamp, details: String) -> Problem {
    Problem { severity: Severity::Warning, title, since, details, is_failure: false }
}

fn nearly_full(disk: &NearlyFullDisk) -> Problem {
    let NearlyFullDisk { since, space, is_out_of_inodes, folder } = disk;
    let DiskSpace { free_bytes, total_bytes, free_inodes, total_inodes } = space;
    let (title, left) = if *is_out_of_inodes {
        ("Disk nearly out of inodes", format!("{free_inodes} of {total_inodes} inodes are free"))
    } else {
        ("Disk nearly full", format!("{} of {} are free", bytes(*free_bytes), bytes(*total_bytes)))
    };
    let details = format!(
        "{left} at {folder}. On a full disk, output of the workers is lost, and crashes are recorded later. Delete files \
         there, or move server.data_dir."
    );
    warning(title.to_owned(), *since, details)
}

fn near_quota(quota: &NearQuota) -> Problem {
    let NearQuota { app, since, used_bytes, quota_bytes } = quota;
    let (whose, setting) = match app {
        Some(app) => (format!("Log files of {app}"), format!("log_quota of {app}")),
        None => ("Log files of all apps".to_owned(), "server.log_quota".to_owned()),
    };
    let percent = u128::from(*used_bytes) * 100 / u128::from((*quota_bytes).max(1));
    let details = format!(
        "{} of {} ({percent}%). At the quota, Medic deletes the oldest log files first. Raise {setting}, or log less.",
        bytes(*used_bytes),
        bytes(*quota_bytes),
    );
    warning(format!("{whose} are near their quota"), *since, details)
}

fn not_deleted(Undeleted { since, path, reason }: &Undeleted) -> Problem {
    let details = format!(
        "{path}: {reason}. Files stay beyond retention and quota. Check the owner and mode of the folder, and whether the \
         file system is read-only."
    );
    warning("Old files cannot be deleted".to_owned(), *since, details)
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
        let (reason_closed, still_listening) = ("in use".to_owned(), None);
        health.not_listening =
            vec![ClosedAddress { app, address, since: AT, reason: reason_closed, still_listening }];
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
        health.not_listening[0].still_listening = Some("127.0.0.1:81".to_owned());
        let moving = &problems(&health)[0];
        assert_eq!(moving.severity, Severity::Warning, "requests are served");
        assert!(moving.details.ends_with(" It still listens on 127.0.0.1:81."), "{moving:?}");
        health.database.state = DatabaseState::Unavailable { since: AT, reason: reason() };
        assert_eq!(health.unavailable_since(), Some(AT));
        assert_eq!(problems(&health)[1].title, "Database unavailable");
        assert!(problems(&health).iter().all(|problem| problem.is_failure));
    }

    #[test]
    fn what_will_be_wrong_is_a_warning_and_no_failure() {
        let space =
            DiskSpace { free_bytes: 400 << 20, total_bytes: 20 << 30, free_inodes: 7, total_inodes: 99 };
        let disk = |is_out_of_inodes| {
            Some(NearlyFullDisk { since: AT, space, is_out_of_inodes, folder: "/data".to_owned() })
        };
        let quota = |app: Option<&str>| NearQuota {
            app: app.map(|name| name.parse().unwrap()),
            since: AT,
            used_bytes: 850 << 20,
            quota_bytes: 1 << 30,
        };
        let undeleted =
            Some(Undeleted { since: AT, path: "/data/a".to_owned(), reason: "permission denied".to_owned() });
        let near_quotas = vec![quota(None), quota(Some("shop"))];
        let health = MedicHealth {
            storage: StorageHealth { near_quotas, disk: disk(false), undeleted },
            ..MedicHealth::default()
        };
        let found = problems(&health);
        assert!(found.iter().all(|problem| !problem.is_failure && problem.severity == Severity::Warning));
        let said: Vec<_> =
            found.iter().map(|problem| format!("{}: {}", problem.title, problem.details)).collect();
        let begins = [
            "Disk nearly full: 400 MiB of 20 GiB are free at /data. On a full disk, ",
            "Log files of all apps are near their quota: 850 MiB of 1 GiB (83%). At the quota, ",
            "Log files of shop are near their quota: 850 MiB of 1 GiB (83%). At the quota, ",
            "Old files cannot be deleted: /data/a: permission denied. ",
        ];
        assert_eq!(said.len(), begins.len(), "{said:?}");
        assert!(said.iter().zip(begins).all(|(said, begin)| said.starts_with(begin)), "{said:?}");
        assert!(
            said[2].contains("Raise log_quota of shop, ") && said[1].contains("Raise server.log_quota, ")
        );
        let inodes = storage(&StorageHealth { disk: disk(true), ..StorageHealth::default() });
        assert!(
            inodes[0].title.contains("inodes") && inodes[0].details.starts_with("7 of 99 inodes are free")
        );
    }
}
