//! `/events`: tells open pages that what they show has changed. It says no more than a number; a page then asks for itself again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use app::address::EVENTS;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use model::status::Snapshot;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_stream::Stream;

use crate::access::{Operation, Principal};

/// How many pages may listen at once. Ours: far above an operator's open tabs, far below what would hurt.
const LISTENERS_LIMIT: usize = 256;
/// A line goes out at least so often, so that proxies in between keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Clone)]
struct Events {
    snapshot: watch::Receiver<Arc<Snapshot>>,
    shut_down: watch::Receiver<bool>,
    places: Arc<Semaphore>,
}

pub(super) fn router(snapshot: watch::Receiver<Arc<Snapshot>>, shut_down: watch::Receiver<bool>) -> Router {
    let places = Arc::new(Semaphore::new(LISTENERS_LIMIT));
    Router::new().route(&EVENTS.template(), get(listen)).with_state(Events { snapshot, shut_down, places })
}

async fn listen(Extension(principal): Extension<Principal>, State(events): State<Events>) -> Response {
    if let Err(refusal) = principal.may(Operation::SeeStatus) {
        return (StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response();
    }
    match Arc::clone(&events.places).try_acquire_owned() {
        Ok(place) => {
            Sse::new(changes(events, place)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "Too many pages are listening.\n").into_response(),
    }
}

/// The number as it is, then each time it changes.
fn changes(events: Events, place: OwnedSemaphorePermit) -> impl Stream<Item = Result<Event, Infallible>> {
    let Events { mut snapshot, mut shut_down, .. } = events;
    snapshot.mark_changed();
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let _held_while_listening = place;
        loop {
            tokio::select! {
                changed = snapshot.changed() => if changed.is_err() { break },
                stop = shut_down.wait_for(|stop| *stop) => { drop(stop); break }
                () = sender.closed() => break,
            }
            let number = snapshot.borrow_and_update().number;
            if sender.send(Ok(Event::default().event("changed").data(number.to_string()))).await.is_err() {
                break;
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}
