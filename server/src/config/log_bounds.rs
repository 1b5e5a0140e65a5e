//! What the log files of the apps may take of the disk, and how a worker's output is rotated for it.
//!
//! Files rotate at an eighth of what an instance has of its app's quota, five of them are kept, and two workers of an instance
//! may write at a time: so rotation alone stays below the 80 % at which a warning is due, while all instances write and are
//! replaced. What comes near a quota is what others have left.

use std::time::Duration;

use super::reader::{Reader, Section};
use super::values::{Raw, Size, duration, got, size};

/// The largest file of a worker's output. Ours: large enough for a day of a talkative app's errors.
const FILE_LIMIT_BYTES: u64 = 10 << 20;
/// How many files of an instance are kept.
const FILES_KEPT: u32 = 5;
/// No file rotates by age faster than this, however short the retention.
const LEAST_AGE: Duration = Duration::from_mins(1);
/// The least of an app's quota for each of its instances, and its default, which rotation does not reach.
const LEAST_OF_INSTANCE: u64 = 1 << 20;
const DEFAULT_OF_INSTANCE: u64 = 100 << 20;
/// The default of an app with few instances, and of all apps.
const DEFAULT_OF_APP: u64 = 1 << 30;
const DEFAULT_OF_ALL: u64 = 10 << 30;
/// More than any machine has.
const MOST: Size = Size(1 << 50);
/// Which part of what an instance has is one file.
const PART: u64 = 8;
/// How many workers of an instance write at a time: one, and the one that it replaces.
const WRITERS: u64 = 2;

/// What an app's log files may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// Of the disk, all together.
    pub quota_bytes: u64,
    /// How long they are kept after they were last written to.
    pub retention: Duration,
}

/// How the output of one instance is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Files that are kept, the current one included.
    pub files: u32,
    /// How long one file is written to.
    pub age: Duration,
}

impl LogBounds {
    /// For an app with so many instances.
    pub fn rotation(&self, instances: u16) -> Rotation {
        let of_instance = self.quota_bytes / u64::from(instances.max(1));
        let file_bytes = (of_instance / PART).min(FILE_LIMIT_BYTES);
        Rotation { file_bytes, files: FILES_KEPT, age: (self.retention / FILES_KEPT).max(LEAST_AGE) }
    }
}

/// How long log files are kept: as long as history, where nothing else is set.
pub(super) fn retention<'t>(
    reader: &mut Reader<'t>,
    server: &mut Section<'t>,
    of_history: Duration,
) -> Duration {
    let own = |raw: &Raw| match raw {
        Raw::Text(text) if text.is_empty() => Ok(None),
        raw => duration(raw).map(Some),
    };
    reader.or(server, "log_retention", "", own).unwrap_or(of_history)
}

/// `log_quota` of an app.
pub(super) fn quota_of_app<'t>(reader: &mut Reader<'t>, section: &mut Section<'t>, instances: u16) -> u64 {
    let instances = u64::from(instances);
    let default = Size(DEFAULT_OF_APP.max(instances * DEFAULT_OF_INSTANCE));
    reader.or_else(section, "log_quota", default, quota(Size(instances * LEAST_OF_INSTANCE))).0
}

/// `server.log_quota`, as it is written.
pub(super) fn quota_of_all<'t>(reader: &mut Reader<'t>, server: &mut Section<'t>) -> Option<u64> {
    reader.optional(server, "log_quota", quota(Size(LEAST_OF_INSTANCE))).map(|Size(bytes)| bytes)
}

