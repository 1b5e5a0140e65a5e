//! Asking a worker to end.
//!
//! A launcher (`npm start`, `sh -c`) does not pass SIGTERM on: it would end, and what serves behind it would be killed in the
//! middle of its requests. So those are asked first that serve while none above them does; when they have ended, the main
//! process is, where it has not ended for that already. A server that starts its own children ends them itself.

use std::os::fd::{AsFd, BorrowedFd};

use super::Shim;
use crate::sys::held_process::HeldProcess;
use crate::sys::signals;

/// The serving processes that were asked to end and have not yet.
pub(super) struct Ending(Vec<HeldProcess>);

impl Ending {
    /// They become readable as the processes end.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(AsFd::as_fd)
    }
}

impl Shim {
    pub(super) fn signal_worker(&mut self, signal: i32) {
        if self.post_mortem.is_some() {
            return;
        }
        self.asked.note(signal);
        if self.signal_background(signal) {
            return;
        }
        if signal == libc::SIGTERM {
            self.ask_to_end();
        } else {
            // the worker is not reaped yet, so its id is its own
            let _ = signals::send(self.worker.pid, signal);
        }
    }

    fn ask_to_end(&mut self) {
        let serving = self.serving.topmost().into_iter();
        let behind = serving.filter(|(pid, _)| *pid != self.worker.pid).map(|(_, process)| process);
        let asked = behind.filter(|process| process.signal(libc::SIGTERM).is_ok()).collect();
        self.ending = Some(Ending(asked));
        self.go_on_ending();
    }

    /// Asks the main process when those that serve behind it have ended.
    pub(super) fn go_on_ending(&mut self) {
        let Some(Ending(left)) = &mut self.ending else { return };
        left.retain(|process| !process.has_ended());
        if left.is_empty() {
            self.ending = None;
            if self.post_mortem.is_none() {
                let _ = signals::send(self.worker.pid, libc::SIGTERM);
            }
        }
    }
}
