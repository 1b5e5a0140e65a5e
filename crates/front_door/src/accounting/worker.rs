//! One worker as the front door counts it: whether it takes requests, how many it has, how those ended that it finished after it
//! was retired, and what is decided about those that its death interrupted. All threads share it, and it outlives its place in
//! the routing table, so that draining can be watched and what its death cost be told.
//!
//! ```text
//!          route() without it            worker_died()
//!  TAKES ─────────────────────▶ RETIRED ──────────────▶ DEAD ── decision.make() ──▶ requests that wait for it go on
//!    ▲                             │                      ▲
//!    └──────── route() with it ────┘                      │
//!    └────────────────────── worker_died() ───────────────┘
//! ```

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};

use model::WorkerId;

use super::answer_time::Kind;
use super::decision::Decision;
use super::passive_health::PassiveHealth;
use crate::settings::Target;

/// A worker that takes or took requests.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) address: SocketAddr,
    pub(crate) health: PassiveHealth,
    in_flight: AtomicU32,
    state: AtomicU8,
    was_retired: AtomicBool,
    /// It was asked to end.
    is_ending: AtomicBool,
    drained: AtomicU64,
    /// Requests, streams and tunnels that ended because it leaves, by [`Kind`].
    failed: [AtomicU64; 3],
    /// Requests that its death interrupted, as far as they have been told.
    interrupted: AtomicU32,
    /// Which of them may go to another worker.
    pub(crate) decision: Decision,
    /// What was logged of it, a bit for each kind.
    logged: AtomicU8,
}

const TAKES: u8 = 0;
const RETIRED: u8 = 1;
const DEAD: u8 = 2;

impl Worker {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            address: target.address,
            id: target.worker,
            health: PassiveHealth::default(),
            in_flight: AtomicU32::new(0),
            state: AtomicU8::new(TAKES),
            was_retired: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            drained: AtomicU64::new(0),
            failed: Default::default(),
            interrupted: AtomicU32::new(0),
            decision: Decision::default(),
            logged: AtomicU8::new(0),
        }
    }

    /// Requests that it is serving, of all threads.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(SeqCst)
    }

    /// What it has to do, as far as is known: of requests that were given up on nobody told it.
    pub(crate) fn load(&self) -> u32 {
        self.in_flight().saturating_add(self.health.unanswered())
    }

    /// One more request; says how many there are now. `None` if it takes none any more: whoever has retired a worker and then
    /// sees that it has no requests can rely on that.
    pub(crate) fn begin_request(&self) -> Option<u32> {
        let before = self.in_flight.fetch_add(1, SeqCst);
        if self.takes_requests() {
            return Some(before + 1);
        }
        self.end_request();
        None
    }

    /// One fewer.
    pub(crate) fn end_request(&self) {
        self.in_flight.fetch_sub(1, SeqCst);
    }

    pub(crate) fn takes_requests(&self) -> bool {
        self.state.load(SeqCst) == TAKES
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.load(SeqCst) == DEAD
    }

    /// It takes no new requests and has none left.
    pub(crate) fn is_drained(&self) -> bool {
        !self.takes_requests() && self.in_flight() == 0
    }

    /// It takes no new requests from now on.
    pub(crate) fn retire(&self) {
        self.state.compare_exchange(TAKES, RETIRED, SeqCst, SeqCst).ok();
    }

    /// It takes no new requests, and never will.
    pub(crate) fn mark_dead(&self) {
        if self.state.swap(DEAD, SeqCst) == RETIRED {
            self.was_retired.store(true, SeqCst);
        }
    }

    /// It was retired before it died. What it then still had was given all the time that there was: it was ended for not
    /// answering that, and another worker would fare no better.
    pub(crate) fn was_retired(&self) -> bool {
        self.was_retired.load(SeqCst)
    }

    /// It may take requests again; `false` if it is dead.
    pub(crate) fn reinstate(&self) -> bool {
        match self.state.compare_exchange(RETIRED, TAKES, SeqCst, SeqCst) {
            Ok(_) => {
                self.take_drained();
                for kind in [Kind::Request, Kind::Stream, Kind::Tunnel] {
                    self.take_failed(kind);
                }
                self.is_ending.store(false, SeqCst);
                true
            }
            Err(state) => state == TAKES,
        }
    }

    /// Whether this kind of message, by its bit, is to be logged of it for the first time.
    pub(crate) fn logs_first(&self, bit: u8) -> bool {
        self.logged.fetch_or(bit, SeqCst) & bit == 0
    }

    pub(crate) fn is(&self, target: &Target) -> bool {
        self.id == target.worker && self.address == target.address
    }

    /// It is asked to end: streams and tunnels that end from now on end for that, in whatever way.
    pub(crate) fn note_ending(&self) {
        self.is_ending.store(true, SeqCst);
    }

    /// A request of it has ended as it should.
    pub(crate) fn note_finished(&self, kind: impl FnOnce() -> Kind) {
        if self.state.load(SeqCst) != RETIRED {
            return;
        }
        match kind() {
            kind @ (Kind::Stream | Kind::Tunnel) if self.is_ending.load(SeqCst) => self.add_failed(kind),
            _ => _ = self.drained.fetch_add(1, SeqCst),
        }
    }

    /// A request of it has ended by an error of the front door's own; `false` if that says nothing about its leaving, since it
    /// takes requests as before.
    pub(crate) fn note_failed(&self, kind: Kind) -> bool {
        let leaves = !self.takes_requests();
        if leaves {
            self.add_failed(kind);
        }
        leaves
    }

    fn add_failed(&self, kind: Kind) {
        self.failed[kind as usize].fetch_add(1, SeqCst);
    }

    /// Requests that it finished since it was retired or since the last call.
    pub(crate) fn take_drained(&self) -> u64 {
        self.drained.swap(0, SeqCst)
    }

    /// Requests that failed, or streams or tunnels that ended for it, since it was retired or since the last call.
    pub(crate) fn take_failed(&self, kind: Kind) -> u64 {
        self.failed[kind as usize].swap(0, SeqCst)
    }

    /// Its death interrupted so many more requests; says how many before.
    pub(crate) fn add_interrupted(&self, count: u32) -> u32 {
        self.interrupted.fetch_add(count, SeqCst)
    }
}
