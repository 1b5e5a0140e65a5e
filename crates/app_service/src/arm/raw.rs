//! The rules as they arrive, before each value is known to be one: so that a refusal can name the field.

use serde::Deserialize;
use serde::de::IgnoredAny;

use model::Violation;
use model::auto_heal::config::{
    ActionType, Actions, AutoHealConfig, AutoHealRules, CustomAction, Parameters, RequestsTrigger,
    SlowRequestsTrigger, StatusCodeRangeTrigger, StatusCodeTrigger, TimeSpan, TimeSpanError, Triggers,
};
use model::violation::Accepted;

/// What stands in a field.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Leaf {
    #[default]
    Null,
    Number(i64),
    Text(String),
    /// A truth value, a fraction, a list: no field here is one.
    Other(IgnoredAny),
}

/// A document of `config/web` holds much else beside: that is passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    auto_heal_enabled: Option<bool>,
    auto_heal_rules: Option<Rules>,
}

/// Here an unknown name is a slip of the pen, and a rule that is passed over in silence is worse than a refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rules {
    triggers: Option<RawTriggers>,
    actions: Option<RawActions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawTriggers {
    requests: Option<Row>,
    #[serde(rename = "privateBytesInKB", default)]
    private_bytes_kib: Leaf,
    status_codes: Option<Vec<Row>>,
    status_codes_range: Option<Vec<Row>>,
    slow_requests: Option<Row>,
    slow_requests_with_path: Option<Vec<Row>>,
}

