//! The configuration is read again while Medic runs. What the database holds of apps that are new is read first, as long as that
//! takes no time: an app does not wait for its history.

use std::time::Duration;

use engine::fleet::Configuration;
use model::AppName;

use super::LiveConsole;
use crate::apps::Stored;
use crate::config::{Config, Line, Waiting};
use crate::doors::Doors;
use crate::supervision::Reload;

/// How long an app that is new waits for what the database holds of it.
const STORED_WAIT: Duration = Duration::from_secs(1);

impl LiveConsole {
    /// From now on the pages say, the doors do and the loop does what this configuration says. What is `waiting` for the next
    /// start of Medic the settings pages say.
    pub(super) async fn reload(&self, config: &Config, doors: &Doors, waiting: &[Waiting]) {
        let _one_after_another = self.changing.lock().await;
        let stored = self.stored_of_new(config).await;
        let is_recalled = stored.is_some();
        let Stored { remembered, saved } = stored.unwrap_or_default();
        let all_saved = {
            let mut all = self.saved();
            all.extend(saved);
            Stored { saved: all.clone(), ..Stored::default() }
        };
        self.say_kept_rotations(config);
        doors.configure(&config.apps).await;
        let configuration = Configuration { apps: all_saved.starts(&config.apps), remembered };
        self.supervision.reload(Reload { apps: config.apps.clone(), configuration, is_recalled }).await;
        let mut lines = self.lines.write().expect("nothing panics while it holds the lines");
        *lines = obeyed(&lines, &config.lines, waiting);
        drop(lines);
        self.set_retention(config.retention);
        if !is_recalled {
            self.recall_wanted.notify_one();
        }
    }

    /// Files are deleted by the new bounds at once; a shim rotates by those that its worker was started with.
    fn say_kept_rotations(&self, config: &Config) {
        let known = self.apps.now();
        for app in &config.apps {
            let rotation = |app: &crate::config::App| app.logs.rotation(app.instances);
            let is_kept = |old: &crate::config::App| old.logs != app.logs && rotation(old) != rotation(app);
            if known.get(&app.name).is_some_and(|old| is_kept(old)) {
                tracing::info!(
                    "{}: log_quota or log_retention changed. Running workers rotate their output as before until they are restarted",
                    app.name
                );
            }
        }
    }

    /// What the database holds of apps and instances that there were none of; `None` where it does not say in time.
    async fn stored_of_new(&self, config: &Config) -> Option<Stored> {
        let known = self.apps.now();
        let is_new = |name: &AppName| !known.contains(name);
        let names: Vec<AppName> =
            config.apps.iter().map(|app| app.name.clone()).filter(|name| is_new(name)).collect();
        let has_more =
            |app: &crate::config::App| known.get(&app.name).is_some_and(|old| old.instances < app.instances);
        if names.is_empty() && !config.apps.iter().any(has_more) {
            return Some(Stored::default());
        }
        let read = tokio::time::timeout(STORED_WAIT, Stored::read(&self.store, &self.node, names)).await;
        match read {
            Ok(Ok(stored)) => Some(stored),
            Ok(Err(error)) => {
                tracing::warn!(%error, "settings and rules of new apps are the defaults until the database can be read");
                None
            }
            Err(_) => {
                tracing::warn!("settings and rules of new apps are the defaults until the database answers");
                None
            }
        }
    }
}

/// The lines of what is in force: the new ones, but for what waits for the next start of Medic and what the machine says.
fn obeyed(known: &[Line], new: &[Line], waiting: &[Waiting]) -> Vec<Line> {
    let general = known.iter().filter(|line| line.app.is_none()).map(|line| {
        let waits = waiting.iter().find(|waiting| waiting.key == line.key);
        let mut read = new.iter().filter(|read| read.app.is_none() && read.key == line.key);
        match (read.next(), waits) {
            (Some(read), Some(waiting)) => Line { hint: Some(waiting.hint(&read.source)), ..line.clone() },
            (Some(read), None) => read.clone(),
            (None, _) => line.clone(),
        }
    });
    general.chain(new.iter().filter(|line| line.app.is_some()).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn lines(text: &str) -> Vec<Line> {
        Config::parse(text, "medic.toml", Path::new("/"), &BTreeMap::new()).unwrap().lines
    }

    fn app(name: &str, port: u16, more: &str) -> String {
        format!("[[app]]\nname = \"{name}\"\ncommand = [\"true\"]\nlisten = \"127.0.0.1:{port}\"\n{more}\n")
    }

    #[test]
    fn what_is_in_force_is_shown_and_what_waits_for_a_restart_is_said() {
        let mut before = lines(&(app("shop", 1, "instances = 2") + &app("old", 2, "")));
        let (key, source) = ("open files".to_owned(), "this machine".to_owned());
        before.push(Line { app: None, key, value: "at most 7".to_owned(), source, hint: None });
        let new = "[server]\nlisten = \"127.0.0.1:9\"\n".to_owned()
            + &app("new", 4, "")
            + &app("shop", 3, "instances = 4\nworker_size = \"large\"");
        let (in_force, remedy) = ("127.0.0.1:3000".to_owned(), "restart Medic to apply it".to_owned());
        let waiting = [Waiting { key: "server.listen", in_force, remedy }];
        let shown = obeyed(&before, &lines(&new), &waiting);
        let line = |app: Option<&str>, key: &str| {
            let mut found = shown.iter().filter(|line| line.app.as_deref() == app && line.key == key);
            let line = found.next();
            assert!(found.next().is_none(), "{app:?} {key} stands twice");
            line.map(|line| line.value.as_str())
        };
        let shop = ["worker_size", "instances", "listen"].map(|key| line(Some("shop"), key));
        assert_eq!(shop, [Some("large"), Some("4"), Some("127.0.0.1:3")]);
        assert_eq!((line(Some("old"), "listen"), line(Some("new"), "listen")), (None, Some("127.0.0.1:4")));
        assert_eq!(
            (line(None, "server.listen"), line(None, "open files")),
            (Some("127.0.0.1:3000"), Some("at most 7"))
        );
        let general =
            |lines: &[Line]| lines.iter().filter(|line| line.app.is_none()).cloned().collect::<Vec<_>>();
        let general_hints = general(&shown);
        let hints: Vec<&str> = general_hints.iter().filter_map(|line| line.hint.as_deref()).collect();
        assert_eq!(hints, ["medic.toml:2 has another value. Restart Medic to apply it."]);
        let back = obeyed(&shown, &before, &[]);
        assert!(general(&back).iter().all(|line| line.hint.is_none()), "it is what it was");
    }
}
