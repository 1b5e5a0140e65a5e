//! The rules as they stand in the form: every field as it was typed, so that nothing is lost when something does not fit.
//!
//! A field is named as [`Violation`] names it, without the `rules.` before it. Rows that say nothing are left out while
//! the form is read, so a row has the same number here, in the rules and in what is wrong with them.

use model::auto_heal::AutoHealConfig;
use model::auto_heal::config::{
    AutoHealRules, LIST_LIMIT, RequestsTrigger, SlowRequestsTrigger, StatusCodeRangeTrigger,
    StatusCodeTrigger, Violation,
};

mod sent;
mod typed;

pub use sent::{Command, SentForm};
use typed::Typed;

/// What stands before a field's name in a [`Violation`].
pub(super) const PREFIX: &str = "rules.";

/// The conditions of which there may be several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// Slow requests of some paths.
    SlowRequestsWithPath,
    /// One status.
    StatusCodes,
    /// A range of statuses.
    StatusCodesRange,
}

impl List {
    pub(crate) const ALL: [Self; 3] = [Self::SlowRequestsWithPath, Self::StatusCodes, Self::StatusCodesRange];

    /// Its name in the form and in the rules.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SlowRequestsWithPath => "slow_requests_with_path",
            Self::StatusCodes => "status_codes",
            Self::StatusCodesRange => "status_codes_range",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.name() == name)
    }
}

/// One condition as it was typed. Which of the fields it has, its kind says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) count: String,
    pub(crate) time_interval: String,
    pub(crate) time_taken: String,
    pub(crate) path: String,
    pub(crate) status: String,
    pub(crate) sub_status: String,
    pub(crate) win32_status: String,
    pub(crate) status_codes: String,
}

impl Row {
    fn field(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "count" => &mut self.count,
            "time_interval" => &mut self.time_interval,
            "time_taken" => &mut self.time_taken,
            "path" => &mut self.path,
            "status" => &mut self.status,
            "sub_status" => &mut self.sub_status,
            "win32_status" => &mut self.win32_status,
            "status_codes" => &mut self.status_codes,
            _ => return None,
        })
    }

    /// The hidden fields say nothing by themselves.
    fn is_blank(&self) -> bool {
        let typed = [
            &self.count,
            &self.time_interval,
            &self.time_taken,
            &self.path,
            &self.status,
            &self.status_codes,
        ];
        typed.iter().all(|text| text.trim().is_empty())
    }
}

/// The rows of one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) filled: Vec<Row>,
    /// So many empty ones follow.
    pub(crate) blank: usize,
}

impl Rows {
    fn new(filled: Vec<Row>) -> Self {
        let mut rows = Self { filled, blank: 0 };
        rows.offer(1);
        rows
    }

    /// Empty rows to be filled, as far as there may be more.
    fn offer(&mut self, blank: usize) {
        self.blank = blank.min(LIST_LIMIT.saturating_sub(self.filled.len()));
    }

    /// May there be one more?
    pub(crate) const fn has_room(&self) -> bool {
        self.filled.len() + self.blank < LIST_LIMIT
    }
}

/// The rules as they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    pub(crate) enabled: bool,
    pub(crate) requests: Row,
    pub(crate) slow_requests: Row,
    pub(crate) memory_kb: String,
    pub(crate) slow_paths: Rows,
    pub(crate) statuses: Rows,
    pub(crate) ranges: Rows,
    pub(crate) action: String,
    pub(crate) exe: String,
    pub(crate) parameters: String,
    pub(crate) minimum_time: String,
    /// Pasted to be imported.
    pub(crate) pasted: String,
    /// What came with the form and is none of its fields.
    unread: Vec<Violation>,
}

