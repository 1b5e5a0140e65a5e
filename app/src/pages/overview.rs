//! `…/categories/availability-and-performance/overview`: how the app and each of its instances do right now.

use insight::detectors::application_crashes;
use insight::report::{Insight, Report};
use leptos::prelude::*;
use model::{AppName, TimeRange};

use crate::answer::{answer, asked_app, console, query_part, recorded};
use crate::catalog::{CRASHES, OVERVIEW};
use crate::console::Action;
use crate::parts::alerts::{AlertList, alerts};
use crate::parts::chart::ChartFigure;
use crate::parts::frame::{Page, app_crumbs};
use crate::parts::icon::Status;
use crate::parts::instances::{InstanceRights, InstanceTable};
use crate::parts::link::Links;
use crate::parts::outcome::Outcome;
use crate::parts::problems::Missing;
use crate::parts::region::{Counter, LiveRegion};
use crate::parts::table::TableView;

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
        let report = recorded(console.report(&app, &application_crashes::SUMMARY, range).await)?;
        let incidents = recorded(console.incidents(Some(&app), INCIDENTS_READ).await)?.unwrap_or_default();
        let missing = report.is_none().then(|| console.snapshot().medic.unavailable_since());
        let crashes = report.as_ref().and_then(|report| report.total).map_or(0, |total| total.count);
        let heal = console.snapshot().heal.get(&app).cloned();
        let alerts = alerts(&status, &incidents, now);
        let numbers = console.crash_monitoring(&app).unwrap_or_default();
        let links = Links::of_app(app.clone());
        let monitoring = insight::monitoring::table(&status, numbers, now);
        let monitoring = view! { <TableView table=monitoring links=&links /> };
        let rights = InstanceRights {
            restart: console.lacks(Action::Restart),
            output: console.lacks(Action::SeeOutput),
        };
        let (listen, instances) = (status.listen.clone(), status.clone());
        let crashes_view = report.map(|report| view! { <Crashes report=report app=app.clone() /> });
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
                    <InstanceTable status=instances heal=heal now=now rights=rights />
                </LiveRegion>
                <LiveRegion name="crashes" heading="Application Crashes">
                    {missing.map(|since| view! { <Missing since=since /> })}
                    {crashes_view}
                </LiveRegion>
                <LiveRegion name="monitoring" heading="Crash monitoring">
                    {monitoring}
                </LiveRegion>
            </Page>
        };
        Ok(view.into_any())
    })
}

/// How many crashes there were, and when.
#[component]
fn Crashes(report: Report, app: AppName) -> impl IntoView {
    let has_crashes = report.total.is_some_and(|total| total.count > 0);
    let sentence = |insight: Insight| view! { <Status severity=insight.severity /> " " {insight.title} " " };
    view! {
        <p class="now">
            {report.insights.into_iter().map(sentence).collect_view()}
            {has_crashes.then(|| view! { <a href=CRASHES.href(&app)>"View crashes"</a> })}
        </p>
        {report.charts.into_iter().map(|chart| view! { <ChartFigure chart=chart /> }).collect_view()}
    }
}

/// How a restart that was asked for here began. The words are ours, whatever the address says.
#[component]
fn RestartOutcome(word: Option<String>) -> impl IntoView {
    let outcome = match word.as_deref()? {
        "begun" => Outcome::Done(
            "Restart started: the new worker takes over, then the old one finishes its requests.",
        ),
        "busy" => Outcome::Warned("Not restarted: the instance is not running or is already restarting."),
        "refused" => Outcome::Warned("Not restarted: no such instance."),
        "failed" => Outcome::Warned("Not restarted. See the Medic log."),
        _ => return None,
    };
    Some(outcome.view())
}
