//! A program that puts itself into the background, as init scripts expect it: its main process ends with 0, and what serves goes on
//! as this shim's child, in a session of its own.
//!
//! ```text
//!  running ──── the main process ends with 0 and leaves children ────► in the background
//!  in the background ──── one of them, or below it, listens on the port ────► running: that child is the main process
//!      └──── none is left, or none has come to it in time ────► ended
//! ```

use std::time::Duration;

use model::{Clock, Exit};

use super::Shim;
use crate::listening::WorkerTree;
use crate::proc_status;
use crate::process_tree::children_of;
use crate::protocol::FromShim;
use crate::sys::process::process_id;
use crate::sys::{Pid, signals};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long what is left may take to get a session of its own: a daemon does so first of all. Anything else was left by accident.
const DETACHED_WITHIN: Duration = Duration::from_millis(500);
/// How long a daemon may take to listen, which most do before they let the main process end. Medic's own limit may be shorter.
const LISTENS_WITHIN: Duration = Duration::from_mins(5);

/// The main process has ended, and nobody has taken its place yet.
pub(super) struct Background {
    exit: Exit,
    began: Duration,
    look_at: Duration,
}

impl Background {
    pub(super) const fn deadline(&self) -> Duration {
        self.look_at
    }
}

impl Shim {
    pub(super) fn main_ended(&mut self, exit: Exit) {
        if !self.goes_into_background(exit) {
            self.worker_ended(exit);
        }
    }

    /// The main process has ended. Does what it has left go on in its place, or may it still?
    fn goes_into_background(&mut self, exit: Exit) -> bool {
        let is_detaching = exit == Exit::Code(0) && !self.asked.to_end && !self.worker.was_in_background;
        let left = if is_detaching { children() } else { Vec::new() };
        // once it takes requests, only what answers them goes on
        if left.is_empty() || (self.worker.warm && self.server_among(&left).is_none()) {
            return false;
        }
        let now = self.clock.monotonic();
        self.background = Some(Background { exit, began: now, look_at: now });
        self.go_on_in_background();
        true
    }

    pub(super) fn go_on_in_background(&mut self) {
        let now = self.clock.monotonic();
        let Some(Background { exit, began, look_at }) = &mut self.background else { return };
        if now < *look_at {
            return;
        }
        *look_at = now + LOOK_EVERY;
        let (exit, waited) = (*exit, now.saturating_sub(*began));
        let left = children();
        let own = proc_status::session_of(process_id());
        let is_daemon = left.iter().any(|child| proc_status::session_of(*child) != own);
        let limit = if is_daemon { LISTENS_WITHIN } else { DETACHED_WITHIN };
        if let Some(server) = self.server_among(&left) {
            self.background = None;
            self.becomes_main(server);
        } else if left.is_empty() || waited >= limit {
            self.background = None;
            self.worker_ended(exit);
        }
    }

    /// Sends what is in the background a signal; `false` where nothing is.
    pub(super) fn signal_background(&mut self, signal: i32) -> bool {
        if self.background.is_none() {
            return false;
        }
        for child in children() {
            // not reaped yet, so that its id is its own
            let _ = signals::send(child, signal);
        }
        true
    }

    /// The child that listens on the worker's port, or that has such a process below it.
    fn server_among(&self, children: &[Pid]) -> Option<Pid> {
        let listens = |child: &&Pid| {
            let tree = WorkerTree::of_worker(child.unsigned_abs(), None);
            matches!(tree.address(self.spec.port), Ok(Some(_)))
        };
        children.iter().find(listens).copied()
    }

    fn becomes_main(&mut self, pid: Pid) {
        self.worker.pid = pid;
        self.worker.was_in_background = true;
        self.serving.set_main(pid);
        if let Some(tracer) = self.tracer.as_mut().filter(|tracer| !tracer.is_leaving()) {
            // it has followed the forks where all that serves is watched
            tracer.follow(&mut self.serving);
            if !tracer.follows(pid) {
                tracer.detach(&mut self.serving);
                let reason = format!("process {pid}, which went into the background, cannot be debugged");
                self.refusal = Some(reason.clone());
                self.send(&FromShim::ArmRefused { reason });
            }
            self.changes_left = true;
        }
        let state = self.state();
        self.send(&state);
    }
}

/// This shim's children that live: the worker's orphans.
fn children() -> Vec<Pid> {
    children_of(process_id()).into_iter().filter(|child| proc_status::is_alive(*child, *child)).collect()
}
