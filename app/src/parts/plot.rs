//! What every drawing of values over time is made of: an svg, a grid in round numbers, times of day below it, and a palette of
//! placeholders that become the style sheet's custom properties, so that it follows light and dark. Drawings hold numbers and
//! times of ours only: what a process named is told by colour here and by name in the legend.

use std::ops::Range;
use std::time::Duration;

use insight::report::DeployMark;
use model::Timestamp;
use model::auto_heal::evidence::Unit;
use plotters::coord::Shift;
use plotters::coord::types::{RangedCoordi64, RangedCoordu64};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::condensed::condensed;
use super::when::clock_text;

/// Colours in the style sheet: `--series-1` … `--series-8`.
const SERIES_COLOURS: usize = 8;

/// In the legend, what [`series_placeholder`] becomes in a drawing.
pub(super) fn series_colour(at: usize) -> String {
    format!("var(--series-{})", at % SERIES_COLOURS + 1)
}

/// Placeholders that no real colour of ours collides with.
pub(super) const INK: RGBColor = RGBColor(2, 0, 1);
pub(super) const LINE: RGBColor = RGBColor(2, 0, 2);
/// What a value is compared with.
pub(super) const LIMIT: RGBColor = RGBColor(2, 0, 3);

pub(super) fn series_placeholder(at: usize) -> RGBColor {
    RGBColor(1, 0, u8::try_from(at % SERIES_COLOURS).unwrap_or(0))
}

/// For which width a chart is drawn: text in an SVG shrinks with it, so a phone gets a drawing of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Its class in the style sheet.
    pub(crate) class: &'static str,
    width: u32,
    height: u32,
    most_ticks: u64,
}

/// From some 600 px on.
pub(crate) const WIDE: Size = Size { class: "wide", width: 960, height: 220, most_ticks: 12 };
/// In a list, where it is read on a phone too.
pub(crate) const SMALL: Size = Size { class: "small", width: 400, height: 165, most_ticks: 2 };
/// On a phone.
pub(crate) const NARROW: Size = Size { class: "narrow", width: 360, height: 200, most_ticks: 5 };

pub(super) type Drawn<T> = Result<T, Box<dyn std::error::Error>>;
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Milliseconds since the epoch, and values.
pub(super) type Axes<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordi64, RangedCoordu64>>;
/// In the drawing's own units.
pub(super) type Pixel = (i32, i32);

/// A finished drawing.
pub(crate) struct Plot<T> {
    /// What stands between `<svg>` and `</svg>`. Trusted: it holds numbers and times of ours only.
    pub(crate) inner: String,
    /// For the `viewBox`.
    pub(crate) view_box: String,
    /// Where its parts are.
    pub(crate) parts: T,
}

/// Draws; `None` where plotters refuses (a chart of no width).
pub(super) fn plot<T>(size: Size, draw: impl FnOnce(&Area<'_>) -> Drawn<T>) -> Option<Plot<T>> {
    let mut svg = String::new();
    let parts = {
        let root = SVGBackend::with_string(&mut svg, (size.width, size.height)).into_drawing_area();
        let parts = draw(&root).ok()?;
        root.present().ok()?;
        parts
    };
    let inner = in_our_colours(&condensed(svg.split_once('>')?.1.rsplit_once("</svg>")?.0));
    Some(Plot { inner, view_box: format!("0 0 {} {}", size.width, size.height), parts })
}

/// Axes with so much room above and to the left of them.
pub(super) fn axes<'a>(
    root: &Area<'a>,
    (above, left): (u32, u32),
    times: Range<i64>,
    values: Range<u64>,
) -> Drawn<Axes<'a>> {
    let axes = ChartBuilder::on(root)
        .margin_top(above)
        .margin_right(24)
        .x_label_area_size(26)
        .y_label_area_size(left)
        .build_cartesian_2d(times, values)?;
    Ok(axes)
}

