//! The user's own rules: when to act on an instance, and how. So they are stored; how App Service writes them, `app_service`
//! knows. Whether the values can be used is [`AutoHealConfig::check`]'s to say, all at once.

use serde::{Deserialize, Serialize};

pub use crate::time_span::{TimeSpan, TimeSpanError};

mod check;
mod parameters;

pub use check::{
    COUNT_MOST, INTERVAL_MOST_S, LIST_LIMIT, MEMORY_ABOVE_KIB, MEMORY_MOST_KIB, PROCESS_TIME_ADVISED_S,
    PROCESS_TIME_MOST_S, STATUSES, status_range,
};
pub use parameters::Parameters;

pub use crate::violation::Violation;

/// What an app's user wants healed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoHealConfig {
    /// The rules act.
    pub enabled: bool,
    /// When, and how.
    pub rules: AutoHealRules,
}

/// Triggers and what they do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoHealRules {
    /// Any one of them is enough.
    pub triggers: Triggers,
    /// What happens then.
    pub actions: Actions,
}

/// When to act; any one is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Triggers {
    /// So many requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestsTrigger>,
    /// Private bytes above this, in KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_bytes_kib: Option<u64>,
    /// So many answers of one status.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status_codes: Vec<StatusCodeTrigger>,
    /// So many answers of a range of statuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status_codes_range: Vec<StatusCodeRangeTrigger>,
    /// So many slow requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_requests: Option<SlowRequestsTrigger>,
    /// So many slow requests of some paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slow_requests_with_path: Vec<SlowRequestsTrigger>,
}

impl Triggers {
    /// Is any set?
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// So many requests within a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestsTrigger {
    /// This many or more.
    pub count: u64,
    /// Within this long.
    pub time_interval: TimeSpan,
}

/// So many answers of one status within a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusCodeTrigger {
    /// The status.
    pub status: u64,
    /// IIS's sub-status; kept and not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_status: Option<u64>,
    /// Windows' error number; kept and not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub win32_status: Option<u64>,
    /// This many or more.
    pub count: u64,
    /// Within this long.
    pub time_interval: TimeSpan,
    /// Of these paths only; `*` is any run of characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// So many answers of a range of statuses within a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusCodeRangeTrigger {
    /// `500-530`.
    pub status_codes: String,
    /// This many or more.
    pub count: u64,
    /// Within this long.
    pub time_interval: TimeSpan,
    /// Of these paths only; `*` is any run of characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// So many slow requests within a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlowRequestsTrigger {
    /// Slow is this long or longer.
    pub time_taken: TimeSpan,
    /// This many or more.
    pub count: u64,
    /// Within this long.
    pub time_interval: TimeSpan,
    /// Of these paths only; `*` is any run of characters. Not in `slow_requests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What happens when a trigger is met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Actions {
    /// Which.
    pub action_type: ActionType,
    /// What is run by [`ActionType::CustomAction`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_action: Option<CustomAction>,
    /// Nothing happens to a worker that has run for less.
    pub min_process_execution_time: TimeSpan,
}

/// The kinds of action, by App Service's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionType {
    /// Restart that instance, overlapped.
    #[default]
    Recycle,
    /// Record it and do nothing else.
    LogEvent,
    /// Run an executable.
    CustomAction,
}

impl ActionType {
    /// In the order of lists.
    pub const ALL: [Self; 3] = [Self::Recycle, Self::LogEvent, Self::CustomAction];

    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Recycle => "Recycle",
            Self::LogEvent => "LogEvent",
            Self::CustomAction => "CustomAction",
        }
    }

    /// From a word in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word().eq_ignore_ascii_case(word.trim()))
    }
}

/// What [`ActionType::CustomAction`] runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustomAction {
    /// The executable's absolute path.
    pub exe: String,
    /// What it is given, as one text. They may hold secrets: they are read as `***` where they are set, and `***` keeps them.
    pub parameters: Parameters,
}

impl AutoHealConfig {
    /// Everything that is wrong with it; nothing is saved when there is anything.
    pub fn check(&self) -> Vec<Violation> {
        check::check(self)
    }
}

#[cfg(test)]
mod tests;
