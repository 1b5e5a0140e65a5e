//! What the portal's form lets pass, and what can be carried out.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::auto_heal::config::{
    ActionType, AutoHealConfig, CustomAction, SlowRequestsTrigger, StatusCodeRangeTrigger, TimeSpan,
    Triggers, Violation,
};
use crate::auto_heal::path_glob::PathGlob;
use crate::text::is_unseen;
use crate::violation::{Accepted, Counted, Remedy};

/// Private bytes must be set above this, in KiB: the form's limit.
pub const MEMORY_ABOVE_KIB: u64 = 102_400;
/// The most private bytes that can be set, in KiB: the form's limit.
pub const MEMORY_MOST_KIB: u64 = 33_554_432;
/// The most of `min_process_execution_time`, in seconds: the form's limit.
pub const PROCESS_TIME_MOST_S: u64 = 7_200;
/// Less of `min_process_execution_time` is warned of, in seconds: the form's.
pub const PROCESS_TIME_ADVISED_S: u64 = 600;
/// The longest window, in seconds. Ours: a day, because more would count what nobody remembers.
pub const INTERVAL_MOST_S: u64 = 86_400;
/// The largest count. Ours: far above what one instance answers in a day.
pub const COUNT_MOST: u64 = 1_000_000_000;
/// The most triggers of one kind. Ours: each is looked at for each request.
pub const LIST_LIMIT: usize = 20;
/// What a range of statuses may hold.
pub const STATUSES: RangeInclusive<u64> = 100..=530;
const EXE_LIMIT: usize = 4_096;
const PARAMETERS_LIMIT: usize = 8_192;

/// `500-530` as two statuses within 100–530, the first the smaller.
pub fn status_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let read = |text: &str| {
        let digits = text.trim();
        let plain = digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|status| plain && STATUSES.contains(&u64::from(*status)))
    };
    let (first, last) = (read(first)?, read(last)?);
    (first < last).then_some(first..=last)
}

