//! From the configuration and what was remembered to what the loop begins with.

use std::collections::BTreeMap;

use engine::fleet::{AppSpec, AppStart, HealSpec, Remembered};
use engine::instance::Lifecycle;
use model::auto_heal::AutoHealConfig;
use model::settings::{AppSettings, Setting};
use model::{AppName, NodeName};
use serde::de::DeserializeOwned;
use store::{Store, StoreError};

use crate::config::App;

/// What people have saved for one app.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// Its settings; what stands in its environment is not among them.
    pub settings: AppSettings,
    /// Its rules, where any were ever saved.
    pub rules: Option<AutoHealConfig>,
}

/// What the database holds for this machine's loop.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// What guards people.
    pub remembered: Remembered,
    /// What they have saved for each app.
    pub saved: BTreeMap<AppName, Saved>,
}

impl Stored {
    /// Reads it.
    pub async fn read(
        store: &Store,
        node: &NodeName,
        apps: impl IntoIterator<Item = AppName>,
    ) -> Result<Self, StoreError> {
        let remembered = Remembered {
            crash_monitors: read(store.crash_monitor_states(node).await?),
            auto_heal: read(store.auto_heal_states(node).await?),
            fuses: read(store.fuses(node).await?),
        };
        let mut saved = BTreeMap::new();
        for app in apps {
            let (settings, rules) = (store.settings(&app).await?, store.auto_heal(&app).await?);
            saved.insert(app, Saved { settings, rules });
        }
        Ok(Self { remembered, saved })
    }

    /// Each app as it is to run.
    pub fn starts(&self, apps: &[App]) -> Vec<AppStart> {
        let start = |app: &App| {
            let Saved { settings, rules } = self.saved.get(&app.name).cloned().unwrap_or_default();
            let settings = settings.or(&settings_without_saved(app));
            AppStart { spec: spec(app), settings, rules: rules.unwrap_or_default() }
        };
        apps.iter().map(start).collect()
    }
}

/// The settings of an app where nothing is saved: what its environment and its configuration say.
pub fn settings_without_saved(app: &App) -> AppSettings {
    let always_armed =
        (app.crash_monitoring.crashes == 0).then(|| (Setting::CaptureFirstCrash, "True".to_owned()));
    app_service::settings::of_environment(&app.environment)
        .or(&AppSettings(always_armed.into_iter().collect()))
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
            percent_request_excludes: app.percent_request_exclude.clone(),
            not_responding: app.not_responding,
            cpu: app.cpu,
        },
    }
}

/// What another version of Medic wrote in another way is left out: it must not keep any app from being served.
fn read<K: Ord + std::fmt::Display, T: DeserializeOwned>(
    texts: impl IntoIterator<Item = (K, String)>,
) -> BTreeMap<K, T> {
    let one = |(key, json): (K, String)| match serde_json::from_str(&json) {
        Ok(value) => Some((key, value)),
        Err(error) => {
            tracing::error!(%error, "cannot read the saved state of {key}; starting without it");
            None
        }
    };
    texts.into_iter().filter_map(one).collect()
}
