//! What all threads of an app share: the routing table, and a few atomic counts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::header::HeaderValue;
use model::Clock;
use model::path_template::PathLearner;
use tokio::sync::Notify;

use super::table::Table;
use crate::accounting::retry_budget::RetryBudget;
use crate::settings::FrontDoorSettings;

/// One app.
pub(crate) struct App {
    pub(crate) settings: FrontDoorSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) table: Arc<ArcSwap<Table>>,
    /// Tells waiting requests that the table has changed.
    pub(crate) table_changed: Notify,
    /// The host of a request that names none.
    default_host: ArcSwap<HeaderValue>,
    wait_ms: AtomicU64,
    retries: AtomicBool,
    /// What is known of the app's paths.
    pub(crate) paths: Mutex<PathLearner>,
    /// Requests that wait for a worker.
    waiting: AtomicUsize,
    clients: AtomicUsize,
    lowest_instance: AtomicU16,
    /// Asked for retries only, and told of requests once a second.
    budget: Mutex<RetryBudget>,
}

impl App {
    pub(crate) fn new(settings: FrontDoorSettings, clock: Arc<dyn Clock>, address: SocketAddr) -> Self {
        Self {
            wait_ms: AtomicU64::new(millis(settings.wait)),
            retries: AtomicBool::new(settings.retries),
            settings,
            clock,
            table: Arc::default(),
            table_changed: Notify::new(),
            default_host: ArcSwap::new(Arc::new(host_of(address))),
            paths: Mutex::default(),
            waiting: AtomicUsize::new(0),
            clients: AtomicUsize::new(0),
            lowest_instance: AtomicU16::new(0),
            budget: Mutex::default(),
        }
    }

    /// See [`FrontDoorSettings::wait`] and [`FrontDoorSettings::retries`]; requests that wait already wait as long as they were to.
    pub(crate) fn configure(&self, wait: Duration, retries: bool) {
        self.wait_ms.store(millis(wait), Relaxed);
        self.retries.store(retries, Relaxed);
    }

    /// How long a request waits for a worker.
    pub(crate) fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms.load(Relaxed))
    }

    /// Whether requests are tried again.
    pub(crate) fn retries(&self) -> bool {
        self.retries.load(Relaxed)
    }

    /// It listens there now.
    pub(crate) fn moved(&self, address: SocketAddr) {
        self.default_host.store(Arc::new(host_of(address)));
    }

    /// The host of a request that names none.
    pub(crate) fn default_host(&self) -> HeaderValue {
        HeaderValue::clone(&self.default_host.load())
    }

    /// How many of `wanted` requests may be tried again.
    pub(crate) fn grant_retries(&self, wanted: u32) -> u32 {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).grant(self.clock.monotonic(), wanted)
    }

    pub(crate) fn note_requests(&self, now: Duration, count: u64) {
        if count > 0 {
            self.budget.lock().unwrap_or_else(PoisonError::into_inner).requests(now, count);
        }
    }

    /// Replaces the table.
    pub(crate) fn publish(&self, table: Table) {
        if let Some(lowest) = table.workers().map(|worker| worker.id.place.instance).min() {
            self.lowest_instance.store(lowest, Relaxed);
        }
        self.table.store(Arc::new(table));
        self.table_changed.notify_waiters();
    }

    /// The instance that a request counts for that no worker has taken: the lowest that was last routed, or 0.
    pub(crate) fn lowest_instance(&self) -> u16 {
        self.lowest_instance.load(Relaxed)
    }

    /// One more request waits for a worker; `false` if it may not. Their number is bounded, so that an app that is down does not
    /// hold all the memory that its clients can fill.
    pub(crate) fn enter_queue(&self) -> bool {
        let limit = self.settings.limits.waiting;
        let enter = |waiting: usize| (waiting < limit).then_some(waiting + 1);
        self.waiting.fetch_update(Relaxed, Relaxed, enter).is_ok()
    }

    pub(crate) fn leave_queue(&self) {
        self.waiting.fetch_sub(1, Relaxed);
    }

    /// One more client; how many there were.
    pub(crate) fn client_came(&self) -> usize {
        self.clients.fetch_add(1, Relaxed)
    }

    pub(crate) fn client_went(&self) {
        self.clients.fetch_sub(1, Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn host_of(address: SocketAddr) -> HeaderValue {
    HeaderValue::from_str(&address.to_string()).unwrap_or(HeaderValue::from_static("localhost"))
}
