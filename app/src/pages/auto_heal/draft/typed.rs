//! From what was typed to the rules: numbers, lengths of time, an action. Whether they can be used is
//! [`model::auto_heal::AutoHealConfig::check`]'s to say.

use model::auto_heal::config::{
    ActionType, Actions, CustomAction, Parameters, RequestsTrigger, SlowRequestsTrigger,
    StatusCodeRangeTrigger, StatusCodeTrigger, TimeSpan, TimeSpanError, Triggers, Violation,
};
use model::violation::{Accepted, Remedy};

use super::{Draft, List, PREFIX, Row, Rows};

/// What was typed, on its way to the rules.
pub(super) struct Typed {
    wrong: Vec<Violation>,
}

impl Typed {
    /// Begins with what was wrong before.
    pub(super) const fn new(wrong: Vec<Violation>) -> Self {
        Self { wrong }
    }

    /// What could not be read.
    pub(super) fn wrong(self) -> Vec<Violation> {
        self.wrong
    }

    pub(super) fn triggers(&mut self, draft: &Draft) -> Triggers {
        let at = |name: &str| format!("triggers.{name}");
        let requests = (!draft.requests.is_blank()).then(|| RequestsTrigger {
            count: self.number(&at("requests.count"), &draft.requests.count),
            time_interval: self.span(&at("requests.time_interval"), &draft.requests.time_interval),
        });
        let slow = &draft.slow_requests;
        let slow_requests = (!slow.is_blank()).then(|| self.slow(&at("slow_requests"), slow));
        let memory = draft.memory_kb.trim();
        let private_bytes_kib = (!memory.is_empty()).then(|| self.number(&at("private_bytes_kib"), memory));
        Triggers {
            requests,
            private_bytes_kib,
            status_codes: self.rows(List::StatusCodes, &draft.statuses, Self::status),
            status_codes_range: self.rows(List::StatusCodesRange, &draft.ranges, Self::range),
            slow_requests,
            slow_requests_with_path: self.rows(List::SlowRequestsWithPath, &draft.slow_paths, Self::slow),
        }
    }

    fn rows<T>(&mut self, list: List, rows: &Rows, read: fn(&mut Self, &str, &Row) -> T) -> Vec<T> {
        let rows = rows.filled.iter().enumerate();
        rows.map(|(index, row)| read(self, &format!("triggers.{}[{index}]", list.name()), row)).collect()
    }

    fn status(&mut self, at: &str, row: &Row) -> StatusCodeTrigger {
        StatusCodeTrigger {
            status: self.number(&format!("{at}.status"), &row.status),
            sub_status: self.optional(&format!("{at}.sub_status"), &row.sub_status),
            win32_status: self.optional(&format!("{at}.win32_status"), &row.win32_status),
            count: self.number(&format!("{at}.count"), &row.count),
            time_interval: self.span(&format!("{at}.time_interval"), &row.time_interval),
            path: path(row),
        }
    }

    fn range(&mut self, at: &str, row: &Row) -> StatusCodeRangeTrigger {
        StatusCodeRangeTrigger {
            status_codes: row.status_codes.trim().to_owned(),
            count: self.number(&format!("{at}.count"), &row.count),
            time_interval: self.span(&format!("{at}.time_interval"), &row.time_interval),
            path: path(row),
        }
    }

    fn slow(&mut self, at: &str, row: &Row) -> SlowRequestsTrigger {
        SlowRequestsTrigger {
            time_taken: self.span(&format!("{at}.time_taken"), &row.time_taken),
            count: self.number(&format!("{at}.count"), &row.count),
            time_interval: self.span(&format!("{at}.time_interval"), &row.time_interval),
            path: path(row),
        }
    }

    pub(super) fn actions(&mut self, draft: &Draft) -> Actions {
        let action_type = match draft.action.trim() {
            "" => ActionType::default(),
            word => ActionType::from_word(word).unwrap_or_else(|| {
                self.refuse("actions.action_type", word, Accepted::ActionType);
                ActionType::default()
            }),
        };
        let parameters = Parameters::new(draft.parameters.trim());
        let custom = CustomAction { exe: draft.exe.trim().to_owned(), parameters };
        let minimum_time = match draft.minimum_time.trim() {
            "" => TimeSpan::ZERO,
            text => self.span("actions.min_process_execution_time", text),
        };
        Actions {
            action_type,
            custom_action: (custom != CustomAction::default()).then_some(custom),
            min_process_execution_time: minimum_time,
        }
    }

    fn number(&mut self, at: &str, text: &str) -> u64 {
        let text = text.trim();
        if text.is_empty() {
            self.missing(at, Accepted::WholeNumber, Some(Remedy::LeaveConditionEmpty));
        } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More digits than any number here has are as many too many as the largest one.
            return text.parse().unwrap_or(u64::MAX);
        } else {
            self.refuse(at, text, Accepted::WholeNumber);
        }
        0
    }

    fn optional(&mut self, at: &str, text: &str) -> Option<u64> {
        if text.trim().is_empty() { None } else { Some(self.number(at, text)).filter(|number| *number != 0) }
    }

    fn span(&mut self, at: &str, text: &str) -> TimeSpan {
        if text.trim().is_empty() {
            self.missing(at, Accepted::TimeSpan, None);
            return TimeSpan::ZERO;
        }
        text.parse().unwrap_or_else(|_: TimeSpanError| {
            self.refuse(at, text, Accepted::TimeSpan);
            TimeSpan::ZERO
        })
    }

    fn refuse(&mut self, at: &str, text: &str, accepted: Accepted) {
        self.wrong.push(Violation::new(format!("{PREFIX}{at}"), format!("`{text}`"), accepted));
    }

    fn missing(&mut self, at: &str, accepted: Accepted, remedy: Option<Remedy>) {
        self.wrong.push(Violation { remedy, ..Violation::missing(format!("{PREFIX}{at}"), accepted) });
    }
}

fn path(row: &Row) -> Option<String> {
    let path = row.path.trim();
    (!path.is_empty()).then(|| path.to_owned())
}
