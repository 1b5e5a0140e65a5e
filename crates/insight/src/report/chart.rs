//! What is drawn: counts as columns, measured values as lines.

use model::auto_heal::evidence::{POINTS_LIMIT, Sample, Unit};
use model::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};

/// Counts over time, one series an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Chart {
    /// What is counted.
    pub title: String,
    /// What one of it is, such as `crashes`.
    pub unit: String,
    /// The whole range.
    pub range: TimeRange,
    /// The width of one bucket; bucket `i` begins at `range.start + i · bucket_ms`.
    pub bucket_ms: u64,
    /// The lines or stacked bars.
    pub series: Vec<Series>,
    /// When other code was deployed, oldest first.
    pub deploys: Vec<DeployMark>,
}

/// Other code was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeployMark {
    /// When its first worker was started.
    pub at: Timestamp,
    /// The new code in a word.
    pub label: String,
    /// What changed.
    pub text: String,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// One value a bucket.
    pub values: Vec<u64>,
}

impl Chart {
    /// When bucket `index` begins.
    pub fn bucket_start(&self, index: usize) -> Timestamp {
        bucket_start(self.range, self.bucket_ms, index)
    }
}

/// Measured values over time, a line each, beside what they are compared with and what happened meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LineChart {
    /// What is measured.
    pub title: String,
    /// What the values count.
    pub unit: Unit,
    /// The whole range.
    pub range: TimeRange,
    /// The width of one bucket; bucket `i` begins at `range.start + i · bucket_ms`.
    pub bucket_ms: u64,
    /// The lines.
    pub lines: Vec<Line>,
    /// What happened, oldest first.
    pub marks: Vec<Mark>,
    /// When other code was deployed, oldest first.
    pub deploys: Vec<DeployMark>,
    /// What the reader should know about the values.
    pub note: Option<&'static str>,
}

/// One line of measured values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// The highest value of each bucket; nothing where none was measured.
    pub values: Vec<Option<u64>>,
    /// What the values were compared with, where that is to be shown.
    pub limits: Vec<Option<u64>>,
}

/// Something that happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// Where, as `node/instance`.
    pub place: String,
    /// What.
    pub kind: MarkKind,
    /// How often, from then on, within the same bucket.
    pub count: u64,
    /// Why; a few words, empty where the kind says it all.
    pub text: String,
}

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum MarkKind {
    /// A worker was replaced.
    Restart,
    /// The kernel killed one because memory ran out.
    OutOfMemory,
    /// A worker crashed otherwise.
    Crash,
}

impl MarkKind {
    /// The words on the page.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Restart => "Restart",
            Self::OutOfMemory => "Out of memory",
            Self::Crash => "Crash",
        }
    }
}

impl LineChart {
    /// A few minutes of samples, oldest first, as one line without a limit; nothing without a sample.
    pub fn of_samples(title: &str, name: &str, unit: Unit, samples: &[Sample]) -> Option<Self> {
        let (first, last) = (samples.first()?.at, samples.last()?.at);
        let span_ms = u64::try_from(last.since(first).as_millis()).unwrap_or(u64::MAX);
        let points = u64::try_from(POINTS_LIMIT).unwrap_or(u64::MAX);
        let bucket_ms = span_ms.div_ceil(points).div_ceil(1_000).max(1) * 1_000;
        let index = |at: Timestamp| usize::try_from(at.since(first).as_millis() / u128::from(bucket_ms)).ok();
        let mut values = vec![None; index(last)? + 1];
        for sample in samples {
            if let Some(value) = index(sample.at).and_then(|index| values.get_mut(index)) {
                *value = (*value).max(Some(sample.value));
            }
        }
        let end = bucket_start(TimeRange { start: first, end: last }, bucket_ms, values.len());
        let limits = vec![None; values.len()];
        Some(Self {
            title: title.to_owned(),
            unit,
            range: TimeRange { start: first, end },
            bucket_ms,
            lines: vec![Line { name: name.to_owned(), values, limits }],
            marks: vec![],
            deploys: vec![],
            note: None,
        })
    }

    /// Has it begin no later than that, by whole buckets in which nothing was measured.
    pub fn begin_by(&mut self, at: Timestamp) {
        let before_ms = self.range.start.since(at).as_millis();
        let buckets = usize::try_from(before_ms.div_ceil(u128::from(self.bucket_ms.max(1)))).unwrap_or(0);
        for line in &mut self.lines {
            for values in [&mut line.values, &mut line.limits] {
                values.splice(..0, std::iter::repeat_n(None, buckets));
            }
        }
        let before_ms = u64::try_from(buckets).unwrap_or(u64::MAX).saturating_mul(self.bucket_ms);
        self.range.start = self.range.start - std::time::Duration::from_millis(before_ms);
    }

    /// When bucket `index` begins.
    pub fn bucket_start(&self, index: usize) -> Timestamp {
        bucket_start(self.range, self.bucket_ms, index)
    }
}

fn bucket_start(range: TimeRange, bucket_ms: u64, index: usize) -> Timestamp {
    let ms = u64::try_from(index).unwrap_or(u64::MAX).saturating_mul(bucket_ms);
    range.start + std::time::Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_a_line_with_gaps_of_at_most_as_many_points_as_are_kept() {
        let at = |second: i64| Timestamp::from_ms(1_769_847_300_000 + 1_000 * second);
        let samples = |seconds: &[i64]| -> Vec<Sample> {
            seconds.iter().map(|second| Sample { at: at(*second), value: second.unsigned_abs() }).collect()
        };
        let of = |seconds: &[i64]| LineChart::of_samples("t", "n", Unit::Bytes, &samples(seconds));
        assert_eq!(of(&[]), None);
        let one = of(&[7]).unwrap();
        assert_eq!((one.lines[0].values.as_slice(), one.range.end), (&[Some(7)][..], at(8)));
        let gap = of(&[0, 1, 3]).unwrap();
        assert_eq!(gap.lines[0].values, [Some(0), Some(1), None, Some(3)]);
        let long: Vec<i64> = (0..600).collect();
        let long = of(&long).unwrap();
        assert_eq!((long.bucket_ms, long.lines[0].values.len()), (5_000, 120));
        assert_eq!((long.lines[0].values[119], long.range.end), (Some(599), at(600)));
        let mut early = of(&[7, 8]).unwrap();
        early.begin_by(at(7));
        assert_eq!(Some(&early), of(&[7, 8]).as_ref(), "it begins then already");
        early.begin_by(at(6) - std::time::Duration::from_millis(1));
        let line = &early.lines[0];
        assert_eq!((early.range.start, &*line.values), (at(5), &[None, None, Some(7), Some(8)][..]));
        assert_eq!(line.limits.len(), line.values.len());
    }
}
