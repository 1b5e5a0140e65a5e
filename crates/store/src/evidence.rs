//! A rule's evidence in two columns: what it saw and when it acts, which every list shows, and what it measured meanwhile, which is
//! twenty times as long and read only for whoever looks at it. Up to the thirteenth number of the tables both stood in the first.

use model::auto_heal::evidence::{Evidence, Reading, Sample};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::sql::{Row, Value, json};

#[derive(Serialize, Deserialize)]
struct Measurements {
    samples: Vec<Sample>,
    not_fired: Vec<Reading>,
}

/// `evidence` and `measurements`.
pub(crate) fn values(evidence: Option<&Evidence>) -> sqlx::Result<[Value; 2]> {
    let mut brief = serde_json::to_value(evidence).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let mut measurements = serde_json::Map::new();
    if let Json::Object(fields) = &mut brief {
        let moved = ["samples", "not_fired"].into_iter().filter_map(|name| fields.remove_entry(name));
        measurements.extend(moved.collect::<Vec<_>>());
    }
    let measurements = evidence.map(|_| serde_json::to_string(&measurements)).transpose();
    let measurements = measurements.map_err(|error| sqlx::Error::Encode(error.into()))?;
    Ok([json(brief)?, Value::MaybeText(measurements)])
}

/// From both columns.
pub(crate) fn whole(row: &Row) -> sqlx::Result<Option<Evidence>> {
    let mut evidence: Option<Evidence> = row.json("evidence")?;
    if let Some(evidence) = &mut evidence
        && row.maybe_raw("measurements")?.is_some()
    {
        let Measurements { samples, not_fired } = row.json("measurements")?;
        (evidence.samples, evidence.not_fired) = (samples, not_fired);
    }
    Ok(evidence)
}

/// From `evidence` alone: without samples and the other rules' readings.
pub(crate) fn brief(row: &Row) -> sqlx::Result<Option<Evidence>> {
    let mut evidence: Option<Evidence> = row.json("evidence")?;
    if let Some(evidence) = &mut evidence {
        evidence.samples.clear();
        evidence.not_fired.clear();
    }
    Ok(evidence)
}

/// Where there always is some.
pub(crate) fn present(evidence: Option<Evidence>) -> sqlx::Result<Evidence> {
    evidence.ok_or_else(|| sqlx::Error::ColumnDecode {
        index: "evidence".to_owned(),
        source: "it is null".into(),
    })
}
