//! The tables, brought up to date when a database is opened. The migrations lie in `migrations/sqlite` and
//! `migrations/postgres` under the same numbers, and are part of the program.

use std::sync::Arc;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};

use crate::StoreError;

/// One number's text for both databases.
struct Step {
    number: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! step {
    ($number:literal, $name:literal, $file:literal) => {
        Step {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $file)),
            postgres: include_str!(concat!("../../../migrations/postgres/", $file)),
        }
    };
}

const STEPS: [Step; 22] = [
    step!(1, "crashes, settings, requests", "0001_crashes_settings_requests.sql"),
    step!(2, "restarts, rules, memory", "0002_restarts_rules_memory.sql"),
    step!(3, "flushes, retention", "0003_flushes_retention.sql"),
    step!(4, "crash minutes", "0004_crash_minutes.sql"),
    step!(5, "places", "0005_places.sql"),
    step!(6, "names of rules", "0006_rules_names.sql"),
    step!(7, "names of settings", "0007_setting_names.sql"),
    step!(8, "crash minutes by place", "0008_crash_place_minutes.sql"),
    step!(9, "changes", "0009_changes.sql"),
    step!(10, "incident hours", "0010_incident_hours.sql"),
    step!(11, "streams", "0011_streams.sql"),
    step!(12, "incident states", "0012_incident_states.sql"),
    step!(13, "processes of crashes", "0013_crash_processes.sql"),
    step!(14, "measurements", "0014_measurements.sql"),
    step!(15, "memory hours", "0015_memory_hours.sql"),
    step!(16, "rules with blanks", "0016_rules_with_blanks.sql"),
    step!(17, "request hours", "0017_request_hours.sql"),
    step!(18, "crashes of a signal alone", "0018_signal_only.sql"),
    step!(19, "deploys", "0019_deploys.sql"),
    step!(20, "shares", "0020_shares.sql"),
    step!(21, "accounts", "0021_accounts.sql"),
    step!(22, "sessions", "0022_sessions.sql"),
];

/// The number of the tables that this Medic makes.
pub(crate) const LATEST: i64 = STEPS[STEPS.len() - 1].number;

pub(crate) fn sqlite() -> Migrator {
    migrator(|step| step.sqlite)
}

pub(crate) fn postgres() -> Migrator {
    migrator(|step| step.postgres)
}

fn migrator(text: fn(&Step) -> &'static str) -> Migrator {
    let migration = |step: &Step| {
        Migration::new(step.number, step.name.into(), MigrationType::Simple, text(step).into_sql_str(), false)
    };
    Migrator::with_migrations(STEPS.iter().map(migration).collect())
}

/// Does what is left to do, each number in a transaction of its own.
pub(crate) async fn migrate<C: Migrate>(
    migrator: &Migrator,
    connection: &mut C,
    database: &Arc<str>,
) -> Result<(), StoreError> {
    migrator.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) if found > LATEST => {
            StoreError::NewerSchema { database: Arc::clone(database), found, known: LATEST }
        }
        error => StoreError::failed("Bringing the tables up to date", Arc::clone(database), error.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::STEPS;
    use std::collections::BTreeSet;

    #[test]
    fn both_databases_have_every_number_and_the_program_holds_every_file() {
        let files = |folder: &str| -> BTreeSet<String> {
            let folder = format!("{}/../../migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let entries = std::fs::read_dir(folder).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let (sqlite, postgres) = (files("sqlite"), files("postgres"));
        assert_eq!(sqlite, postgres);
        let numbers: Vec<i64> = sqlite.iter().map(|name| name[..4].parse().unwrap()).collect();
        assert_eq!(numbers, STEPS.map(|step| step.number));
    }
}
