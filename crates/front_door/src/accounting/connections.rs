//! How many connections all apps have open together, and how many they may have: half of what there is for clients, half for the
//! connections to workers, of which a client needs at most one. Nothing here waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// How many clients, and how many connections to workers, there may be beyond the limit for the moment that another thread
/// takes to close one.
pub(crate) const EXCESS_LIMIT: usize = 16;

/// Of so many clients, one is let in only for an app that has less than its share, so that an app whose clients all wait does
/// not shut out the others.
const SHARED_OUT_PART: usize = 4;

/// How many idle clients, and connections to workers, a thread gives back to others at a time.
const GIVEN_BACK: usize = 8;

/// A shortage is logged this often.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// How many connections there are and may be, and what was done about that. Part of [`crate::ServingThreads`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ConnectionCounts {
    /// Clients that are connected.
    pub clients: usize,
    /// Connections to workers, those included that are kept for the next request.
    pub to_workers: usize,
    /// How many there may be of either.
    pub limit: usize,
    /// Idle clients that were closed to make room for others, since the start.
    pub closed_idle: u64,
    /// Clients that were turned away because all were busy, since the start.
    pub turned_away: u64,
    /// How often the system had no file descriptor for a connection, since the start.
    pub out_of_descriptors: u64,
}

/// What all serving threads know of each other's connections.
pub(crate) struct Connections {
    limit: AtomicUsize,
    clients: AtomicUsize,
    /// Of the clients, those that are being closed.
    leaving: AtomicUsize,
    to_workers: AtomicUsize,
    apps: AtomicUsize,
    threads: Box<[OfThread]>,
    closed_idle: AtomicU64,
    turned_away: AtomicU64,
    out_of_descriptors: AtomicU64,
    full_logged: LogLimit,
    busy_logged: LogLimit,
    out_logged: LogLimit,
}

/// What the others know of a thread.
#[derive(Default)]
struct OfThread {
    /// For how many seconds its longest idle client has been idle, as of its last look, plus one; 0 where it has none.
    longest_idle: AtomicU32,
    /// How many idle clients the others would have it close.
    wanted: AtomicUsize,
}

/// Whether there was room for a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Room,
    /// One that was idle made room for it.
    MadeRoom,
    /// All are busy.
    Busy,
}

