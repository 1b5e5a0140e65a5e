//! An app's settings by the names that App Service gave them. In App Service they and an app's environment are one.

use std::collections::BTreeMap;

use model::settings::{AppSettings, Setting};

/// Why a setting was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No such setting.
    #[error("Unknown setting {0}. Valid: {known}", known = Setting::ALL.map(name).join(", "))]
    Unknown(String),
    /// Neither true nor false.
    #[error("{name} must be True or False (got {value})")]
    NotBoolean {
        /// The setting.
        name: &'static str,
        /// What was written, shortened.
        value: String,
    },
}

/// What a setting is called.
pub const fn name(setting: Setting) -> &'static str {
    match setting {
        Setting::CrashMonitoring => "WEBSITE_PROACTIVE_CRASHMONITORING_ENABLED",
        Setting::AutoHeal => "WEBSITE_PROACTIVE_AUTOHEAL_ENABLED",
        // App Service has none
        Setting::CaptureFirstCrash => "MEDIC_CAPTURE_FIRST_CRASH",
    }
}

/// The setting of that name.
pub fn setting(named: &str) -> Result<Setting, SettingError> {
    let found = Setting::ALL.into_iter().find(|setting| name(*setting) == named);
    found.ok_or_else(|| SettingError::Unknown(named.chars().take(80).collect()))
}

/// Is that a value of a setting?
pub fn check(setting: Setting, value: &str) -> Result<(), SettingError> {
    if ["true", "false"].iter().any(|word| value.trim().eq_ignore_ascii_case(word)) {
        return Ok(());
    }
    Err(SettingError::NotBoolean { name: name(setting), value: value.chars().take(40).collect() })
}

/// The settings that stand in an app's environment.
pub fn of_environment(environment: &BTreeMap<String, String>) -> AppSettings {
    let set = Setting::ALL.into_iter().filter_map(|setting| {
        let value = environment.get(name(setting))?;
        Some((setting, value.clone()))
    });
    AppSettings(set.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_wins_over_what_stands_in_the_environment() {
        let environment = [(name(Setting::CrashMonitoring), "FALSE"), ("PATH", "/bin")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let defaults = of_environment(&environment);
        assert!(!AppSettings::default().or(&defaults).is_enabled(Setting::CrashMonitoring));
        let saved = AppSettings([(Setting::CrashMonitoring, "True".to_owned())].into());
        assert!(saved.or(&defaults).is_enabled(Setting::CrashMonitoring));
        assert_eq!(defaults.0.len(), 1);
    }

    #[test]
    fn a_wrong_setting_is_named() {
        for (value, fits) in [("True", true), (" fAlse ", true), ("1", false), ("maybe", false), ("", false)]
        {
            assert_eq!(check(Setting::AutoHeal, value).is_ok(), fits, "{value}");
        }
        let wrong = check(Setting::CrashMonitoring, "maybe").unwrap_err().to_string();
        assert_eq!(wrong, "WEBSITE_PROACTIVE_CRASHMONITORING_ENABLED must be True or False (got maybe)");
        assert_eq!(
            setting("WEBSITE_X").unwrap_err().to_string(),
            "Unknown setting WEBSITE_X. Valid: WEBSITE_PROACTIVE_CRASHMONITORING_ENABLED, WEBSITE_PROACTIVE_AUTOHEAL_ENABLED, \
             MEDIC_CAPTURE_FIRST_CRASH"
        );
        for known in Setting::ALL {
            assert_eq!(setting(name(known)), Ok(known));
        }
    }
}