pub(super) fn check(config: &AutoHealConfig) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    let rules = &config.rules;
    if config.enabled && !rules.triggers.any() {
        let nothing = Violation::missing("rules.triggers", Accepted::Condition);
        found.0.push(nothing.with_remedy(Remedy::SetConditionOrDisable));
    }
    found.triggers(&rules.triggers);
    let time = rules.actions.min_process_execution_time;
    if time.as_secs() > PROCESS_TIME_MOST_S {
        let most = TimeSpan::from_secs(PROCESS_TIME_MOST_S);
        found.add("rules.actions.min_process_execution_time", time, Accepted::between(TimeSpan::ZERO, most));
    }
    if rules.actions.action_type == ActionType::CustomAction {
        found.custom_action(rules.actions.custom_action.as_ref());
    }
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, field: impl Into<String>, received: impl Display, accepted: Accepted) {
        self.0.push(Violation::new(field, received, accepted));
    }

    fn triggers(&mut self, triggers: &Triggers) {
        let at = |name: &str| format!("rules.triggers.{name}");
        if let Some(requests) = &triggers.requests {
            self.counted(&at("requests"), requests.count, requests.time_interval);
        }
        if let Some(kb) = triggers.private_bytes_kib
            && (kb <= MEMORY_ABOVE_KIB || kb > MEMORY_MOST_KIB)
        {
            self.add(at("private_bytes_kib"), kb, Accepted::between(MEMORY_ABOVE_KIB + 1, MEMORY_MOST_KIB));
        }
        self.length(&at("status_codes"), triggers.status_codes.len());
        for (index, code) in triggers.status_codes.iter().enumerate() {
            let at = at(&format!("status_codes[{index}]"));
            if code.status <= *STATUSES.start() || code.status >= *STATUSES.end() {
                let accepted = Accepted::between(STATUSES.start() + 1, STATUSES.end() - 1);
                self.add(format!("{at}.status"), code.status, accepted);
            }
            self.counted(&at, code.count, code.time_interval);
            self.path(&at, code.path.as_deref());
        }
        self.length(&at("status_codes_range"), triggers.status_codes_range.len());
        for (index, range) in triggers.status_codes_range.iter().enumerate() {
            self.range(&at(&format!("status_codes_range[{index}]")), range);
        }
        if let Some(slow) = &triggers.slow_requests {
            self.slow(&at("slow_requests"), slow);
            if let Some(path) = &slow.path {
                let path = Violation::new(at("slow_requests.path"), path, Accepted::Nothing);
                self.0.push(path.with_remedy(Remedy::UseSlowRequestsWithPath));
            }
        }
        self.length(&at("slow_requests_with_path"), triggers.slow_requests_with_path.len());
        for (index, slow) in triggers.slow_requests_with_path.iter().enumerate() {
            let at = at(&format!("slow_requests_with_path[{index}]"));
            self.slow(&at, slow);
            self.path(&at, slow.path.as_deref());
            if slow.path.is_none() {
                let missing = Violation::missing(format!("{at}.path"), Accepted::Path);
                self.0.push(missing.with_remedy(Remedy::SetPathOrUseSlowRequests));
            }
        }
    }

    fn range(&mut self, at: &str, range: &StatusCodeRangeTrigger) {
        if status_range(&range.status_codes).is_none() {
            let received = format!("`{}`", range.status_codes);
            self.add(format!("{at}.status_codes"), received, Accepted::StatusRange);
        }
        self.counted(at, range.count, range.time_interval);
        self.path(at, range.path.as_deref());
    }

    fn slow(&mut self, at: &str, slow: &SlowRequestsTrigger) {
        self.counted(at, slow.count, slow.time_interval);
        if slow.time_taken.is_zero() {
            let least = TimeSpan::from_secs(1);
            self.add(format!("{at}.time_taken"), slow.time_taken, Accepted::AtLeast(least.into()));
        }
        if slow.time_interval < slow.time_taken {
            let accepted = Accepted::AtLeastTimeTaken(slow.time_taken);
            self.add(format!("{at}.time_interval"), slow.time_interval, accepted);
        }
    }

    fn counted(&mut self, at: &str, count: u64, interval: TimeSpan) {
        if !(1..=COUNT_MOST).contains(&count) {
            self.add(format!("{at}.count"), count, Accepted::between(1, COUNT_MOST));
        }
        if !(1..=INTERVAL_MOST_S).contains(&interval.as_secs()) {
            let [least, most] = [1, INTERVAL_MOST_S].map(TimeSpan::from_secs);
            self.add(format!("{at}.time_interval"), interval, Accepted::between(least, most));
        }
    }

    fn path(&mut self, at: &str, path: Option<&str>) {
        let wrong = path.and_then(|path| Some((path, path.parse::<PathGlob>().err()?)));
        if let Some((path, error)) = wrong {
            self.add(format!("{at}.path"), format!("`{path}`"), error.accepted());
        }
    }

    fn length(&mut self, at: &str, length: usize) {
        if length > LIST_LIMIT {
            self.add(at, format!("{length} rows"), Accepted::AtMost(LIST_LIMIT, Counted::Rows));
        }
    }

    fn custom_action(&mut self, action: Option<&CustomAction>) {
        const AT: &str = "rules.actions.custom_action";
        let at = |name: &str| format!("{AT}.{name}");
        let Some(action) = action.filter(|action| !action.exe.trim().is_empty()) else {
            return self.0.push(Violation::missing(at("exe"), Accepted::ExecutablePath));
        };
        let tool = action.exe.split_whitespace().next().unwrap_or_default();
        if ["MemoryDump", "Profiler"].iter().any(|name| tool.eq_ignore_ascii_case(name)) {
            let tool = Violation::new(at("exe"), tool, Accepted::ExecutablePath);
            return self.0.push(tool.with_remedy(Remedy::NoDiagnosticTools));
        }
        if !action.exe.starts_with('/') || action.exe.ends_with('/') {
            // What was given is not repeated: a command line in the wrong field may hold a secret.
            self.0.push(Violation::missing(at("exe"), Accepted::ExecutablePath));
        }
        let texts = [
            ("exe", action.exe.as_str(), EXE_LIMIT, is_unseen as fn(char) -> bool),
            ("parameters", action.parameters.reveal(), PARAMETERS_LIMIT, char::is_control),
        ];
        for (name, text, limit, is_refused) in texts {
            if text.len() > limit {
                self.add(at(name), format!("{} bytes", text.len()), Accepted::AtMost(limit, Counted::Bytes));
            }
            if text.chars().any(is_refused) {
                self.0.push(Violation::missing(at(name), Accepted::VisibleText));
            }
        }
    }
}
