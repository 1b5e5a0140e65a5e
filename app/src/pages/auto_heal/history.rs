//! The tab History: every restart with its evidence, and what auto-heal did short of one.

use std::time::Duration;

use insight::buckets::over_time;
use insight::report::Severity;
use insight::tables::{self, RestartColumns};
use insight::{healing, rules};
use leptos::prelude::*;
use model::auto_heal::RefusalReason;
use model::auto_heal::event::{EventKind, HealEvent};
use model::auto_heal::restart::{Restart, RestartOutcome};
use model::range::read_range;
use model::status::{AppStatus, InstanceStatus};
use model::time::humanise;
use model::{AppName, Place, TimeRange, Timestamp};

use super::Tab;
use super::filter::Filter;
use crate::Console;
use crate::answer::{PageError, query_part};
use crate::catalog::AUTO_HEAL;
use crate::parts::chart::ChartFigure;
use crate::parts::evidence::EvidenceView;
use crate::parts::icon::{Status, tone};
use crate::parts::link::Links;
use crate::parts::range::RangePill;
use crate::parts::readings::sentence;
use crate::parts::region::{Counter, LiveRegion};
use crate::parts::table::TableView;
use crate::parts::when::When;

/// So many of each are looked through and drawn.
const READ: u32 = 1_000;
/// So many of each are listed: each brings its evidence with it.
const LISTED: usize = 50;

/// What the address asks for.
pub(super) struct Asked {
    start: Option<String>,
    end: Option<String>,
    filter: Filter,
}

impl Asked {
    /// Before the page waits: the address is in the context.
    pub(super) fn read() -> Self {
        let filter = Filter::of_words(
            query_part("reason").as_deref(),
            query_part("instance").as_deref(),
            query_part("outcome").as_deref(),
        );
        Self { start: query_part("startTime"), end: query_part("endTime"), filter }
    }
}

/// The tab.
pub(super) async fn tab(
    console: &dyn Console,
    status: &AppStatus,
    asked: &Asked,
) -> Result<AnyView, PageError> {
    let (app, now) = (&status.name, console.now());
    let read = read_range(now, asked.start.as_deref(), asked.end.as_deref());
    let (filter, range, chosen) = (asked.filter, read.range, read.chosen);
    let mut restarts = console.restarts_in_brief(app, read.range, READ).await?;
    let mut events = console.heal_events_in_brief(app, read.range, READ).await?;
    let changes = console.changes(app, read.range, READ).await?;
    let is_full = restarts.len().max(events.len()) as u64 >= u64::from(READ);
    restarts.retain(|restart| filter.takes_restart(restart));
    events.retain(|event| filter.takes_event(event));
    if let Some(listed) = listed(restarts.iter().map(|restart| restart.at)) {
        let mut whole = console.restarts(app, listed, READ).await?;
        whole.retain(|restart| filter.takes_restart(restart));
        restarts.splice(..whole.len().min(restarts.len()), whole);
    }
    if let Some(listed) = listed(events.iter().map(|event| event.at)) {
        let mut whole = console.heal_events(app, listed, READ).await?;
        whole.retain(|event| filter.takes_event(event));
        events.splice(..whole.len().min(events.len()), whole);
    }
    let points = restarts.iter().map(|restart| (restart.place.clone(), restart.at, 1));
    let place = |instance: &InstanceStatus| Place {
        node: console.node(),
        app: status.name.clone(),
        instance: instance.index,
    };
    let places: Vec<Place> = status.instances.iter().map(place).collect();
    let chart = over_time("Restarts over time by instance", "restarts", read.range, &places, points);
    let total = restarts.len() as u64;
    let keep = std::iter::once(("tab", Tab::History.word().to_owned())).chain(filter.words()).collect();
    let here = AUTO_HEAL.href(app);
    let pill = view! { <RangePill read=read now=now here=here.clone() keep=keep /> };
    let instances = status.instances.iter().map(|instance| instance.index).collect();
    let links = Links::of_app(app.clone());
    let changes = view! { <TableView table=insight::changes::table(&changes) links=&links /> };
    let restarts = view! { <Restarts app=app.clone() restarts=restarts /> };
    let view = view! {
        <Counter count=total one="restart" many="restarts" />
        <LiveRegion name="range">
            {pill}
        </LiveRegion>
        <FilterForm filter=filter instances=instances here=here range=chosen.then_some(range) />
        <LiveRegion name="restarts-chart" heading="Restarts over time">
            <ChartFigure chart=chart />
        </LiveRegion>
        <LiveRegion name="restarts" heading="Restarts">
            {restarts}
        </LiveRegion>
        <LiveRegion name="events" heading="Triggered without restart">
            <Events events=events />
        </LiveRegion>
        <LiveRegion name="changes" heading="Changes">
            {changes}
        </LiveRegion>
        {is_full.then(|| view! { <p class="quiet">{format!("Only the newest {READ} records of the range are shown. Choose a shorter time range to see the others.")}</p> })}
    };
    Ok(view.into_any())
}

