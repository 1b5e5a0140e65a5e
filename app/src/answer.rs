//! What a page needs around it: the console, what its address asks for, and a way to set the answer's status. The console and
//! the status are put into Leptos' context by who serves the pages, so that this crate knows no HTTP server.

use std::future::Future;
use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use model::AppName;
use model::status::AppStatus;
use model::text::seen;

use crate::parts::error::ErrorPage;
use crate::{Console, ConsoleError};

/// Sets the HTTP status of the answer that a page is part of.
#[derive(Clone)]
pub struct AnswerStatus(Arc<dyn Fn(u16) + Send + Sync>);

impl AnswerStatus {
    /// From whatever the server has for it.
    pub fn new(set: impl Fn(u16) + Send + Sync + 'static) -> Self {
        Self(Arc::new(set))
    }

    /// Sets it; the last one counts.
    pub fn set(&self, status: u16) {
        (self.0)(status);
    }
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PageError {
    /// 404: what is not there.
    #[error("{0}")]
    NotFound(String),
    /// The console's own.
    #[error(transparent)]
    Console(#[from] ConsoleError),
}

impl PageError {
    /// The HTTP status of the answer.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::Console(error) => error.status(),
        }
    }

    /// The app that the page would be about, where that is not configured.
    const fn missing_app(&self) -> Option<&AppName> {
        match self {
            Self::Console(ConsoleError::NoSuchApp(app)) => Some(app),
            Self::NotFound(_) | Self::Console(_) => None,
        }
    }
}

/// The console that the server has put into the context.
pub(crate) fn console() -> Arc<dyn Console> {
    expect_context::<Arc<dyn Console>>()
}

/// A page that waits for the console; what it cannot answer becomes the page that says so, with its status. Everything that is
/// read from the context must be read before `page` waits.
pub(crate) fn answer<F>(page: F) -> impl IntoView
where
    F: Future<Output = Result<AnyView, PageError>> + Send + 'static,
{
    let status = expect_context::<AnswerStatus>();
    Suspend::new(async move {
        match page.await {
            Ok(view) => view,
            Err(error) => {
                status.set(error.status());
                let (reason, app) = (error.to_string(), error.missing_app().cloned());
                view! { <ErrorPage status=error.status() reason=reason missing_app=app /> }.into_any()
            }
        }
    })
}

/// What the database has; `None` where it cannot be read, so that a page can show the rest.
pub(crate) fn recorded<T>(answer: Result<T, ConsoleError>) -> Result<Option<T>, PageError> {
    match answer {
        Ok(recorded) => Ok(Some(recorded)),
        Err(ConsoleError::Store(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A part of the page's path.
pub(crate) fn path_part(name: &str) -> String {
    use_params_map().with_untracked(|params| params.get(name)).unwrap_or_default()
}

/// A value of the page's query, at most so long that it cannot swell the page.
pub(crate) fn query_part(name: &str) -> Option<String> {
    const LONGEST: usize = 200;
    query_part_of(name, LONGEST)
}

/// The same, at most of that length.
pub(crate) fn query_part_of(name: &str, longest: usize) -> Option<String> {
    let value = use_query_map().with_untracked(|query| query.get(name));
    value.map(|value| seen(&value).chars().take(longest).collect())
}

/// The app that the page's address names, as it is now.
pub(crate) fn asked_app(console: &dyn Console) -> Result<AppStatus, PageError> {
    let name: AppName = path_part("app").parse().map_err(|error| PageError::NotFound(format!("{error}")))?;
    let status = console.snapshot().app(&name).cloned();
    status.ok_or_else(|| ConsoleError::NoSuchApp(name).into())
}
