//! The order in which one thread's connections became idle, and what the other threads are told of it.

use std::cell::Cell;
use std::sync::Arc;

use crate::accounting::connections::Connections;

/// Gives out numbers that grow: what became idle earlier has a lower one.
pub(crate) struct IdleOrder {
    thread: usize,
    connections: Arc<Connections>,
    latest: Cell<u64>,
    /// The other threads were told that nobody is idle here.
    none_idle: Cell<bool>,
}

impl IdleOrder {
    pub(crate) fn new(thread: usize, connections: Arc<Connections>) -> Self {
        Self { thread, connections, latest: Cell::new(0), none_idle: Cell::new(true) }
    }

    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        let next = self.latest.get() + 1;
        self.latest.set(next);
        next
    }

    /// The next number, for a client that is idle from now on.
    pub(crate) fn next_client(&self) -> u64 {
        if self.none_idle.get() {
            self.publish(Some(0));
        }
        self.next()
    }

    pub(crate) fn latest(&self) -> u64 {
        self.latest.get()
    }

    /// Tells the others for how many seconds the longest idle client has been idle.
    pub(crate) fn publish(&self, longest_idle_s: Option<u32>) {
        self.none_idle.set(longest_idle_s.is_none());
        self.connections.publish_longest_idle(self.thread, longest_idle_s);
    }
}
