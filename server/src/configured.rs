//! Which apps are configured: one set, replaced as a whole when the configuration is read again. Whoever needs an app's
//! configuration asks here each time, instead of keeping a list of apps of its own that may be an old one.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::AppName;
use tokio::sync::watch;

use crate::config::App;

/// The apps of one reading of the configuration.
#[derive(Debug, Default)]
pub struct AppSet {
    apps: BTreeMap<AppName, Arc<App>>,
}

impl AppSet {
    /// One of them.
    pub fn get(&self, app: &AppName) -> Option<&Arc<App>> {
        self.apps.get(app)
    }

    /// Is there such an app?
    pub fn contains(&self, app: &AppName) -> bool {
        self.apps.contains_key(app)
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<App>> {
        self.apps.values()
    }
}

/// The apps that are configured now; clones share it.
#[derive(Clone)]
pub struct ConfiguredApps(watch::Sender<Arc<AppSet>>);

impl ConfiguredApps {
    /// The first set.
    pub fn new(apps: &[App]) -> Self {
        let configured = Self(watch::Sender::default());
        configured.replace(apps);
        configured
    }

    /// The set as it is now. It does not change in the hands of whoever has it.
    pub fn now(&self) -> Arc<AppSet> {
        Arc::clone(&self.0.borrow())
    }

    /// One app as it is configured now.
    pub fn get(&self, app: &AppName) -> Option<Arc<App>> {
        self.0.borrow().get(app).cloned()
    }

    /// From now on these are the apps.
    pub fn replace(&self, apps: &[App]) {
        let apps = apps.iter().map(|app| (app.name.clone(), Arc::new(app.clone()))).collect();
        self.0.send_modify(|set| *set = Arc::new(AppSet { apps }));
    }
}