/// Any trigger: they share their fields.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Row {
    count: Leaf,
    time_interval: Leaf,
    time_taken: Leaf,
    status: Leaf,
    sub_status: Leaf,
    win32_status: Leaf,
    status_codes: Leaf,
    path: Leaf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawActions {
    action_type: Leaf,
    custom_action: Option<RawCustomAction>,
    min_process_execution_time: Leaf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawCustomAction {
    exe: Leaf,
    parameters: Leaf,
}

impl Config {
    /// What it means, or every value that is none.
    pub(super) fn judge(self) -> Result<AutoHealConfig, Vec<Violation>> {
        let mut reader = Reader::default();
        let raw = self.auto_heal_rules.unwrap_or_default();
        let rules = AutoHealRules {
            triggers: reader.triggers(raw.triggers.unwrap_or_default()),
            actions: reader.actions(raw.actions.unwrap_or_default()),
        };
        if reader.wrong.is_empty() {
            Ok(AutoHealConfig { enabled: self.auto_heal_enabled.unwrap_or(false), rules })
        } else {
            Err(reader.wrong)
        }
    }
}

#[derive(Default)]
struct Reader {
    wrong: Vec<Violation>,
}

impl Reader {
    fn triggers(&mut self, raw: RawTriggers) -> Triggers {
        const AT: &str = "autoHealRules.triggers";
        let kb = self.number(&format!("{AT}.privateBytesInKB"), &raw.private_bytes_kib);
        Triggers {
            requests: raw
                .requests
                .map(|row| {
                    let at = format!("{AT}.requests");
                    self.foreign(&at, &row, &["count", "timeInterval"]);
                    RequestsTrigger { count: self.count(&at, &row), time_interval: self.interval(&at, &row) }
                })
                .filter(|trigger| trigger.count != 0),
            private_bytes_kib: kb.filter(|kb| *kb != 0),
            status_codes: self.rows(&format!("{AT}.statusCodes"), raw.status_codes, Self::status_code),
            status_codes_range: self.rows(
                &format!("{AT}.statusCodesRange"),
                raw.status_codes_range,
                Self::status_range,
            ),
            slow_requests: raw
                .slow_requests
                .map(|row| self.slow(&format!("{AT}.slowRequests"), &row))
                .filter(|trigger| trigger.count != 0 || trigger.path.is_some()),
            slow_requests_with_path: self.rows(
                &format!("{AT}.slowRequestsWithPath"),
                raw.slow_requests_with_path,
                Self::slow,
            ),
        }
    }

    /// A row of a list that says nothing at all is not set.
    fn rows<T: Default + PartialEq>(
        &mut self,
        at: &str,
        rows: Option<Vec<Row>>,
        read: fn(&mut Self, &str, &Row) -> T,
    ) -> Vec<T> {
        let rows = rows.unwrap_or_default();
        let mut read_row = |(index, row): (usize, Row)| read(self, &format!("{at}[{index}]"), &row);
        rows.into_iter().enumerate().map(&mut read_row).filter(|row| *row != T::default()).collect()
    }

    fn status_code(&mut self, at: &str, row: &Row) -> StatusCodeTrigger {
        self.foreign(at, row, &["count", "timeInterval", "status", "subStatus", "win32Status", "path"]);
        let number =
            |reader: &mut Self, name: &str, leaf: &Leaf| reader.number(&format!("{at}.{name}"), leaf);
        StatusCodeTrigger {
            status: number(self, "status", &row.status).unwrap_or(0),
            sub_status: number(self, "subStatus", &row.sub_status).filter(|status| *status != 0),
            win32_status: number(self, "win32Status", &row.win32_status).filter(|status| *status != 0),
            count: self.count(at, row),
            time_interval: self.interval(at, row),
            path: self.path(at, row),
        }
    }

    fn status_range(&mut self, at: &str, row: &Row) -> StatusCodeRangeTrigger {
        self.foreign(at, row, &["count", "timeInterval", "statusCodes", "path"]);
        StatusCodeRangeTrigger {
            status_codes: self.text(&format!("{at}.statusCodes"), &row.status_codes).unwrap_or_default(),
            count: self.count(at, row),
            time_interval: self.interval(at, row),
            path: self.path(at, row),
        }
    }

    fn slow(&mut self, at: &str, row: &Row) -> SlowRequestsTrigger {
        self.foreign(at, row, &["count", "timeInterval", "timeTaken", "path"]);
        SlowRequestsTrigger {
            time_taken: self.span(&format!("{at}.timeTaken"), &row.time_taken),
            count: self.count(at, row),
            time_interval: self.interval(at, row),
            path: self.path(at, row),
        }
    }

    fn actions(&mut self, raw: RawActions) -> Actions {
        const AT: &str = "autoHealRules.actions";
        Actions {
            action_type: self.action_type(&format!("{AT}.actionType"), &raw.action_type),
            custom_action: raw
                .custom_action
                .map(|action| CustomAction {
                    exe: self.text(&format!("{AT}.customAction.exe"), &action.exe).unwrap_or_default(),
                    parameters: self
                        .text(&format!("{AT}.customAction.parameters"), &action.parameters)
                        .map(Parameters::new)
                        .unwrap_or_default(),
                })
                .filter(|action| *action != CustomAction::default()),
            min_process_execution_time: self
                .span(&format!("{AT}.minProcessExecutionTime"), &raw.min_process_execution_time),
        }
    }

    fn action_type(&mut self, at: &str, leaf: &Leaf) -> ActionType {
        let read = match leaf {
            Leaf::Null => Some(ActionType::default()),
            Leaf::Number(number) => {
                usize::try_from(*number).ok().and_then(|n| ActionType::ALL.get(n).copied())
            }
            Leaf::Text(word) => ActionType::from_word(word),
            Leaf::Other(_) => None,
        };
        read.unwrap_or_else(|| {
            self.refuse(at, leaf, Accepted::ActionTypeOrNumber);
            ActionType::default()
        })
    }

    fn count(&mut self, at: &str, row: &Row) -> u64 {
        self.number(&format!("{at}.count"), &row.count).unwrap_or(0)
    }

    fn interval(&mut self, at: &str, row: &Row) -> TimeSpan {
        self.span(&format!("{at}.timeInterval"), &row.time_interval)
    }

    fn path(&mut self, at: &str, row: &Row) -> Option<String> {
        self.text(&format!("{at}.path"), &row.path)
    }

    fn number(&mut self, at: &str, leaf: &Leaf) -> Option<u64> {
        match leaf {
            Leaf::Null => None,
            Leaf::Number(number) if *number >= 0 => u64::try_from(*number).ok(),
            _ => {
                self.refuse(at, leaf, Accepted::WholeNumber);
                None
            }
        }
    }

    fn span(&mut self, at: &str, leaf: &Leaf) -> TimeSpan {
        let text = match leaf {
            Leaf::Null | Leaf::Number(0) => return TimeSpan::ZERO,
            Leaf::Text(text) if text.is_empty() => return TimeSpan::ZERO,
            Leaf::Text(text) => text,
            _ => {
                self.refuse(at, leaf, Accepted::TimeSpan);
                return TimeSpan::ZERO;
            }
        };
        text.parse().unwrap_or_else(|_: TimeSpanError| {
            self.refuse(at, leaf, Accepted::TimeSpan);
            TimeSpan::ZERO
        })
    }

    fn text(&mut self, at: &str, leaf: &Leaf) -> Option<String> {
        match leaf {
            Leaf::Null => None,
            Leaf::Text(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            _ => {
                self.refuse(at, leaf, Accepted::Text);
                None
            }
        }
    }

    /// Refuses what another kind of trigger has and this one does not know.
    fn foreign(&mut self, at: &str, row: &Row, known: &[&str]) {
        let fields = [
            ("timeTaken", &row.time_taken),
            ("status", &row.status),
            ("subStatus", &row.sub_status),
            ("win32Status", &row.win32_status),
            ("statusCodes", &row.status_codes),
            ("path", &row.path),
        ];
        for (name, leaf) in fields {
            if !matches!(leaf, Leaf::Null) && !known.contains(&name) {
                self.refuse(&format!("{at}.{name}"), leaf, Accepted::NoSuchField);
            }
        }
    }

    fn refuse(&mut self, at: &str, leaf: &Leaf, accepted: Accepted) {
        self.wrong.push(match leaf {
            Leaf::Number(number) => Violation::new(at, number, accepted),
            Leaf::Text(text) => Violation::new(at, format!("`{text}`"), accepted),
            Leaf::Null | Leaf::Other(_) => Violation::missing(at, accepted),
        });
    }
}
