//! The condition that goes by memory.

use super::outcome::{ConditionRun, Prediction, WouldFire};
use crate::rules::private_bytes;
use crate::words::bytes;
use model::Timestamp;
use model::auto_heal::config::AutoHealConfig;
use model::auto_heal::evidence::Rule;

/// Private bytes: above in a minute is certain, and one stretch above is one firing, since the recorded worker went on.
pub(super) struct MemoryTrack {
    limit: u64,
    seen: bool,
    above: bool,
    fires: Vec<WouldFire>,
}

impl MemoryTrack {
    pub(super) fn new(config: &AutoHealConfig) -> Option<Self> {
        let limit = config.rules.triggers.private_bytes_kib?.saturating_mul(1_024);
        Some(Self { limit, seen: false, above: false, fires: Vec::new() })
    }

    pub(super) fn take(&mut self, minute: Timestamp, private_bytes: Option<u64>, held_back: bool) -> bool {
        let Some(value) = private_bytes else { return false };
        self.seen = true;
        if value <= self.limit {
            self.above = false;
            return false;
        }
        let fires = !self.above && !held_back;
        if fires {
            self.above = true;
            let text = format!("Private bytes reached {}.", bytes(value));
            self.fires.push(WouldFire { minute, certain: true, text });
        }
        fires
    }

    pub(super) fn finish(self) -> ConditionRun {
        let prediction = match (self.seen, self.fires.is_empty()) {
            (false, _) => Prediction::CannotTell {
                why: "No memory is recorded of this instance in that time.".to_owned(),
            },
            (true, true) => Prediction::WouldNotFire,
            (true, false) => Prediction::WouldFire,
        };
        let condition = private_bytes::condition(self.limit);
        ConditionRun { rule: Rule::PrivateBytes, condition, prediction, fires: self.fires }
    }
}
