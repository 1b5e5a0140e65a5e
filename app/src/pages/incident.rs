//! `/incidents/{id}`: the permanent address of an incident, with everything that is known of it.

use std::time::Duration;

use insight::exception::{exception, signature};
use insight::incident::{actions, crash_count, process, state, termination};
use insight::report::{Detail, LineChart, Table};
use insight::tables::{self, AuditRow, RestartColumns};
use leptos::prelude::*;
use model::account::AccountRole;
use model::auto_heal::evidence::{Sample, Unit};
use model::auto_heal::restart::Restart;
use model::crash::{Crash, Incident, Module};
use model::deploy::Deploy;
use model::incident_state::IncidentState;
use model::{CrashCause, CrashId, IncidentId, TimeRange};

use crate::address::{INCIDENT, INCIDENT_MARKDOWN, INCIDENT_STATE, SHARE_INCIDENT};
use crate::answer::{PageError, answer, console, path_part, query_part};
use crate::catalog::INCIDENTS;
use crate::console::Action;
use crate::parts::frame::{Page, app_crumbs};
use crate::parts::in_flight::InFlight;
use crate::parts::insight::{Actions, Details, Notes};
use crate::parts::line_chart::LineFigure;
use crate::parts::link::Links;
use crate::parts::outcome::Outcome;
use crate::parts::region::{Counter, LiveRegion, Scroll};
use crate::parts::rights::RoleNeeded;
use crate::parts::stack::Stack;
use crate::parts::table::TableView;
use crate::{Console, ConsoleError, IncidentDeploys};

/// So many of its crashes are listed.
const LISTED: u32 = 50;

/// So many restarts are listed beside them.
const RESTARTS_LISTED: u32 = 20;
/// Restarts this long before the first crash and after the last are near.
const NEAR: Duration = Duration::from_mins(30);

/// The page.
#[component]
pub(crate) fn IncidentPage() -> impl IntoView {
    let console = console();
    let id = path_part("id").parse::<IncidentId>();
    let changed = query_part("changed");
    answer(async move {
        let id = id.map_err(|error| PageError::NotFound(error.to_string()))?;
        let missing = || PageError::NotFound(format!("Incident {id} not found"));
        let incident = console.incident(&id).await?.ok_or_else(missing)?;
        let asked = id;
        let crashes = console.crashes_of(&incident.id, LISTED).await?;
        let restarts = restarts_near(&*console, &incident).await?;
        let deploys = IncidentDeploys::read(&*console, &incident).await?;
        let mut crumbs = app_crumbs(&incident.app);
        crumbs.push((INCIDENTS.name.to_owned(), INCIDENTS.href(&incident.app)));
        let (title, app) = (insight::incident::title(&incident), incident.app.clone());
        let lacks = console.lacks(Action::ChangeIncidents);
        let view = view! {
            <Page title=format!("{app}: {title}") crumbs=crumbs app=Some(app) here=INCIDENTS.href(&incident.app)>
                <Counter count=incident.count one="crash" many="crashes" />
                <StateOutcome word=changed />
                <LedHere asked=asked shown=incident.id.clone() />
                <Content incident=incident crashes=crashes restarts=restarts deploys=deploys lacks=lacks />
            </Page>
        };
        Ok(view.into_any())
    })
}

/// None of an app that is not configured any more: its incidents are still there.
async fn restarts_near(console: &dyn Console, incident: &Incident) -> Result<Vec<Restart>, PageError> {
    let range = TimeRange { start: incident.first_seen - NEAR, end: incident.last_seen + NEAR };
    match console.restarts_in_brief(&incident.app, range, RESTARTS_LISTED).await {
        Err(ConsoleError::NoSuchApp(_)) => Ok(Vec::new()),
        restarts => Ok(restarts?),
    }
}

