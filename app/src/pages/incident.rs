//! `/incidents/{id}`: the permanent address of an incident, with everything that is known of it.

use engine::IncidentId;
use engine::crash::{Crash, InFlightRequest, Incident, Module};
use engine::detectors::application_crashes::advice;
use engine::report::Detail;
use engine::time::humanise;
use leptos::prelude::*;

use crate::answer::{PageError, answer, console, path_part};
use crate::catalog::INCIDENTS;
use crate::parts::audit::{AuditRow, AuditTable};
use crate::parts::crash_table::{CrashTable, ended_by};
use crate::parts::frame::{Counter, LiveRegion, Page, Scroll, app_crumbs};
use crate::parts::insight::{Advice, Details, Notes};
use crate::parts::stack::Stack;

/// So many of its crashes are listed.
const LISTED: u32 = 50;

/// The page.
#[component]
pub(crate) fn IncidentPage() -> impl IntoView {
    let console = console();
    let id = path_part("id").parse::<IncidentId>();
    answer(async move {
        let id = id.map_err(|error| PageError::NotFound(error.to_string()))?;
        let missing = || PageError::NotFound(format!("No incident {id} is recorded."));
        let incident = console.incident(&id).await?.ok_or_else(missing)?;
        let crashes = console.crashes_of(&id, LISTED).await?;
        let mut crumbs = app_crumbs(&incident.app);
        crumbs.push((INCIDENTS.name.to_owned(), INCIDENTS.href(&incident.app)));
        let (title, app) = (incident.title(), incident.app.clone());
        let view = view! {
            <Page title=format!("{app}: {title}") crumbs=crumbs app=Some(app) here=INCIDENTS.href(&incident.app)>
                <Counter count=incident.count one="crash" many="crashes" />
                <Content incident=incident crashes=crashes />
            </Page>
        };
        Ok(view.into_any())
    })
}

#[component]
fn Content(incident: Incident, crashes: Vec<Crash>) -> impl IntoView {
    let audits = audit_rows(&incident, &crashes);
    let fault = incident.top_frame().cloned();
    let markdown = format!("/incidents/{}/markdown", incident.id);
    let title = incident.title();
    let (facts, advice) = (facts(&incident), advice(&incident));
    let Incident { id, crashing_thread, modules, in_flight, in_flight_count, notes, .. } = incident;
    view! {
        <LiveRegion name="facts">
            <h1 class="incident-title">{title}</h1>
            <p class="actions">
                <a class="button" href=markdown data-copy="markdown">
                    "Copy as Markdown"
                </a>
            </p>
            <Details details=facts />
        </LiveRegion>
        <LiveRegion name="stack" heading="Where it crashed">
            <Stack thread=crashing_thread key=format!("stack-{id}") fault=fault />
            <Notes notes=notes />
            <Advice advice=advice />
        </LiveRegion>
        <LiveRegion name="in-flight" heading="Requests in flight">
            <InFlight requests=in_flight count=in_flight_count />
        </LiveRegion>
        <LiveRegion name="latest" heading="Latest crashes">
            <CrashTable crashes=crashes />
        </LiveRegion>
        <LiveRegion name="audit" heading="Deleted memory dumps">
            <AuditTable rows=audits />
        </LiveRegion>
        <LiveRegion name="modules" heading="Modules">
            <Modules modules=modules />
        </LiveRegion>
    }
}

fn facts(incident: &Incident) -> Vec<Detail> {
    vec![
        Detail::code("Exception", incident.exception_type.clone()),
        Detail::text("Said by", incident.runtime.to_string()),
        Detail::text("Ended by", ended_by(incident.signal.as_deref(), incident.exit_code)),
        Detail::code("Signature", incident.signature.clone()),
        Detail::text("Crashes", incident.count.to_string()),
        Detail::time("First seen", incident.first_seen),
        Detail::time("Last seen", incident.last_seen),
        Detail::text("Instances", incident.instances.join(", ")),
        Detail::code("Incident", incident.id.to_string()),
    ]
}

/// The proofs of the crashes listed, and of the crash shown where it is not among them any more.
fn audit_rows(incident: &Incident, crashes: &[Crash]) -> Vec<AuditRow> {
    let of_crash = |crash: &Crash| {
        Some(AuditRow { worker: Some(crash.worker.clone()), incident: None, audit: crash.audit.clone()? })
    };
    let mut rows = crashes.iter().filter_map(of_crash).collect::<Vec<_>>();
    let unlisted = incident.audit.as_ref().filter(|audit| rows.iter().all(|row| row.audit != **audit));
    rows.extend(unlisted.map(|audit| AuditRow { worker: None, incident: None, audit: audit.clone() }));
    rows
}

#[component]
fn InFlight(requests: Vec<InFlightRequest>, count: u32) -> impl IntoView {
    if count == 0 {
        return view! { <p class="quiet">"No request was under way at the crash shown."</p> }.into_any();
    }
    let unlisted = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(requests.len());
    view! {
        <p>
            {if count == 1 {
                "1 request was under way at the crash shown; it was answered with 502.".to_owned()
            } else {
                format!("{count} requests were under way at the crash shown; they were answered with 502.")
            }}
        </p>
        <Scroll label="Requests in flight">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Method"</th>
                        <th scope="col">"Path"</th>
                        <th scope="col" class="number">
                            "Under way for"
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {requests
                        .into_iter()
                        .map(|request| {
                            view! {
                                <tr>
                                    <td>
                                        <code>{request.method}</code>
                                    </td>
                                    <td class="wrap">
                                        <code>{request.path}</code>
                                    </td>
                                    <td class="number">{humanise(std::time::Duration::from_millis(request.age_ms))}</td>
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </Scroll>
        {(unlisted > 0).then(|| view! { <p class="quiet">{format!("… and {unlisted} more.")}</p> })}
    }
    .into_any()
}

#[component]
fn Modules(modules: Vec<Module>) -> impl IntoView {
    if modules.is_empty() {
        return view! { <p class="quiet">"Modules are known where a dump was taken."</p> }.into_any();
    }
    let summary = format!("{} modules with their build ids", modules.len());
    view! {
        <details data-key="modules">
            <summary>{summary}</summary>
            <Scroll label="Modules">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"Module"</th>
                            <th scope="col">"Build id"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {modules
                            .into_iter()
                            .map(|module| {
                                view! {
                                    <tr>
                                        <td>
                                            <code>{module.name}</code>
                                        </td>
                                        <td>
                                            {match module.build_id {
                                                Some(id) => view! { <code>{id}</code> }.into_any(),
                                                None => view! { <span class="quiet">"none"</span> }.into_any(),
                                            }}
                                        </td>
                                    </tr>
                                }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </Scroll>
        </details>
    }
    .into_any()
}
