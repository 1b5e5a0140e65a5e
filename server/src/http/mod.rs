//! What is served over HTTP: the pages (`site`), the API, the events and what share links show (`shared`). Thin: each handler asks the
//! console of its principal, but for share links, which ask nobody who they are.

mod api;
mod asked;
mod events;
mod headers;
mod health;
mod link;
mod origin;
mod shared;
mod site;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::{Extension, Router};
use model::status::Snapshot;
use store::Store;
use tokio::sync::watch;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use crate::access;
use crate::console::Consoles;
use crate::http_server;

pub use asked::Asked;

/// The largest body that any route takes. Nothing that is sent here comes near it.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// An eighth more to send than by the usual level, 6, which took a fifth of all the time that a long page took.
const COMPRESSION: CompressionLevel = CompressionLevel::Precise(4);

/// Everything that is served at the dashboard's address and on the Unix socket. `shut_down` turns true when open streams must
/// end.
pub fn router(
    consoles: Consoles,
    store: Store,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    shut_down: watch::Receiver<bool>,
) -> Router {
    let (listening, shared_links) = (link::Listening(consoles.listen()), consoles.shared_links());
    let (accounts, reach) = (consoles.accounts().clone(), consoles.reach());
    Router::new()
        .merge(api::router(consoles.clone()))
        .merge(health::router(store, snapshot.clone()))
        .merge(events::router(snapshot, shut_down, accounts.clone()))
        .merge(site::router(consoles))
        .layer(Extension(listening))
        .merge(shared::router(shared_links))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(Extension(accounts.clone()))
        .layer(from_fn_with_state(accounts, access::let_in))
        .layer(from_fn_with_state(reach, access::arrive))
        // Pages and JSON; not streams of events, which would be held back, and not what is compressed already. Nothing that is
        // answered holds a secret beside what a stranger chose, so its length tells none.
        .layer(CompressionLayer::new().quality(COMPRESSION))
        // around all of it, so that no answer is without
        .layer(map_response(http_server::add_headers))
}
