//! `…/categories/availability-and-performance/overview`: how the app and each of its instances do right now.

use insight::report::{Report, Severity};
use leptos::prelude::*;
use model::auto_heal::words::counted;
use model::{AppName, TimeRange};

use crate::answer::{answer, asked_app, console, query_part, recorded};
use crate::catalog::{CRASHES, OVERVIEW};
use crate::parts::alerts::{AlertList, alerts};
use crate::parts::chart::ChartFigure;
use crate::parts::frame::{Counter, LiveRegion, Page, app_crumbs};
use crate::parts::icon::Status;
use crate::parts::monitoring::{InstanceTable, MonitoringList};
use crate::parts::problems::Missing;

/// So many of the newest incidents are looked through for alerts.
const INCIDENTS_READ: u32 = 20;

/// The page.
#[component]
pub(crate) fn OverviewPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let restarted = query_part("restarted");
    answer(async move {
        let status = status?;
        let (app, now) = (status.name.clone(), console.now());
        let range = TimeRange::last(now, model::range::LONGEST);
        let report = recorded(console.crash_report(&app, range).await)?.map(|whole| whole.report);
        let incidents = recorded(console.incidents(Some(&app), INCIDENTS_READ).await)?.unwrap_or_default();
        let missing = report.is_none().then(|| console.snapshot().medic.unavailable_since());
        let crashes = report.as_ref().map_or(0, crashes_of);
        let alerts = alerts(&status, &incidents, now);
        let numbers = console.crash_monitoring(&app);
        let (listen, instances) = (status.listen.clone(), status.clone());
        let view = view! {
            <Page title=format!("{app}: {}", OVERVIEW.name) crumbs=app_crumbs(&app) app=Some(app.clone()) here=OVERVIEW.href(&app)>
                <h1>"Availability and Performance"</h1>
                <p class="lead">{OVERVIEW.description}</p>
                <RestartOutcome word=restarted />
                <Counter count=crashes one="crash" many="crashes" />
                <LiveRegion name="alerts" heading="Problems">
                    <AlertList alerts=alerts is_whole=missing.is_none() />
                </LiveRegion>
                <LiveRegion name="instances" heading="Instances">
                    <p class="now">
                        "Listen address: "
                        <code>{listen}</code>
                    </p>
                    <InstanceTable status=instances now=now />
                </LiveRegion>
                <LiveRegion name="crashes" heading="Application Crashes">
                    {missing.map(|since| view! { <Missing since=since /> })}
                    {report.map(|report| view! { <Crashes report=report app=app.clone() /> })}
                </LiveRegion>
                <LiveRegion name="monitoring" heading="Crash monitoring">
                    <MonitoringList status=status numbers=numbers now=now />
                </LiveRegion>
            </Page>
        };
        Ok(view.into_any())
    })
}

fn crashes_of(report: &Report) -> u64 {
    report.charts.iter().flat_map(|chart| &chart.series).flat_map(|series| &series.values).sum()
}

/// What the crash detector says, in short.
#[component]
fn Crashes(report: Report, app: AppName) -> impl IntoView {
    let signatures = report.insights.iter().filter(|insight| insight.incident.is_some()).count();
    let crashes = crashes_of(&report);
    let sentence = match crashes {
        0 => "No crashes in the last 24 hours".to_owned(),
        crashes => format!(
            "{} in the last 24 hours, of {}.",
            counted(crashes, "crash", "crashes"),
            counted(signatures as u64, "signature", "signatures")
        ),
    };
    let severity = report.insights.iter().map(|insight| insight.severity).min().unwrap_or(Severity::None);
    view! {
        <p class="now">
            <Status severity=severity /> " " {sentence} " " {(crashes > 0).then(|| view! { <a href=CRASHES.href(&app)>"View crashes"</a> })}
        </p>
        {report.charts.into_iter().map(|chart| view! { <ChartFigure chart=chart /> }).collect_view()}
    }
}

/// How a restart that was asked for here began. The words are ours, whatever the address says.
#[component]
fn RestartOutcome(word: Option<String>) -> impl IntoView {
    let (good, text) = match word.as_deref()? {
        "begun" => {
            (true, "Restart started: the new worker takes over, then the old one finishes its requests.")
        }
        "busy" => (false, "Not restarted: the instance is not running or is already restarting."),
        "refused" => (false, "Not restarted: no such instance."),
        "failed" => (false, "Not restarted. See the Medic log."),
        _ => return None,
    };
    let (class, role) = if good { ("message success", "status") } else { ("message warning", "alert") };
    Some(view! {
        <p class=class role=role>
            {text}
        </p>
    })
}
