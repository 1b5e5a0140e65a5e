//! How many connections all apps may have open together: they share the process's file descriptors, and whatever else needs
//! some (the dashboard, the store, the shims) must find some.
//!
//! ```text
//!              ┌─ there is room, or the app has less than its share ─────────────────▶ taken in
//!  a client ───┤                                  ┌─ on this thread: it is closed ───▶ taken in
//!   comes      └─ full ── who is idle the longest ┼─ on another: that is to close it ▶ taken in
//!                                                 └─ nobody is idle ────────────────▶ 503
//! ```
//! Half of what there is goes to clients and half to the connections to workers, of which a client needs at most one: so
//! whoever was let in finds a way to a worker, if need be in place of a kept connection that nobody uses.
//!
//! Nothing here waits for another thread. A thread that is to close an idle client of its own does so a moment later, and for
//! that moment there are a few more connections than the limit.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::accounting::connections::Connections;

/// All connections as they are counted, and how threads ask each other to close some.
pub(crate) struct ConnectionLimit {
    pub(crate) counts: Arc<Connections>,
    /// Wakes a thread that is to close something.
    make_room: Box<[Notify]>,
}

impl ConnectionLimit {
    /// Without a limit, for so many threads.
    pub(crate) fn new(threads: usize) -> Self {
        let counts = Arc::new(Connections::new(threads));
        Self { counts, make_room: (0..threads).map(|_| Notify::new()).collect() }
    }

    /// There may be so many connections from now on.
    pub(crate) fn set(&self, connections: usize) {
        self.counts.set_limit(connections);
        self.make_room.iter().for_each(Notify::notify_one);
    }

    /// Has every thread close some idle clients and kept connections.
    pub(crate) fn close_some(&self) {
        self.counts.want_some_closed();
        self.make_room.iter().for_each(Notify::notify_one);
    }

    /// Has another thread close an idle client (see [`Connections::want_closed`]).
    pub(crate) fn ask(&self, thread: usize, once: bool) -> bool {
        let asked = self.counts.want_closed(thread, once);
        if asked {
            self.make_room[thread].notify_one();
        }
        asked
    }

    /// Has the other threads see whether there are too many connections.
    pub(crate) fn ask_others(&self, thread: usize) {
        let others = self.make_room.iter().enumerate().filter(|(number, _)| *number != thread);
        others.for_each(|(_, other)| other.notify_one());
    }

    /// Waits until a thread is to make room; how many idle clients are to go.
    pub(crate) async fn asked(&self, thread: usize) -> usize {
        self.make_room[thread].notified().await;
        self.counts.wanted_closed(thread)
    }
}
