//! Which client of a thread has been idle the longest.
//!
//! That is asked only when there are too many, so nothing is kept in order for it: each client notes the turn in which it
//! became idle, and who is to go is looked up for many at once. Whoever becomes idle later is younger than all on the list, so
//! the list stays right until it is used up.

use std::cmp::Reverse;
use std::rc::{Rc, Weak};

use crate::thread::Thread;

/// Idle clients of a thread, the longest idle last.
#[derive(Default)]
pub(crate) struct IdleClients {
    listed: Vec<IdleClient>,
    /// The turn in which nobody was found idle: nobody is before the next.
    none_at: Option<u64>,
}

struct IdleClient {
    since: u64,
    app: Weak<Thread>,
    guest: usize,
}

impl IdleClients {
    /// Closes the client of `apps` that has been idle the longest. `turn` is the latest in which one became idle.
    pub(crate) fn close_one<'a>(
        &mut self,
        turn: u64,
        apps: impl Iterator<Item = &'a Rc<Thread>> + Clone,
    ) -> bool {
        if self.close_listed() {
            return true;
        }
        if self.none_at == Some(turn) {
            return false;
        }
        for app in apps {
            let of_app = |(guest, since)| IdleClient { since, app: Rc::downgrade(app), guest };
            self.listed.extend(app.idle_guests().map(of_app));
        }
        self.listed.sort_unstable_by_key(|idle| Reverse(idle.since));
        let closed = self.close_listed();
        self.none_at = (!closed).then_some(turn);
        closed
    }

    /// For how many seconds the longest idle of those that are listed has been idle.
    pub(crate) fn longest_s(&self) -> Option<u32> {
        self.listed.iter().rev().find_map(|idle| idle.app.upgrade()?.idle_s(idle.guest, idle.since))
    }

    /// Closes the first that is still idle.
    fn close_listed(&mut self) -> bool {
        while let Some(IdleClient { since, app, guest }) = self.listed.pop() {
            if app.upgrade().is_some_and(|app| app.close_idle(guest, since)) {
                return true;
            }
        }
        false
    }
}