/// Lines across at round values, by hand: plotters would count in thousands of bytes.
pub(super) fn draw_grid(root: &Area<'_>, axes: &Axes<'_>, peak: u64, units: Units) -> Drawn<()> {
    let scale = Scale::up_to(peak, units);
    let mut level = 0_u64;
    while axes.as_coord_spec().get_y_range().contains(&level) {
        let ends = across(axes, level);
        let (left, y) = ends[0];
        root.draw(&PathElement::new(ends.to_vec(), LINE))?;
        let text = format!("{}{}", level / scale.unit_size, scale.unit);
        root.draw(&Text::new(text, (left - 6, y), label(HPos::Right, VPos::Center)))?;
        let Some(next) = level.checked_add(scale.step) else { break };
        level = next;
    }
    Ok(())
}

/// Round times of day, by hand: plotters would count in thousands of milliseconds.
pub(super) fn draw_times(root: &Area<'_>, axes: &Axes<'_>, size: Size) -> Drawn<()> {
    let Range { start, end } = axes.as_coord_spec().get_x_range();
    for tick in ticks(start, end, size.most_ticks) {
        draw_time(root, axes, tick, clock_text(Timestamp::from_ms(tick)), HPos::Center)?;
    }
    Ok(())
}

/// One time below the grid; `side` is where in its text it stands.
pub(super) fn draw_time(root: &Area<'_>, axes: &Axes<'_>, at: i64, text: String, side: HPos) -> Drawn<()> {
    let (x, y) = axes.backend_coord(&(at, 0));
    root.draw(&PathElement::new(vec![(x, y), (x, y + 5)], LINE))?;
    root.draw(&Text::new(text, (x, y + 8), label(side, VPos::Top)))?;
    Ok(())
}

/// What values are compared with, from end to end.
pub(super) fn draw_limit(root: &Area<'_>, axes: &Axes<'_>, limit: u64) -> Drawn<()> {
    root.draw(&PathElement::new(across(axes, limit).to_vec(), LIMIT.stroke_width(2)))?;
    Ok(())
}

/// How much stays free above the values: with deploys, room for their names.
pub(super) const fn room_above(deploys: &[DeployMark]) -> u32 {
    if deploys.is_empty() { 10 } else { 26 }
}

/// Where the lines of deploys stand in a drawing.
pub(super) struct DeployLines {
    /// The place of each deploy, from the left.
    pub(super) xs: Vec<i32>,
    /// The values' area from above to below.
    pub(super) area: (i32, i32),
    /// The drawing's right edge.
    pub(super) right: i32,
}

/// Where deploys stand.
pub(super) fn deploy_lines(axes: &Axes<'_>, deploys: &[DeployMark]) -> DeployLines {
    let values = axes.as_coord_spec().get_y_range();
    let times = axes.as_coord_spec().get_x_range();
    let at = |at: i64, value: u64| axes.backend_coord(&(at, value));
    DeployLines {
        xs: deploys.iter().map(|deploy| at(deploy.at.as_ms(), 0).0).collect(),
        area: (at(times.start, values.end).1, at(times.start, 0).1),
        right: at(times.end, 0).0,
    }
}

/// Both ends of a line at one value.
fn across(axes: &Axes<'_>, value: u64) -> [Pixel; 2] {
    let Range { start, end } = axes.as_coord_spec().get_x_range();
    [start, end].map(|at| axes.backend_coord(&(at, value)))
}

fn label(side: HPos, height: VPos) -> TextStyle<'static> {
    ("sans-serif", 14).into_font().color(&INK).pos(Pos::new(side, height))
}

/// Round times of day between two moments, at most `most` of them.
fn ticks(start_ms: i64, end_ms: i64, most: u64) -> Vec<i64> {
    const MINUTES: [u64; 11] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360];
    let length = u64::try_from(end_ms - start_ms).unwrap_or(0);
    let step = MINUTES
        .iter()
        .map(|minutes| Duration::from_mins(*minutes))
        .find(|step| u128::from(length) / step.as_millis() <= u128::from(most));
    let step = step.map_or(43_200_000, |step| i64::try_from(step.as_millis()).unwrap_or(i64::MAX));
    let first = start_ms.div_euclid(step) * step;
    (0..=i64::try_from(most).unwrap_or(0) + 1)
        .map(|count| first + count * step)
        .filter(|tick| (start_ms..end_ms).contains(tick))
        .collect()
}

