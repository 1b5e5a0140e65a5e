//! `/`: the apps and how they do.

use insight::incident::title;
use insight::report::Severity;
use insight::verdict::{Verdict, verdict};
use insight::words::{counted, instance_state};
use leptos::prelude::*;
use model::Timestamp;
use model::crash::Incident;
use model::status::{AppStatus, InstanceStatus};

use crate::address::{APP_HOME, INCIDENT};
use crate::answer::{answer, console, recorded};
use crate::catalog::{CRASHES, SETTINGS};
use crate::parts::frame::Page;
use crate::parts::icon::Status;
use crate::parts::region::{Counter, LiveRegion};
use crate::parts::when::When;

/// The page.
#[component]
pub(crate) fn AppsPage() -> impl IntoView {
    let console = console();
    answer(async move {
        let (snapshot, now) = (console.snapshot(), console.now());
        let mut apps = Vec::new();
        let mut crashes = 0;
        for app in &snapshot.apps {
            let newest = recorded(console.incidents(Some(&app.name), 1).await)?;
            crashes += newest.iter().flatten().map(|incident| incident.count).sum::<u64>();
            let verdict = verdict(app, snapshot.heal.get(&app.name), now);
            apps.push((app.clone(), verdict, newest));
        }
        apps.sort_by_key(|(_, verdict, _)| verdict.status);
        let subtitle = format!("{} on {}", counted(apps.len() as u64, "app", "apps"), console.node());
        let view = view! {
            <Page title="Apps">
                <h1>"Apps"</h1>
                {if apps.is_empty() {
                    view! { <NoApps /> }.into_any()
                } else {
                    view! {
                        <p class="lead">{subtitle}</p>
                        <Counter count=crashes one="crash" many="crashes" />
                        <LiveRegion name="apps">
                            <ul class="apps">
                                {apps.into_iter().map(|(app, verdict, newest)| view! { <AppCard app=app verdict=verdict now=now newest=newest /> }).collect_view()}
                            </ul>
                        </LiveRegion>
                    }
                        .into_any()
                }}
            </Page>
        };
        Ok(view.into_any())
    })
}

#[component]
fn AppCard(
    app: AppStatus,
    verdict: Verdict,
    now: Timestamp,
    /// Its latest incident, if it had any; absent where that is not known.
    #[prop(optional_no_strip)]
    newest: Option<Vec<Incident>>,
) -> impl IntoView {
    let instance = |instance: &InstanceStatus| {
        let word = format!("Instance {} {}", instance.index, instance_state(instance.state).to_lowercase());
        view! {
            <li>
                <Status severity=Severity::of_instance(instance) word=word />
            </li>
        }
    };
    let home = APP_HOME.of_app(&app.name);
    let switched_off = [
        (!app.crash_monitoring_enabled).then_some("Crash monitoring is off"),
        (!app.auto_heal_enabled).then_some("Auto-heal is off"),
    ];
    view! {
        <li class="app-card">
            <div class="app-head">
                <h2>
                    <a href=home>{app.name.to_string()}</a>
                </h2>
                <Status severity=verdict.status.severity() word=verdict.headline(now) />
                <code class="app-listen" title="Listen address">
                    {app.listen}
                </code>
            </div>
            <p class="app-reason">{verdict.reason}</p>
            <ul class="app-instances" aria-label="Instances">
                {app.instances.iter().map(instance).collect_view()}
            </ul>
            <p class="app-latest">
                {match newest.map(|newest| newest.into_iter().next()) {
                    None => view! { <span class="quiet">"History unavailable"</span> }.into_any(),
                    Some(None) => view! { <span class="quiet">"No crashes"</span> }.into_any(),
                    Some(Some(incident)) => {
                        view! {
                            <span class="quiet">"Latest incident "<When at=incident.last_seen /></span>
                            " "
                            <a href=INCIDENT.of_incident(&incident.id)>{title(&incident)}</a>
                        }
                            .into_any()
                    }
                }}
            </p>
            <p class="app-links">
                <a href=CRASHES.href(&app.name)>{CRASHES.name}</a>
                <a href=SETTINGS.href(&app.name)>{SETTINGS.name}</a>
                {switched_off
                    .into_iter()
                    .flatten()
                    .map(|text| view! { <span class="tag">{text}</span> })
                    .collect_view()}
            </p>
        </li>
    }
}

/// What to do first.
#[component]
fn NoApps() -> impl IntoView {
    view! {
        <p class="lead">"No apps configured"</p>
        <div class="empty">
            <p>"Add an app to "<code>"medic.toml"</code>", then reload Medic with SIGHUP:"</p>
            <pre tabindex="0">
                <code>
                    "[[app]]\n\
                     name = \"shop\"\n\
                     command = [\"node\", \"server.js\"]   # it listens on the port in $PORT\n\
                     directory = \"/srv/shop\"\n\
                     listen = \"127.0.0.1:8080\"           # the app's listen address\n\
                     instances = 2"
                </code>
            </pre>
            <p>
                "Medic starts the command behind a reverse proxy, restarts it when it exits, and explains every crash here. "
                <code>"medic default-config"</code> " prints all settings with their defaults, "
                <code>"medic check-config"</code> " reports errors in medic.toml before you use it."
            </p>
        </div>
    }
}
