//! The frame of a page: its title, the way back, the app's navigation beside it, and regions that exchange themselves.

use insight::detector::Category;
use leptos::prelude::*;
use leptos_meta::Title;
use model::AppName;

use super::verdict::VerdictBlock;
use crate::address::{APP_HOME, APPS};
use crate::catalog::{Entry, INCIDENTS, entries};

/// One step of the way back: its words and its address.
pub(crate) type Crumb = (String, String);

/// A page: way back, navigation of the app if it is about one, and the content.
#[component]
pub(crate) fn Page(
    /// In the browser's tab.
    #[prop(into)]
    title: String,
    /// From the start to the page's parent.
    #[prop(optional)]
    crumbs: Vec<Crumb>,
    /// The app that the page is about.
    #[prop(optional_no_strip)]
    app: Option<AppName>,
    /// The address of the page, to mark it in the navigation.
    #[prop(optional, into)]
    here: String,
    /// The content.
    children: Children,
) -> impl IntoView {
    let with_side = app.is_some();
    let verdict = app.clone().map(|app| view! { <VerdictBlock app=app /> });
    view! {
        <Title text=title />
        <div class="page" class:with-side=with_side>
            {app.map(|app| view! { <Side app=app here=here /> })}
            <main id="main" tabindex="-1">
                {(!crumbs.is_empty())
                    .then(|| {
                        view! {
                            <nav class="crumbs" aria-label="Way back">
                                <ol>
                                    {crumbs
                                        .into_iter()
                                        .map(|(name, href)| view! { <li><a href=href>{name}</a></li> })
                                        .collect_view()}
                                </ol>
                            </nav>
                        }
                    })} {verdict} {children()}
            </main>
        </div>
    }
}

/// The way back from a page of an app.
pub(crate) fn app_crumbs(app: &AppName) -> Vec<Crumb> {
    vec![(APPS.title.to_owned(), APPS.template()), (app.to_string(), APP_HOME.of_app(app))]
}

/// The app's navigation.
#[component]
fn Side(app: AppName, here: String) -> impl IntoView {
    let link = |name: &'static str, href: String| {
        let current = (href == here).then_some("page");
        view! {
            <li>
                <a href=href aria-current=current>
                    {name}
                </a>
            </li>
        }
    };
    let entry = |entry: &Entry| link(entry.name, entry.href(&app));
    view! {
        <nav class="side" aria-label=format!("Pages of {app}")>
            <p class="side-app">{app.to_string()}</p>
            <ul>{link(APP_HOME.title, APP_HOME.of_app(&app))} {entry(&INCIDENTS)}</ul>
            {Category::ALL
                .into_iter()
                .map(|category| {
                    view! {
                        <p class="side-group">{category.title()}</p>
                        <ul>{entries(category).iter().map(entry).collect_view()}</ul>
                    }
                })
                .collect_view()}
        </nav>
    }
}

/// A region that is exchanged when something changes while the page is open. No island may stand in it.
#[component]
pub(crate) fn LiveRegion(
    /// Unique on the page.
    #[prop(into)]
    name: String,
    /// Names the region for those who cannot see it.
    #[prop(optional, into)]
    heading: String,
    /// The content.
    children: Children,
) -> impl IntoView {
    let id = (!heading.is_empty()).then(|| format!("region-{name}"));
    let labelled_by = id.clone();
    view! {
        <section class="region" data-live=name aria-labelledby=labelled_by>
            {id.map(|id| view! { <h2 id=id>{heading}</h2> })} {children()}
        </section>
    }
}

/// A title as a part of an id: letters and digits of ASCII, and `-`.
pub(crate) fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// The number whose growth is announced on an open page.
#[component]
pub(crate) fn Counter(
    /// How many there are.
    count: u64,
    /// What one is called.
    one: &'static str,
    /// What several are called.
    many: &'static str,
) -> impl IntoView {
    view! { <span hidden data-live="counter" data-count=count.to_string() data-one=one data-many=many></span> }
}

/// What may be wider than the page scrolls inside itself, with the keyboard too.
#[component]
pub(crate) fn Scroll(
    /// What is in it.
    label: &'static str,
    /// The content.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="scroll" role="region" tabindex="0" aria-label=label>
            {children()}
        </div>
    }
}
