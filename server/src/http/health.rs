//! `/healthz`, for whatever watches Medic itself.

use std::sync::Arc;

use app::address::HEALTH;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Extension, Router};
use insight::medic::{Problem, problems};
use model::status::Snapshot;
use store::Store;
use tokio::sync::watch;

use crate::access::{Operation, Principal};

#[derive(Clone)]
struct Health {
    store: Store,
    snapshot: watch::Receiver<Arc<Snapshot>>,
}

pub(super) fn router(store: Store, snapshot: watch::Receiver<Arc<Snapshot>>) -> Router {
    Router::new().route(&HEALTH.template(), get(health)).with_state(Health { store, snapshot })
}

/// 200 while Medic has all that it needs, else what is wrong, a line each. What will be wrong soon fails nothing; it is told without
/// its details, which name folders.
async fn health(
    Extension(principal): Extension<Principal>,
    State(Health { store, snapshot }): State<Health>,
) -> (StatusCode, String) {
    // whatever watches Medic from elsewhere has no session, and hears no more than the first word
    let is_told = principal.may(Operation::SeeStatus).is_ok() && principal.sees_all();
    let checked = store.check().await;
    let problems = problems(&snapshot.borrow().medic);
    let (failures, warnings): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.is_failure);
    let failure = |Problem { title, since, details, .. }| format!("{title} since {since}: {details}\n");
    let warning = |Problem { title, since, .. }| format!("warning: {title} since {since}\n");
    let mut lines: Vec<String> = failures.into_iter().map(failure).collect();
    if let (Err(error), true) = (&checked, lines.is_empty()) {
        lines.push(format!("Database unavailable: {}.\n", error.reason()));
    }
    let (status, first) = if lines.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, lines.concat())
    };
    if !is_told {
        let word = if status == StatusCode::OK { "ok\n" } else { "unavailable\n" };
        return (status, word.to_owned());
    }
    (status, first + &warnings.into_iter().map(warning).collect::<String>())
}
