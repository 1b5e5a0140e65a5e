//! `…/detectors/{detector}`: any detector's question, the time range that it answers for, and the answer.

use insight::detector::{Detector, Sharing, Span};
use insight::detectors::detector;
use insight::report::Report;
use leptos::prelude::*;
use model::range::read_range;

use crate::address::{DETECTOR, SHARE_DETECTOR};
use crate::answer::{PageError, answer, asked_app, console, path_part, query_part};
use crate::catalog::OVERVIEW;
use crate::console::Action;
use crate::parts::chart::ChartFigure;
use crate::parts::frame::{Page, app_crumbs};
use crate::parts::insight::Insights;
use crate::parts::line_chart::LineFigure;
use crate::parts::link::Links;
use crate::parts::range::RangePill;
use crate::parts::region::{Counter, LiveRegion, slug};
use crate::parts::table::TableView;

/// The page.
#[component]
pub(crate) fn DetectorPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let detector = asked_detector();
    let (start, end) = (query_part("startTime"), query_part("endTime"));
    answer(async move {
        let (app, detector) = (status?.name, detector?);
        let now = console.now();
        let (start, end) = match detector.span {
            Span::Range => (start.as_deref(), end.as_deref()),
            Span::Now => (None, None),
        };
        let read = read_range(now, start, end);
        let report = console.report(&app, detector, read.range).await?;
        let links = Links { app: app.clone(), range: read.chosen.then_some(read.range) };
        let mut crumbs = app_crumbs(&app);
        crumbs.push((detector.category.title().to_owned(), OVERVIEW.href(&app)));
        let here = DETECTOR.of_detector(&app, detector);
        let (range_of, shared) = (here.clone(), read.range);
        let range = (detector.span == Span::Range).then(|| {
            view! {
                <LiveRegion name="range">
                    <RangePill read=read now=now here=range_of />
                </LiveRegion>
            }
        });
        let may_share = detector.sharing != Sharing::Private && console.lacks(Action::Share).is_none();
        let share = may_share.then(|| {
            let share = SHARE_DETECTOR.of_detector(&app, detector);
            let share = format!("{share}?startTime={}&endTime={}", shared.start, shared.end);
            view! {
                <LiveRegion name="share">
                    <p class="actions">
                        <a class="button quiet-button" href=share>
                            "Share"
                        </a>
                    </p>
                </LiveRegion>
            }
        });
        let view = view! {
            <Page title=format!("{app}: {}", detector.title) crumbs=crumbs app=Some(app) here=here>
                <h1>{detector.title}</h1>
                <p class="lead">{detector.description}</p>
                {range}
                {share}
                <Answer report=report links=links />
            </Page>
        };
        Ok(view.into_any())
    })
}

/// The detector that the page's address names, in its own category.
fn asked_detector() -> Result<&'static Detector, PageError> {
    let id = path_part("detector");
    detector(&id)
        .filter(|detector| detector.category.id() == path_part("category"))
        .ok_or_else(|| PageError::NotFound(format!("Detector {id} not found")))
}

/// All that the detector says.
#[component]
fn Answer(report: Report, links: Links) -> impl IntoView {
    let Report { total, insights, charts, lines, tables, .. } = report;
    let counter = total.map(|total| view! { <Counter count=total.count one=total.one many=total.many /> });
    let charts = charts.into_iter().map(|chart| {
        view! {
            <LiveRegion name=slug(&chart.title) heading=chart.title.clone()>
                <ChartFigure chart=chart has_heading=true />
            </LiveRegion>
        }
    });
    let lines = lines.into_iter().map(|chart| {
        let note = chart.note.map(|note| view! { <p class="quiet">{note}</p> });
        view! {
            <LiveRegion name=slug(&chart.title) heading=chart.title.clone()>
                <LineFigure chart=chart has_heading=true />
                {note}
            </LiveRegion>
        }
    });
    let insights = view! { <Insights insights=insights links=&links /> };
    let tables = tables.into_iter().map(|table| {
        let title = table.title;
        let table = view! { <TableView table=table links=&links /> };
        view! {
            <LiveRegion name=slug(title) heading=title>
                {table}
            </LiveRegion>
        }
    });
    let tables = tables.collect_view();
    view! {
        {counter}
        <LiveRegion name="insights" heading="Insights">
            {insights}
        </LiveRegion>
        {charts.collect_view()}
        {lines.collect_view()}
        {tables}
    }
}

#[cfg(test)]
mod tests;
