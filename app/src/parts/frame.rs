//! The frame of a page: its title, the way back, the app's navigation beside it, and its verdict before the content.

use insight::detector::Category;
use leptos::prelude::*;
use leptos_meta::Title;
use model::AppName;

use super::verdict::VerdictBlock;
use crate::address::{APP_HOME, APPS};
use crate::catalog::{Entry, INCIDENTS, SHARES, entries};

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
            <ul>{link(APP_HOME.title, APP_HOME.of_app(&app))} {entry(&INCIDENTS)} {entry(&SHARES)}</ul>
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
