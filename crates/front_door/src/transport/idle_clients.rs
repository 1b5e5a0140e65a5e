//! Which client of a thread has been idle the longest.
//!
//! That is asked only when there are too many, so nothing is kept in order for it: each client notes when it became idle, by a
//! number that grows ([`IdleOrder`](crate::exchange::idle_order::IdleOrder)), and who is to go is looked up for many at once.
//! Whoever becomes idle later is younger than all on the list, so the list stays right until it is used up.

use std::cmp::Reverse;
use std::rc::{Rc, Weak};

use super::app_connections::AppConnections;

/// Idle clients of a thread, the longest idle last.
#[derive(Default)]
pub(crate) struct IdleClients {
    listed: Vec<IdleClient>,
    /// The latest number at which nobody was found idle: nobody is before the next.
    none_at: Option<u64>,
}

struct IdleClient {
    since: u64,
    app: Weak<AppConnections>,
    number: usize,
}

impl IdleClients {
    /// Closes the client of `apps` that has been idle the longest. `latest` is the number of the one that became idle last.
    pub(crate) fn close_one<'a>(
        &mut self,
        latest: u64,
        apps: impl Iterator<Item = &'a Rc<AppConnections>>,
    ) -> bool {
        if self.close_listed() {
            return true;
        }
        if self.none_at == Some(latest) {
            return false;
        }
        for app in apps {
            let of_app = |(number, since)| IdleClient { since, app: Rc::downgrade(app), number };
            self.listed.extend(app.idle_clients().into_iter().map(of_app));
        }
        self.listed.sort_unstable_by_key(|idle| Reverse(idle.since));
        let closed = self.close_listed();
        self.none_at = (!closed).then_some(latest);
        closed
    }

    /// For how many seconds the longest idle of those that are listed has been idle.
    pub(crate) fn longest_s(&self) -> Option<u32> {
        self.listed.iter().rev().find_map(|idle| idle.app.upgrade()?.idle_s(idle.number, idle.since))
    }

    /// Closes the first that is still idle.
    fn close_listed(&mut self) -> bool {
        while let Some(IdleClient { since, app, number }) = self.listed.pop() {
            if app.upgrade().is_some_and(|app| app.close_idle(number, since)) {
                return true;
            }
        }
        false
    }
}
