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
use crate::accounts::Accounts;

/// How many pages may listen at once. Ours: far above an operator's open tabs, far below what would hurt.
const LISTENERS_LIMIT: usize = 256;
/// A line goes out at least so often, so that proxies in between keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// So often it is looked whether a session still holds of which nobody says that it ended: it may have become too old.
const LOOK: Duration = Duration::from_mins(1);
/// In a number's place: whoever listens has been signed out, and the page leads to the sign-in when it asks for itself.
const SIGNED_OUT: &str = "signed-out";

#[derive(Clone)]
struct Events {
    snapshot: watch::Receiver<Arc<Snapshot>>,
    shut_down: watch::Receiver<bool>,
    places: Arc<Semaphore>,
    accounts: Accounts,
}

pub(super) fn router(
    snapshot: watch::Receiver<Arc<Snapshot>>,
    shut_down: watch::Receiver<bool>,
    accounts: Accounts,
) -> Router {
    let places = Arc::new(Semaphore::new(LISTENERS_LIMIT));
    let events = Events { snapshot, shut_down, places, accounts };
    Router::new().route(&EVENTS.template(), get(listen)).with_state(events)
}

async fn listen(Extension(principal): Extension<Principal>, State(events): State<Events>) -> Response {
    if let Err(refusal) = principal.may(Operation::SeeStatus) {
        return (StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response();
    }
    match Arc::clone(&events.places).try_acquire_owned() {
        Ok(place) => Sse::new(changes(events, principal, place))
            .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
            .into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "Too many pages are listening.\n").into_response(),
    }
}

/// The number as it is, then each time it changes, for as long as the listener may hear it.
fn changes(
    events: Events,
    principal: Principal,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let Events { mut snapshot, mut shut_down, accounts, .. } = events;
    snapshot.mark_changed();
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let _held_while_listening = place;
        let mut ends = accounts.ends();
        let is_let_in = || match principal.person() {
            Some(person) => accounts.is_signed_in(person),
            // this machine's users listen without a session only while there is no account
            None => principal.is_operator() || !accounts.are_in_force(),
        };
        loop {
            let is_changed = tokio::select! {
                changed = snapshot.changed() => if changed.is_err() { break } else { true },
                ended = ends.changed() => if ended.is_err() { break } else { false },
                () = tokio::time::sleep(LOOK) => false,
                stop = shut_down.wait_for(|stop| *stop) => { drop(stop); break }
                () = sender.closed() => break,
            };
            let event = |data: String| Ok(Event::default().event("changed").data(data));
            if !is_let_in() {
                let _gone = sender.send(event(SIGNED_OUT.to_owned())).await;
                break;
            }
            if !is_changed {
                continue;
            }
            let number = snapshot.borrow_and_update().number;
            if sender.send(event(number.to_string())).await.is_err() {
                break;
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}