/// The same once the apps are known, by how many instances each has: what they write at any moment must have room in it.
pub(super) fn total<'t>(
    reader: &mut Reader<'t>,
    server: &Section<'t>,
    written: Option<u64>,
    apps: &[(u16, LogBounds)],
) -> u64 {
    let instances: u64 = apps.iter().map(|(instances, _)| u64::from(*instances)).sum();
    let Some(quota) = written else {
        let default = DEFAULT_OF_ALL.max(instances * DEFAULT_OF_INSTANCE);
        reader.add_line(server, "log_quota", &Size(default).to_string(), "default".to_owned());
        return default;
    };
    let current = |(instances, bounds): &(u16, LogBounds)| {
        WRITERS * u64::from(*instances) * bounds.rotation(*instances).file_bytes
    };
    let least: u64 = apps.iter().map(current).sum();
    if quota < least {
        let what = format!(
            "must be at least {}, for the files that the {instances} instances are writing (got {})",
            Size(least.div_ceil(1 << 20) << 20),
            Size(quota)
        );
        reader.complain(server, "log_quota", what, "raise it, or lower log_quota of the apps".to_owned());
    }
    quota
}

fn quota(least: Size) -> impl Fn(&Raw) -> Result<Size, String> {
    move |raw| size(least, MOST)(raw)?.ok_or_else(|| format!("must be {least} to {MOST} (got {})", got(raw)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::{Config, ConfigError};
    use super::*;

    const APP: &str = "[[app]]\nname = \"shop\"\ncommand = [\"true\"]\nlisten = \"127.0.0.1:8080\"\n";
    const MIB: u64 = 1 << 20;

    fn parse(server: &str, app: &str) -> Result<Config, String> {
        let text = format!("[server]\n{server}\n{APP}{app}\n");
        Config::parse(&text, "medic.toml", Path::new("/"), &BTreeMap::new()).map_err(|error| match error {
            ConfigError::Wrong(problems) => problems.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn by_default_rotation_reaches_no_quota() {
        let config = parse("", "instances = 64").unwrap();
        let (all, shop) = (config.log_quota_bytes, &config.apps[0]);
        let rotation = shop.logs.rotation(64);
        assert_eq!(rotation, Rotation { file_bytes: 10 * MIB, files: 5, age: Duration::from_hours(6 * 24) });
        let most = 64 * u64::from(rotation.files + 1) * rotation.file_bytes;
        assert!(most * 100 < shop.logs.quota_bytes * 80 && shop.logs.quota_bytes <= all);
        assert_eq!((all, shop.logs.retention), (10 << 30, config.retention));
    }

    #[test]
    fn files_are_smaller_where_the_quota_is() {
        for (instances, quota) in [(1, 1), (1, 6), (3, 40), (64, 64), (64, 1_000)] {
            let bounds = LogBounds { quota_bytes: quota * MIB, retention: Duration::from_secs(1) };
            let Rotation { file_bytes, files, age } = bounds.rotation(instances);
            let most = u64::from(instances) * u64::from(files + 1) * file_bytes;
            assert!(most * 100 < bounds.quota_bytes * 80, "{most} of {quota} MiB");
            assert!(file_bytes >= 64 << 10 && age == LEAST_AGE);
        }
    }

    #[test]
    fn a_quota_that_cannot_be_kept_is_refused() {
        let said = parse("", "instances = 3\nlog_quota = \"2MiB\"").unwrap_err();
        assert_eq!(said, "medic.toml:8 app.log_quota: must be 3MiB to 1024TiB (got \"2MiB\")");
        let said = parse("log_quota = \"12MiB\"", "instances = 4").unwrap_err();
        assert!(
            said.starts_with(
                "medic.toml:2 server.log_quota: must be at least 80MiB, for the files that the 4 instances are writing (got 12MiB)"
            ),
            "{said}"
        );
        let config = parse("log_quota = \"12MiB\"\nlog_retention = \"7d\"", "log_quota = \"30MiB\"").unwrap();
        assert_eq!((config.log_quota_bytes, config.apps[0].logs.quota_bytes), (12 * MIB, 30 * MIB));
        assert_eq!(config.log_retention, Duration::from_hours(7 * 24));
        assert_eq!(config.apps[0].logs.retention, config.log_retention);
    }
}
