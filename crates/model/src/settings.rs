//! An app's settings that are kept in the store and obeyed live, and the variables that its workers are given, by the names
//! that App Service gave them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Opts an app out of proactive crash monitoring.
pub const CRASH_MONITORING_ENABLED: &str = "WEBSITE_PROACTIVE_CRASHMONITORING_ENABLED";
/// Opts an app out of proactive auto-heal.
pub const AUTO_HEAL_ENABLED: &str = "WEBSITE_PROACTIVE_AUTOHEAL_ENABLED";
/// In a worker's environment: the port on the loopback address that it must listen on.
pub const PORT: &str = "PORT";
/// In a worker's environment: the app's name.
pub const SITE_NAME: &str = "WEBSITE_SITE_NAME";
/// In a worker's environment: 64 hexadecimal digits, the same for the same node, app and instance.
pub const INSTANCE_ID: &str = "WEBSITE_INSTANCE_ID";
/// In an app's environment: the path that a new worker is asked for until it is warm.
pub const WARM_UP_PATH: &str = "WEBSITE_WARMUP_PATH";
/// In an app's environment: the statuses that say that it is.
pub const WARM_UP_STATUSES: &str = "WEBSITE_WARMUP_STATUSES";
/// In an app's environment: the seconds that a new worker may take until then.
pub const START_TIME_LIMIT: &str = "WEBSITES_CONTAINER_START_TIME_LIMIT";
/// Every setting that is known.
pub const KNOWN: [&str; 2] = [CRASH_MONITORING_ENABLED, AUTO_HEAL_ENABLED];
/// The longest value, in bytes.
pub const VALUE_LIMIT_BYTES: usize = 256;

/// Why a setting was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No such setting.
    #[error("`{0}` is no setting of an app: known are {known}", known = KNOWN.join(" and "))]
    Unknown(String),
    /// Neither true nor false.
    #[error("`{name}` is on or off: write True or False, not `{value}`")]
    NotBoolean {
        /// The setting.
        name: String,
        /// What was written, shortened.
        value: String,
    },
}

/// Name → value, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AppSettings(pub BTreeMap<String, String>);

impl AppSettings {
    /// Is the flag on? Absent or anything but `false` (in any case) is on, as in App Service.
    pub fn is_enabled(&self, flag: &str) -> bool {
        !self.0.get(flag).is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
    }

    /// These settings, and `defaults` for what they leave out.
    #[must_use]
    pub fn or(mut self, defaults: &Self) -> Self {
        for (name, value) in &defaults.0 {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    /// The settings that stand in an app's environment: in App Service the two are one.
    pub fn of_environment(environment: &BTreeMap<String, String>) -> Self {
        let known = environment.iter().filter(|(name, _)| KNOWN.contains(&name.as_str()));
        Self(known.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Checks every setting; nothing is saved half.
    pub fn check(&self) -> Result<(), SettingError> {
        for (name, value) in &self.0 {
            if !KNOWN.contains(&name.as_str()) {
                return Err(SettingError::Unknown(name.chars().take(80).collect()));
            }
            if !["true", "false"].iter().any(|word| value.trim().eq_ignore_ascii_case(word)) {
                return Err(SettingError::NotBoolean {
                    name: name.clone(),
                    value: value.chars().take(40).collect(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(value: &str) -> AppSettings {
        AppSettings([(CRASH_MONITORING_ENABLED.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn any_case_of_false_switches_off_and_nothing_else_does() {
        assert!(AppSettings::default().is_enabled(CRASH_MONITORING_ENABLED));
        for off in ["FALSE", "False", "false", "fAlSe", " false "] {
            assert!(!settings(off).is_enabled(CRASH_MONITORING_ENABLED), "{off}");
        }
        for on in ["True", "TRUE", "1", "0", ""] {
            assert!(settings(on).is_enabled(CRASH_MONITORING_ENABLED), "{on}");
        }
    }

    #[test]
    fn what_is_saved_wins_over_what_stands_in_the_environment() {
        let environment = [(CRASH_MONITORING_ENABLED, "FALSE"), ("PATH", "/bin")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let defaults = AppSettings::of_environment(&environment);
        assert!(!AppSettings::default().or(&defaults).is_enabled(CRASH_MONITORING_ENABLED));
        assert!(settings("True").or(&defaults).is_enabled(CRASH_MONITORING_ENABLED));
        assert_eq!(defaults.0.len(), 1);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        assert!(settings("maybe").check().unwrap_err().to_string().contains("not `maybe`"));
        let unknown = AppSettings([("WEBSITE_X".to_owned(), "True".to_owned())].into());
        assert!(unknown.check().unwrap_err().to_string().starts_with("`WEBSITE_X` is no setting"));
    }
}
