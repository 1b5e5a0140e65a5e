//! An app's settings that are kept in the database and obeyed live. How App Service calls them, `app_service` knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One of them. Each is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Proactive crash monitoring.
    CrashMonitoring,
    /// Proactive auto-heal.
    AutoHeal,
}

/// The longest value, in bytes.
pub const VALUE_LIMIT_BYTES: usize = 256;

impl Setting {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::CrashMonitoring, Self::AutoHeal];

    /// Its name in the database.
    pub const fn stored(self) -> &'static str {
        match self {
            Self::CrashMonitoring => "crash_monitoring",
            Self::AutoHeal => "auto_heal",
        }
    }
}

/// Setting → value, as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppSettings(pub BTreeMap<Setting, String>);

impl AppSettings {
    /// Is it on? Absent or anything but `false` (in any case) is on, as in App Service.
    pub fn is_enabled(&self, setting: Setting) -> bool {
        !self.0.get(&setting).is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
    }

    /// These settings, and `defaults` for what they leave out.
    #[must_use]
    pub fn or(mut self, defaults: &Self) -> Self {
        for (setting, value) in &defaults.0 {
            self.0.entry(*setting).or_insert_with(|| value.clone());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_case_of_false_switches_off_and_nothing_else_does() {
        let settings = |value: &str| AppSettings([(Setting::CrashMonitoring, value.to_owned())].into());
        assert!(AppSettings::default().is_enabled(Setting::CrashMonitoring));
        for off in ["FALSE", "False", "false", "fAlSe", " false "] {
            assert!(!settings(off).is_enabled(Setting::CrashMonitoring), "{off}");
            assert!(settings(off).is_enabled(Setting::AutoHeal), "{off}");
        }
        for on in ["True", "TRUE", "1", "0", ""] {
            assert!(settings(on).is_enabled(Setting::CrashMonitoring), "{on}");
        }
    }

    #[test]
    fn a_setting_is_stored_by_the_name_that_it_serializes_to() {
        for setting in Setting::ALL {
            assert_eq!(serde_json::to_value(setting).unwrap(), setting.stored());
        }
    }
}
