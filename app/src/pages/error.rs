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
    view! { <ErrorPage error=PageError::NotFound("There is no page at this address.".to_owned()) /> }
}

/// What the console could not answer.
#[component]
pub(crate) fn ErrorPage(
    /// Why.
    error: PageError,
) -> impl IntoView {
    let (title, remedy) = match error.status() {
        404 => (
            "Not found",
            "The address may be mistyped, or what it named is no longer in the configuration or was removed after its time.",
        ),
        400 => ("That cannot be done", "Nothing was changed."),
        _ => (
            "Medic could not look that up",
            "The apps go on running. Medic's own log says what failed; load the page again when that is mended.",
        ),
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
