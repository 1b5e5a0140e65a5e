//! What is shown where there is no page: what was wrong, and where to go from there.

use leptos::prelude::*;
use model::AppName;

use super::frame::Page;
use super::verdict::NotConfigured;
use crate::address::APPS;

/// Why there is no page, by the HTTP status of the answer and in a sentence.
#[component]
pub(crate) fn ErrorPage(
    status: u16,
    reason: String,
    /// The app that the page would be about, where that is not configured.
    #[prop(optional_no_strip)]
    missing_app: Option<AppName>,
) -> impl IntoView {
    let (title, remedy) = match status {
        404 => ("Page not found", "It may be mistyped, no longer configured, or past the retention period."),
        400 => ("Request refused", "Nothing was changed."),
        403 => ("Not permitted", "An owner can give you another role."),
        _ => ("Cannot show this page", "The apps keep running. See the Medic log, then reload this page."),
    };
    if let Some(app) = missing_app {
        return view! {
            <Page title=title>
                <h1>{title}</h1>
                <NotConfigured app=app />
            </Page>
        }
        .into_any();
    }
    view! {
        <Page title=title>
            <h1>{title}</h1>
            <p class="lead">{reason}</p>
            <p>{remedy}</p>
            <p class="actions">
                <a class="button" href=APPS.template()>
                    "All apps"
                </a>
            </p>
        </Page>
    }
    .into_any()
}