#[component]
fn Content(
    incident: Incident,
    crashes: Vec<Crash>,
    restarts: Vec<Restart>,
    deploys: IncidentDeploys,
    /// What the reader lacks to change its state.
    #[prop(optional_no_strip)]
    lacks: Option<AccountRole>,
) -> impl IntoView {
    let links = Links::of_app(incident.app.clone());
    let audits = audits(&incident, &crashes);
    let crashes = tables::crashes(&crashes, false);
    let none = "No other restarts within 30 minutes of these crashes";
    let restarts = tables::restarts("Restarts", &restarts, RestartColumns::Beside, none);
    let [audits, crashes, restarts] =
        [audits, crashes, restarts].map(|table| view! { <TableView table=table links=&links /> });
    let fault = incident.top_frame().cloned();
    let markdown = INCIDENT_MARKDOWN.of_incident(&incident.id);
    let share = SHARE_INCIDENT.of_incident(&incident.id);
    let title = insight::incident::title(&incident);
    let facts = facts(&incident);
    let IncidentDeploys { before, beside_memory } = deploys;
    let deploy = before.map(|deploy| insight::deploys::first_seen_after(incident.first_seen, &deploy));
    let actions = view! { <Actions actions=actions(&incident) links=&links /> }.into_any();
    let in_flight = view! { <InFlight incident=&incident /> }.into_any();
    let is_memory = incident.cause == CrashCause::OutOfMemory;
    let is_open = incident.state == IncidentState::Open;
    let signal_only = lacks.is_none().then(|| view! { <SignalOnly incident=&incident /> }.into_any());
    let Incident { id, crashing_thread, modules, notes, memory, .. } = incident;
    let modules_heading = if modules.is_empty() { "" } else { "Modules" };
    view! {
        <LiveRegion name="facts">
            <h1 class="incident-title">{title}</h1>
            {deploy.map(|said| view! { <p class="lead">{said}</p> })}
            <p class="actions">
                <a class="button" href=markdown data-copy="markdown">
                    "Copy as Markdown"
                </a>
                {lacks.is_none().then(|| view! { <a class="button quiet-button" href=share>"Share"</a> })}
            </p>
            <Details details=facts />
        </LiveRegion>
        {match lacks {
            Some(role) => view! { <RoleNeeded what="Changing or sharing an incident" role=role /> }.into_any(),
            None => view! { <StateForm id=id.clone() is_open=is_open /> }.into_any(),
        }}
        {signal_only}
        <LiveRegion name="stack" heading="Stack trace">
            <Stack thread=crashing_thread key=format!("stack-{id}") fault=fault />
            <Notes notes=insight::notes::sentences(&notes) />
            {actions}
        </LiveRegion>
        <LiveRegion name="in-flight" heading="In-flight requests">
            {in_flight}
        </LiveRegion>
        {is_memory
            .then(|| {
                view! {
                    <LiveRegion name="memory" heading="Memory before the crash">
                        <LastMinutes memory=memory deploys=beside_memory />
                    </LiveRegion>
                }
            })}
        <LiveRegion name="latest" heading="Latest crashes">
            {crashes}
        </LiveRegion>
        <LiveRegion name="restarts" heading="Restarts near these crashes">
            {restarts}
        </LiveRegion>
        <LiveRegion name="audit" heading="Deleted memory dumps">
            {audits}
        </LiveRegion>
        <LiveRegion name="modules" heading=modules_heading>
            <Modules modules=modules />
        </LiveRegion>
    }
}

/// How the last change of the state went. The words are ours, whatever the address says.
#[component]
fn StateOutcome(word: Option<String>) -> impl IntoView {
    let outcome = match word.as_deref()? {
        "yes" => Outcome::Done("Incident changed."),
        "refused" => Outcome::Failed("Not changed: a value is missing, too long or not allowed."),
        "failed" => Outcome::Failed("Not changed: database unavailable. See the Medic log."),
        _ => return None,
    };
    Some(outcome.view())
}

/// The address is that of an incident whose crashes are all counted with this one.
#[component]
fn LedHere(asked: IncidentId, shown: IncidentId) -> impl IntoView {
    (asked != shown).then(|| {
        let text = format!(
            "All crashes of incident {asked} are counted here. Only their signal is known. Executable, build and instance are the same."
        );
        view! {
            <p class="message" role="status">
                {text}
            </p>
        }
    })
}

/// Crashes of which only the signal is known: at a captured incident, whether they are counted with it; at their own, why they are
/// not counted with a captured one.
#[component]
fn SignalOnly<'a>(incident: &'a Incident) -> impl IntoView {
    let Incident { id, matches, probable, joins, captured, .. } = incident;
    if !matches.is_empty() {
        let why = match matches.len() {
            1 => {
                "Somebody separated these crashes from the captured incident of the same executable, build, signal and instance. \
                 To join them again, open it: "
            }
            _ => {
                "Several captured incidents have the same executable, build, signal and instance, so which one these crashes belong to \
                 is unknown. To count them with one, separate them from the others: "
            }
        };
        let links = matches.iter().map(|id| {
            view! {
                " "
                <a href=INCIDENT.of_incident(id)>{id.to_string()}</a>
            }
        });
        let links = links.collect_view();
        return view! { <p class="message">{why} {links}</p> }.into_any();
    }
    if *captured == 0 || (*probable == 0 && *joins) {
        return ().into_any();
    }
    let (text, decision, button) = if *joins {
        (
            "Crashes of the same executable, build, signal and instance of which only the signal is known are counted here.",
            "separate",
            "Separate",
        )
    } else {
        (
            "Crashes of the same executable, build, signal and instance of which only the signal is known are counted separately.",
            "join",
            "Join",
        )
    };
    view! {
        <details class="change-state" data-key="signal-only">
            <summary>"Crashes with only a signal known"</summary>
            <form class="signal-only" method="post" action=INCIDENT_STATE.of_incident(id)>
                <p>{text}</p>
                <button class="button" type="submit" name="decision" value=decision>
                    {button}
                </button>
            </form>
        </details>
    }
    .into_any()
}

