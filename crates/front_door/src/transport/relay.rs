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
//! A request that may have reached a worker is sent again only if no byte of an answer has come, and [`retries`] allows it: a GET
//! or HEAD without a body, or another one that certainly nobody has read. All others reach a worker at most once.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use hyper::body::{Body, Bytes, Incoming};
use hyper::header::SET_COOKIE;
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};

use super::answer_body::{AnswerBody, Held};
use super::app_thread::AppThread;
use super::request_body::RequestBody;
use super::tunnel::Tunnel;
use super::worker_connection::{Sent, WorkerConnection};
use super::worker_socket::WorkerSocket;
use crate::accounting::answer_time::Kind;
use crate::accounting::worker::Worker;
use crate::exchange::affinity::Affinity;
use crate::exchange::answers::{Refusal, answer};
use crate::exchange::client::Client;
use crate::exchange::event_stream::is_event_stream;
use crate::exchange::fault::Fault;
use crate::exchange::flight::Flight;
use crate::exchange::retries::Decided;
use crate::exchange::table::{Route, Table};
use crate::exchange::wait::WorkerWait;
use crate::exchange::{headers, retries};

/// Answers one request of `client`. Where that opens a tunnel, it is to be run once the answer is sent.
pub(crate) async fn serve(
    app: &Rc<AppThread>,
    client: &Rc<Client>,
    tunnel: &Cell<Option<Tunnel>>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let path = parts.uri.path_and_query().cloned();
    let mut flight = Flight::begin(Rc::clone(client), method.clone(), path);
    let refusal = match relay(app, &mut flight, parts, body).await {
        Ok(Relayed::Answer(response, connection)) => {
            let lasts = is_event_stream(response.headers());
            flight.answered(response.status(), if lasts { Kind::Stream } else { Kind::Request });
            let held = Held { app: Rc::clone(app), connection, flight };
            return Ok(response.map(|body| AnswerBody::of_worker(body, held)));
        }
        Ok(Relayed::Tunnel(response, opened)) => {
            tunnel.set(Some(open_tunnel(flight, opened)));
            return Ok(response);
        }
        Err(refusal) => refusal,
    };
    flight.refused(refusal.status());
    Ok(answer(refusal, &method).map(AnswerBody::text))
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

fn open_tunnel(mut flight: Flight, opened: Opened) -> Tunnel {
    flight.answered(StatusCode::SWITCHING_PROTOCOLS, Kind::Tunnel);
    let Opened { client, worker, ahead } = opened;
    Tunnel { client, worker, ahead, flight }
}

async fn relay(
    app: &AppThread,
    flight: &mut Flight,
    mut parts: Parts,
    body: Incoming,
) -> Result<Relayed, Refusal> {
    let several = flight.router().table(Table::has_several);
    let wanted = if several { Affinity::in_request(&parts.headers) } else { None };
    let asked = headers::to_worker(&mut parts, &flight.client.peer, !body.is_end_stream())?;
    let upgrade = asked.as_ref().and_then(|_| parts.extensions.remove::<OnUpgrade>());
    parts.extensions.clear();
    let request = Request::from_parts(parts, RequestBody::new(body, &flight.client));

    let (response, mut connection, route) = deliver(app, flight, request, wanted).await?;
    let worker = &route.worker;
    let (mut parts, body) = response.into_parts();
    let mended = headers::to_client(&mut parts, asked.as_ref()).map_err(|fault| unusable(fault, worker))?;
    if let Some(fault) = mended {
        fault.log(worker);
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
    let (worker, ahead) = opened.ok_or_else(|| gone(worker, flight))?;
    let response = Response::from_parts(parts, AnswerBody::text(Bytes::new()));
    Ok(Relayed::Tunnel(response, Opened { client, worker, ahead }))
}

fn unusable(fault: Fault, worker: &Worker) -> Refusal {
    fault.log(worker);
    Refusal::Unusable(fault)
}

/// The worker's connection has ended without an answer.
fn gone(worker: &Worker, flight: &Flight) -> Refusal {
    let has_died = worker.is_dead() || flight.client.is_interrupted();
    if has_died { Refusal::Stopped } else { Refusal::Closed }
}

/// Brings a request to a worker, once or as often as [`retries`] allows, and the answer's head back.
async fn deliver(
    app: &AppThread,
    flight: &mut Flight,
    mut request: Request<RequestBody>,
    wanted: Option<Affinity>,
) -> Result<(Response<Incoming>, Box<WorkerConnection>, Arc<Route>), Refusal> {
    let router = &app.connections.router;
    let retries = router.app.retries();
    let mut spare = None;
    if retries {
        let (copy, second_try) = retries::copy(&request, RequestBody::copy, RequestBody::is_some);
        flight.allow_retry(second_try);
        spare = Some(copy);
    }
    let mut refused = Vec::new();
    let mut wait = WorkerWait::new(&router.app);
    loop {
        let Some(route) = router.choose(wanted, &refused) else {
            Box::pin(wait.next_chance(router, wanted, &refused)).await?;
            refused.clear();
            continue;
        };
        let worker = &route.worker;
        if !flight.assign(Arc::clone(worker)) {
            continue;
        }
        let kept = app.connections.pool.take(worker);
        let fresh = kept.is_none();
        let connection = if fresh {
            // boxed as all that few requests need: every connection has room for what is not
            Box::pin(wait.bounded(app.open(Arc::clone(worker)))).await?.ok()
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
                let second_try = flight.may_retry();
                let copy = spare.take().filter(|spare| spare.body().is_held());
                let decided = match &copy {
                    Some(_) => {
                        Box::pin(retries::decide(flight, second_try, worker, fresh, app.lives(worker))).await
                    }
                    None => Decided::Fails,
                };
                let Some(copy) = copy.filter(|_| decided != Decided::Fails) else {
                    flight.broke();
                    return Err(gone(worker, flight));
                };
                flight.retry(decided == Decided::Again);
                spare = Some(retries::copy(&copy, RequestBody::copy, RequestBody::is_some).0);
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
