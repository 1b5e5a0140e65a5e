//! Proactive CPU monitoring.

use std::time::Duration;

use model::auto_heal::cpu::CpuRule;
use model::auto_heal::measured::Measured;
use model::time::humanise;

use super::{RuleWords, Sentences};
use crate::report::Action;

pub(super) static WORDS: RuleWords =
    RuleWords { word: "proactive-cpu", title: "Proactive CPU", sentences, window: humanise, advice };

fn sentences(measured: &Measured) -> Option<Sentences> {
    let Measured::ProactiveCpu { settings, mean_percent, busy_ms, actions_left } = *measured else {
        return None;
    };
    let CpuRule { threshold_percent, seconds, frequency_s, .. } = settings;
    let condition = format!(
        "when each check, the mean of {frequency_s} s, is {threshold_percent}% or more for {seconds} s"
    );
    let mean =
        mean_percent.map_or_else(|| "not checked yet".to_owned(), |mean| format!("the mean was {mean}%"));
    let observed = match (busy_ms, mean_percent) {
        (Some(ms), Some(mean)) => {
            let busy = humanise(Duration::from_millis(ms));
            format!("the processors were busy for {busy}, lately by {mean}%")
        }
        _ => mean.clone(),
    };
    let reading = format!("{mean}; it acts {condition}; actions left: {actions_left}");
    Some(Sentences { condition, observed, reading })
}

fn advice() -> Vec<Action> {
    vec![Action::new(
        "Profile the app while CPU is high: look for an endless loop or an expensive expression.",
    )]
}
