//! A chart on a page: the drawing for wide screens and for phones, a legend, what each column says on hover, and the table
//! behind it.

use insight::report::{Chart, Series};
use leptos::prelude::*;

use super::columns::{Column, stacked_columns};
use super::data_rows::{DataRow, body};
use super::deploy_marks;
use super::figure::{COLUMN_SWATCH, Swatch, caption, hover, image, short};
use super::plot::{NARROW, Size, WIDE, series_colour};
use super::region::{Scroll, slug};
use super::when::{clock_text, range_text};

/// The chart.
#[component]
pub(crate) fn ChartFigure(
    /// What to show.
    chart: Chart,
    /// The title stands above it already.
    #[prop(optional)]
    has_heading: bool,
) -> impl IntoView {
    let total: u64 = chart.series.iter().flat_map(|series| &series.values).sum();
    if total == 0 {
        return view! {
            <p class="quiet">{format!("No {} between {} (UTC).", chart.unit, range_text(chart.range))}</p>
        }
        .into_any();
    }
    let legend = chart
        .series
        .iter()
        .enumerate()
        .map(|(at, series)| {
            let sum: u64 = series.values.iter().sum();
            view! {
                <li>
                    <Swatch path=COLUMN_SWATCH colour=series_colour(at) filled=true />
                    {short(&series.name)}
                    <span class="quiet">{sum}</span>
                </li>
            }
        })
        .collect_view();
    let table_key = format!("chart-table-{}", slug(&chart.title));
    view! {
        <figure class="chart">
            <figcaption>{caption(&chart.title, has_heading)}</figcaption>
            {drawing(&chart, WIDE)}
            {drawing(&chart, NARROW)}
            <ul class="legend">{legend} {deploy_marks::legend(&chart.deploys)}</ul>
            <details data-key=table_key>
                <summary>"Show as a table"</summary>
                <ChartTable chart=chart />
            </details>
        </figure>
    }
    .into_any()
}

fn drawing(chart: &Chart, size: Size) -> Option<impl IntoView + use<>> {
    let plot = stacked_columns(chart, size)?;
    let total: u64 = chart.series.iter().flat_map(|series| &series.values).sum();
    let class = size.class;
    let names = chart.series.iter().map(|series| short(&series.name)).collect::<Vec<_>>().join(", ");
    let deploys = deploy_marks::about(&chart.deploys);
    let about = format!("{total} {} between {}: {names}.{deploys}", chart.unit, range_text(chart.range));
    let id = format!("plot-{}-{class}", slug(&chart.title));
    let mut hover = plot.parts.columns.iter().map(|column| column_hover(chart, column)).collect::<String>();
    hover.push_str(&deploy_marks::lines(&chart.deploys, &plot.parts.deploys));
    let svg = image(&plot, size, &id, &chart.title, &about, &hover);
    Some(view! { <div class=format!("plot-holder {class}") inner_html=svg></div> })
}

/// What a column says while the pointer is over it.
fn column_hover(chart: &Chart, column: &Column) -> String {
    let start = chart.bucket_start(column.bucket);
    let end = start + std::time::Duration::from_millis(chart.bucket_ms);
    let counts = chart.series.iter().filter_map(|series| {
        let value = series.values.get(column.bucket).copied().filter(|value| *value > 0)?;
        Some(format!("{}: {value}", short(&series.name)))
    });
    let says =
        format!("{}–{} UTC\n{}", clock_text(start), clock_text(end), counts.collect::<Vec<_>>().join("\n"));
    hover(column.area, &says)
}

