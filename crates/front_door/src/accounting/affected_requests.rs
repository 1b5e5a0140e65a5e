//! What a worker's end cost: requests whose connection broke a moment before anybody knew, those that it still had, and the
//! decision which of them may be tried again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use model::WorkerId;
use model::crash::{AffectedRequests, Crash, InFlightRequest, RequestEvidence};
use model::path_template::{PathCandidate, PathLearner};

use super::answer_time::Kind;
use super::decision::Decision;
use super::worker::Worker;
use crate::settings::Death;

/// A connection that broke this long before its worker's death became known broke because of it: the kernel closes a dead
/// process's sockets before its parent is told.
pub(crate) const DEATH_IS_KNOWN_WITHIN: Duration = Duration::from_secs(2);

/// Broken connections that a thread remembers; the oldest go first.
const BROKEN_LIMIT: usize = 4_096;

/// Of several requests that a process had read, those that began this shortly before the newest may be the reason as well. Ours:
/// a server with an event loop reads what has come together, and then runs it in order.
const ABOUT_THE_SAME_TIME: Duration = Duration::from_millis(50);

/// How a connection to a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// With nothing left to read at the worker's end.
    Closed,
    /// With something left.
    Reset,
    /// Before the request was sent.
    Stale,
}

/// What is known of whether a process that died had a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Nothing beyond that its worker had it.
    None,
    /// The process had read it, by its sockets.
    Read,
    /// It had not.
    Unread,
    /// By how the connection ended, something had read it.
    Closed,
    /// By how the connection ended, it was not read to its end.
    Reset,
}

impl Evidence {
    pub(crate) fn of_end(end: Option<ConnectionEnd>) -> Self {
        match end {
            None => Self::None,
            Some(ConnectionEnd::Closed) => Self::Closed,
            Some(ConnectionEnd::Reset | ConnectionEnd::Stale) => Self::Reset,
        }
    }

    fn was_read(self) -> bool {
        matches!(self, Self::Read | Self::Closed)
    }
}

/// A request that a worker's end interrupted, and when it began.
pub(crate) struct InterruptedRequest {
    pub(crate) started: Duration,
    pub(crate) method: &'static str,
    pub(crate) path: PathCandidate,
    pub(crate) age_ms: u64,
    pub(crate) kind: Kind,
    pub(crate) outcome: Outcome,
    pub(crate) evidence: Evidence,
}

impl InterruptedRequest {
    /// What may be said of it by what is known of the app's paths.
    fn described(&self, paths: &PathLearner) -> InFlightRequest {
        InFlightRequest {
            method: self.method.to_owned(),
            path: paths.template(&self.path),
            age_ms: self.age_ms,
            evidence: match self.evidence {
                Evidence::Read => RequestEvidence::Read,
                Evidence::Closed => RequestEvidence::Closed,
                Evidence::None | Evidence::Unread | Evidence::Reset => RequestEvidence::InFlight,
            },
        }
    }
}

/// What becomes of an interrupted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Whether it may be tried again is to be decided.
    Undecided,
    /// It ends by an error of the front door's own that is not counted yet.
    Fails,
    /// Its client went away, or its failure is counted.
    Settled,
}

/// Adds up what all threads said of the `dead` (one worker, that may have been routed more than once) and decides. `grant`
/// says how many of so many requests may be tried again.
///
/// The suspect is the only request, or, of several that a worker had when it died by itself, the newest, and of those that it
/// is known to have read where there are any: what had run for long was survived for long.
pub(crate) fn settle(
    dead: &[Arc<Worker>],
    death: Death,
    mut interrupted: Vec<InterruptedRequest>,
    paths: &PathLearner,
    grant: impl FnOnce(u32) -> u32,
) -> AffectedRequests {
    interrupted.sort_by_key(|request| request.started);
    let count = u32::try_from(interrupted.len()).unwrap_or(u32::MAX);
    let before: u32 = dead.iter().map(|worker| worker.add_interrupted(count)).sum();
    let alone = count == 1 && before == 0;
    let held_up = dead.iter().any(|worker| worker.was_retired());
    // What was told before had its own suspect.
    let has_suspect = alone || (death == Death::ByItself && before == 0 && !held_up);
    let suspect = suspect_of(&interrupted).filter(|_| has_suspect);
    let undecided = interrupted.iter().filter(|request| request.outcome == Outcome::Undecided).count();
    let undecided = u32::try_from(undecided).unwrap_or(u32::MAX);
    let innocent =
        undecided - u32::from(suspect.is_some_and(|suspect| suspect.outcome == Outcome::Undecided));
    let retries = if held_up || innocent == 0 { 0 } else { grant(innocent) };
    for worker in dead {
        worker.decision.make(retries, suspect.map(|suspect| suspect.started..=suspect.started));
    }
    let taken = |kind| dead.iter().map(|worker| worker.take_failed(kind)).sum::<u64>();
    let fails = |kind| {
        let of_kind =
            |request: &&InterruptedRequest| request.kind == kind && request.outcome == Outcome::Fails;
        interrupted.iter().filter(of_kind).count() as u64
    };
    let failed = |kind| taken(kind) + fails(kind);
    AffectedRequests {
        count,
        drained: dead.iter().map(|worker| worker.take_drained()).sum(),
        failed: failed(Kind::Request) + u64::from(undecided - retries),
        streams_ended: failed(Kind::Stream),
        tunnels_ended: failed(Kind::Tunnel),
        suspect: suspect.map(|suspect| suspect.described(paths)),
        requests: newest(&interrupted, paths),
    }
}