/// Not in a region that is asked for again: what was typed would be lost.
#[component]
fn StateForm(id: IncidentId, is_open: bool) -> impl IntoView {
    const DAYS: [(u16, &str); 3] = [(1, "1 day"), (7, "7 days"), (30, "30 days")];
    view! {
        <details class="change-state" data-key="change-state">
            <summary>"Resolve or ignore this incident"</summary>
            <form class="settings" method="post" action=INCIDENT_STATE.of_incident(&id)>
                <div class="field">
                    <label for="fixed_in">"Fixed in (build id, revision or deploy; optional)"</label>
                    <input id="fixed_in" name="fixed_in" maxlength="200" autocomplete="off" />
                    <button class="button" type="submit" name="decision" value="resolve">
                        "Resolve"
                    </button>
                </div>
                <div class="field">
                    <label for="days">"Ignore for"</label>
                    <select id="days" name="days">
                        {DAYS
                            .into_iter()
                            .map(|(days, text)| view! { <option value=days.to_string()>{text}</option> })
                            .collect_view()}
                    </select>
                    <button class="button" type="submit" name="decision" value="ignore">
                        "Ignore"
                    </button>
                </div>
                {(!is_open)
                    .then(|| {
                        view! {
                            <button class="button" type="submit" name="decision" value="reopen">
                                "Reopen"
                            </button>
                        }
                    })}
            </form>
        </details>
    }
}

fn facts(incident: &Incident) -> Vec<Detail> {
    let mut facts = exception(incident);
    facts.extend([
        Detail::text("Runtime", incident.runtime.to_string()),
        Detail::text(
            "Termination",
            termination(incident.cause, incident.signal.as_deref(), incident.exit_code),
        ),
    ]);
    facts.extend(process(incident));
    facts.extend([
        Detail::code("Signature", signature(&incident.signature)),
        Detail::text("State", state(&incident.state)),
        Detail::text("Crashes", crash_count(incident)),
        Detail::time("First seen", incident.first_seen),
        Detail::time("Last seen", incident.last_seen),
        Detail::text("Instances", incident.instances.join(", ")),
        Detail::code("Incident", incident.id.to_string()),
    ]);
    facts
}

/// The proofs of the crashes listed, and of the crash shown where it is not among them any more.
fn audits(incident: &Incident, crashes: &[Crash]) -> Table {
    let ids: Vec<CrashId> = crashes.iter().map(Crash::id).collect();
    let mut rows: Vec<AuditRow<'_>> = crashes
        .iter()
        .zip(&ids)
        .filter_map(|(crash, id)| {
            Some(AuditRow { crash: Some(id), incident: None, audit: crash.audit.as_ref()? })
        })
        .collect();
    let unlisted = incident.audit.as_ref().filter(|audit| rows.iter().all(|row| row.audit != *audit));
    rows.extend(unlisted.map(|audit| AuditRow { crash: None, incident: None, audit }));
    tables::audits(&rows)
}

#[component]
fn LastMinutes(
    memory: Vec<Sample>,
    /// Newest first.
    deploys: Vec<Deploy>,
) -> impl IntoView {
    match LineChart::of_samples("Private bytes before the kill", "Private bytes", Unit::Bytes, &memory) {
        Some(mut chart) => {
            insight::deploys::mark_on_last_minutes(&mut chart, &deploys);
            view! { <LineFigure chart=chart /> }.into_any()
        }
        None => {
            view! { <p class="quiet">"No measurements: the worker was killed too soon after its start."</p> }
                .into_any()
        }
    }
}

#[component]
fn Modules(modules: Vec<Module>) -> impl IntoView {
    if modules.is_empty() {
        // the region stays for those of a crash that is captured while the page is open
        return ().into_any();
    }
    let summary = format!("{} modules with their build ids", modules.len());
    view! {
        <details data-key="modules">
            <summary>{summary}</summary>
            <Scroll label="Modules">
                <table class="cards">
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
                                        <th scope="row">
                                            <code>{module.name}</code>
                                        </th>
                                        <td data-label="Build id">
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

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    use crate::incident_deploys::deploy_of;

    #[test]
    fn the_deploy_that_started_the_worker_is_marked_before_its_memory() {
        let at = |second: i64| Timestamp::from_ms(1_769_847_300_000 + 1_000 * second);
        let memory = (20..80).map(|second| Sample { at: at(second), value: 1 << 20 }).collect();
        let deploys = vec![deploy_of("4.2", at(0))];
        let html = view! { <LastMinutes memory=memory deploys=deploys /> }.to_html();
        // wide and narrow
        assert_eq!(html.matches("<line class=\"deploy\"").count(), 2, "{html}");
        assert!(html.contains("08:15:00 Deploy of 4.2: Revision before → 4.2 (git)"), "{html}");
    }
}