impl Connections {
    /// Without a limit, for so many threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            limit: AtomicUsize::new(usize::MAX / 4),
            clients: AtomicUsize::new(0),
            leaving: AtomicUsize::new(0),
            to_workers: AtomicUsize::new(0),
            apps: AtomicUsize::new(0),
            threads: (0..threads).map(|_| OfThread::default()).collect(),
            closed_idle: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            out_of_descriptors: AtomicU64::new(0),
            full_logged: LogLimit::default(),
            busy_logged: LogLimit::default(),
            out_logged: LogLimit::default(),
        }
    }

    /// There may be so many connections from now on.
    pub(crate) fn set_limit(&self, connections: usize) {
        self.limit.store((connections / 2).max(1), Relaxed);
    }

    /// Every thread is to close some idle clients and kept connections.
    pub(crate) fn want_some_closed(&self) {
        self.threads.iter().for_each(|thread| _ = thread.wanted.fetch_add(GIVEN_BACK, Relaxed));
    }

    pub(crate) fn counts(&self) -> ConnectionCounts {
        ConnectionCounts {
            clients: self.clients.load(Relaxed),
            to_workers: self.to_workers.load(Relaxed),
            limit: self.limit.load(Relaxed),
            closed_idle: self.closed_idle.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
            out_of_descriptors: self.out_of_descriptors.load(Relaxed),
        }
    }

    /// One more app, for as long as what is returned is kept.
    pub(crate) fn app(self: &Arc<Self>) -> CountedApp {
        self.apps.fetch_add(1, Relaxed);
        CountedApp(Arc::clone(self))
    }

    /// One more client, of an app that had `of_app`; whether there is room for it without another's going.
    pub(crate) fn client_came(&self, of_app: usize) -> bool {
        let before = self.clients.fetch_add(1, Relaxed).saturating_sub(self.leaving.load(Relaxed));
        let (limit, apps) = (self.limit.load(Relaxed), self.apps.load(Relaxed));
        if apps < 2 {
            return before < limit;
        }
        let shared_out = limit / SHARED_OUT_PART;
        before < limit - shared_out || (of_app < (shared_out / apps).max(1) && before < limit)
    }

    /// One client fewer; `leaving` if [`Connections::client_leaves`] was told.
    pub(crate) fn client_went(&self, leaving: bool) {
        self.clients.fetch_sub(1, Relaxed);
        if leaving {
            self.leaving.fetch_sub(1, Relaxed);
        }
    }

    /// A client is being closed because it is idle.
    pub(crate) fn client_leaves(&self) {
        self.leaving.fetch_add(1, Relaxed);
        self.closed_idle.fetch_add(1, Relaxed);
    }

    /// Clients beyond the limit that are not being closed yet.
    pub(crate) fn too_many_clients(&self) -> bool {
        let staying = self.clients.load(Relaxed).saturating_sub(self.leaving.load(Relaxed));
        staying > self.limit.load(Relaxed)
    }

    pub(crate) fn too_many_to_workers(&self) -> bool {
        self.to_workers.load(Relaxed) > self.limit.load(Relaxed)
    }

    /// Whether there are so few too many that another thread may be left to close one.
    pub(crate) fn may_exceed(&self) -> bool {
        let limit = self.limit.load(Relaxed) + EXCESS_LIMIT;
        self.clients.load(Relaxed) <= limit && self.to_workers.load(Relaxed) <= limit
    }

    /// For how long the longest idle client of a thread has been idle, as of now.
    pub(crate) fn publish_longest_idle(&self, thread: usize, longest_idle_s: Option<u32>) {
        let value = longest_idle_s.map_or(0, |seconds| seconds.saturating_add(1));
        self.threads[thread].longest_idle.store(value, Relaxed);
    }

    /// The other thread whose client has been idle the longest, if that is longer by `than_s` than any of `thread`'s own.
    pub(crate) fn longest_idle_elsewhere(&self, thread: usize, than_s: u32) -> Option<usize> {
        let own = self.threads[thread].longest_idle.load(Relaxed);
        let others = self.threads.iter().enumerate().filter(|(number, _)| *number != thread);
        let (longest, number) =
            others.map(|(number, other)| (other.longest_idle.load(Relaxed), number)).max()?;
        (longest > own.saturating_add(than_s)).then_some(number)
    }

    /// Another thread is to close an idle client; with `once`, only if it has done what it was asked before, since what it said
    /// of its clients holds for one of them.
    pub(crate) fn want_closed(&self, thread: usize, once: bool) -> bool {
        let wanted = &self.threads[thread].wanted;
        if once {
            return wanted.compare_exchange(0, 1, Relaxed, Relaxed).is_ok();
        }
        wanted.fetch_add(1, Relaxed);
        true
    }

    /// How many idle clients a thread is to close.
    pub(crate) fn wanted_closed(&self, thread: usize) -> usize {
        self.threads[thread].wanted.load(Relaxed)
    }

    /// A thread has closed so many of them, and has published anew.
    pub(crate) fn note_closed(&self, thread: usize, clients: usize) {
        self.threads[thread].wanted.fetch_sub(clients, Relaxed);
    }

    /// One more connection to a worker, for as long as what is returned is kept.
    pub(crate) fn to_worker(self: &Arc<Self>) -> ToWorker {
        self.to_workers.fetch_add(1, Relaxed);
        ToWorker(Arc::clone(self))
    }

    /// A client came for whom an idle one had to go.
    pub(crate) fn log_full(&self, now: Duration) {
        if self.full_logged.is_due(now) {
            tracing::warn!(
                clients = self.clients.load(Relaxed),
                "no more clients fit into the limit of open files: those that have been idle the longest are disconnected for \
                 new ones; raise the limit (LimitNOFILE= in the unit, or ulimit -n)"
            );
        }
    }

    /// A client was turned away.
    pub(crate) fn log_busy(&self, now: Duration) {
        self.turned_away.fetch_add(1, Relaxed);
        if self.busy_logged.is_due(now) {
            tracing::warn!(
                clients = self.clients.load(Relaxed),
                "connection limit reached: new clients get 503 while every client has a request in progress. Raise the limit of \
                 open files (LimitNOFILE= in the unit, or ulimit -n)"
            );
        }
    }

    /// The system had no file descriptor for a connection.
    pub(crate) fn log_out_of_descriptors(&self, now: Duration, error: &std::io::Error) {
        self.out_of_descriptors.fetch_add(1, Relaxed);
        if self.out_logged.is_due(now) {
            tracing::error!(
                %error,
                clients = self.clients.load(Relaxed),
                "cannot open a connection: no file descriptor is free. Idle connections are closed, and clients wait. Raise \
                 the limit of open files (LimitNOFILE= in the unit, or ulimit -n; fs.file-max for the whole machine)"
            );
        }
    }
}

