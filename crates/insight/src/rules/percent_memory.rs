//! Percent memory.

use std::time::Duration;

use model::auto_heal::measured::Measured;
use model::auto_heal::percent_memory::{FOR, SHARE_PERCENT};
use model::time::humanise;

use super::{RuleWords, Sentences};
use crate::report::{Action, Target};
use crate::words::{bytes, memory_limit};

pub(super) static WORDS: RuleWords =
    RuleWords { word: "percent-memory", title: "Percent memory", sentences, window: humanise, advice };

fn sentences(measured: &Measured) -> Option<Sentences> {
    let Measured::PercentMemory { limit, threshold_bytes, bytes: now, above_ms } = measured else {
        return None;
    };
    let threshold = bytes(*threshold_bytes);
    let condition = format!(
        "when they stay above {threshold}, {SHARE_PERCENT}% of the limit of {}, for more than {}",
        memory_limit(*limit),
        humanise(FOR)
    );
    let above = above_ms.map(|ms| humanise(Duration::from_millis(ms)));
    let (observed, reading) = match (now.map(bytes), above) {
        (None, _) => {
            let unknown = "private bytes are not known yet".to_owned();
            (unknown.clone(), unknown)
        }
        (Some(now), None) => {
            let is = format!("private bytes are {now}");
            (is.clone(), is)
        }
        (Some(now), Some(above)) => (
            format!("private bytes were above {threshold} for {above} and are {now}"),
            format!("private bytes are {now}, above the threshold for {above}"),
        ),
    };
    Some(Sentences { reading: format!("{reading}; it acts {condition}"), condition, observed })
}

pub(super) fn advice() -> Vec<Action> {
    let memory = Target::Detector { id: "memory-analysis" };
    vec![
        Action::at("Check whether memory only grows. A restart only delays a leak.", memory),
        Action::new("If the app needs that much memory, raise worker_size or memory_limit in medic.toml."),
    ]
}