/// Sizes that numbers on the axis are given in, with their words, the smallest first.
pub(super) type Units = &'static [(u64, &'static str)];

/// Of what is counted.
pub(super) const COUNT: Units = &[(1, "")];

pub(super) const fn units(unit: Unit) -> Units {
    match unit {
        Unit::Bytes => {
            &[(1, " B"), (1 << 10, " KiB"), (1 << 20, " MiB"), (1 << 30, " GiB"), (1 << 40, " TiB")]
        }
        Unit::Percent => &[(1, "%")],
        Unit::Requests => COUNT,
        Unit::Seconds => &[(1, " s")],
    }
}

/// Round numbers on the axis: 1, 2 or 5 times a power of ten of a unit, at most six of them.
#[derive(Debug, PartialEq, Eq)]
struct Scale {
    unit_size: u64,
    unit: &'static str,
    step: u64,
}

impl Scale {
    fn up_to(peak: u64, units: Units) -> Self {
        let steps = || (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
        // The largest unit has no larger one to go on with.
        let steps_of = |at: usize| steps().filter(move |step| at + 1 == units.len() || *step < 1_000);
        let scales = units.iter().enumerate().flat_map(|(at, (unit_size, unit))| {
            steps_of(at).map(|step| Self {
                unit_size: *unit_size,
                unit,
                step: unit_size.saturating_mul(step),
            })
        });
        let mut fitting = scales.filter(|scale| peak / scale.step <= 5);
        fitting.next().unwrap_or(Self { unit_size: 1, unit: "", step: u64::MAX })
    }
}

fn in_our_colours(drawn: &str) -> String {
    let mut svg = drawn
        .replace(" font-family=\"sans-serif\"", "")
        .replace(&hexadecimal(INK), "var(--quiet)")
        .replace(&hexadecimal(LINE), "var(--line)")
        .replace(&hexadecimal(LIMIT), "var(--critical)");
    for at in 0..SERIES_COLOURS {
        svg = svg.replace(&hexadecimal(series_placeholder(at)), &series_colour(at));
    }
    svg
}

/// As plotters writes it.
fn hexadecimal(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_times_and_few() {
        let at = |text: &str| text.parse::<model::Timestamp>().unwrap().as_ms();
        let texts = |start: &str, end: &str, most| {
            ticks(at(start), at(end), most)
                .into_iter()
                .map(|ms| clock_text(model::Timestamp::from_ms(ms)))
                .collect::<Vec<_>>()
        };
        assert_eq!(texts("2026-01-31T08:07", "2026-01-31T09:07", 5), ["08:15", "08:30", "08:45", "09:00"]);
        let day = texts("2026-01-30T08:07", "2026-01-31T08:07", 12);
        assert_eq!((day.len(), day[0].as_str(), day[11].as_str()), (12, "10:00", "08:00"));
        assert!(texts("2026-01-30T08:07", "2026-01-31T08:07", 5).len() <= 5);
    }

    #[test]
    fn the_axis_counts_in_round_numbers_of_its_unit() {
        let cases = [
            (4, Unit::Bytes, 1, " B"),
            (9, Unit::Bytes, 2, " B"),
            (1_879_048_192, Unit::Bytes, 500, " MiB"),
            (42 << 20, Unit::Bytes, 10, " MiB"),
            (7 << 30, Unit::Bytes, 2, " GiB"),
            (3 << 20, Unit::Bytes, 1, " MiB"),
            (u64::MAX, Unit::Bytes, 5_000_000, " TiB"),
            (90, Unit::Percent, 20, "%"),
            (12_000, Unit::Requests, 5_000, ""),
            (u64::MAX, Unit::Requests, 5_000_000_000_000_000_000, ""),
        ];
        for (peak, of, step, unit) in cases {
            let scale = Scale::up_to(peak, units(of));
            assert_eq!((scale.step / scale.unit_size, scale.unit), (step, unit), "{peak} {of:?}");
        }
    }
}
