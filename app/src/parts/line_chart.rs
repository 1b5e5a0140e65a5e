//! Measured values on a page: lines beside their limit, marks of what happened, a legend, what each place says on hover, and
//! the table behind it.

mod drawing;

use std::time::Duration;

use insight::report::{LineChart, Mark, MarkKind};
use leptos::prelude::*;
use model::Timestamp;
use model::time::humanise;

use super::amount::{amount, unit_word};
use super::data_rows::{DataRow, body};
use super::deploy_marks;
use super::figure::{LINE_SWATCH, Swatch, caption, hover, image, short};
use super::plot::{NARROW, Size, WIDE, series_colour};
use super::region::{Scroll, slug};
use super::when::{clock_seconds_text, clock_text, range_text};
use drawing::{Parts, Shape, distinct_limits, draw, measured, value};

/// Where lines take less than one part in this many below the limit, they are drawn again without it.
const CLOSER: u64 = 4;
/// So many marks fit into what is shown on hover.
const MOST_TOLD: usize = 6;

/// The chart.
#[component]
pub(crate) fn LineFigure(
    /// What to show.
    chart: LineChart,
    /// The title stands above it already.
    #[prop(optional)]
    has_heading: bool,
) -> impl IntoView {
    let peak = chart.lines.iter().flat_map(|line| &line.values).flatten().copied().max();
    let Some(peak) = peak else {
        let about =
            format!("{}: nothing was measured between {} (UTC).", chart.title, range_text(chart.range));
        return view! { <p class="quiet">{about}</p> }.into_any();
    };
    let limits = distinct_limits(&chart);
    let is_far = limits.first().is_some_and(|limit| peak < limit / CLOSER);
    let closer = is_far.then(|| {
        view! {
            <figcaption>"Zoomed in (limit off scale)"</figcaption>
            {drawn(&chart, WIDE, false)}
            {drawn(&chart, NARROW, false)}
        }
    });
    let table_key = format!("chart-table-{}", slug(&chart.title));
    view! {
        <figure class="chart lines">
            <figcaption>{caption(&chart.title, has_heading)}</figcaption>
            {drawn(&chart, WIDE, true)}
            {drawn(&chart, NARROW, true)}
            {closer}
            {legend(&chart, &limits)}
            <details data-key=table_key>
                <summary>"Show as a table"</summary>
                <LineTable chart=chart />
            </details>
        </figure>
    }
    .into_any()
}

fn drawn(chart: &LineChart, size: Size, with_limit: bool) -> Option<impl IntoView + use<>> {
    let drawing = draw(chart, size, with_limit)?;
    let class = size.class;
    let id = format!("lines-{}-{class}{}", slug(&chart.title), if with_limit { "" } else { "-closer" });
    // There is no pointer to hover with on a phone.
    let mut hovers = if class == WIDE.class { hovers(chart, &drawing.parts) } else { String::new() };
    hovers.push_str(&deploy_marks::lines(&chart.deploys, &drawing.parts.deploys));
    let svg = image(&drawing, size, &id, &chart.title, &about(chart), &hovers);
    Some(view! { <div class=format!("plot-holder {class}") inner_html=svg></div> })
}

/// The picture in a sentence.
fn about(chart: &LineChart) -> String {
    let each = chart.lines.iter().filter_map(|line| {
        let peak = line.values.iter().flatten().max()?;
        Some(format!("{} at most {}", short(&line.name), amount(*peak, chart.unit)))
    });
    let mut parts: Vec<String> = each.collect();
    parts.extend(
        distinct_limits(chart).iter().map(|limit| format!("the limit {}", amount(*limit, chart.unit))),
    );
    for kind in [MarkKind::Restart, MarkKind::OutOfMemory, MarkKind::Crash] {
        let count: u64 = of_kind(chart, kind).map(|mark| mark.count).sum();
        if count > 0 {
            parts.push(format!("{} {count}", kind.word().to_lowercase()));
        }
    }
    let deploys = deploy_marks::about(&chart.deploys);
    format!("{}: {}.{deploys}", range_text(chart.range), parts.join(", "))
}

/// What a bucket or a mark says while the pointer is over it.
fn hovers(chart: &LineChart, parts: &Parts<'_>) -> String {
    let (top, height) = parts.area;
    let bucket = |(index, left, width): &(usize, i32, i32)| {
        let values = chart.lines.iter().filter_map(|line| {
            Some(format!("{}: {}", short(&line.name), amount(value(line, *index)?, chart.unit)))
        });
        let start = chart.bucket_start(*index);
        let says = format!("{} UTC\n{}", moment(chart, start), values.collect::<Vec<_>>().join("\n"));
        hover((*left, top, *width, height), &says)
    };
    let shape = |shape: &Shape<'_>| {
        let (x, y) = shape.middle;
        hover((x - 8, y - 10, 16, 20), &shape_words(shape))
    };
    parts.buckets.iter().map(bucket).chain(parts.shapes.iter().map(shape)).collect()
}

/// The table has what does not fit.
fn shape_words(shape: &Shape<'_>) -> String {
    let told = shape.marks.iter().take(MOST_TOLD);
    let mut told: Vec<String> =
        told.map(|mark| format!("{} UTC\n{}", clock_seconds_text(mark.at), mark_words(mark))).collect();
    let more = shape.marks.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        told.push(format!("and {more} more, see the table"));
    }
    told.join("\n")
}

