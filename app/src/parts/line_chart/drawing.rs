//! Measured values as lines, the limit they are compared with, and marks of what happened. Like every drawing here it holds
//! numbers and times of ours only, in the style sheet's colours.

use engine::Timestamp;
use engine::report::{Line, LineChart, Mark, MarkKind};
use plotters::coord::types::{RangedCoordi64, RangedCoordu64};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::parts::plot::{Area, Drawn, INK, LIMIT, LINE, Size, in_our_colours, series_placeholder, ticks};
use crate::parts::when::clock_text;

/// How far a mark's shape reaches from its middle.
const MARK: i32 = 5;
/// Above the lines, where the marks' shapes stand.
const MARKS_HEIGHT: i32 = 20;

type Axes<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordi64, RangedCoordu64>>;
type Place = (i32, i32);

/// A drawing: what stands between `<svg>` and `</svg>`, and where its parts are, in its own units.
pub(super) struct Drawing {
    /// Trusted: it holds numbers and times of ours only.
    pub(super) inner: String,
    /// For the `viewBox`.
    pub(super) view_box: String,
    /// Left edge and width of each bucket in which something was measured.
    pub(super) buckets: Vec<(usize, i32, i32)>,
    /// The middle of each mark's shape.
    pub(super) marks: Vec<Place>,
    /// The top of the values' area and its height.
    pub(super) area: (i32, i32),
}

/// Draws it; `None` where plotters refuses (a chart of no width).
pub(super) fn draw(chart: &LineChart, size: Size, with_limit: bool) -> Option<Drawing> {
    let mut svg = String::new();
    let (buckets, marks, area) = {
        let root = SVGBackend::with_string(&mut svg, (size.width, size.height)).into_drawing_area();
        let parts = draw_on(&root, chart, size, with_limit).ok()?;
        root.present().ok()?;
        parts
    };
    let inner = svg.split_once('>')?.1.rsplit_once("</svg>")?.0;
    let view_box = format!("0 0 {} {}", size.width, size.height);
    Some(Drawing { inner: in_our_colours(inner), view_box, buckets, marks, area })
}

type Parts = (Vec<(usize, i32, i32)>, Vec<Place>, (i32, i32));

fn draw_on(root: &Area<'_>, chart: &LineChart, size: Size, with_limit: bool) -> Drawn<Parts> {
    let (start, end) = (chart.range.start.as_ms(), chart.range.end.as_ms());
    let limits = chart.lines.iter().flat_map(|line| &line.limits).flatten().filter(|_| with_limit);
    let values = chart.lines.iter().flat_map(|line| &line.values).flatten();
    let peak = values.chain(limits).copied().max().unwrap_or(0).max(4);
    let scale = Scale::up_to(peak);
    let axes = ChartBuilder::on(root)
        .margin_top(10 + MARKS_HEIGHT)
        .margin_right(24)
        .x_label_area_size(26)
        .y_label_area_size(68)
        .build_cartesian_2d(start..end, 0_u64..peak.saturating_add(peak / 16))?;
    draw_grid(root, &axes, &scale, size, (start, end))?;
    if with_limit {
        draw_limits(root, &axes, chart)?;
    }
    for (at, line) in chart.lines.iter().enumerate() {
        draw_line(root, &axes, chart, line, series_placeholder(at))?;
    }
    let floor = axes.backend_coord(&(start, 0)).1;
    let mut marks = Vec::new();
    for mark in &chart.marks {
        let (x, _) = axes.backend_coord(&(mark.at.as_ms(), 0));
        marks.push(draw_mark(root, mark, x, floor)?);
    }
    let place = |index: usize| {
        let (left, _) = axes.backend_coord(&(chart.bucket_start(index).as_ms(), 0));
        let (right, _) = axes.backend_coord(&(chart.bucket_start(index + 1).as_ms().min(end), 0));
        (index, left, (right - left).max(2))
    };
    let buckets = measured(chart).into_iter().map(place).collect();
    let top = 10 + MARKS_HEIGHT;
    Ok((buckets, marks, (top, floor - top)))
}

/// The buckets in which anything was measured.
pub(super) fn measured(chart: &LineChart) -> Vec<usize> {
    let count = chart.lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let is = |index: &usize| chart.lines.iter().any(|line| value(line, *index).is_some());
    (0..count).filter(is).collect()
}

/// What was measured in a bucket.
pub(super) fn value(line: &Line, index: usize) -> Option<u64> {
    line.values.get(index).copied().flatten()
}

/// Grid and words by hand: plotters would count in thousands of bytes and of milliseconds.
fn draw_grid(
    root: &Area<'_>,
    axes: &Axes<'_>,
    scale: &Scale,
    size: Size,
    (start, end): (i64, i64),
) -> Drawn<()> {
    let label = ("sans-serif", 14).into_font().color(&INK);
    let mut level = 0_u64;
    while axes.as_coord_spec().get_y_range().contains(&level) {
        let (left, y) = axes.backend_coord(&(start, level));
        let (right, _) = axes.backend_coord(&(end, level));
        root.draw(&PathElement::new(vec![(left, y), (right, y)], LINE))?;
        let text = format!("{}{}", level / scale.unit_size, scale.unit);
        root.draw(&Text::new(text, (left - 6, y), label.clone().pos(Pos::new(HPos::Right, VPos::Center))))?;
        let Some(next) = level.checked_add(scale.step) else { break };
        level = next;
    }
    for tick in ticks(start, end, size.most_ticks) {
        let (x, y) = axes.backend_coord(&(tick, 0));
        let text = clock_text(Timestamp::from_ms(tick));
        root.draw(&PathElement::new(vec![(x, y), (x, y + 5)], LINE))?;
        root.draw(&Text::new(text, (x, y + 8), label.clone().pos(Pos::new(HPos::Center, VPos::Top))))?;
    }
    Ok(())
}

