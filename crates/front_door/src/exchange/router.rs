//! One app on one thread, as its requests see it: who takes them, and where they are counted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::affinity::Affinity;
use super::app::App;
use super::idle_order::IdleOrder;
use super::table::{Route, Table};
use crate::accounting::thread_counts::ThreadCounts;
use crate::accounting::worker::Worker;

/// Chooses workers for the requests of one app on one thread.
pub(crate) struct Router {
    pub(crate) app: Arc<App>,
    pub(crate) counts: ThreadCounts,
    pub(crate) idle_order: Rc<IdleOrder>,
    table: RefCell<Cache<Arc<ArcSwap<Table>>, Arc<Table>>>,
    round_robin: Cell<usize>,
}

impl Router {
    pub(crate) fn new(app: Arc<App>, idle_order: Rc<IdleOrder>) -> Self {
        Self {
            counts: ThreadCounts::new(app.settings.node.clone(), app.settings.app.clone(), app.clock.wall()),
            table: RefCell::new(Cache::new(Arc::clone(&app.table))),
            round_robin: Cell::new(0),
            idle_order,
            app,
        }
    }

    /// Looks at the current table.
    pub(crate) fn table<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(self.table.borrow_mut().load())
    }

    /// The worker for the next request (see [`Table::choose`]).
    pub(crate) fn choose(&self, wanted: Option<Affinity>, refused: &[Arc<Worker>]) -> Option<Arc<Route>> {
        let turn = self.round_robin.get();
        self.round_robin.set(turn.wrapping_add(1));
        self.table(|table| table.choose(wanted, turn, refused, || self.app.clock.monotonic()).cloned())
    }
}
