//! HTTP: the pages, the API, the events, and the guard before all of them.

mod api;
mod events;
mod guard;
mod openapi;

use std::sync::Arc;

use app::Console;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use engine::status::Snapshot;
use tokio::sync::watch;

/// The largest body that any route takes. Nothing that is sent here comes near it.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// Everything that is served at the dashboard's address. `shut_down` turns true when open streams must end.
pub fn router(console: Arc<dyn Console>, snapshot: watch::Receiver<Arc<Snapshot>>, shut_down: watch::Receiver<bool>) -> Router {
    let api = Router::new().nest("/api/v1", api::router(Arc::clone(&console)));
    Router::new()
        .merge(api)
        .merge(events::router(snapshot, shut_down))
        .merge(crate::site::router(console))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(axum::middleware::from_fn(guard::refuse_foreign))
}
