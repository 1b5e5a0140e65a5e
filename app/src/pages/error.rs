//! What is shown where there is no page: what was wrong, and where to go from there.

use leptos::prelude::*;

use crate::AnswerStatus;
use crate::address::APPS;
use crate::answer::PageError;
use crate::parts::frame::Page;

/// An address that names nothing.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    if let Some(status) = use_context::<AnswerStatus>() {
        status.set(404);
    }
    view! { <ErrorPage error=PageError::NotFound("Page not found".to_owned()) /> }
}

/// What the console could not answer.
#[component]
pub(crate) fn ErrorPage(error: PageError) -> impl IntoView {
    let (title, remedy) = match error.status() {
        404 => ("Page not found", "It may be mistyped, no longer configured, or past the retention period."),
        400 => ("Request refused", "Nothing was changed."),
        _ => ("Cannot show this page", "The apps keep running. See the Medic log, then reload this page."),
    };
    view! {
        <Page title=title>
            <h1>{title}</h1>
            <p class="lead">{error.to_string()}</p>
            <p>{remedy}</p>
            <p class="actions">
                <a class="button" href=APPS.template()>
                    "All apps"
                </a>
            </p>
        </Page>
    }
}
