//! An app's settings that are kept in the database and obeyed live. How App Service calls them, `app_service` knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crash_monitor::Numbers;

/// One of them. Each is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Proactive crash monitoring.
    CrashMonitoring,
    /// Proactive auto-heal.
    AutoHeal,
    /// The debugger is attached from the first crash on, not after some crashes.
    CaptureFirstCrash,
}

/// The longest value, in bytes.
pub const VALUE_LIMIT_BYTES: usize = 256;

impl Setting {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::CrashMonitoring, Self::AutoHeal, Self::CaptureFirstCrash];

    /// Its name in the database.
    pub const fn stored(self) -> &'static str {
        match self {
            Self::CrashMonitoring => "crash_monitoring",
            Self::AutoHeal => "auto_heal",
            Self::CaptureFirstCrash => "capture_first_crash",
        }
    }

    /// Is it on where nobody says anything? What App Service has is; what costs something is not.
    pub const fn is_on_by_default(self) -> bool {
        !matches!(self, Self::CaptureFirstCrash)
    }
}

/// Setting → value, as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppSettings(pub BTreeMap<Setting, String>);

impl AppSettings {
    /// Is it on? Anything but `false` (in any case) is on, as in App Service; and what is absent, but for what is off by default.
    pub fn is_enabled(&self, setting: Setting) -> bool {
        match self.0.get(&setting) {
            Some(value) => !value.trim().eq_ignore_ascii_case("false"),
            None => setting.is_on_by_default(),
        }
    }

    /// The numbers that crash monitoring goes by, where the configuration says `configured`: these settings win.
    pub fn crash_monitoring(&self, configured: Numbers) -> Numbers {
        let is_set = self.0.contains_key(&Setting::CaptureFirstCrash);
        let crashes = if is_set && self.is_enabled(Setting::CaptureFirstCrash) {
            0
        } else if is_set && configured.crashes == 0 {
            Numbers::default().crashes
        } else {
            configured.crashes
        };
        Numbers { crashes, ..configured }
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
    fn from_the_first_crash_on_is_off_unless_it_is_said_and_wins_over_the_configuration() {
        let crashes = |said: Option<&str>, configured: u32| {
            let said = said.map(|value| (Setting::CaptureFirstCrash, value.to_owned()));
            let settings = AppSettings(said.into_iter().collect());
            settings.crash_monitoring(Numbers { crashes: configured, ..Numbers::default() }).crashes
        };
        for (said, configured, expected) in
            [(None, 3, 3), (None, 0, 0), (Some("True"), 3, 0), (Some("false"), 5, 5), (Some("False"), 0, 3)]
        {
            assert_eq!(crashes(said, configured), expected, "{said:?} {configured}");
        }
        assert!(!AppSettings::default().is_enabled(Setting::CaptureFirstCrash));
    }

    #[test]
    fn a_setting_is_stored_by_the_name_that_it_serializes_to() {
        for setting in Setting::ALL {
            assert_eq!(serde_json::to_value(setting).unwrap(), setting.stored());
        }
    }
}
