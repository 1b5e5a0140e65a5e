//! What is wrong with Medic itself, at the top of every page: an address that is taken, a database that is away or was lost.

use std::sync::Arc;

use insight::medic::{Problem, problems};
use leptos::prelude::*;
use model::Timestamp;

use super::icon::{Status, tone};
use super::when::When;
use crate::Console;

/// The list, the worst first; nothing where all is well.
#[component]
pub(crate) fn MedicProblems() -> impl IntoView {
    // The list of routes is made without a console.
    let console = use_context::<Arc<dyn Console>>();
    let problems = console.map(|console| problems(&console.snapshot().medic)).unwrap_or_default();
    view! {
        <div class="problems" data-live="medic">
            {(!problems.is_empty())
                .then(|| {
                    view! {
                        <ul class="alerts" aria-label="State of Medic">
                            {problems.into_iter().map(problem).collect_view()}
                        </ul>
                    }
                })}
        </div>
    }
}

fn problem(problem: Problem) -> impl IntoView {
    let Problem { severity, title, since, details, is_failure: _ } = problem;
    view! {
        <li class=format!("alert {}", tone(severity))>
            <Status severity=severity />
            <span>
                <strong>{title}</strong>
                " since "
                <When at=since />
                ". "
                {details}
            </span>
        </li>
    }
}

/// In the place of what the database would have had.
#[component]
pub(crate) fn Missing(
    /// Since when there is no database, where that is known.
    since: Option<Timestamp>,
) -> impl IntoView {
    view! {
        <p class="quiet">
            "History is missing. Database unavailable"
            {since.map(|since| view! { " since " <When at=since /> })} "."
        </p>
    }
}
