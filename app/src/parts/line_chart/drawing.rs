//! Measured values as lines, the limit they are compared with, and marks of what happened. Like every drawing here it holds
//! numbers and times of ours only, in the style sheet's colours.

use insight::report::{Line, LineChart, Mark, MarkKind};
use plotters::prelude::*;

use crate::parts::plot::{
    Area, Axes, DeployLines, Drawn, INK, LIMIT, Pixel, Plot, Size, axes, deploy_lines, draw_grid, draw_limit,
    draw_times, plot, series_placeholder, units,
};

/// How far a mark's shape reaches from its middle.
const MARK: i32 = 5;
/// Above the lines, where the marks' shapes stand.
const TOP: u32 = 30;
/// The middle of the shapes.
const MARKS: i32 = 18;

/// Where the parts of a drawing are, in its own units.
pub(super) struct Parts<'c> {
    /// Left edge and width of each bucket in which something was measured.
    pub(super) buckets: Vec<(usize, i32, i32)>,
    /// The shapes of the marks.
    pub(super) shapes: Vec<Shape<'c>>,
    /// The top of the values' area and its height.
    pub(super) area: (i32, i32),
    pub(super) deploys: DeployLines,
}

/// Marks of one kind that would cover one another, drawn as one where the first is.
pub(super) struct Shape<'c> {
    pub(super) middle: Pixel,
    /// Oldest first; never empty.
    pub(super) marks: Vec<&'c Mark>,
}

/// Draws it; `None` where plotters refuses (a chart of no width).
pub(super) fn draw(chart: &LineChart, size: Size, with_limit: bool) -> Option<Plot<Parts<'_>>> {
    plot(size, |root| draw_on(root, chart, size, with_limit))
}

fn draw_on<'c>(root: &Area<'_>, chart: &'c LineChart, size: Size, with_limit: bool) -> Drawn<Parts<'c>> {
    let (start, end) = (chart.range.start.as_ms(), chart.range.end.as_ms());
    let limits = chart.lines.iter().flat_map(|line| &line.limits).flatten().filter(|_| with_limit);
    let values = chart.lines.iter().flat_map(|line| &line.values).flatten();
    let peak = values.chain(limits).copied().max().unwrap_or(0).max(4);
    let axes = axes(root, (TOP, 68), start..end, 0..peak.saturating_add(peak / 16))?;
    draw_grid(root, &axes, peak, units(chart.unit))?;
    draw_times(root, &axes, size)?;
    if with_limit {
        draw_limits(root, &axes, chart)?;
    }
    for (at, line) in chart.lines.iter().enumerate() {
        draw_line(root, &axes, chart, line, series_placeholder(at))?;
    }
    let floor = axes.backend_coord(&(start, 0)).1;
    let shapes = shapes(&axes, &chart.marks);
    for shape in &shapes {
        draw_shape(root, shape, floor)?;
    }
    let place = |index: usize| {
        let (left, _) = axes.backend_coord(&(chart.bucket_start(index).as_ms(), 0));
        let (right, _) = axes.backend_coord(&(chart.bucket_start(index + 1).as_ms().min(end), 0));
        (index, left, (right - left).max(2))
    };
    let buckets = measured(chart).into_iter().map(place).collect();
    let top = axes.backend_coord(&(start, axes.as_coord_spec().get_y_range().end)).1;
    let deploys = deploy_lines(&axes, &chart.deploys);
    Ok(Parts { buckets, shapes, area: (top, floor - top), deploys })
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

/// One limit goes through from end to end; several stand where they held.
fn draw_limits(root: &Area<'_>, axes: &Axes<'_>, chart: &LineChart) -> Drawn<()> {
    let end = chart.range.end.as_ms();
    if let [limit] = distinct_limits(chart).as_slice() {
        return draw_limit(root, axes, *limit);
    }
    for line in &chart.lines {
        for run in line.limits.chunk_by(|one, next| one == next).scan(0, |from, run| {
            let begins = *from;
            *from += run.len();
            Some((begins, *from, run.first().copied().flatten()))
        }) {
            if let (from, to, Some(limit)) = run {
                let (from, to) = (chart.bucket_start(from).as_ms(), chart.bucket_start(to).as_ms().min(end));
                let ends = [from, to].map(|at| axes.backend_coord(&(at, limit)));
                root.draw(&PathElement::new(ends.to_vec(), LIMIT.stroke_width(2)))?;
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
        let stretch: Vec<Pixel> = stretch.iter().copied().map(place).collect();
        if let [alone] = stretch.as_slice() {
            root.draw(&Circle::new(*alone, 3, colour.filled()))?;
        }
        root.draw(&PathElement::new(stretch, colour.stroke_width(2)))?;
    }
    Ok(())
}

fn shapes<'c>(axes: &Axes<'_>, marks: &'c [Mark]) -> Vec<Shape<'c>> {
    let mut shapes: Vec<Shape<'c>> = Vec::new();
    for mark in marks {
        let (x, _) = axes.backend_coord(&(mark.at.as_ms(), 0));
        let before = shapes.iter_mut().rev().find(|shape| shape.kind() == Some(mark.kind));
        match before.filter(|shape| x - shape.middle.0 <= 2 * MARK) {
            Some(shape) => shape.marks.push(mark),
            None => shapes.push(Shape { middle: (x, MARKS), marks: vec![mark] }),
        }
    }
    shapes
}

impl Shape<'_> {
    fn kind(&self) -> Option<MarkKind> {
        self.marks.first().map(|mark| mark.kind)
    }
}

/// A thin line with a shape on top: a triangle for a restart, a cross for a kill, a diamond for a crash.
fn draw_shape(root: &Area<'_>, shape: &Shape<'_>, floor: i32) -> Drawn<()> {
    let (middle, x) = (shape.middle, shape.middle.0);
    let Some(kind) = shape.kind() else { return Ok(()) };
    let colour = if kind == MarkKind::Restart { INK } else { LIMIT };
    root.draw(&PathElement::new(vec![(x, middle.1 + MARK), (x, floor)], colour))?;
    match kind {
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
    Ok(())
}