/// The same for one process of a worker that lives on: `read` is what all threads said that it had read. Those that may have
/// killed it are not given to its siblings, and were they several.
pub(crate) fn settle_process(
    death: Death,
    mut read: Vec<InterruptedRequest>,
    decision: &Decision,
    paths: &PathLearner,
    grant: impl FnOnce(u32) -> u32,
) -> AffectedRequests {
    read.sort_by_key(|request| request.started);
    let count = u32::try_from(read.len()).unwrap_or(u32::MAX);
    let suspect = suspect_of(&read).filter(|_| count == 1 || death == Death::ByItself);
    let blamed = suspect.map(|suspect| suspect.started.saturating_sub(ABOUT_THE_SAME_TIME)..=suspect.started);
    let is_innocent = |request: &&InterruptedRequest| {
        request.outcome == Outcome::Undecided
            && !blamed.as_ref().is_some_and(|blamed| blamed.contains(&request.started))
    };
    let innocent = u32::try_from(read.iter().filter(is_innocent).count()).unwrap_or(u32::MAX);
    let retries = if innocent == 0 { 0 } else { grant(innocent) };
    let suspect = suspect.map(|suspect| suspect.described(paths));
    decision.make(retries, blamed);
    AffectedRequests { count, suspect, requests: newest(&read, paths), ..AffectedRequests::default() }
}

/// The newest that was read, or of all that may have been where that is not known.
fn suspect_of(interrupted: &[InterruptedRequest]) -> Option<&InterruptedRequest> {
    let newest =
        |may_be: fn(Evidence) -> bool| interrupted.iter().rev().find(|request| may_be(request.evidence));
    newest(Evidence::was_read).or_else(|| newest(|evidence| evidence != Evidence::Unread))
}

/// What had run for long was survived for long: the newest are the suspects.
fn newest(interrupted: &[InterruptedRequest], paths: &PathLearner) -> Vec<InFlightRequest> {
    let surplus = interrupted.len().saturating_sub(Crash::IN_FLIGHT_KEPT);
    interrupted.iter().skip(surplus).map(|request| request.described(paths)).collect()
}

/// One thread's requests whose connection to the worker broke a moment ago.
#[derive(Default)]
pub(crate) struct BrokenRequests {
    requests: VecDeque<(WorkerId, Duration, InterruptedRequest)>,
}

impl BrokenRequests {
    pub(crate) fn push(&mut self, worker: WorkerId, now: Duration, request: InterruptedRequest) {
        if self.requests.len() >= BROKEN_LIMIT {
            self.requests.pop_front();
        }
        self.requests.push_back((worker, now, request));
    }

    /// Takes requests back that nobody received. It was decided without them.
    pub(crate) fn put_back(
        &mut self,
        worker: &WorkerId,
        now: Duration,
        interrupted: Vec<InterruptedRequest>,
    ) {
        for mut request in interrupted {
            if request.outcome == Outcome::Undecided {
                request.outcome = Outcome::Fails;
            }
            self.push(worker.clone(), now, request);
        }
    }

    /// Those of a worker that has died, or, of one whose process has, those that were read.
    pub(crate) fn take(
        &mut self,
        worker: &WorkerId,
        now: Duration,
        of_process: bool,
    ) -> Vec<InterruptedRequest> {
        self.forget(now);
        let is_one = |at: &WorkerId, request: &InterruptedRequest| {
            at == worker && (!of_process || request.evidence.was_read())
        };
        let (taken, kept): (VecDeque<_>, _) =
            std::mem::take(&mut self.requests).into_iter().partition(|(at, _, request)| is_one(at, request));
        self.requests = kept;
        taken.into_iter().map(|(.., request)| request).collect()
    }

    pub(crate) fn forget(&mut self, now: Duration) {
        let too_old = |at: &Duration| now.saturating_sub(*at) > DEATH_IS_KNOWN_WITHIN;
        while self.requests.front().is_some_and(|(_, at, _)| too_old(at)) {
            self.requests.pop_front();
        }
    }
}
