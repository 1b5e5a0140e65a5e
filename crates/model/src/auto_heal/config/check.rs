//! What the portal's form lets pass, and what can be carried out.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::auto_heal::config::{
    ActionType, AutoHealConfig, CustomAction, SlowRequestsTrigger, StatusCodeRangeTrigger, TimeSpan,
    Triggers, Violation,
};
use crate::auto_heal::path_glob::PathGlob;
use crate::text::is_unseen;

/// Private bytes must be set above this, in KB: the form's limit.
pub const MEMORY_ABOVE_KB: u64 = 102_400;
/// The most private bytes that can be set, in KB: the form's limit.
pub const MEMORY_MOST_KB: u64 = 33_554_432;
/// The most of `minProcessExecutionTime`, in seconds: the form's limit.
pub const PROCESS_TIME_MOST_S: u64 = 7_200;
/// Less of `minProcessExecutionTime` is warned of, in seconds: the form's.
pub const PROCESS_TIME_ADVISED_S: u64 = 600;
/// The longest window, in seconds. Ours: a day, because more would count what nobody remembers.
pub const INTERVAL_MOST_S: u64 = 86_400;
/// The largest count. Ours: far above what one instance answers in a day.
pub const COUNT_MOST: u64 = 1_000_000_000;
/// The most triggers of one kind. Ours: each is looked at for each request.
pub const LIST_LIMIT: usize = 20;
const STATUSES: RangeInclusive<u64> = 100..=530;
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
    let rules = &config.auto_heal_rules;
    if config.auto_heal_enabled && !rules.triggers.any() {
        let nothing = Violation::missing("autoHealRules.triggers", "at least one condition");
        found.0.push(nothing.with_remedy("Set a condition, or autoHealEnabled to false"));
    }
    found.triggers(&rules.triggers);
    let time = rules.actions.min_process_execution_time;
    if time.as_secs() > PROCESS_TIME_MOST_S {
        let most = TimeSpan::from_secs(PROCESS_TIME_MOST_S);
        found.add("autoHealRules.actions.minProcessExecutionTime", time, format!("00:00:00 to {most}"));
    }
    if rules.actions.action_type == ActionType::CustomAction {
        found.custom_action(rules.actions.custom_action.as_ref());
    }
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, field: impl Into<String>, received: impl Display, accepted: impl Into<String>) {
        self.0.push(Violation::new(field, received, accepted));
    }

    fn triggers(&mut self, triggers: &Triggers) {
        let at = |name: &str| format!("autoHealRules.triggers.{name}");
        if let Some(requests) = &triggers.requests {
            self.counted(&at("requests"), requests.count, requests.time_interval);
        }
        if let Some(kb) = triggers.private_bytes_in_kb
            && (kb <= MEMORY_ABOVE_KB || kb > MEMORY_MOST_KB)
        {
            let accepted = format!("above {MEMORY_ABOVE_KB} and at most {MEMORY_MOST_KB}");
            self.add(at("privateBytesInKB"), kb, accepted);
        }
        self.length(&at("statusCodes"), triggers.status_codes.len());
        for (index, code) in triggers.status_codes.iter().enumerate() {
            let at = at(&format!("statusCodes[{index}]"));
            if code.status <= *STATUSES.start() || code.status >= *STATUSES.end() {
                self.add(format!("{at}.status"), code.status, "above 100 and below 530");
            }
            self.counted(&at, code.count, code.time_interval);
            self.path(&at, code.path.as_deref());
        }
        self.length(&at("statusCodesRange"), triggers.status_codes_range.len());
        for (index, range) in triggers.status_codes_range.iter().enumerate() {
            self.range(&at(&format!("statusCodesRange[{index}]")), range);
        }
        if let Some(slow) = &triggers.slow_requests {
            self.slow(&at("slowRequests"), slow);
            if let Some(path) = &slow.path {
                let path = Violation::new(at("slowRequests.path"), path, "left out");
                self.0.push(path.with_remedy("Use slowRequestsWithPath for a path"));
            }
        }
        self.length(&at("slowRequestsWithPath"), triggers.slow_requests_with_path.len());
        for (index, slow) in triggers.slow_requests_with_path.iter().enumerate() {
            let at = at(&format!("slowRequestsWithPath[{index}]"));
            self.slow(&at, slow);
            self.path(&at, slow.path.as_deref());
            if slow.path.is_none() {
                let missing = Violation::missing(format!("{at}.path"), "a path");
                self.0.push(missing.with_remedy("Set one, or use slowRequests without a path"));
            }
        }
    }

    fn range(&mut self, at: &str, range: &StatusCodeRangeTrigger) {
        if status_range(&range.status_codes).is_none() {
            let accepted = "two statuses from 100 to 530, the smaller first, such as 500-530";
            self.add(format!("{at}.statusCodes"), format!("`{}`", range.status_codes), accepted);
        }
        self.counted(at, range.count, range.time_interval);
        self.path(at, range.path.as_deref());
    }

    fn slow(&mut self, at: &str, slow: &SlowRequestsTrigger) {
        self.counted(at, slow.count, slow.time_interval);
        if slow.time_taken.is_zero() {
            self.add(format!("{at}.timeTaken"), slow.time_taken, "at least 00:00:01");
        }
        if slow.time_interval < slow.time_taken {
            let accepted = format!("at least timeTaken, {}", slow.time_taken);
            self.add(format!("{at}.timeInterval"), slow.time_interval, accepted);
        }
    }

    fn counted(&mut self, at: &str, count: u64, interval: TimeSpan) {
        if !(1..=COUNT_MOST).contains(&count) {
            self.add(format!("{at}.count"), count, format!("1 to {COUNT_MOST}"));
        }
        if !(1..=INTERVAL_MOST_S).contains(&interval.as_secs()) {
            let most = TimeSpan::from_secs(INTERVAL_MOST_S);
            self.add(format!("{at}.timeInterval"), interval, format!("00:00:01 to {most}"));
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
            self.add(at, format!("{length} rows"), format!("at most {LIST_LIMIT} rows"));
        }
    }

    fn custom_action(&mut self, action: Option<&CustomAction>) {
        const AT: &str = "autoHealRules.actions.customAction";
        const PATH: &str = "an executable's absolute path, beginning with /";
        let at = |name: &str| format!("{AT}.{name}");
        let Some(action) = action.filter(|action| !action.exe.trim().is_empty()) else {
            return self.0.push(Violation::missing(at("exe"), PATH));
        };
        let tool = action.exe.split_whitespace().next().unwrap_or_default();
        if ["MemoryDump", "Profiler"].iter().any(|name| tool.eq_ignore_ascii_case(name)) {
            let tool = Violation::new(at("exe"), tool, PATH);
            return self.0.push(tool.with_remedy("MemoryDump and Profiler are not supported yet"));
        }
        if !action.exe.starts_with('/') || action.exe.ends_with('/') {
            // What was given is not repeated: a command line in the wrong field may hold a secret.
            self.0.push(Violation::missing(at("exe"), PATH));
        }
        let texts = [
            ("exe", action.exe.as_str(), EXE_LIMIT, is_unseen as fn(char) -> bool),
            ("parameters", action.parameters.reveal(), PARAMETERS_LIMIT, char::is_control),
        ];
        for (name, text, limit, is_refused) in texts {
            if text.len() > limit {
                self.add(at(name), format!("{} bytes", text.len()), format!("at most {limit} bytes"));
            }
            if text.chars().any(is_refused) {
                self.0.push(Violation::missing(at(name), "without control characters"));
            }
        }
    }
}
