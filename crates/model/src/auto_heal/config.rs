//! The user's own rules, in the shape that App Service's `config/web` gives them (`autoHealEnabled`, `autoHealRules`).
//!
//! What is read is taken as it is meant: an action as a word in any case or as the portal's number, and zero, null or nothing
//! for a trigger that is not set. A value that is no number or no length of time is refused with the path of its field.
//! Whether the values can be used is [`AutoHealConfig::check`]'s to say, all at once.

use serde::{Deserialize, Deserializer, Serialize};

pub use crate::auto_heal::time_span::{SPAN_ACCEPTED, TimeSpan, TimeSpanError};

mod check;
mod parameters;
mod raw;

pub use check::{
    COUNT_MOST, INTERVAL_MOST_S, LIST_LIMIT, MEMORY_ABOVE_KB, MEMORY_MOST_KB, PROCESS_TIME_ADVISED_S,
    PROCESS_TIME_MOST_S, status_range,
};
pub use parameters::Parameters;

pub use crate::violation::Violation;

/// What an app's user wants healed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "raw::Config")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AutoHealConfig {
    /// The rules act.
    pub auto_heal_enabled: bool,
    /// When, and how.
    pub auto_heal_rules: AutoHealRules,
}

/// Triggers and what they do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AutoHealRules {
    /// Any one of them is enough.
    pub triggers: Triggers,
    /// What happens then.
    pub actions: Actions,
}

/// When to act; any one is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Triggers {
    /// So many requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestsTrigger>,
    /// Private bytes above this, in KB of 1,024.
    #[serde(rename = "privateBytesInKB", skip_serializing_if = "Option::is_none")]
    pub private_bytes_in_kb: Option<u64>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RequestsTrigger {
    /// This many or more.
    pub count: u64,
    /// Within this long.
    pub time_interval: TimeSpan,
}

/// So many answers of one status within a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SlowRequestsTrigger {
    /// Slow is this long or longer.
    pub time_taken: TimeSpan,
    /// This many or more.
    pub count: u64,
    /// Within this long.
    pub time_interval: TimeSpan,
    /// Of these paths only; `*` is any run of characters. Not in `slowRequests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What happens when a trigger is met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Actions {
    /// Which.
    pub action_type: ActionType,
    /// What is run by `CustomAction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_action: Option<CustomAction>,
    /// Nothing happens to a worker that has run for less.
    pub min_process_execution_time: TimeSpan,
}

/// The kinds of action; 0, 1, 2 as the portal sends them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    /// In the order of the portal's numbers.
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

/// What `CustomAction` runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CustomAction {
    /// The executable's absolute path.
    pub exe: String,
    /// What it is given, as one text. They may hold secrets: they are read as `***` where they are set, and `***` keeps them.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub parameters: Parameters,
}

impl AutoHealConfig {
    /// Reads it as [`Deserialize`] does, and names every value that is none rather than telling them in one sentence. The
    /// format's own error is the outer one: a shape that is another, or a name that is not known.
    pub fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<Self, Vec<Violation>>, D::Error> {
        raw::Config::deserialize(deserializer).map(raw::Config::judge)
    }

    /// Everything that is wrong with it; nothing is saved when there is anything.
    pub fn check(&self) -> Vec<Violation> {
        check::check(self)
    }

    /// What was given and is not looked at; a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let ignored = |index: usize, field: &str, value: Option<u64>| {
            value.filter(|value| *value != 0).map(|value| {
                format!(
                    "autoHealRules.triggers.statusCodes[{index}].{field} is kept and not looked at: there is no \
                     {field} {value} on Linux, so every answer of that status counts."
                )
            })
        };
        let codes = self.auto_heal_rules.triggers.status_codes.iter().enumerate();
        codes
            .flat_map(|(index, code)| {
                [
                    ignored(index, "subStatus", code.sub_status),
                    ignored(index, "win32Status", code.win32_status),
                ]
            })
            .flatten()
            .collect()
    }

    /// What can be saved and is not advised; a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let time = self.auto_heal_rules.actions.min_process_execution_time;
        let unwise = self.auto_heal_enabled && time.as_secs() < PROCESS_TIME_ADVISED_S;
        let advice = format!(
            "autoHealRules.actions.minProcessExecutionTime is {time}, and less than {} is not advised: an app that \
             starts slowly may be healed again before it is warm.",
            TimeSpan::from_secs(PROCESS_TIME_ADVISED_S)
        );
        unwise.then_some(advice).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
