//! What a running Medic cannot take over from a configuration that is read again.

use super::Config;

impl Config {
    /// What differs in `next` and is only looked at when Medic starts; a sentence each.
    pub fn only_at_start(&self, next: &Self) -> Vec<String> {
        let mut said = Vec::new();
        let mut say = |differs: bool, what: &str| {
            if differs {
                said.push(format!("{what} changed; that takes effect when Medic is started again"));
            }
        };
        say(self.listen != next.listen, "server.listen");
        say(self.data_dir != next.data_dir, "server.data_dir");
        say(self.database_url != next.database_url, "the database");
        say(self.retention != next.retention, "database.retention");
        for app in &self.apps {
            let Some(new) = next.apps.iter().find(|new| new.name == app.name) else {
                say(true, &format!("the app {} is gone from the file, which", app.name));
                continue;
            };
            let name = &app.name;
            say(app.listen != new.listen, &format!("{name}: listen"));
            say(app.instances != new.instances, &format!("{name}: instances"));
            say(app.request_wait != new.request_wait, &format!("{name}: request_wait"));
            say(app.retry_requests != new.retry_requests, &format!("{name}: retry_requests"));
        }
        let is_new = |new: &&super::App| !self.apps.iter().any(|app| app.name == new.name);
        for new in next.apps.iter().filter(is_new) {
            say(true, &format!("the app {} is new, which", new.name));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "medic.toml", Path::new("/"), &BTreeMap::new()).unwrap()
    }

    #[test]
    fn what_only_a_start_can_change_is_said() {
        let app =
            |name: &str, more: &str| format!("[[app]]\nname = \"{name}\"\ncommand = [\"true\"]\n{more}\n");
        let old =
            config(&(app("shop", "listen = \"127.0.0.1:1\"") + &app("old", "listen = \"127.0.0.1:2\"")));
        let new = app("shop", "listen = \"127.0.0.1:3\"\nstop_grace = \"1s\"\ninstances = 2")
            + &app("new", "listen = \"127.0.0.1:4\"");
        let said = old.only_at_start(&config(&("[server]\nlisten = \"127.0.0.1:9\"\n".to_owned() + &new)));
        let starts =
            ["server.listen", "shop: listen", "shop: instances", "the app old is gone", "the app new is new"];
        assert_eq!(said.len(), starts.len(), "{said:?}");
        assert!(said.iter().zip(starts).all(|(said, start)| said.starts_with(start)), "{said:?}");
        assert!(old.only_at_start(&old).is_empty());
    }
}
