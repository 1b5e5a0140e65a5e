//! What people save: settings and rules, each changed on what is saved under one lock, so that two who save at once lose nothing
//! of each other's, and what is saved last is what the loop is told last. What stands in an app's environment is in force where
//! nothing is saved, and is never saved.
//!
//! What was recalled or written last is kept: it is what is in force, so it answers while there is no database, and it is given to
//! one that begins anew. Before anything was recalled nothing of it is in force.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use app::{ConsoleError, RulesChange, SettingChanges};
use engine::fleet::Recalled;
use model::AppName;
use model::auto_heal::AutoHealConfig;
use model::change::{Change, Changed};
use model::crash_monitor::Numbers;
use model::settings::{AppSettings, Setting};
use store::StoreError;

use super::healing::refuse_invalid;
use super::{LiveConsole, failed};
use crate::apps::{self, Saved, Stored};
use crate::config::App;

impl LiveConsole {
    /// The settings in force: what is saved, and the environment where nothing is.
    pub(super) async fn settings_in_force(&self, app: &AppName) -> Result<AppSettings, ConsoleError> {
        let defaults = self.known(app)?.settings;
        let settings = match self.store.settings(app).await {
            Ok(settings) => settings,
            Err(_) => self.kept(app, |kept| kept.settings.clone()).unwrap_or_default(),
        };
        Ok(settings.or(&defaults))
    }

    /// The numbers in force, by what was saved last.
    pub(super) fn crash_monitoring_of(&self, app: &AppName) -> Option<Numbers> {
        let configured = self.app(app)?;
        let saved = self.kept(app, |kept| kept.settings.clone()).unwrap_or_default();
        Some(saved.or(&configured.settings).crash_monitoring(configured.crash_monitoring))
    }

    /// Changes what is named and leaves the rest. A setting that is in force already is not saved.
    pub(super) async fn change_some_settings(
        &self,
        app: &AppName,
        changes: SettingChanges,
        by: Option<String>,
    ) -> Result<(), ConsoleError> {
        let defaults = self.known(app)?.settings;
        for (setting, value) in &changes {
            let checked = value.as_ref().map(|value| app_service::settings::check(*setting, value));
            checked.transpose().map_err(|error| ConsoleError::Refused(error.to_string()))?;
        }
        let _one_after_another = self.changing.lock().await;
        let mut settings = self.store.settings(app).await.map_err(|error| failed(&error))?;
        let before = settings.clone();
        for (setting, value) in changes {
            let is_in_force = |value: &String| {
                let wanted = AppSettings([(setting, value.clone())].into());
                settings.clone().or(&defaults).is_enabled(setting) == wanted.is_enabled(setting)
            };
            match value {
                None => drop(settings.0.remove(&setting)),
                Some(value) if is_in_force(&value) => {}
                Some(value) => drop(settings.0.insert(setting, value)),
            }
        }
        let altered = altered(&before, &settings, &defaults);
        if !altered.is_empty() {
            let change = self.change(app, by, Changed::Settings { settings: altered });
            self.store.change_settings(&settings, &change).await.map_err(|error| failed(&error))?;
        }
        self.keep(app, |kept| kept.settings = settings.clone());
        self.supervision.configure(app.clone(), settings.or(&defaults)).await;
        Ok(())
    }

    pub(super) async fn rules(&self, app: &AppName) -> Result<AutoHealConfig, ConsoleError> {
        self.known(app)?;
        let rules = match self.store.auto_heal(app).await {
            Ok(rules) => rules,
            Err(_) => self.kept(app, |kept| kept.rules.clone()).unwrap_or_default(),
        };
        Ok(rules.unwrap_or_default())
    }

    pub(super) async fn change_rules(
        &self,
        app: &AppName,
        change: RulesChange<'_>,
        by: Option<String>,
    ) -> Result<(), ConsoleError> {
        self.known(app)?;
        let _one_after_another = self.changing.lock().await;
        let held = self.store.auto_heal(app).await.map_err(|error| failed(&error))?.unwrap_or_default();
        let config = change(&held)?;
        refuse_invalid(&config)?;
        let config = config.keep_from(&held).map_err(|violation| ConsoleError::Invalid(vec![violation]))?;
        if config != held {
            let change = self.change(app, by, Changed::Rules { enabled: config.enabled });
            self.store.change_auto_heal(&config, &change).await.map_err(|error| failed(&error))?;
        }
        self.keep(app, |kept| kept.rules = Some(config.clone()));
        self.supervision.auto_heal(app.clone(), config).await;
        Ok(())
    }

    /// Takes over what the database holds, which could not be read when Medic started.
    pub(super) async fn recall(&self) -> Result<(), StoreError> {
        let _one_after_another = self.changing.lock().await;
        let configured = self.apps.now();
        let default = |app: &App| apps::settings_without_saved(app);
        let defaults: Vec<(AppName, AppSettings)> =
            configured.iter().map(|app| (app.name.clone(), default(app))).collect();
        let names: Vec<AppName> = defaults.iter().map(|(name, _)| name.clone()).collect();
        let read = Stored::read(&self.store, &self.node, names).await?;
        let set = defaults.into_iter().map(|(name, defaults)| {
            let Saved { settings, rules } = read.saved.get(&name).cloned().unwrap_or_default();
            (name, settings.or(&defaults), rules.unwrap_or_default())
        });
        let recalled = Recalled { remembered: read.remembered, apps: set.collect() };
        *self.saved() = read.saved;
        self.supervision.recall(recalled).await;
        tracing::info!("settings, rules, crash counts and restart limits were read from the database");
        Ok(())
    }

    /// Gives what is known to a database that has begun anew.
    pub(super) async fn restore(&self) -> Result<(), StoreError> {
        let _one_after_another = self.changing.lock().await;
        let saved = self.saved().clone();
        for (app, Saved { settings, rules }) in &saved {
            if !settings.0.is_empty() {
                self.store.save_settings(app, settings).await?;
            }
            if let Some(rules) = rules {
                self.store.save_auto_heal(app, rules).await?;
            }
        }
        self.supervision.remember_all().await;
        tracing::info!("settings, rules, crash counts and restart limits were written to the new database");
        Ok(())
    }

    pub(super) fn change(&self, app: &AppName, by: Option<String>, what: Changed) -> Change {
        Change { app: app.clone(), node: self.node.clone(), at: self.clock.wall(), by, what }
    }

    pub(super) fn saved(&self) -> MutexGuard<'_, BTreeMap<AppName, Saved>> {
        self.saved.lock().expect("nothing panics while it holds what is saved")
    }

    fn kept<T>(&self, app: &AppName, of: impl FnOnce(&Saved) -> T) -> Option<T> {
        self.saved().get(app).map(of)
    }

    fn keep(&self, app: &AppName, change: impl FnOnce(&mut Saved)) {
        change(self.saved().entry(app.clone()).or_default());
    }
}

/// The settings that are saved in another way than before, and whether each is on now.
fn altered(before: &AppSettings, after: &AppSettings, defaults: &AppSettings) -> BTreeMap<Setting, bool> {
    let in_force = after.clone().or(defaults);
    let is_changed = |setting: &Setting| before.0.get(setting) != after.0.get(setting);
    Setting::ALL
        .into_iter()
        .filter(is_changed)
        .map(|setting| (setting, in_force.is_enabled(setting)))
        .collect()
}