fn of_kind(chart: &LineChart, kind: MarkKind) -> impl Iterator<Item = &Mark> {
    chart.marks.iter().filter(move |mark| mark.kind == kind)
}

/// To the second where buckets are of seconds.
fn moment(chart: &LineChart, at: Timestamp) -> String {
    if chart.bucket_ms < 60_000 { clock_seconds_text(at) } else { clock_text(at) }
}

/// `Restart of node/1: Percent memory`.
fn mark_words(mark: &Mark) -> String {
    let why = if mark.text.is_empty() { String::new() } else { format!(": {}", mark.text) };
    let times = if mark.count > 1 { format!(" (×{})", mark.count) } else { String::new() };
    match mark.kind {
        MarkKind::Restart => format!("Restart of {}{times}{why}", short(&mark.place)),
        MarkKind::OutOfMemory => format!("Out of memory: {}{times}{why}", short(&mark.place)),
        MarkKind::Crash => format!("Crash of {}{times}{why}", short(&mark.place)),
    }
}

fn legend(chart: &LineChart, limits: &[u64]) -> impl IntoView + use<> {
    let unit = chart.unit;
    let lines = chart.lines.iter().enumerate().map(|(at, line)| {
        let last = line.values.iter().rev().flatten().next().map(|value| amount(*value, unit));
        view! {
            <li>
                <Swatch path=LINE_SWATCH colour=series_colour(at) />
                {short(&line.name)}
                <span class="quiet">{last.map(|last| format!("last {last}"))}</span>
            </li>
        }
    });
    let limits = limits.iter().map(|limit| {
        view! {
            <li>
                <Swatch path=LINE_SWATCH colour="var(--critical)" />
                {format!("Limit: {}", amount(*limit, unit))}
            </li>
        }
    });
    let marks = [MarkKind::Restart, MarkKind::OutOfMemory, MarkKind::Crash].into_iter().filter_map(|kind| {
        let count: u64 = of_kind(chart, kind).map(|mark| mark.count).sum();
        let (path, colour) = match kind {
            MarkKind::Restart => ("M2 2h8l-4 8z", "var(--quiet)"),
            MarkKind::OutOfMemory => ("M2 2l8 8M10 2l-8 8", "var(--critical)"),
            MarkKind::Crash => ("M6 1l5 5-5 5-5-5z", "var(--critical)"),
        };
        (count > 0).then(|| {
            view! {
                <li>
                    <Swatch path=path colour=colour filled=kind != MarkKind::OutOfMemory />
                    {kind.word()}
                    <span class="quiet">{count}</span>
                </li>
            }
        })
    });
    let deploys = deploy_marks::legend(&chart.deploys);
    view! { <ul class="legend">{lines.collect_view()} {limits.collect_view()} {marks.collect_view()} {deploys}</ul> }
}

/// The same in numbers; times at which nothing was measured and nothing happened are left out.
#[component]
fn LineTable(chart: LineChart) -> impl IntoView {
    let bucket = Duration::from_millis(chart.bucket_ms);
    let happened = |index: usize| {
        let (start, end) = (chart.bucket_start(index), chart.bucket_start(index) + bucket);
        let within = chart.marks.iter().filter(|mark| start <= mark.at && mark.at < end);
        let marks = within.map(|mark| format!("{} {}", clock_seconds_text(mark.at), mark_words(mark)));
        let deploys = chart.deploys.iter().filter(|deploy| start <= deploy.at && deploy.at < end);
        marks.chain(deploys.map(deploy_marks::words)).collect::<Vec<_>>()
    };
    let moments = chart.marks.iter().map(|mark| mark.at).chain(chart.deploys.iter().map(|deploy| deploy.at));
    let with_mark = moments.filter_map(|at| {
        let offset_ms = at.since(chart.range.start).as_millis();
        usize::try_from(offset_ms / u128::from(chart.bucket_ms.max(1))).ok()
    });
    let mut rows: Vec<usize> = measured(&chart).into_iter().chain(with_mark).collect();
    rows.sort_unstable();
    rows.dedup();
    let row = |index: usize| {
        let shown =
            |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| amount(value, chart.unit));
        DataRow {
            at: chart.bucket_start(index),
            values: chart.lines.iter().map(|line| shown(value(line, index))).collect(),
            events: Some(happened(index).join("; ")),
        }
    };
    let rows = body(rows.into_iter().map(row));
    let heads =
        chart.lines.iter().map(|line| view! { <th scope="col" class="number">{short(&line.name)}</th> });
    let heads = heads.collect_view();
    view! {
        <p class="quiet">
            {format!("{}, the highest of each {}.", unit_word(chart.unit), humanise(bucket))}
        </p>
        <div class="tall">
            <Scroll label="Chart data">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"From (UTC)"</th>
                            {heads}
                            <th scope="col">"Events"</th>
                        </tr>
                    </thead>
                    <tbody inner_html=rows></tbody>
                </table>
            </Scroll>
        </div>
    }
}

#[cfg(test)]
mod tests;