/// The range of those that are listed, of all that were found, newest first: their evidence is read whole.
fn listed(found: impl Iterator<Item = Timestamp>) -> Option<TimeRange> {
    let times: Vec<Timestamp> = found.take(LISTED).collect();
    Some(TimeRange { start: *times.last()?, end: *times.first()? + Duration::from_millis(1) })
}

#[component]
fn FilterForm(
    filter: Filter,
    instances: Vec<u16>,
    here: String,
    /// The range that the address names.
    range: Option<TimeRange>,
) -> impl IntoView {
    let words = |name: &'static str,
                 label: &'static str,
                 known: &[(&'static str, &'static str)],
                 chosen: Option<&str>| {
        let option = |(word, text): &(&'static str, &'static str)| {
            let (word, text) = (*word, *text);
            view! {
                <option value=word selected=chosen == Some(word)>
                    {text}
                </option>
            }
        };
        view! {
            <label>
                {label}
                <select name=name>
                    <option value="">"All"</option>
                    {known.iter().map(option).collect_view()}
                </select>
            </label>
        }
    };
    let instance = |index: u16| {
        view! {
            <option value=index.to_string() selected=filter.instance == Some(index)>
                {index.to_string()}
            </option>
        }
    };
    let is_set = filter != Filter::default();
    view! {
        <form class="filter" method="get" action=here.clone() aria-label="Filter">
            <input type="hidden" name="tab" value="history" />
            {range
                .map(|range| {
                    view! {
                        <input type="hidden" name="startTime" value=range.start.to_string() />
                        <input type="hidden" name="endTime" value=range.end.to_string() />
                    }
                })}
            {words("reason", "Rule or reason", &Filter::reasons(), filter.reason)}
            <label>
                "Instance"
                <select name="instance">
                    <option value="">"All"</option>
                    {instances.into_iter().map(instance).collect_view()}
                </select>
            </label>
            {words("outcome", "Outcome", Filter::outcomes(), filter.outcome)}
            <button class="button" type="submit">
                "Filter"
            </button>
            {is_set.then(|| view! { <a href=format!("{here}?tab=history")>"Show all"</a> })}
        </form>
    }
}

#[component]
fn Restarts(app: AppName, restarts: Vec<Restart>) -> impl IntoView {
    if restarts.is_empty() {
        return view! { <p class="quiet">"No matching restarts in this time range"</p> }.into_any();
    }
    let unlisted = restarts.len().saturating_sub(LISTED);
    let listed: Vec<Restart> = restarts.into_iter().take(LISTED).collect();
    let links = Links::of_app(app);
    let table = tables::restarts("Restarts", &listed, RestartColumns::Whole, "");
    view! {
        <TableView table=table links=&links />
        <h3>"Details"</h3>
        <div class="insights history">
            {listed.into_iter().map(|restart| view! { <RestartCard restart=restart /> }).collect_view()}
        </div>
        <Unlisted number=unlisted />
    }
    .into_any()
}

#[component]
fn Events(events: Vec<HealEvent>) -> impl IntoView {
    if events.is_empty() {
        return view! { <p class="quiet">"No entries in this time range"</p> }.into_any();
    }
    let unlisted = events.len().saturating_sub(LISTED);
    view! {
        <div class="insights history">
            {events.into_iter().take(LISTED).map(|event| view! { <EventCard event=event /> }).collect_view()}
        </div>
        <Unlisted number=unlisted />
    }
    .into_any()
}

#[component]
fn Unlisted(number: usize) -> impl IntoView {
    (number > 0).then(|| {
        view! {
            <p class="quiet">
                {format!("The newest {LISTED} are listed; {number} more are not. Choose a shorter time range, or filter.")}
            </p>
        }
    })
}