/// An app, as it counts.
pub(crate) struct CountedApp(Arc<Connections>);

impl Drop for CountedApp {
    fn drop(&mut self) {
        self.0.apps.fetch_sub(1, Relaxed);
    }
}

/// A connection to a worker, as it counts.
pub(crate) struct ToWorker(Arc<Connections>);

impl Drop for ToWorker {
    fn drop(&mut self) {
        self.0.to_workers.fetch_sub(1, Relaxed);
    }
}

/// When something was logged last, in milliseconds of the monotonic clock plus one; 0 for never.
#[derive(Default)]
struct LogLimit(AtomicU64);

impl LogLimit {
    /// Whether it is to be logged again; whoever is told so logs it.
    fn is_due(&self, now: Duration) -> bool {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let every_ms = u64::try_from(LOG_EVERY.as_millis()).unwrap_or(u64::MAX);
        let due = |last: u64| (last == 0 || now_ms.saturating_sub(last) >= every_ms).then_some(now_ms);
        self.0.fetch_update(Relaxed, Relaxed, due).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(limit: usize, apps: usize) -> (Arc<Connections>, Vec<CountedApp>) {
        let connections = Arc::new(Connections::new(2));
        connections.set_limit(2 * limit);
        let apps = (0..apps).map(|_| connections.app()).collect();
        (connections, apps)
    }

    #[test]
    fn one_app_may_take_all_and_several_leave_each_other_a_share() {
        let (alone, _app) = full(100, 1);
        assert!((0..100).all(|had| alone.client_came(had)));
        assert!(!alone.client_came(100));

        let (two, _apps) = full(100, 2);
        let greedy = (0..100).take_while(|had| two.client_came(*had)).count();
        assert_eq!(greedy, 75);
        two.client_went(false);
        assert!((0..12).all(|had| two.client_came(had)), "an eighth is the other's");
        assert!(!two.client_came(12));
    }

    #[test]
    fn one_that_is_leaving_leaves_room() {
        let (connections, _app) = full(2, 1);
        assert!(connections.client_came(0) && connections.client_came(1));
        connections.client_leaves();
        assert!(connections.client_came(2));
        assert!(!connections.too_many_clients());
        connections.client_went(true);
        assert!(!connections.client_came(2));
        assert!(connections.too_many_clients());
    }

    #[test]
    fn the_thread_with_the_longest_idle_is_asked() {
        let connections = Connections::new(3);
        assert_eq!(connections.longest_idle_elsewhere(0, 0), None);
        connections.publish_longest_idle(0, Some(10));
        connections.publish_longest_idle(1, Some(11));
        connections.publish_longest_idle(2, Some(40));
        assert_eq!(connections.longest_idle_elsewhere(0, 1), Some(2));
        connections.publish_longest_idle(2, None);
        assert_eq!(connections.longest_idle_elsewhere(0, 1), None, "as good as equal");
        assert_eq!(connections.longest_idle_elsewhere(0, 0), Some(1));
        assert_eq!(connections.longest_idle_elsewhere(1, 0), None);
    }

    #[test]
    fn by_one_word_of_a_thread_it_is_asked_for_one_client() {
        let connections = Connections::new(2);
        assert!(connections.want_closed(1, true));
        assert!(!connections.want_closed(1, true), "what it said was of that one");
        assert!(connections.want_closed(1, false), "there is nobody else to ask");
        connections.note_closed(1, 2);
        assert!(connections.want_closed(1, true));
    }

    #[test]
    fn a_shortage_is_logged_once_a_minute() {
        let limit = LogLimit::default();
        let due: Vec<_> =
            [0, 1, 59, 60, 61, 119, 120].map(Duration::from_secs).map(|now| limit.is_due(now)).into();
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
