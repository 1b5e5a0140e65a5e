//! One request: which worker gets it, and what the client gets.
//!
//! ```text
//!            ┌───────────── not taken, or not a byte written ────────────┐
//!            ▼                                                           │
//! head ──▶ choose ──────────▶ connect (or a kept connection) ──▶ send ──▶┴──▶ answer ──▶ body ──▶ counted
//!          ▲ │ nobody left                                        │ broken, or the worker died
//!          │ ▼                                                    ▼
//!          │ wait ── too long, too many ──▶ 503                may it go again? ── no ──▶ 502
//!          └─────────────────────── yes, once ────────────────────┘
//! ```
//! A request that may have reached a worker is sent again only if it is a GET or HEAD without a body, no byte of an answer has
//! come, and [`retries`] allows it; any other reaches a worker at most once.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::SET_COOKIE;
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};

use crate::accounting::worker::Worker;
use crate::affinity::Affinity;
use crate::answers::{Refusal, answer};
use crate::body::{AnswerBody, RequestBody};
use crate::client::Client;
use crate::fault::Fault;
use crate::flight::Flight;
use crate::table::{Route, Table};
use crate::thread::{Shared, Thread};
use crate::tunnel::Tunnel;
use crate::worker_connection::{Sent, WorkerConnection};
use crate::worker_socket::WorkerSocket;
use crate::{headers, retries};

/// Workers that have refused a waiting request are asked again after this long.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Answers one request of `client`.
pub(crate) async fn serve(
    thread: Rc<Thread>,
    client: Rc<Client>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let mut flight = Flight::begin(thread, client, method.clone(), parts.uri.path_and_query().cloned());
    let refusal = match relay(&mut flight, parts, body).await {
        Ok(Relayed::Answer(response, connection)) => {
            flight.answered(response.status());
            return Ok(response.map(|body| AnswerBody::of_worker(body, connection, flight)));
        }
        Ok(Relayed::Tunnel(response, opened)) => {
            open_tunnel(flight, opened);
            return Ok(response);
        }
        Err(refusal) => refusal,
    };
    flight.refused(refusal.status());
    Ok(answer(refusal, &method))
}

enum Relayed {
    Answer(Response<Incoming>, Box<WorkerConnection>),
    Tunnel(Response<AnswerBody>, Opened),
}

/// A tunnel's ends.
struct Opened {
    client: OnUpgrade,
    worker: WorkerSocket,
    ahead: Bytes,
}

fn open_tunnel(mut flight: Flight, opened: Opened) {
    flight.answered(StatusCode::SWITCHING_PROTOCOLS);
    // how long a tunnel stays open says nothing about how fast the app answers
    flight.count();
    let client = Rc::clone(&flight.client);
    let Opened { client: ours, worker, ahead } = opened;
    client.tunnel.replace(Some(Tunnel { client: ours, worker, ahead, flight }));
}

async fn relay(flight: &mut Flight, mut parts: Parts, body: Incoming) -> Result<Relayed, Refusal> {
    let several = flight.thread.routes(Table::has_several);
    let wanted = if several { Affinity::in_request(&parts.headers) } else { None };
    let asked = headers::to_worker(&mut parts, &flight.client.peer, !body.is_end_stream())?;
    let upgrade = asked.as_ref().and_then(|_| parts.extensions.remove::<OnUpgrade>());
    parts.extensions.clear();
    let request = Request::from_parts(parts, RequestBody::new(body, &flight.client));

    let (response, mut connection, route) = deliver(flight, request, wanted).await?;
    let worker = &route.worker;
    let (mut parts, body) = response.into_parts();
    let mended = headers::to_client(&mut parts, asked.as_ref()).map_err(|fault| unusable(fault, worker))?;
    if let Some(fault) = mended {
        fault.tell(worker);
        connection.spend();
    }
    if several && wanted != Some(route.affinity) {
        parts.headers.append(SET_COOKIE, route.cookie.clone());
    }
    if parts.status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Relayed::Answer(Response::from_parts(parts, body), connection));
    }
    let client = upgrade.ok_or_else(|| unusable(Fault::Protocol, worker))?;
    let opened = Box::pin(connection.into_socket(flight)).await;
    let (worker, ahead) = opened.ok_or_else(|| gone(worker))?;
    let response = Response::from_parts(parts, AnswerBody::text(Bytes::new()));
    Ok(Relayed::Tunnel(response, Opened { client, worker, ahead }))
}

