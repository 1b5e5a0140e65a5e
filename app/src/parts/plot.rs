//! A chart as SVG. plotters draws it in a palette of placeholders, which become the style sheet's custom properties, so that it
//! follows light and dark. Nothing that a process named is drawn: series are told by colour here and by name in the legend.

use std::time::Duration;

use engine::report::Chart;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::when::clock_text;

/// Colours in the style sheet: `--series-1` … `--series-8`.
pub(crate) const SERIES_COLOURS: usize = 8;

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
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) most_ticks: u64,
}

/// From some 600 px on.
pub(crate) const WIDE: Size = Size { class: "wide", width: 960, height: 220, most_ticks: 12 };
/// On a phone.
pub(crate) const NARROW: Size = Size { class: "narrow", width: 360, height: 200, most_ticks: 5 };

/// One stacked column of the chart, in the drawing's own units.
pub(crate) struct Column {
    /// Which bucket.
    pub(crate) bucket: usize,
    /// Left edge, top, width, height of the whole column area.
    pub(crate) area: (i32, i32, i32, i32),
}

/// A drawing: what stands between `<svg>` and `</svg>`, its view box, and where its columns are.
pub(crate) struct Plot {
    /// Trusted: it holds numbers and times of ours only.
    pub(crate) inner: String,
    /// For the `viewBox`.
    pub(crate) view_box: String,
    /// The columns that count something.
    pub(crate) columns: Vec<Column>,
}

/// Draws the chart as stacked columns; `None` where plotters refuses (a chart of no width).
pub(crate) fn stacked_columns(chart: &Chart, size: Size) -> Option<Plot> {
    let mut svg = String::new();
    let columns = {
        let root = SVGBackend::with_string(&mut svg, (size.width, size.height)).into_drawing_area();
        let columns = draw(&root, chart, size).ok()?;
        root.present().ok()?;
        columns
    };
    let inner = svg.split_once('>')?.1.rsplit_once("</svg>")?.0;
    Some(Plot {
        inner: in_our_colours(inner),
        view_box: format!("0 0 {} {}", size.width, size.height),
        columns,
    })
}

pub(super) type Drawn<T> = Result<T, Box<dyn std::error::Error>>;
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(root: &Area<'_>, chart: &Chart, size: Size) -> Drawn<Vec<Column>> {
    let buckets = chart.series.iter().map(|series| series.values.len()).max().unwrap_or(0);
    let total =
        |bucket: usize| chart.series.iter().filter_map(|series| series.values.get(bucket)).sum::<u64>();
    let top = (0..buckets).map(total).max().unwrap_or(0).max(4);
    let (start, end) = (chart.range.start.as_ms(), chart.range.end.as_ms());
    let mut context = ChartBuilder::on(root)
        .margin_top(10)
        .margin_right(24)
        .x_label_area_size(26)
        .y_label_area_size(34)
        .build_cartesian_2d(start..end, 0_u64..top + top.div_ceil(8))?;
    let label = ("sans-serif", 14).into_font().color(&INK);
    context
        .configure_mesh()
        .disable_x_mesh()
        // times of day are drawn below: plotters would count in thousands of milliseconds
        .x_labels(1)
        .x_label_formatter(&|_| String::new())
        .set_tick_mark_size(LabelAreaPosition::Bottom, 0)
        .y_labels(4)
        .light_line_style(TRANSPARENT)
        .bold_line_style(LINE)
        .axis_style(LINE)
        .y_label_style(label.clone())
        .draw()?;
    for tick in ticks(start, end, size.most_ticks) {
        let (x, y) = context.backend_coord(&(tick, 0));
        let text = clock_text(engine::Timestamp::from_ms(tick));
        let centred = label.clone().pos(Pos::new(HPos::Center, VPos::Top));
        root.draw(&PathElement::new(vec![(x, y), (x, y + 5)], LINE))?;
        root.draw(&Text::new(text, (x, y + 8), centred))?;
    }
    let mut columns = Vec::new();
    for bucket in (0..buckets).filter(|bucket| total(*bucket) > 0) {
        let left = chart.bucket_start(bucket).as_ms();
        let right = (left + i64::try_from(chart.bucket_ms).unwrap_or(i64::MAX)).min(end);
        let mut base = 0;
        for (at, series) in chart.series.iter().enumerate() {
            let value = series.values.get(bucket).copied().unwrap_or(0);
            if value == 0 {
                continue;
            }
            let ((x0, y0), (x1, y1)) =
                (context.backend_coord(&(left, base)), context.backend_coord(&(right, base + value)));
            root.draw(&Rectangle::new(
                [(x0 + 1, y1), (x1.max(x0 + 4) - 1, y0)],
                series_placeholder(at).filled(),
            ))?;
            base += value;
        }
        let ((x0, bottom), (x1, top)) =
            (context.backend_coord(&(left, 0)), context.backend_coord(&(right, top)));
        columns.push(Column { bucket, area: (x0, top, (x1 - x0).max(4), bottom - top) });
    }
    Ok(columns)
}

/// Round times of day between two moments, at most `most` of them.
pub(super) fn ticks(start_ms: i64, end_ms: i64, most: u64) -> Vec<i64> {
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

pub(super) fn in_our_colours(svg: &str) -> String {
    let mut svg = svg
        .replace(" font-family=\"sans-serif\"", "")
        .replace(&hexadecimal(INK), "var(--quiet)")
        .replace(&hexadecimal(LINE), "var(--line)")
        .replace(&hexadecimal(LIMIT), "var(--critical)");
    for at in 0..SERIES_COLOURS {
        svg = svg.replace(&hexadecimal(series_placeholder(at)), &format!("var(--series-{})", at + 1));
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
        let at = |text: &str| text.parse::<engine::Timestamp>().unwrap().as_ms();
        let texts = |start: &str, end: &str, most| {
            ticks(at(start), at(end), most)
                .into_iter()
                .map(|ms| clock_text(engine::Timestamp::from_ms(ms)))
                .collect::<Vec<_>>()
        };
        assert_eq!(texts("2026-01-31T08:07", "2026-01-31T09:07", 5), ["08:15", "08:30", "08:45", "09:00"]);
        let day = texts("2026-01-30T08:07", "2026-01-31T08:07", 12);
        assert_eq!((day.len(), day[0].as_str(), day[11].as_str()), (12, "10:00", "08:00"));
        assert!(texts("2026-01-30T08:07", "2026-01-31T08:07", 5).len() <= 5);
    }
}
