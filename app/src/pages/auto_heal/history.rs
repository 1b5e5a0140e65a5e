//! The tab History: every restart with its evidence, and what auto-heal did short of one.

use std::time::Duration;

use insight::buckets::over_time;
use insight::tables::{self, RestartColumns};
use leptos::prelude::*;
use model::auto_heal::event::HealEvent;
use model::auto_heal::restart::Restart;
use model::deploy::Deploy;
use model::range::read_range;
use model::status::{AppStatus, InstanceStatus};
use model::{AppName, Place, TimeRange, Timestamp};

use super::Tab;
use super::filter::Filter;
use crate::Console;
use crate::answer::{PageError, query_part};
use crate::catalog::AUTO_HEAL;
use crate::parts::chart::ChartFigure;
use crate::parts::link::Links;
use crate::parts::range::RangePill;
use crate::parts::region::{Counter, LiveRegion};
use crate::parts::table::TableView;

mod cards;

pub(super) use cards::refusal;
use cards::{EventCard, RestartCard};

/// So many of each are looked through, and of restarts drawn.
const READ: u32 = 1_000;
/// So many of each are listed: each brings its evidence with it, a drawing and the table behind it. A link leads to older ones.
const LISTED: usize = 10;

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
    let changes = console.changes(app, read.range, READ).await?;
    let mut is_full = restarts.len() as u64 >= u64::from(READ);
    restarts.retain(|restart| filter.takes_restart(restart));
    if let Some(listed) = listed(restarts.iter().map(|restart| restart.at)) {
        let mut whole = console.restarts(app, listed, READ).await?;
        whole.retain(|restart| filter.takes_restart(restart));
        restarts.splice(..whole.len().min(restarts.len()), whole);
    }
    let (events, has_all) = newest_events(console, app, range, filter).await?;
    is_full |= !has_all;
    let points = restarts.iter().map(|restart| (restart.place.clone(), restart.at, 1));
    let place = |instance: &InstanceStatus| Place {
        node: console.node(),
        app: status.name.clone(),
        instance: instance.index,
    };
    let places: Vec<Place> = status.instances.iter().map(place).collect();
    let mut chart = over_time("Restarts over time by instance", "restarts", read.range, &places, points);
    let deploys = console.deploys(app, read.range, READ).await?;
    chart.deploys = insight::deploys::marks(&deploys, chart.range);
    let total = restarts.len() as u64;
    let keep: Vec<_> =
        std::iter::once(("tab", Tab::History.word().to_owned())).chain(filter.words()).collect();
    let here = AUTO_HEAL.href(app);
    let older = Older { here: here.clone(), keep: keep.clone(), from: range.start };
    let pill = view! { <RangePill read=read now=now here=here.clone() keep=keep /> };
    let instances = status.instances.iter().map(|instance| instance.index).collect();
    let links = Links::of_app(app.clone());
    let changes = view! { <TableView table=insight::changes::table(&changes) links=&links /> };
    let restarts =
        view! { <Restarts app=app.clone() restarts=restarts deploys=&deploys older=older.clone() /> };
    let events = view! { <Events events=events deploys=&deploys older=older /> };
    let deploys = view! { <TableView table=insight::deploys::table(&deploys) links=&links /> };
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
            {events}
        </LiveRegion>
        <LiveRegion name="deploys" heading="Deploys">
            {deploys}
        </LiveRegion>
        <LiveRegion name="changes" heading="Changes">
            {changes}
        </LiveRegion>
        {is_full.then(|| view! { <p class="quiet">{format!("Only the newest {READ} records of the range are shown. Choose a shorter time range to see the others.")}</p> })}
    };
    Ok(view.into_any())
}

