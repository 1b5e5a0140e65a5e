//! `…/detectors/web-app-restarted`: how often workers were replaced, why, and what it cost.

use leptos::prelude::*;
use model::range::read_range;

use crate::RestartReport;
use crate::answer::{answer, asked_app, console, query_part};
use crate::catalog::RESTARTED;
use crate::parts::chart::ChartFigure;
use crate::parts::detector_page::DetectorPage;
use crate::parts::frame::{Counter, LiveRegion};
use crate::parts::insight::Insights;
use crate::parts::restart_table::RestartTable;

/// The page.
#[component]
pub(crate) fn WebAppRestartedPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let (start, end) = (query_part("startTime"), query_part("endTime"));
    answer(async move {
        let (app, now) = (status?.name, console.now());
        let read = read_range(now, start.as_deref(), end.as_deref());
        let RestartReport { report, restarts, .. } = console.restart_report(&app, read.range).await?;
        let count = u64::try_from(restarts.len()).unwrap_or(u64::MAX);
        let unlisted = count >= u64::from(RestartReport::LATEST_KEPT);
        let view = view! {
            <DetectorPage entry=RESTARTED app=app read=read now=now>
                <Counter count=count one="restart" many="restarts" />
                <LiveRegion name="chart" heading="Restarts over time">
                    {report.charts.into_iter().map(|chart| view! { <ChartFigure chart=chart /> }).collect_view()}
                </LiveRegion>
                <LiveRegion name="insights" heading="Insights">
                    <Insights insights=report.insights />
                </LiveRegion>
                <LiveRegion name="latest" heading="Latest restarts">
                    <RestartTable restarts=restarts />
                    {unlisted
                        .then(|| {
                            let limit = RestartReport::LATEST_KEPT;
                            view! { <p class="quiet">{format!("The newest {limit} are listed.")}</p> }
                        })}
                </LiveRegion>
            </DetectorPage>
        };
        Ok(view.into_any())
    })
}
