//! What is shown where there is no page: what was wrong, and where to go from there.

use leptos::prelude::*;

use super::frame::Page;
use crate::address::APPS;

/// Why there is no page, by the HTTP status of the answer and in a sentence.
#[component]
pub(crate) fn ErrorPage(status: u16, reason: String) -> impl IntoView {
    let (title, remedy) = match status {
        404 => ("Page not found", "It may be mistyped, no longer configured, or past the retention period."),
        400 => ("Request refused", "Nothing was changed."),
        _ => ("Cannot show this page", "The apps keep running. See the Medic log, then reload this page."),
    };
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
}
