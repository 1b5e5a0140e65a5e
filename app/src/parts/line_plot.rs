//! The samples of a rule over its window, as a line beside its threshold. Like every drawing here it holds numbers and times
//! of ours only, in the style sheet's colours.

use engine::Timestamp;
use engine::auto_heal::Evidence;
use engine::auto_heal::evidence::{Sample, Unit};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::plot::{INK, LIMIT, LINE, in_our_colours, series_placeholder};
use super::when::clock_seconds_text;

/// Small enough to stand in a list, and to be read on a phone without a drawing of its own.
pub(crate) const SIZE: (u32, u32) = (400, 165);

type Drawn<T> = Result<T, Box<dyn std::error::Error>>;

/// What stands between `<svg>` and `</svg>`; nothing without samples or where plotters refuses.
pub(crate) fn line_with_threshold(evidence: &Evidence) -> Option<String> {
    let (first, last) = (evidence.samples.first()?.at, evidence.samples.last()?.at);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&root, evidence, first, last).ok()?;
        root.present().ok()?;
    }
    Some(in_our_colours(svg.split_once('>')?.1.rsplit_once("</svg>")?.0))
}

fn draw(
    root: &DrawingArea<SVGBackend<'_>, Shift>,
    evidence: &Evidence,
    first: Timestamp,
    last: Timestamp,
) -> Drawn<()> {
    let samples = &evidence.samples;
    let peak = samples.iter().map(|sample| sample.value).max().unwrap_or(0).max(evidence.threshold);
    let scale = Scale::of(evidence.unit, peak);
    let peak = (peak / scale.divisor).max(4);
    let (start, end) = (first.as_ms(), last.as_ms().max(first.as_ms() + 1_000));
    let mut context = ChartBuilder::on(root)
        .margin_top(10)
        .margin_right(14)
        .x_label_area_size(26)
        .y_label_area_size(if evidence.unit == Unit::Bytes { 68 } else { 44 })
        .build_cartesian_2d(start..end, 0_u64..peak.saturating_add(peak / 8).saturating_add(1))?;
    let label = ("sans-serif", 13).into_font().color(&INK);
    context
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(1)
        .x_label_formatter(&|_| String::new())
        .set_tick_mark_size(LabelAreaPosition::Bottom, 0)
        .y_labels(4)
        .y_label_formatter(&|value| format!("{value}{}", scale.unit))
        .light_line_style(TRANSPARENT)
        .bold_line_style(LINE)
        .axis_style(LINE)
        .y_label_style(label.clone())
        .draw()?;
    for (at, side) in [(start, HPos::Left), (end, HPos::Right)] {
        let (x, y) = context.backend_coord(&(at, 0));
        let text = clock_seconds_text(Timestamp::from_ms(at));
        root.draw(&Text::new(text, (x, y + 8), label.clone().pos(Pos::new(side, VPos::Top))))?;
    }
    let threshold = [start, end].map(|at| context.backend_coord(&(at, evidence.threshold / scale.divisor)));
    root.draw(&PathElement::new(threshold.to_vec(), LIMIT.stroke_width(2)))?;
    let place = |sample: &Sample| context.backend_coord(&(sample.at.as_ms(), sample.value / scale.divisor));
    let points: Vec<(i32, i32)> = samples.iter().map(place).collect();
    // A lone sample is no line.
    for point in points.iter().filter(|_| points.len() <= 30) {
        root.draw(&Circle::new(*point, 2, series_placeholder(0).filled()))?;
    }
    root.draw(&PathElement::new(points, series_placeholder(0).stroke_width(2)))?;
    Ok(())
}

/// Round numbers on the axis, also of bytes.
struct Scale {
    divisor: u64,
    unit: &'static str,
}

impl Scale {
    const fn of(unit: Unit, peak: u64) -> Self {
        let (divisor, unit) = match unit {
            Unit::Bytes if peak >= 64 << 20 => (1 << 20, " MB"),
            Unit::Bytes if peak >= 64 << 10 => (1 << 10, " KB"),
            Unit::Bytes => (1, " B"),
            Unit::Percent => (1, " %"),
            Unit::Requests => (1, ""),
        };
        Self { divisor, unit }
    }
}
