//! What a running Medic cannot take over from a configuration that is read again, and how somebody else knows what it has: it
//! writes that down where it holds its data folder.

use std::net::SocketAddr;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::Config;
use super::problem::sentence;
use crate::access::PublicUrl;

/// The settings that only a start of Medic applies, as one Medic has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtStart {
    listen: SocketAddr,
    public_url: String,
    trusted_proxies: String,
    data_dir: PathBuf,
    database: DatabaseMark,
}

/// Tells one database's address from another; the address itself, which may have a password, is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DatabaseMark {
    /// Of this record alone, so that marks of two Medics say nothing of each other.
    salt: String,
    digest: String,
}

/// A setting that has another value in the file than in the running Medic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub key: &'static str,
    /// The value in force, where it is no secret.
    pub in_force: String,
    /// What to do, so that the new one is.
    pub remedy: String,
}

const LISTEN: &str = "server.listen";
const PUBLIC_URL: &str = "server.public_url";
const TRUSTED_PROXIES: &str = "server.trusted_proxies";
const DATABASE: &str = "database";

impl AtStart {
    /// Those of a configuration; `salt` is what no other record has.
    pub fn of(config: &Config, salt: &str) -> Self {
        Self {
            listen: config.listen,
            public_url: config.reach.public_url.as_ref().map(PublicUrl::origin).unwrap_or_default(),
            trusted_proxies: trusted_proxies(config),
            data_dir: config.data_dir.clone(),
            database: DatabaseMark::of(config.database_url.as_deref(), salt),
        }
    }

    /// The settings that `next` has other values of.
    pub fn waiting(&self, next: &Config) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        let mut add = |key, in_force, remedy| waiting.push(Waiting { key, in_force, remedy });
        let restart = || "restart Medic to apply it".to_owned();
        if self.listen != next.listen {
            add(LISTEN, self.listen.to_string(), restart());
        }
        let shown = |value: &str| if value.is_empty() { "none".to_owned() } else { value.to_owned() };
        let after = Self::of(next, &self.database.salt);
        for (key, now, next) in [
            (PUBLIC_URL, &self.public_url, &after.public_url),
            (TRUSTED_PROXIES, &self.trusted_proxies, &after.trusted_proxies),
        ] {
            if now != next {
                add(key, shown(now), restart());
            }
        }
        if self.is_elsewhere(next) {
            let (old, new) = (self.data_dir.display(), next.data_dir.display());
            let remedy = format!(
                "restart Medic to apply it. The restart ends the apps too, because their processes belong to {old}. To keep the history: medic stop, mv {old} {new}, start Medic"
            );
            add("server.data_dir", old.to_string(), remedy);
        }
        if self.database != after.database {
            add(next.database_key(), "another database".to_owned(), restart());
        }
        waiting
    }

    /// Is that another data folder?
    pub fn is_elsewhere(&self, next: &Config) -> bool {
        self.data_dir != next.data_dir
    }

    /// Those that another process wrote for the data folder that it holds; `None` where it wrote nothing that is known here.
    pub fn read(text: &str, data_dir: PathBuf) -> Option<Self> {
        let value = |key| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let (salt, digest) = value(DATABASE)?.split_once(' ')?;
        let database = DatabaseMark { salt: salt.to_owned(), digest: digest.to_owned() };
        // an older Medic had none
        let text = |key| value(key).unwrap_or_default().to_owned();
        Some(Self {
            listen: value(LISTEN)?.parse().ok()?,
            public_url: text(PUBLIC_URL),
            trusted_proxies: text(TRUSTED_PROXIES),
            data_dir,
            database,
        })
    }
}

impl Waiting {
    /// For whoever sees the value in force; `source` is where the other one stands.
    pub fn hint(&self, source: &str) -> String {
        format!("{source} has another value. {}", sentence(&self.remedy))
    }
}

/// Lines for [`AtStart::read`], without the data folder, which they are in.
impl std::fmt::Display for AtStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DatabaseMark { salt, digest } = &self.database;
        writeln!(f, "{LISTEN} {}\n{DATABASE} {salt} {digest}", self.listen)?;
        writeln!(f, "{PUBLIC_URL} {}\n{TRUSTED_PROXIES} {}", self.public_url, self.trusted_proxies)
    }
}

fn trusted_proxies(config: &Config) -> String {
    let all: Vec<_> = config.reach.trusted_proxies.iter().map(ToString::to_string).collect();
    all.join(",")
}

impl DatabaseMark {
    fn of(url: Option<&str>, salt: &str) -> Self {
        let digest = hex::encode(Sha256::digest(format!("{salt}\0{}", url.unwrap_or_default())));
        Self { salt: salt.to_owned(), digest }
    }
}