/// One limit goes through from end to end; several stand where they held.
fn draw_limits(root: &Area<'_>, axes: &Axes<'_>, chart: &LineChart) -> Drawn<()> {
    let (start, end) = (chart.range.start.as_ms(), chart.range.end.as_ms());
    let across = |from: i64, to: i64, limit: u64| {
        PathElement::new(
            vec![axes.backend_coord(&(from, limit)), axes.backend_coord(&(to, limit))],
            LIMIT.stroke_width(2),
        )
    };
    if let [limit] = distinct_limits(chart).as_slice() {
        root.draw(&across(start, end, *limit))?;
        return Ok(());
    }
    for line in &chart.lines {
        for run in line.limits.chunk_by(|one, next| one == next).scan(0, |from, run| {
            let begins = *from;
            *from += run.len();
            Some((begins, *from, run.first().copied().flatten()))
        }) {
            if let (from, to, Some(limit)) = run {
                let (from, to) = (chart.bucket_start(from).as_ms(), chart.bucket_start(to).as_ms().min(end));
                root.draw(&across(from, to, limit))?;
            }
        }
    }
    Ok(())
}

/// Every limit of the chart, the lowest first.
pub(super) fn distinct_limits(chart: &LineChart) -> Vec<u64> {
    let mut limits: Vec<u64> = chart.lines.iter().flat_map(|line| &line.limits).copied().flatten().collect();
    limits.sort_unstable();
    limits.dedup();
    limits
}

fn draw_line(
    root: &Area<'_>,
    axes: &Axes<'_>,
    chart: &LineChart,
    line: &Line,
    colour: RGBColor,
) -> Drawn<()> {
    let half = i64::try_from(chart.bucket_ms / 2).unwrap_or(0);
    let place = |(index, value): (usize, u64)| {
        let at = chart.bucket_start(index).as_ms().saturating_add(half).min(chart.range.end.as_ms());
        axes.backend_coord(&(at, value))
    };
    let points = line.values.iter().enumerate().filter_map(|(index, value)| Some((index, (*value)?)));
    let points: Vec<(usize, u64)> = points.collect();
    // Where nothing was measured, nothing is drawn.
    for stretch in points.chunk_by(|one, next| next.0 == one.0 + 1) {
        let stretch: Vec<Place> = stretch.iter().copied().map(place).collect();
        if let [alone] = stretch.as_slice() {
            root.draw(&Circle::new(*alone, 3, colour.filled()))?;
        }
        root.draw(&PathElement::new(stretch, colour.stroke_width(2)))?;
    }
    Ok(())
}

/// A thin line with a shape on top: a triangle for a restart, a cross for a kill, a diamond for a crash.
fn draw_mark(root: &Area<'_>, mark: &Mark, x: i32, floor: i32) -> Drawn<Place> {
    let middle = (x, 10 + MARKS_HEIGHT / 2 - MARK / 2);
    let colour = if mark.kind == MarkKind::Restart { INK } else { LIMIT };
    root.draw(&PathElement::new(vec![(x, middle.1 + MARK), (x, floor)], colour))?;
    match mark.kind {
        MarkKind::Restart => {
            let corners = [(-MARK, -MARK), (MARK, -MARK), (0, MARK)].map(|(dx, dy)| (x + dx, middle.1 + dy));
            root.draw(&Polygon::new(corners, colour.filled()))?;
        }
        MarkKind::OutOfMemory => {
            for dx in [-MARK, MARK] {
                let ends = vec![(x - dx, middle.1 - MARK), (x + dx, middle.1 + MARK)];
                root.draw(&PathElement::new(ends, colour.stroke_width(3)))?;
            }
        }
        MarkKind::Crash => {
            let corners =
                [(0, -MARK), (MARK, 0), (0, MARK), (-MARK, 0)].map(|(dx, dy)| (x + dx, middle.1 + dy));
            root.draw(&Polygon::new(corners, colour.filled()))?;
        }
    }
    Ok(middle)
}

/// Round numbers of bytes on the axis: 1, 2 or 5 times a power of ten of a unit, at most six of them.
struct Scale {
    unit_size: u64,
    unit: &'static str,
    step: u64,
}

impl Scale {
    fn up_to(peak: u64) -> Self {
        const UNITS: [(u64, &str); 4] = [(1, " B"), (1 << 10, " KB"), (1 << 20, " MB"), (1 << 30, " GB")];
        const STEPS: [u64; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];
        let all = UNITS.into_iter().flat_map(|unit| STEPS.map(|step| (unit, step)));
        let fits = all.into_iter().find(|((size, _), step)| peak / (size * step) <= 5);
        let ((unit_size, unit), step) = fits.unwrap_or(((1 << 40, " TB"), (peak >> 40) / 5 + 1));
        Self { unit_size, unit, step: unit_size.saturating_mul(step) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_counts_in_round_numbers_of_bytes() {
        let cases = [
            (4, 1, " B"),
            (9, 2, " B"),
            (1_879_048_192, 500, " MB"),
            (42 << 20, 10, " MB"),
            (7 << 30, 2, " GB"),
            (3 << 20, 1, " MB"),
            (u64::MAX, 3_355_444, " TB"),
        ];
        for (peak, step, unit) in cases {
            let scale = Scale::up_to(peak);
            assert_eq!((scale.step / scale.unit_size, scale.unit), (step, unit), "{peak}");
        }
    }
}
