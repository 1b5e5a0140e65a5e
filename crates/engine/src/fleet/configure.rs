//! The configuration was read again: apps that are new start, those that are gone drain and end, and the others have more places
//! or fewer, and their new numbers at once. Who is not concerned goes on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::fleet::app::App;
use crate::fleet::{AppStart, Fleet, Remembered};
use model::{AppName, Now};

/// Every app, as it is configured now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// All of them, and what people have set for each.
    pub apps: Vec<AppStart>,
    /// What was remembered of the places that are new, or come back.
    pub remembered: Remembered,
}

impl Fleet {
    pub(super) fn configure(&mut self, now: Now, configuration: Configuration, effects: &mut Vec<Effect>) {
        if self.stops {
            return;
        }
        let Configuration { apps, remembered } = configuration;
        let apps: BTreeMap<AppName, AppStart> =
            apps.into_iter().map(|start| (start.spec.name.clone(), start)).collect();
        let gone: BTreeSet<AppName> =
            self.apps.keys().filter(|name| !apps.contains_key(*name)).cloned().collect();
        for app in gone.iter().filter_map(|name| self.apps.remove(name)) {
            self.former.take_app(now, app.into_parts(), effects);
        }
        for (name, start) in apps {
            let (node, analysis, former) = (&self.node, self.analysis, &mut self.former);
            let new =
                || App::without_places(node, start.clone(), former.fuse_of(&name, &remembered), analysis);
            let app = self.apps.entry(name.clone()).or_insert_with(new);
            app.configure(now, start, (former, &remembered), effects);
        }
    }
}