impl Config {
    /// The key that says which database it is.
    fn database_key(&self) -> &'static str {
        let is_given = |line: &super::Line| line.key == "database.url_file" && !line.value.is_empty();
        if self.lines.iter().any(is_given) { "database.url_file" } else { "database.url" }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        let app = "[[app]]\nname = \"shop\"\ncommand = [\"true\"]\nlisten = \"127.0.0.1:1\"\n";
        Config::parse(&format!("{text}{app}"), "medic.toml", Path::new("/"), &BTreeMap::new()).unwrap()
    }

    fn keys(waiting: &[Waiting]) -> Vec<&str> {
        waiting.iter().map(|waiting| waiting.key).collect()
    }

    /// Every setting of Medic itself, another value than its default, and whether only a start applies it. What `url_file` names is
    /// tried by another test.
    const OTHER_VALUES: [(&str, &str, &str, bool); 18] = [
        ("server", "listen", "\"127.0.0.1:9\"", true),
        ("server", "public_url", "\"https://a.example\"", true),
        ("server", "trusted_proxies", "[\"127.0.0.1\"]", true),
        ("server", "data_dir", "\"x\"", true),
        ("server", "log_quota", "\"1GiB\"", false),
        ("server", "log_retention", "\"9d\"", false),
        ("database", "url", "\"postgres://a@b/c\"", true),
        ("database", "url_file", "", true),
        ("database", "retention", "\"1d\"", false),
        ("crash_monitoring", "crashes", "0", false),
        ("crash_monitoring", "window", "\"1h\"", false),
        ("crash_monitoring", "pause", "\"1h\"", false),
        ("auto_heal", "fuse_restarts", "1", false),
        ("auto_heal", "fuse_window", "\"1h\"", false),
        ("auto_heal", "fuse_off", "\"1h\"", false),
        ("auto_heal", "not_responding", "false", false),
        ("auto_heal", "not_responding_after", "\"2m\"", false),
        ("auto_heal", "not_responding_probe", "\"2s\"", false),
    ];

    #[test]
    fn what_only_a_start_can_change_is_named() {
        let old = AtStart::of(&config(""), "1");
        assert_eq!(old.waiting(&config("")), []);
        let text =
            "[server]\nlisten = \"127.0.0.1:9\"\ndata_dir = \"x\"\n[database]\nurl = \"postgres://a@b/c\"\n";
        let waiting = old.waiting(&config(text));
        assert_eq!(keys(&waiting), ["server.listen", "server.data_dir", "database.url"]);
        assert!(waiting[1].remedy.contains("medic stop, mv /data /x, start Medic"), "{waiting:?}");
        for (section, key, value, only_at_start) in OTHER_VALUES.iter().filter(|row| !row.2.is_empty()) {
            let next = config(&format!("[{section}]\n{key} = {value}\n"));
            let full = format!("{section}.{key}");
            let named = if *only_at_start { vec![full.as_str()] } else { Vec::new() };
            assert_eq!(keys(&old.waiting(&next)), named, "{full}");
        }
    }

    #[test]
    fn every_setting_of_medic_itself_is_in_the_table() {
        let there = config("").lines.into_iter().filter(|line| line.app.is_none()).map(|line| line.key);
        let tried = OTHER_VALUES.iter().map(|(section, key, ..)| format!("{section}.{key}"));
        assert_eq!(there.collect::<BTreeSet<_>>(), tried.collect());
    }

    #[test]
    fn another_password_in_the_file_is_another_database() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        let read = |url: &str| {
            std::fs::write(&file, url).unwrap();
            config(&format!("[database]\nurl_file = \"{}\"\n", file.display()))
        };
        let old = AtStart::of(&read("postgres://a:one@b/c"), "1");
        assert_eq!(keys(&old.waiting(&read("postgres://a:two@b/c"))), ["database.url_file"]);
        assert_eq!(old.waiting(&read("postgres://a:one@b/c")), []);
    }

    #[test]
    fn what_one_medic_writes_another_reads_and_no_address_of_a_database_is_in_it() {
        let old = AtStart::of(&config("[database]\nurl = \"postgres://a:secret@b/c\"\n"), "12-34");
        let text = format!("4711\n{old}");
        assert!(!text.contains("secret") && !text.contains("postgres"), "{text}");
        assert_eq!(AtStart::read(&text, "/data".into()), Some(old));
        assert_eq!(AtStart::read("4711\n", "/data".into()), None, "an older Medic's");
    }
}
