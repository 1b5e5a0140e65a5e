//! The rules as they are written.

use serde::Serialize;

use model::auto_heal::config as rules;
use model::auto_heal::config::TimeSpan;

/// The user's own rules for an app, in the shape of App Service's `config/web`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AutoHealConfig))]
pub struct Properties {
    /// The rules act.
    auto_heal_enabled: bool,
    /// When, and how.
    auto_heal_rules: Rules,
}

/// Triggers and what they do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AutoHealRules))]
struct Rules {
    /// Any one of them is enough.
    triggers: Triggers,
    /// What happens then.
    actions: Actions,
}

/// When to act; any one is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
struct Triggers {
    /// So many requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<RequestsTrigger>,
    /// Private bytes above this, in KB of 1,024.
    #[serde(rename = "privateBytesInKB", skip_serializing_if = "Option::is_none")]
    private_bytes_in_kb: Option<u64>,
    /// So many answers of one status.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    status_codes: Vec<StatusCodeTrigger>,
    /// So many answers of a range of statuses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    status_codes_range: Vec<StatusCodeRangeTrigger>,
    /// So many slow requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_requests: Option<SlowRequestsTrigger>,
    /// So many slow requests of some paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    slow_requests_with_path: Vec<SlowRequestsTrigger>,
}

/// So many requests within a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
struct RequestsTrigger {
    /// This many or more.
    count: u64,
    /// Within this long.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    time_interval: TimeSpan,
}

/// So many answers of one status within a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
struct StatusCodeTrigger {
    /// The status.
    status: u64,
    /// IIS's sub-status; kept and not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_status: Option<u64>,
    /// Windows' error number; kept and not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    win32_status: Option<u64>,
    /// This many or more.
    count: u64,
    /// Within this long.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    time_interval: TimeSpan,
    /// Of these paths only; `*` is any run of characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

/// So many answers of a range of statuses within a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
struct StatusCodeRangeTrigger {
    /// `500-530`.
    status_codes: String,
    /// This many or more.
    count: u64,
    /// Within this long.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    time_interval: TimeSpan,
    /// Of these paths only; `*` is any run of characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

/// So many slow requests within a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
struct SlowRequestsTrigger {
    /// Slow is this long or longer.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    time_taken: TimeSpan,
    /// This many or more.
    count: u64,
    /// Within this long.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    time_interval: TimeSpan,
    /// Of these paths only; `*` is any run of characters. Not in `slowRequests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

/// What happens when a trigger is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
struct Actions {
    /// `Recycle`, `LogEvent` or `CustomAction`; 0, 1 and 2 are read as well.
    action_type: &'static str,
    /// What is run by `CustomAction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_action: Option<CustomAction>,
    /// Nothing happens to a worker that has run for less.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    min_process_execution_time: TimeSpan,
}

/// What `CustomAction` runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
struct CustomAction {
    /// The executable's absolute path.
    exe: String,
    /// What it is given, as one text. They may hold secrets: they are read as `***` where they are set, and `***` keeps them.
    parameters: &'static str,
}

impl From<&rules::AutoHealConfig> for Properties {
    fn from(config: &rules::AutoHealConfig) -> Self {
        let rules::AutoHealRules { triggers, actions } = &config.rules;
        let auto_heal_rules = Rules { triggers: triggers.into(), actions: actions.into() };
        Self { auto_heal_enabled: config.enabled, auto_heal_rules }
    }
}

impl From<&rules::Triggers> for Triggers {
    fn from(triggers: &rules::Triggers) -> Self {
        Self {
            requests: triggers.requests.as_ref().map(Into::into),
            private_bytes_in_kb: triggers.private_bytes_kib,
            status_codes: triggers.status_codes.iter().map(Into::into).collect(),
            status_codes_range: triggers.status_codes_range.iter().map(Into::into).collect(),
            slow_requests: triggers.slow_requests.as_ref().map(Into::into),
            slow_requests_with_path: triggers.slow_requests_with_path.iter().map(Into::into).collect(),
        }
    }
}

impl From<&rules::RequestsTrigger> for RequestsTrigger {
    fn from(trigger: &rules::RequestsTrigger) -> Self {
        Self { count: trigger.count, time_interval: trigger.time_interval }
    }
}

impl From<&rules::StatusCodeTrigger> for StatusCodeTrigger {
    fn from(trigger: &rules::StatusCodeTrigger) -> Self {
        let rules::StatusCodeTrigger { status, sub_status, win32_status, count, time_interval, path } =
            trigger.clone();
        Self { status, sub_status, win32_status, count, time_interval, path }
    }
}

impl From<&rules::StatusCodeRangeTrigger> for StatusCodeRangeTrigger {
    fn from(trigger: &rules::StatusCodeRangeTrigger) -> Self {
        let rules::StatusCodeRangeTrigger { status_codes, count, time_interval, path } = trigger.clone();
        Self { status_codes, count, time_interval, path }
    }
}

impl From<&rules::SlowRequestsTrigger> for SlowRequestsTrigger {
    fn from(trigger: &rules::SlowRequestsTrigger) -> Self {
        let rules::SlowRequestsTrigger { time_taken, count, time_interval, path } = trigger.clone();
        Self { time_taken, count, time_interval, path }
    }
}

impl From<&rules::Actions> for Actions {
    fn from(actions: &rules::Actions) -> Self {
        let custom = |action: &rules::CustomAction| CustomAction {
            exe: action.exe.clone(),
            parameters: action.parameters.shown(),
        };
        Self {
            action_type: actions.action_type.word(),
            custom_action: actions.custom_action.as_ref().map(custom),
            min_process_execution_time: actions.min_process_execution_time,
        }
    }
}
