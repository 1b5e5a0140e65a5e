//! The samples of a rule over its window, as a line beside its threshold.

use insight::report::DeployMark;
use model::Timestamp;
use model::auto_heal::Evidence;
use model::auto_heal::evidence::{Sample, Unit};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::plot::{
    Area, DeployLines, Drawn, Pixel, Plot, SMALL, axes, deploy_lines, draw_grid, draw_limit, draw_time, plot,
    room_above, series_placeholder, units,
};
use super::when::clock_seconds_text;

/// So many samples are told apart as points.
const MOST_POINTS: usize = 30;

/// Nothing without samples or where plotters refuses. The deploys are those meanwhile.
pub(super) fn line_with_threshold(evidence: &Evidence, deploys: &[DeployMark]) -> Option<Plot<DeployLines>> {
    let (first, last) = (evidence.samples.first()?.at, evidence.samples.last()?.at);
    plot(SMALL, |root| draw(root, evidence, deploys, first, last))
}

fn draw(
    root: &Area<'_>,
    evidence: &Evidence,
    deploys: &[DeployMark],
    first: Timestamp,
    last: Timestamp,
) -> Drawn<DeployLines> {
    let values = evidence.samples.iter().map(|sample| sample.value);
    let peak = values.max().unwrap_or(0).max(evidence.threshold).max(4);
    let (start, end) = (first.as_ms(), last.as_ms().max(first.as_ms() + 1_000));
    let left = if evidence.unit == Unit::Bytes { 68 } else { 44 };
    let axes = axes(
        root,
        (room_above(deploys), left),
        start..end,
        0..peak.saturating_add(peak / 8).saturating_add(1),
    )?;
    draw_grid(root, &axes, peak, units(evidence.unit))?;
    // To the second: a window may be shorter than a minute.
    for (at, side) in [(start, HPos::Left), (end, HPos::Right)] {
        draw_time(root, &axes, at, clock_seconds_text(Timestamp::from_ms(at)), side)?;
    }
    draw_limit(root, &axes, evidence.threshold)?;
    let place = |sample: &Sample| axes.backend_coord(&(sample.at.as_ms(), sample.value));
    let points: Vec<Pixel> = evidence.samples.iter().map(place).collect();
    for point in points.iter().filter(|_| points.len() <= MOST_POINTS) {
        root.draw(&Circle::new(*point, 2, series_placeholder(0).filled()))?;
    }
    root.draw(&PathElement::new(points, series_placeholder(0).stroke_width(2)))?;
    Ok(deploy_lines(&axes, deploys))
}
