//! Memory over time: a line an instance beside its limit, and marks of what ended workers meanwhile.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use model::TimeRange;
use model::auto_heal::evidence::Unit;
use model::auto_heal::restart::{Restart, RestartOutcome};

use super::{CrashEnd, History};
use crate::buckets::Buckets;
use crate::healing;
use crate::report::{Line, LineChart, Mark, MarkKind};

pub(super) fn chart(
    range: TimeRange,
    histories: &[History<'_>],
    restarts: &[&Restart],
    crashes: &[CrashEnd<'_>],
) -> LineChart {
    let buckets = Buckets::points(range);
    let recorded = histories.iter().filter(|history| !history.minutes.is_empty());
    LineChart {
        title: "Memory over time by instance".to_owned(),
        unit: Unit::Bytes,
        range,
        bucket_ms: buckets.width_ms,
        lines: recorded.map(|history| line(history, buckets)).collect(),
        marks: marks(buckets, restarts, crashes),
        deploys: vec![],
        note: Some(
            "Private bytes: the memory that would be free again if a worker and its children ended. Medic reads them once a second and keeps the highest value of each minute.",
        ),
    }
}

fn line(history: &History<'_>, buckets: Buckets) -> Line {
    let mut values = vec![None; buckets.count];
    let mut limits = vec![None; buckets.count];
    for minute in history.minutes {
        let Some(index) = buckets.index(minute.minute) else { continue };
        values[index] = values[index].max(Some(minute.private_bytes_max));
        limits[index] = Some(minute.limit_bytes).filter(|limit| *limit > 0);
    }
    Line { name: history.place.within_app(), values, limits }
}

/// What happened alike on one instance within a bucket is one mark. Both are oldest first.
fn marks(buckets: Buckets, restarts: &[&Restart], crashes: &[CrashEnd<'_>]) -> Vec<Mark> {
    let restarted = restarts.iter().map(|restart| Mark {
        at: restart.at,
        place: restart.place.within_app(),
        kind: MarkKind::Restart,
        count: 1,
        text: match restart.outcome {
            RestartOutcome::Done => healing::reason(&restart.reason),
            RestartOutcome::Failed { .. } => format!("{} (failed)", healing::reason(&restart.reason)),
        },
    });
    let ended = crashes.iter().map(|crash| Mark {
        at: crash.at,
        place: crash.place.within_app(),
        kind: if crash.of_memory { MarkKind::OutOfMemory } else { MarkKind::Crash },
        count: crash.count,
        text: String::new(),
    });
    let mut marks: BTreeMap<_, Mark> = BTreeMap::new();
    for mark in restarted.chain(ended) {
        let alike = (buckets.index(mark.at), mark.place.clone(), mark.kind, mark.text.clone());
        match marks.entry(alike) {
            Entry::Vacant(first) => {
                first.insert(mark);
            }
            Entry::Occupied(mut earlier) => earlier.get_mut().count += mark.count,
        }
    }
    let mut marks: Vec<Mark> = marks.into_values().collect();
    marks.sort_by_key(|mark| (mark.at, mark.kind));
    marks
}