/// Those that the filter takes: one more than is listed where there are more. And whether it was looked through all of them.
async fn newest_events(
    console: &dyn Console,
    app: &AppName,
    range: TimeRange,
    filter: Filter,
) -> Result<(Vec<HealEvent>, bool), PageError> {
    let takes_all = filter == Filter::default();
    let limit = if takes_all { u32::try_from(LISTED + 1).unwrap_or(READ) } else { READ };
    let mut events = console.heal_events_in_brief(app, range, limit).await?;
    let has_all = takes_all || (events.len() as u64) < u64::from(READ);
    events.retain(|event| filter.takes_event(event));
    if let Some(listed) = listed(events.iter().map(|event| event.at)) {
        let mut whole = console.heal_events(app, listed, READ).await?;
        whole.retain(|event| filter.takes_event(event));
        events.splice(..whole.len().min(events.len()), whole);
    }
    Ok((events, has_all))
}

/// The same page with what is older than the last that is listed.
#[derive(Clone)]
struct Older {
    here: String,
    keep: Vec<(&'static str, String)>,
    /// The range's start, which stays.
    from: Timestamp,
}

impl Older {
    fn than(&self, last: Timestamp) -> String {
        let keep = self.keep.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        // the last one again: another may have been in the same millisecond
        let end = last + Duration::from_millis(1);
        format!("{}?{}&startTime={}&endTime={end}", self.here, keep.join("&"), self.from)
    }
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
fn Restarts<'a>(
    app: AppName,
    restarts: Vec<Restart>,
    /// Of the same time, newest first.
    deploys: &'a [Deploy],
    older: Older,
) -> impl IntoView + use<> {
    if restarts.is_empty() {
        return view! { <p class="quiet">"No matching restarts in this time range"</p> }.into_any();
    }
    let has_more = restarts.len() > LISTED;
    let listed: Vec<Restart> = restarts.into_iter().take(LISTED).collect();
    let older = listed.last().filter(|_| has_more).map(|last| older.than(last.at));
    let links = Links::of_app(app);
    let table = tables::restarts("Restarts", &listed, RestartColumns::Whole, "");
    let cards = listed
        .into_iter()
        .map(|restart| view! { <RestartCard restart=restart deploys=deploys /> })
        .collect_view();
    view! {
        <TableView table=table links=&links />
        <h3>"Details"</h3>
        <div class="insights history">
            {cards}
        </div>
        <Rest older=older />
    }
    .into_any()
}

#[component]
fn Events<'a>(
    events: Vec<HealEvent>,
    /// Of the same time, newest first.
    deploys: &'a [Deploy],
    older: Older,
) -> impl IntoView + use<> {
    if events.is_empty() {
        return view! { <p class="quiet">"No entries in this time range"</p> }.into_any();
    }
    let has_more = events.len() > LISTED;
    let older = events.iter().take(LISTED).next_back().filter(|_| has_more).map(|last| older.than(last.at));
    let listed = events.into_iter().take(LISTED);
    let cards = listed.map(|event| view! { <EventCard event=event deploys=deploys /> }).collect_view();
    view! {
        <div class="insights history">
            {cards}
        </div>
        <Rest older=older />
    }
    .into_any()
}

/// Leads to those that are not listed, where there are any.
#[component]
fn Rest(older: Option<String>) -> impl IntoView {
    older.map(|older| {
        view! {
            <p class="quiet">{format!("The newest {LISTED} are listed. ")} <a href=older>"Show older"</a></p>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_listed_and_a_link_leads_to_the_others() {
        let older = Older {
            here: "/history".to_owned(),
            keep: vec![("tab", "history".to_owned()), ("outcome", "failed".to_owned())],
            from: Timestamp::from_ms(0),
        };
        let shown = |count: i64| {
            // newest first, a minute apart
            let restarts = (0..count).map(|number| cards::failed(60_000 * (count - number))).collect();
            let app = "shop".parse().unwrap();
            view! { <Restarts app=app restarts=restarts deploys=&[] older=older.clone() /> }.to_html()
        };
        let all = shown(10);
        assert_eq!(all.matches("<summary").count(), 10);
        assert!(!all.contains("Show older"), "{all}");
        let newest = shown(13);
        assert_eq!(newest.matches("<summary").count(), 10);
        let link = "href=\"/history?tab=history&amp;outcome=failed&amp;startTime=1970-01-01T00:00:00.000Z&amp;\
                    endTime=1970-01-01T00:04:00.001Z\"";
        assert!(newest.contains(link), "{link} in {newest}");
    }
}
