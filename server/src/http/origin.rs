//! Where a sign-in comes from, as it is noted.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;

use crate::access::Arrival;
use crate::accounts::Origin;

/// By the connection, and by what the browser says of itself.
pub(super) fn origin(arrival: Arrival, headers: &HeaderMap) -> Origin {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Origin { address: arrival.from, user_agent: agent.to_owned() }
}
