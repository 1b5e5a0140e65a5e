//! What a running Medic cannot take over from a configuration that is read again.

use super::Config;

impl Config {
    /// The keys of what differs in `next` and is only looked at when Medic starts.
    pub fn only_at_start(&self, next: &Self) -> Vec<&'static str> {
        let keys = [
            ("server.listen", self.listen != next.listen),
            ("server.data_dir", self.data_dir != next.data_dir),
            ("database.url", self.database_url != next.database_url),
            ("database.retention", self.retention != next.retention),
        ];
        keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        let app = "[[app]]\nname = \"shop\"\ncommand = [\"true\"]\nlisten = \"127.0.0.1:1\"\n";
        Config::parse(&format!("{text}{app}"), "medic.toml", Path::new("/"), &BTreeMap::new()).unwrap()
    }

    #[test]
    fn what_only_a_start_can_change_is_named() {
        let old = config("");
        for (text, keys) in [
            ("", &[][..]),
            ("[server]\nlisten = \"127.0.0.1:9\"\ndata_dir = \"x\"\n", &["server.listen", "server.data_dir"]),
            ("[database]\nurl = \"postgres://a@b/c\"\n", &["database.url"]),
            ("[database]\nretention = \"1d\"\n", &["database.retention"]),
            ("[crash_monitoring]\ncrashes = 0\n", &[]),
        ] {
            assert_eq!(old.only_at_start(&config(text)), keys, "{text}");
        }
    }
}
