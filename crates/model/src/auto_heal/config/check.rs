//! What the portal's form lets pass, and what can be carried out.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::auto_heal::config::{
    ActionType, AutoHealConfig, CustomAction, SlowRequestsTrigger, StatusCodeRangeTrigger, TimeSpan,
    Triggers, Violation,
};
use crate::auto_heal::path_glob::PathGlob;
use crate::text::is_unseen;

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
    let rules = &config.rules;
    if config.enabled && !rules.triggers.any() {
        let nothing = Violation::missing("rules.triggers", "at least one condition");
        found.0.push(nothing.with_remedy("Set a condition, or disable the rules"));
    }
    found.triggers(&rules.triggers);
    let time = rules.actions.min_process_execution_time;
    if time.as_secs() > PROCESS_TIME_MOST_S {
        let most = TimeSpan::from_secs(PROCESS_TIME_MOST_S);
        found.add("rules.actions.min_process_execution_time", time, format!("00:00:00 to {most}"));
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
        let at = |name: &str| format!("rules.triggers.{name}");
        if let Some(requests) = &triggers.requests {
            self.counted(&at("requests"), requests.count, requests.time_interval);
        }
        if let Some(kb) = triggers.private_bytes_kib
            && (kb <= MEMORY_ABOVE_KIB || kb > MEMORY_MOST_KIB)
        {
            let accepted = format!("above {MEMORY_ABOVE_KIB} and at most {MEMORY_MOST_KIB}");
            self.add(at("private_bytes_kib"), kb, accepted);
        }
        self.length(&at("status_codes"), triggers.status_codes.len());
        for (index, code) in triggers.status_codes.iter().enumerate() {
            let at = at(&format!("status_codes[{index}]"));
            if code.status <= *STATUSES.start() || code.status >= *STATUSES.end() {
                self.add(format!("{at}.status"), code.status, "above 100 and below 530");
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
                let path = Violation::new(at("slow_requests.path"), path, "left out");
                self.0.push(path.with_remedy("Use the rule Slow requests with path"));
            }
        }
        self.length(&at("slow_requests_with_path"), triggers.slow_requests_with_path.len());
        for (index, slow) in triggers.slow_requests_with_path.iter().enumerate() {
            let at = at(&format!("slow_requests_with_path[{index}]"));
            self.slow(&at, slow);
            self.path(&at, slow.path.as_deref());
            if slow.path.is_none() {
                let missing = Violation::missing(format!("{at}.path"), "a path");
                self.0.push(missing.with_remedy("Set one, or use the rule Slow requests"));
            }
        }
    }

    fn range(&mut self, at: &str, range: &StatusCodeRangeTrigger) {
        if status_range(&range.status_codes).is_none() {
            let accepted = "two statuses from 100 to 530, the smaller first, such as 500-530";
            self.add(format!("{at}.status_codes"), format!("`{}`", range.status_codes), accepted);
        }
        self.counted(at, range.count, range.time_interval);
        self.path(at, range.path.as_deref());
    }

    fn slow(&mut self, at: &str, slow: &SlowRequestsTrigger) {
        self.counted(at, slow.count, slow.time_interval);
        if slow.time_taken.is_zero() {
            self.add(format!("{at}.time_taken"), slow.time_taken, "at least 00:00:01");
        }
        if slow.time_interval < slow.time_taken {
            let accepted = format!("at least the time taken, {}", slow.time_taken);
            self.add(format!("{at}.time_interval"), slow.time_interval, accepted);
        }
    }

    fn counted(&mut self, at: &str, count: u64, interval: TimeSpan) {
        if !(1..=COUNT_MOST).contains(&count) {
            self.add(format!("{at}.count"), count, format!("1 to {COUNT_MOST}"));
        }
        if !(1..=INTERVAL_MOST_S).contains(&interval.as_secs()) {
            let most = TimeSpan::from_secs(INTERVAL_MOST_S);
            self.add(format!("{at}.time_interval"), interval, format!("00:00:01 to {most}"));
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
        const AT: &str = "rules.actions.custom_action";
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
