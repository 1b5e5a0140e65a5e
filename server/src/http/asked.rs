//! The console as whoever asks may use it. No handler and no page gets at it in another way: [`Consoles`] gives one only for a
//! principal, and only `access` makes those.

use std::sync::Arc;

use app::Console;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::access::Principal;
use crate::console::Consoles;

/// The console of the request's principal.
pub struct Asked(pub Arc<dyn Console>);

impl<S> FromRequestParts<S> for Asked
where
    S: Sync,
    Consoles: FromRef<S>,
{
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, StatusCode> {
        console_of(parts, &Consoles::from_ref(state)).map(Self).ok_or(StatusCode::FORBIDDEN)
    }
}

/// The same for a page, which has the parts of its request in its context. None for a request that did not pass the guard.
pub fn console_of(parts: &Parts, consoles: &Consoles) -> Option<Arc<dyn Console>> {
    parts.extensions.get::<Principal>().map(|principal| consoles.of(principal.clone()))
}
