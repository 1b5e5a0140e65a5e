//! What is said of a rule: its word in addresses, its title, its sentences, and what to do after it acted.
//!
//! A rule is one file here and one row of [`RULES`]. Its sentences are made of what the engine measured ([`Measured`]), so that
//! pages, API and log say the same. Evidence of older releases brings its sentences with it.

pub mod counting;
pub mod not_responding;
mod percent_memory;
pub mod percent_request;
pub mod private_bytes;
mod proactive_cpu;
mod requests;
mod slow_requests;
mod slow_requests_with_path;
mod status_code;
mod status_code_range;

use std::time::Duration;

use model::auto_heal::evidence::{Evidence, EvidenceText, Reading, Rule, RuleState, RuleStateText, Seen};
use model::auto_heal::measured::Measured;
use serde::Serialize;

use crate::report::Action;

/// What is said of one rule.
#[derive(Debug)]
pub struct RuleWords {
    /// In addresses: its title in kebab case.
    pub word: &'static str,
    /// On pages.
    pub title: &'static str,
    /// What it measured, in words; `None` for what another kind of rule measured.
    sentences: fn(&Measured) -> Option<Sentences>,
    /// How its time window is written.
    window: fn(Duration) -> String,
    /// What to do after it acted, most promising first.
    pub advice: fn() -> Vec<Action>,
}

/// What a rule measured, in words: parts of sentences, without a capital letter and a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sentences {
    /// When it acts: begins with `when`.
    condition: String,
    /// What it saw when it acted.
    observed: String,
    /// What it sees now, and when it acts.
    reading: String,
}

impl Sentences {
    fn new(observed: String, condition: String) -> Self {
        let reading = format!("{observed}; it acts {condition}");
        Self { condition, observed, reading }
    }
}

macro_rules! registry {
    ($($rule:pat => $file:ident,)*) => {
        /// Every rule, in the order of lists.
        pub static RULES: &[&RuleWords] = &[$(&$file::WORDS,)*];

        /// The words of a rule.
        pub const fn words(rule: Rule) -> &'static RuleWords {
            match rule {
                $($rule => &$file::WORDS,)*
            }
        }
    };
}

registry! {
    Rule::PercentMemory => percent_memory,
    Rule::PercentRequest => percent_request,
    Rule::NotResponding => not_responding,
    Rule::ProactiveCpu => proactive_cpu,
    Rule::Requests => requests,
    Rule::PrivateBytes => private_bytes,
    Rule::SlowRequests => slow_requests,
    Rule::SlowRequestsWithPath { .. } => slow_requests_with_path,
    Rule::StatusCode { .. } => status_code,
    Rule::StatusCodeRange { .. } => status_code_range,
}

/// `Percent memory`, `Status code 2`.
pub fn title(rule: Rule) -> String {
    let title = words(rule).title;
    match rule {
        Rule::SlowRequestsWithPath { index }
        | Rule::StatusCode { index }
        | Rule::StatusCodeRange { index } => format!("{title} {}", u32::from(index) + 1),
        _ => title.to_owned(),
    }
}

/// What a rule saw when it acted, and when it acts.
pub fn evidence(evidence: &Evidence) -> EvidenceText {
    match &evidence.seen {
        Seen::Recorded(text) => text.clone(),
        Seen::Measured { measured } => {
            let Sentences { condition, observed, .. } = sentences(evidence.rule, measured);
            EvidenceText { condition, observed }
        }
    }
}

/// Why a rule acted, in one sentence.
pub fn summary(evidence: &Evidence) -> String {
    let EvidenceText { condition, observed } = self::evidence(evidence);
    format!("{}: {observed}; it acts {condition}.", title(evidence.rule))
}

/// How far back a rule looked.
pub fn window(evidence: &Evidence) -> String {
    (words(evidence.rule).window)(Duration::from_millis(evidence.window_ms))
}

/// What a rule sees, and when it acts.
pub fn reading(reading: &Reading) -> String {
    match &reading.seen {
        Seen::Recorded(text) => text.text.clone(),
        Seen::Measured { measured } if reading.fired_too => {
            let Sentences { condition, observed, .. } = sentences(reading.rule, measured);
            format!("also triggered: {observed}; it acts {condition}")
        }
        Seen::Measured { measured } => sentences(reading.rule, measured).reading,
    }
}

fn sentences(rule: Rule, measured: &Measured) -> Sentences {
    (words(rule).sentences)(measured).unwrap_or_default()
}

/// Does a rule look, and if not, why? In words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Standing))]
pub enum Watching {
    /// It does.
    #[serde(rename = "watching")]
    Yes,
    /// It does, and has nothing to look at yet.
    Waiting {
        /// For what; one sentence.
        why: String,
    },
    /// Another rule on the same matter has priority.
    Silent {
        /// Which; one sentence.
        why: String,
    },
    /// It is switched off.
    Off {
        /// By what; one sentence.
        why: String,
    },
}

impl Watching {
    pub fn of(state: &RuleState) -> Self {
        let off = |why: String| Self::Off { why };
        match state {
            RuleState::Watching => Self::Yes,
            RuleState::WarmingUp => Self::Waiting { why: "The worker is warming up.".to_owned() },
            RuleState::Overridden { by } => {
                Self::Silent { why: format!("Overridden by custom rule {}.", title(*by)) }
            }
            RuleState::OptedOut => off("Proactive auto-heal is off in the app's settings.".to_owned()),
            RuleState::SwitchedOff => off("not_responding is false in medic.toml.".to_owned()),
            RuleState::Paused { until } => off(format!("Proactive rules are paused until {until}.")),
            RuleState::ActionsUsed => off("It has acted as often as it may.".to_owned()),
            RuleState::Expired => off("Its hours are over.".to_owned()),
            RuleState::Recorded(text) => match text.clone() {
                RuleStateText::Waiting { why } => Self::Waiting { why },
                RuleStateText::Silent { why } => Self::Silent { why },
                RuleStateText::Off { why } => Self::Off { why },
            },
        }
    }
}

#[cfg(test)]
mod tests;