fn unusable(fault: Fault, worker: &Worker) -> Refusal {
    fault.tell(worker);
    Refusal::Unusable(fault)
}

/// The worker's connection has ended without an answer.
fn gone(worker: &Worker) -> Refusal {
    if worker.is_dead() { Refusal::Stopped } else { Refusal::Closed }
}

/// Brings a request to a worker, once or as often as [`retries`] allows, and the answer's head back.
async fn deliver(
    flight: &mut Flight,
    mut request: Request<RequestBody>,
    wanted: Option<Affinity>,
) -> Result<(Response<Incoming>, Box<WorkerConnection>, Arc<Route>), Refusal> {
    let thread = Rc::clone(&flight.thread);
    let mut spare = if thread.shared.settings.retries { retries::copy(&request) } else { None };
    if spare.is_some() {
        flight.repeatable();
    }
    let mut refused = Vec::new();
    let mut patience = Patience::new(&thread.shared);
    loop {
        let Some(route) = thread.choose(wanted, &refused) else {
            Box::pin(patience.next_chance(&thread, wanted, &refused)).await?;
            refused.clear();
            continue;
        };
        let worker = &route.worker;
        if !flight.assign(Arc::clone(worker)) {
            continue;
        }
        let kept = thread.pool.take(worker);
        let fresh = kept.is_none();
        let connection = if fresh {
            // boxed as all that few requests need: every connection has room for what is not
            Box::pin(patience.bounded(WorkerConnection::open(&thread, Arc::clone(worker)))).await?.ok()
        } else {
            kept
        };
        let sent = match connection {
            Some(connection) if !worker.is_dead() => connection.send(request, flight).await,
            _ => Sent::Unsent(request),
        };
        request = match sent {
            Sent::Answered(response, connection) => return Ok((response, connection, route)),
            Sent::Unsent(request) => request,
            Sent::Broken | Sent::Lost => {
                let again = flight.may_go_again() && Box::pin(retries::verdict(flight, worker, fresh)).await;
                let Some(copy) = spare.take().filter(|_| again) else {
                    flight.broke();
                    return Err(gone(worker));
                };
                flight.goes_again();
                request = copy;
                continue;
            }
            Sent::Unusable(fault) => return Err(unusable(fault, worker)),
            Sent::BadBody => return Err(Refusal::BadRequest),
        };
        flight.unassign();
        if fresh {
            refused.push(Arc::clone(worker));
        }
    }
}

/// How long a request goes on looking for a worker. Costs nothing until it has to wait.
struct Patience<'a> {
    shared: &'a Shared,
    ends: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
    waiting: bool,
}

impl<'a> Patience<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, ends: None, waiting: false }
    }

    fn end(&mut self) -> std::pin::Pin<&mut tokio::time::Sleep> {
        self.ends.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.shared.settings.wait))).as_mut()
    }

    /// `work`, or 503 when patience ends before it.
    async fn bounded<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.end() => Err(Refusal::Unavailable),
        }
    }

    /// Waits until another worker takes requests, or those that refused may have changed their mind.
    async fn next_chance(
        &mut self,
        thread: &Thread,
        wanted: Option<Affinity>,
        refused: &[Arc<Worker>],
    ) -> Result<(), Refusal> {
        self.take_a_seat()?;
        let shared = self.shared;
        let mut routed = std::pin::pin!(shared.routed.notified());
        routed.as_mut().enable();
        if thread.choose(wanted, refused).is_some() {
            return Ok(());
        }
        let again = async {
            if refused.is_empty() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        };
        let chance = async {
            tokio::select! {
                () = routed => {}
                () = again => {}
            }
        };
        self.bounded(chance).await
    }

    /// The room is bounded, so that an app that is down does not hold all the memory that its clients can fill.
    fn take_a_seat(&mut self) -> Result<(), Refusal> {
        if self.waiting {
            return Ok(());
        }
        let seats = &self.shared.waiting;
        let taken = seats.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            (taken < self.shared.settings.limits.waiting).then_some(taken + 1)
        });
        self.waiting = taken.is_ok();
        taken.map(|_| ()).map_err(|_| Refusal::Unavailable)
    }
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        if self.waiting {
            self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
