//! `…/detectors/memory-analysis`: private bytes of each instance against its limit, with what happened to it meanwhile.

use leptos::prelude::*;
use model::range::read_range;

use crate::answer::{answer, asked_app, console, query_part};
use crate::catalog::MEMORY;
use crate::parts::detector_page::DetectorPage;
use crate::parts::frame::LiveRegion;
use crate::parts::insight::Insights;
use crate::parts::line_chart::LineFigure;

/// The page.
#[component]
pub(crate) fn MemoryAnalysisPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let (start, end) = (query_part("startTime"), query_part("endTime"));
    answer(async move {
        let (app, now) = (status?.name, console.now());
        let read = read_range(now, start.as_deref(), end.as_deref());
        let report = console.memory_report(&app, read.range).await?;
        let view = view! {
            <DetectorPage entry=MEMORY app=app read=read now=now>
                <LiveRegion name="chart" heading="Memory over time">
                    {report.lines.into_iter().map(|chart| view! { <LineFigure chart=chart /> }).collect_view()}
                    <p class="quiet">
                        "Private bytes are the memory that would be free again if a worker and its children ended. They are read once a second, and the highest value of each minute is kept."
                    </p>
                </LiveRegion>
                <LiveRegion name="insights" heading="Insights">
                    <Insights insights=report.insights />
                </LiveRegion>
            </DetectorPage>
        };
        Ok(view.into_any())
    })
}