impl Draft {
    /// The form of rules that are saved, of which the parameters are not told. Where none are, the form would switch them on: who fills it in means them.
    pub fn of(config: &AutoHealConfig) -> Self {
        let triggers = &config.rules.triggers;
        let actions = &config.rules.actions;
        let custom = actions.custom_action.clone().unwrap_or_default();
        Self {
            enabled: config.enabled || !triggers.any(),
            requests: triggers.requests.as_ref().map(row_of_requests).unwrap_or_default(),
            slow_requests: triggers.slow_requests.as_ref().map(row_of_slow).unwrap_or_default(),
            memory_kb: triggers.private_bytes_kib.map(|kb| kb.to_string()).unwrap_or_default(),
            slow_paths: Rows::new(triggers.slow_requests_with_path.iter().map(row_of_slow).collect()),
            statuses: Rows::new(triggers.status_codes.iter().map(row_of_status).collect()),
            ranges: Rows::new(triggers.status_codes_range.iter().map(row_of_range).collect()),
            action: actions.action_type.word().to_owned(),
            exe: custom.exe,
            parameters: custom.parameters.shown().to_owned(),
            minimum_time: actions.min_process_execution_time.to_string(),
            pasted: String::new(),
            unread: Vec::new(),
        }
    }

    /// What was pasted to be imported.
    pub fn pasted(&self) -> &str {
        &self.pasted
    }

    /// These rules, which were pasted, in the place of those that were typed; the pasted text stays.
    #[must_use]
    pub fn replaced_by(self, pasted: &AutoHealConfig) -> Self {
        let action = pasted.rules.actions.custom_action.as_ref();
        // who pasted them has them
        let parameters = action.map(|action| action.parameters.reveal().to_owned()).unwrap_or_default();
        Self { parameters, pasted: self.pasted, ..Self::of(pasted) }
    }

    /// The rules, and everything that is wrong with them: what cannot be read, and what cannot be used. They may be saved when
    /// nothing is.
    pub fn config(&self) -> (AutoHealConfig, Vec<Violation>) {
        let mut typed = Typed::new(self.unread.clone());
        let triggers = typed.triggers(self);
        let actions = typed.actions(self);
        let config = AutoHealConfig { enabled: self.enabled, rules: AutoHealRules { triggers, actions } };
        let mut wrong = typed.wrong();
        // A field that could not be read is not blamed again for what stands in its place.
        let unread: Vec<String> = wrong.iter().map(|violation| violation.field.clone()).collect();
        wrong.extend(config.check().into_iter().filter(|violation| !unread.contains(&violation.field)));
        (config, wrong)
    }

    pub(crate) const fn rows(&self, list: List) -> &Rows {
        match list {
            List::SlowRequestsWithPath => &self.slow_paths,
            List::StatusCodes => &self.statuses,
            List::StatusCodesRange => &self.ranges,
        }
    }

    const fn rows_mut(&mut self, list: List) -> &mut Rows {
        match list {
            List::SlowRequestsWithPath => &mut self.slow_paths,
            List::StatusCodes => &mut self.statuses,
            List::StatusCodesRange => &mut self.ranges,
        }
    }
}

/// The name of the form's field that a violation is about.
pub(crate) fn field_name(violation: &Violation) -> &str {
    violation.field.strip_prefix(PREFIX).unwrap_or(&violation.field)
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

fn row_of_requests(trigger: &RequestsTrigger) -> Row {
    Row {
        count: trigger.count.to_string(),
        time_interval: trigger.time_interval.to_string(),
        ..Row::default()
    }
}

fn row_of_slow(trigger: &SlowRequestsTrigger) -> Row {
    Row {
        count: trigger.count.to_string(),
        time_interval: trigger.time_interval.to_string(),
        time_taken: trigger.time_taken.to_string(),
        path: trigger.path.clone().unwrap_or_default(),
        ..Row::default()
    }
}

fn row_of_status(trigger: &StatusCodeTrigger) -> Row {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    Row {
        count: trigger.count.to_string(),
        time_interval: trigger.time_interval.to_string(),
        path: trigger.path.clone().unwrap_or_default(),
        status: trigger.status.to_string(),
        sub_status: number(trigger.sub_status),
        win32_status: number(trigger.win32_status),
        ..Row::default()
    }
}

fn row_of_range(trigger: &StatusCodeRangeTrigger) -> Row {
    Row {
        count: trigger.count.to_string(),
        time_interval: trigger.time_interval.to_string(),
        path: trigger.path.clone().unwrap_or_default(),
        status_codes: trigger.status_codes.clone(),
        ..Row::default()
    }
}

#[cfg(test)]
mod tests;
