//! Counts over time as stacked columns, a colour a series.

use insight::report::Chart;
use plotters::prelude::*;

use super::plot::{
    Area, COUNT, DeployLines, Drawn, Plot, Size, axes, deploy_lines, draw_grid, draw_times, plot, room_above,
    series_placeholder,
};

/// One stacked column of the chart, in the drawing's own units.
pub(crate) struct Column {
    /// Which bucket.
    pub(crate) bucket: usize,
    /// Left edge, top, width, height of the whole column area.
    pub(crate) area: (i32, i32, i32, i32),
}

/// Where the parts of a drawing are.
pub(crate) struct Columns {
    /// Those that count something.
    pub(crate) columns: Vec<Column>,
    pub(super) deploys: DeployLines,
}

/// Draws the chart; `None` where plotters refuses (a chart of no width).
pub(crate) fn stacked_columns(chart: &Chart, size: Size) -> Option<Plot<Columns>> {
    plot(size, |root| draw(root, chart, size))
}

fn draw(root: &Area<'_>, chart: &Chart, size: Size) -> Drawn<Columns> {
    let buckets = chart.series.iter().map(|series| series.values.len()).max().unwrap_or(0);
    let total =
        |bucket: usize| chart.series.iter().filter_map(|series| series.values.get(bucket)).sum::<u64>();
    let top = (0..buckets).map(total).max().unwrap_or(0).max(4);
    let (start, end) = (chart.range.start.as_ms(), chart.range.end.as_ms());
    let context = axes(root, (room_above(&chart.deploys), 34), start..end, 0..top + top.div_ceil(8))?;
    draw_grid(root, &context, top, COUNT)?;
    draw_times(root, &context, size)?;
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
    Ok(Columns { columns, deploys: deploy_lines(&context, &chart.deploys) })
}
