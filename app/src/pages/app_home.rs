//! `/apps/{app}`: the Diagnose and solve home.

use insight::detector::Category;
use leptos::prelude::*;
use model::AppName;

use crate::address::{APP_HOME, APPS};
use crate::answer::{answer, asked_app, console, query_part, recorded};
use crate::catalog::{Entry, INCIDENTS, POPULAR, SETTINGS, entries, search_entries};
use crate::parts::alerts::{AlertList, alerts};
use crate::parts::frame::Page;
use crate::parts::icon::CategoryPicture;
use crate::parts::problems::Missing;
use crate::parts::region::{Counter, LiveRegion};
use crate::parts::search::Search;

/// So many of the newest incidents are looked through for alerts.
const INCIDENTS_READ: u32 = 20;

/// The page.
#[component]
pub(crate) fn AppHomePage() -> impl IntoView {
    let console = console();
    let status = asked_app(&*console);
    let query = query_part("q").unwrap_or_default();
    answer(async move {
        let status = status?;
        let app = status.name.clone();
        let incidents = recorded(console.incidents(Some(&app), INCIDENTS_READ).await)?;
        let missing = incidents.is_none().then(|| console.snapshot().medic.unavailable_since());
        let incidents = incidents.unwrap_or_default();
        let crashes = incidents.iter().map(|incident| incident.count).sum();
        let alerts = alerts(&status, &incidents, console.now());
        let here = APP_HOME.of_app(&app);
        let view = view! {
            <Page
                title=format!("{app}: {}", APP_HOME.title)
                crumbs=vec![(APPS.title.to_owned(), APPS.template())]
                app=Some(app.clone())
                here=here.clone()
            >
                <nav class="commands" aria-label="Commands">
                    <a href=here>"Refresh"</a>
                    <a href=INCIDENTS.href(&app)>{INCIDENTS.name}</a>
                    <a href=SETTINGS.href(&app)>{SETTINGS.name}</a>
                </nav>
                <h1>{APP_HOME.title}</h1>
                <p class="lead">
                    "Investigate how " <strong>{app.to_string()}</strong>
                    " is performing, diagnose issues, and discover how to improve it."
                </p>
                <Search entries=search_entries(&app, |setting| console.setting_name(setting)) query=query />
                <Counter count=crashes one="crash" many="crashes" />
                <LiveRegion name="alerts" heading="Problems">
                    <AlertList alerts=alerts is_whole=missing.is_none() />
                    {missing.map(|since| view! { <Missing since=since /> })}
                </LiveRegion>
                <section aria-labelledby="categories">
                    <h2 id="categories">"Troubleshooting categories"</h2>
                    <ul class="tiles">
                        {Category::ALL.into_iter().map(|category| view! { <Tile category=category app=app.clone() /> }).collect_view()}
                    </ul>
                </section>
                <section aria-labelledby="popular">
                    <h2 id="popular">"Popular troubleshooting tools"</h2>
                    <ul class="popular">
                        {POPULAR.iter().map(|entry| popular(entry, &app)).collect_view()}
                    </ul>
                </section>
            </Page>
        };
        Ok(view.into_any())
    })
}

#[component]
fn Tile(category: Category, app: AppName) -> impl IntoView {
    let entries = entries(category);
    let start = entries.first().map(|entry| entry.href(&app)).unwrap_or_default();
    view! {
        <li class=format!("tile {}", category.id())>
            <CategoryPicture category=category />
            <div>
                <h3>
                    <a href=start>{category.title()}</a>
                </h3>
                <p>{category.description()}</p>
                <ul class="tile-links">
                    {entries
                        .iter()
                        .map(|entry| view! { <li><a href=entry.href(&app)>{entry.name}</a></li> })
                        .collect_view()}
                </ul>
            </div>
        </li>
    }
}

fn popular(entry: &Entry, app: &AppName) -> impl IntoView + use<> {
    view! {
        <li>
            <a href=entry.href(app)>{entry.name}</a>
            <p>{entry.description}</p>
        </li>
    }
}