/// One restart; unfolded, all that is known of it.
#[component]
fn RestartCard(restart: Restart) -> impl IntoView {
    let id = restart.id();
    let severity = Severity::of_restart(&restart);
    let (word, why) = match &restart.outcome {
        RestartOutcome::Done => ("Restarted", None),
        RestartOutcome::Failed { why } => ("Failed", Some(healing::failure(why))),
    };
    let reason = sentence(&healing::reason(&restart.reason));
    let evidence = restart.evidence.clone();
    let key = id.clone();
    let new = restart
        .new
        .map_or_else(|| "none".into_any(), |new| view! { <code>{new.to_string()}</code> }.into_any());
    view! {
        <details class=format!("insight {}", tone(severity)) data-key=format!("restart-{id}")>
            <summary class="insight-head">
                <Status severity=severity word=word />
                <span class="insight-title">
                    <When at=restart.at />
                    {format!(" · instance {} · {reason}", restart.place.instance)}
                </span>
            </summary>
            <div class="insight-body">
                {why.map(|why| view! { <p class="message warning">{why}</p> })}
                <dl class="details">
                    <div>
                        <dt>"Duration"</dt>
                        <dd>{humanise(Duration::from_millis(restart.duration_ms))}</dd>
                    </div>
                    <div>
                        <dt>"Requests drained"</dt>
                        <dd>{restart.drained}</dd>
                    </div>
                    <div>
                        <dt>"Requests failed"</dt>
                        <dd>{restart.failed}</dd>
                    </div>
                    <div>
                        <dt>"Streams ended"</dt>
                        <dd>{restart.streams_ended}</dd>
                    </div>
                    <div>
                        <dt>"Tunnels ended"</dt>
                        <dd>{restart.tunnels_ended}</dd>
                    </div>
                    <div>
                        <dt>"Instance"</dt>
                        <dd>{restart.place.within_app()}</dd>
                    </div>
                    <div>
                        <dt>"Old worker"</dt>
                        <dd>
                            <code>{restart.old.to_string()}</code>
                        </dd>
                    </div>
                    <div>
                        <dt>"New worker"</dt>
                        <dd>{new}</dd>
                    </div>
                </dl>
                {evidence.map(|evidence| view! { <EvidenceView evidence=evidence key=key /> })}
            </div>
        </details>
    }
}

/// Why a broken rule did nothing.
pub(super) fn refusal(reason: &RefusalReason) -> AnyView {
    match reason {
        RefusalReason::FuseBlown { until } => {
            view! { "proactive rules are paused until " <When at=*until /> }.into_any()
        }
        RefusalReason::MinimumProcessTime { .. } | RefusalReason::RestartUnderWay => {
            healing::refusal(reason).into_any()
        }
    }
}

#[component]
fn EventCard(event: HealEvent) -> impl IntoView {
    let id = event.id();
    let (severity, word, text) = match event.what {
        EventKind::Logged => (Severity::Info, "Logged", "Logged".into_any()),
        EventKind::Ran { exe, result } => (
            Severity::Info,
            "Ran",
            view! { <code>{exe}</code> ": " {healing::action_result(&result)} }.into_any(),
        ),
        EventKind::Refused { refused } => {
            (Severity::Info, "No action", view! { "No action: " {refusal(&refused)} "." }.into_any())
        }
    };
    let rule = rules::title(event.evidence.rule);
    let worker = event.worker.to_string();
    let key = id.clone();
    view! {
        <details class=format!("insight {}", tone(severity)) data-key=format!("event-{id}")>
            <summary class="insight-head">
                <Status severity=severity word=word />
                <span class="insight-title">
                    <When at=event.at />
                    {format!(" · instance {} · {rule}", event.worker.place.instance)}
                </span>
            </summary>
            <div class="insight-body">
                <p>{text}</p>
                <p class="quiet">"Worker " <code>{worker}</code> " on " {event.worker.place.node.to_string()}</p>
                <EvidenceView evidence=event.evidence key=key />
            </div>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;
    use model::auto_heal::restart::{RestartFailure, RestartReason};

    #[test]
    fn a_restart_says_what_it_cost_and_a_failed_one_why() {
        let restart = Restart {
            old: "node-a/shop/1/1769847300000".parse().unwrap(),
            new: None,
            place: "node-a/shop/1".parse().unwrap(),
            at: Timestamp::from_ms(1_769_847_400_000),
            reason: RestartReason::ByHand { by: None },
            evidence: None,
            duration_ms: 1_200,
            drained: 3,
            failed: 0,
            streams_ended: 0,
            tunnels_ended: 0,
            outcome: RestartOutcome::Failed {
                why: RestartFailure::Recorded("It did not <i>listen.".to_owned()),
            },
        };
        let html = view! { <RestartCard restart=restart /> }.to_html();
        for expected in
            ["Failed", "instance 1", "Manual restart.", "1.2 s", "It did not &lt;i&gt;listen.", "node-a/1"]
        {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("<b>") && !html.contains("<i>"), "{html}");
    }
}
