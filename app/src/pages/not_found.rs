//! What is shown at an address that is no page's.

use leptos::prelude::*;

use crate::AnswerStatus;
use crate::parts::error::ErrorPage;

/// The page, with its status.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    if let Some(status) = use_context::<AnswerStatus>() {
        status.set(404);
    }
    view! { <ErrorPage status=404 reason="Page not found".to_owned() /> }
}