/// The same in numbers; buckets in which nothing happened are left out.
#[component]
fn ChartTable(chart: Chart) -> impl IntoView {
    let buckets = chart.series.iter().map(|series| series.values.len()).max().unwrap_or(0);
    let value = |series: &Series, bucket: usize| series.values.get(bucket).copied().unwrap_or(0);
    let deployed = |bucket: usize| {
        let start = chart.bucket_start(bucket);
        let end = start + std::time::Duration::from_millis(chart.bucket_ms);
        let within = chart.deploys.iter().filter(|deploy| start <= deploy.at && deploy.at < end);
        within.map(deploy_marks::words).collect::<Vec<_>>().join("; ")
    };
    let has_deploys = !chart.deploys.is_empty();
    let rows = (0..buckets)
        .filter(|bucket| {
            chart.series.iter().any(|series| value(series, *bucket) > 0) || !deployed(*bucket).is_empty()
        })
        .map(|bucket| DataRow {
            at: chart.bucket_start(bucket),
            values: chart.series.iter().map(|series| value(series, bucket).to_string()).collect(),
            events: has_deploys.then(|| deployed(bucket)),
        });
    let rows = body(rows);
    let heads = chart
        .series
        .iter()
        .map(|series| view! { <th scope="col" class="number">{short(&series.name)}</th> })
        .collect_view();
    view! {
        <Scroll label="Chart data">
            <table>
                <thead>
                    <tr>
                        <th scope="col">{format!("From (UTC), {} min each", chart.bucket_ms / 60_000)}</th>
                        {heads}
                        {has_deploys.then(|| view! { <th scope="col">"Events"</th> })}
                    </tr>
                </thead>
                <tbody inner_html=rows></tbody>
            </table>
        </Scroll>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insight::report::DeployMark;
    use model::TimeRange;

    fn chart(values: Vec<u64>) -> Chart {
        let start = "2026-01-31T08:00".parse().unwrap();
        Chart {
            title: "Crashes over time".to_owned(),
            unit: "crashes".to_owned(),
            range: TimeRange { start, end: start + std::time::Duration::from_hours(1) },
            bucket_ms: 900_000,
            series: vec![
                Series { name: "<script>alert(1)</script>".to_owned(), values },
                Series { name: "node/1".to_owned(), values: vec![0, 0, 5, 0] },
            ],
            deploys: vec![],
        }
    }

    #[test]
    fn a_chart_is_an_image_with_a_title_in_our_colours_with_a_table_behind_it() {
        let html = view! { <ChartFigure chart=chart(vec![0, 2, 1, 0]) /> }.to_html();
        for expected in [
            "role=\"img\"",
            "8 crashes between",
            "var(--series-1)",
            "var(--series-2)",
            "\n08:30\n",
            "<table>",
            "08:15–08:30 UTC",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("#0100"), "a placeholder is left: {html}");
        assert_eq!(html.matches("<svg class=\"plot").count(), 2);
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn deploys_are_marked_with_a_line_a_name_and_a_row() {
        let mut chart = chart(vec![0, 2, 1, 0]);
        let mark = |minutes: u64, label: &str| DeployMark {
            at: chart.range.start + std::time::Duration::from_mins(minutes),
            label: label.to_owned(),
            text: "Revision 1 → 2 (git)".to_owned(),
        };
        chart.deploys = vec![mark(20, "<b>2</b>"), mark(21, "3"), mark(59, "a-very-long-name-of-a-tag")];
        let html = view! { <ChartFigure chart=chart /> }.to_html();
        assert_eq!(html.matches("<line class=\"deploy\"").count(), 6);
        assert_eq!(
            html.matches("<text class=\"deploy\"").count(),
            4,
            "a name that would cover another is left out"
        );
        for expected in [
            "08:20:00 Deploy of &lt;b&gt;2&lt;/b&gt;: Revision 1 → 2 (git)",
            "text-anchor=\"end\">a-very-long-…<",
            "Deploys: &lt;b&gt;2&lt;/b&gt;, 3, a-very",
            "var(--deploy)",
            "Events",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("<b>2"), "{html}");
    }

    #[test]
    fn nothing_to_draw_is_said_in_words() {
        let mut chart = chart(vec![0; 4]);
        chart.series.pop();
        let html = view! { <ChartFigure chart=chart /> }.to_html();
        assert!(
            html.contains("No crashes between 2026-01-31 08:00 – 09:00") && !html.contains("<svg"),
            "{html}"
        );
    }
}
