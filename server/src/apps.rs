//! From the configuration and what was remembered to what the loop begins with.

use std::collections::BTreeMap;

use engine::fleet::{AppSpec, AppStart, HealSpec, Remembered};
use engine::instance::Lifecycle;
use engine::settings::AppSettings;
use serde::de::DeserializeOwned;
use store::{Store, StoreError};

use crate::config::App;

/// Why it could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AppsError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was remembered cannot be read.
    #[error(
        "what is remembered of {of} cannot be read: {source}; it was written by another version of Medic"
    )]
    Unreadable {
        /// Of whom.
        of: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// What this machine remembers of its instances and apps.
pub async fn remembered(store: &Store, node: &str) -> Result<Remembered, AppsError> {
    Ok(Remembered {
        guards: read(store.states(node).await?)?,
        heal: read(store.heal_guards(node).await?)?,
        fuses: read(store.fuses(node).await?)?,
    })
}

/// Each app as it is to run, with what people have set for it.
pub async fn starts(store: &Store, apps: &[App]) -> Result<Vec<AppStart>, AppsError> {
    let mut starts = Vec::new();
    for app in apps {
        let rules = store.auto_heal(&app.name).await?.unwrap_or_default();
        starts.push(AppStart { spec: spec(app), settings: settings(store, app).await?, rules });
    }
    Ok(starts)
}

/// What was saved, and the app's environment where nothing was.
pub async fn settings(store: &Store, app: &App) -> Result<AppSettings, StoreError> {
    Ok(store.settings(&app.name).await?.or(&AppSettings::of_environment(&app.environment)))
}

/// The app's numbers.
pub fn spec(app: &App) -> AppSpec {
    AppSpec {
        name: app.name.clone(),
        listen: app.listen.to_string(),
        instances: app.instances,
        lifecycle: Lifecycle { warm_up: app.warm_up, stop_grace: app.stop_grace, back_off: app.back_off },
        crash_monitoring: app.crash_monitoring,
        auto_heal: HealSpec {
            worker_size: app.worker_size,
            memory_limit_bytes: app.memory_limit_bytes,
            fuse: app.fuse,
            cpu: app.cpu,
        },
    }
}

fn read<K: Ord + std::fmt::Display, T: DeserializeOwned>(
    texts: impl IntoIterator<Item = (K, String)>,
) -> Result<BTreeMap<K, T>, AppsError> {
    let one = |(key, json): (K, String)| match serde_json::from_str(&json) {
        Ok(value) => Ok((key, value)),
        Err(source) => Err(AppsError::Unreadable { of: key.to_string(), source }),
    };
    texts.into_iter().map(one).collect()
}
