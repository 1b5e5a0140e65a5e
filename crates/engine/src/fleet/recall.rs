//! What was remembered of the last run and came late, since the database could not be read when Medic started: it is added to
//! what this run has counted meanwhile. A state only ever becomes stricter by it.

use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use model::auto_heal::AutoHealConfig;
use model::settings::AppSettings;
use model::{AppName, Now};

use crate::fleet::{Fleet, Remembered};

/// Everything that the database holds for this node's fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recalled {
    /// What guards people.
    pub remembered: Remembered,
    /// What people have set for each app.
    pub apps: Vec<(AppName, AppSettings, AutoHealConfig)>,
}

impl Fleet {
    pub(super) fn recall(&mut self, now: Now, recalled: Recalled, effects: &mut Vec<Effect>) {
        let Recalled { remembered, apps } = recalled;
        for (name, settings, rules) in apps {
            self.of(&name, |app| {
                app.set_settings(now, settings, effects);
                app.set_rules(now, rules);
            });
        }
        for app in self.apps.values_mut() {
            app.recall(now, &remembered, effects);
        }
        self.remember_all(effects);
    }

    /// Says again everything that is to be remembered, for a database that has begun anew.
    pub(super) fn remember_all(&mut self, effects: &mut Vec<Effect>) {
        self.apps.values_mut().for_each(|app| app.remember_all(effects));
    }
}
