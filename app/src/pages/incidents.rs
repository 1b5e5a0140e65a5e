//! `/apps/{app}/incidents`: every incident of an app, last seen first.

use insight::exception::{signature, type_name};
use insight::incident::{state_word, termination};
use leptos::prelude::*;
use model::crash::IncidentSummary;

use crate::address::INCIDENT;
use crate::answer::{answer, asked_app, console};
use crate::catalog::INCIDENTS;
use crate::parts::frame::{Page, app_crumbs};
use crate::parts::region::{Counter, LiveRegion, Scroll};
use crate::parts::when::When;

/// So many are listed.
const LISTED: u32 = 200;

/// The page.
#[component]
pub(crate) fn IncidentsPage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    answer(async move {
        let app = status?.name;
        let incidents = console.incident_summaries(&app, LISTED).await?;
        let crashes = incidents.iter().map(|incident| incident.count).sum();
        let is_full = incidents.len() as u64 == u64::from(LISTED);
        let view = view! {
            <Page title=format!("{app}: {}", INCIDENTS.name) crumbs=app_crumbs(&app) app=Some(app.clone()) here=INCIDENTS.href(&app)>
                <h1>{INCIDENTS.name}</h1>
                <p class="lead">{INCIDENTS.description}</p>
                <Counter count=crashes one="crash" many="crashes" />
                <LiveRegion name="incidents">
                    {if incidents.is_empty() {
                        view! {
                            <p class="quiet">
                                "No crashes. A crash is a fatal signal, a nonzero exit code, or an out-of-memory kill."
                            </p>
                        }
                            .into_any()
                    } else {
                        view! { <IncidentTable incidents=incidents /> }.into_any()
                    }}
                    {is_full.then(|| view! { <p class="quiet">{format!("Only the last {LISTED} are listed")}</p> })}
                </LiveRegion>
            </Page>
        };
        Ok(view.into_any())
    })
}

#[component]
fn IncidentTable(incidents: Vec<IncidentSummary>) -> impl IntoView {
    let row = |incident: IncidentSummary| {
        view! {
            <tr>
                <th scope="row" class="wrap">
                    <a href=INCIDENT.of_incident(&incident.id)>
                        <code>{signature(&incident.signature).into_owned()}</code>
                    </a>
                </th>
                <td data-label="State">{state_word(&incident.state)}</td>
                <td class="number" data-label="Crashes">
                    {incident.count}
                    {(incident.probable > 0)
                        .then(|| {
                            view! { <br /> <span class="quiet">{format!("{} probable", incident.probable)}</span> }
                        })}
                </td>
                <td data-label="Last seen (UTC)">
                    <When at=incident.last_seen bare=true />
                </td>
                <td class="wrap" data-label="Exception">
                    <code>{type_name(&incident.exception_type).into_owned()}</code>
                </td>
                <td class="wrap" data-label="Termination">
                    {termination(incident.cause, incident.signal.as_deref(), incident.exit_code)}
                </td>
                <td data-label="First seen (UTC)">
                    <When at=incident.first_seen bare=true />
                </td>
                <td class="wrap" data-label="Instances">
                    {incident.instances.join(", ")}
                </td>
            </tr>
        }
    };
    view! {
        <Scroll label="Incidents">
            <table class="incidents cards">
                <thead>
                    <tr>
                        <th scope="col">"Signature"</th>
                        <th scope="col">"State"</th>
                        <th scope="col" class="number">
                            "Crashes"
                        </th>
                        <th scope="col">"Last seen (UTC)"</th>
                        <th scope="col">"Exception"</th>
                        <th scope="col">"Termination"</th>
                        <th scope="col">"First seen (UTC)"</th>
                        <th scope="col">"Instances"</th>
                    </tr>
                </thead>
                <tbody>{incidents.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
    }
}
