//! `…/detectors/application-crashes`: which crashes happened in a time range, where in the code, and what Medic did about them.

use leptos::prelude::*;
use model::range::read_range;

use crate::CrashReport;
use crate::answer::{answer, asked_app, console, query_part};
use crate::catalog::CRASHES;
use crate::parts::audit::{AuditRow, AuditTable};
use crate::parts::chart::ChartFigure;
use crate::parts::crash_table::CrashTable;
use crate::parts::detector_page::DetectorPage;
use crate::parts::frame::{Counter, LiveRegion};
use crate::parts::insight::Insights;
use crate::parts::monitoring::MonitoringList;
use crate::parts::restart_table::RestartTable;

/// So many restarts are listed beside the crashes; all of them are on a page of their own.
const RESTARTS_LISTED: u32 = 20;

/// The page.
#[component]
pub(crate) fn CrashesPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let (start, end) = (query_part("startTime"), query_part("endTime"));
    answer(async move {
        let status = status?;
        let (app, now) = (status.name.clone(), console.now());
        let read = read_range(now, start.as_deref(), end.as_deref());
        let CrashReport { report, latest, audits } = console.crash_report(&app, read.range).await?;
        let crashes: u64 =
            report.charts.iter().flat_map(|chart| &chart.series).flat_map(|series| &series.values).sum();
        let restarts = console.restarts(&app, read.range, RESTARTS_LISTED).await?;
        let numbers = console.crash_monitoring(&app);
        let view = view! {
            <DetectorPage entry=CRASHES app=app read=read now=now>
                <Counter count=crashes one="crash" many="crashes" />
                <LiveRegion name="monitoring" heading="Crash monitoring">
                    <MonitoringList status=status numbers=numbers now=now />
                </LiveRegion>
                <LiveRegion name="chart" heading="Crashes over time">
                    {report.charts.into_iter().map(|chart| view! { <ChartFigure chart=chart /> }).collect_view()}
                </LiveRegion>
                <LiveRegion name="insights" heading="Insights">
                    <Insights insights=report.insights />
                </LiveRegion>
                <LiveRegion name="latest" heading="Latest crashes">
                    <CrashTable crashes=latest with_incident=true />
                </LiveRegion>
                <LiveRegion name="restarts" heading="Restarts in the same time">
                    <RestartTable restarts=restarts compact=true />
                </LiveRegion>
                <LiveRegion name="audit" heading="Deleted memory dumps">
                    <AuditTable rows=audits
                        .into_iter()
                        .map(|(worker, incident, audit)| AuditRow { worker: Some(worker), incident: Some(incident), audit })
                        .collect() />
                </LiveRegion>
            </DetectorPage>
        };
        Ok(view.into_any())
    })
}
