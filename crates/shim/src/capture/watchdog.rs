//! Keeps a capture from taking for ever.
//!
//! Reading a process's memory can wait on what backs it: a user-space page-fault handler in the worker itself, a network file
//! system. While the shim waits, the worker is neither dead nor reaped. So after a limit the worker is killed, which also ends
//! the waits that it backs itself. The one other thread of a shim; it touches nothing of the loop's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::sys::{Pid, signals};

/// How long a capture may take. It takes milliseconds.
pub(super) const CAPTURE_LIMIT: Duration = Duration::from_secs(5);

/// The thread that waits.
pub(crate) struct Watchdog {
    /// `Some` begins a watch, `None` ends it. Without a thread nothing listens.
    orders: Sender<Option<Pid>>,
    has_killed: Arc<AtomicBool>,
}

impl Watchdog {
    /// Starts the thread. Where it cannot be started, captures are not limited.
    pub(crate) fn start() -> Self {
        let (orders, receiver) = channel();
        let has_killed = Arc::new(AtomicBool::new(false));
        let says_so = Arc::clone(&has_killed);
        let thread =
            std::thread::Builder::new().name("watchdog".to_owned()).stack_size(64 << 10).spawn(move || {
                watch(&receiver, &says_so);
            });
        drop(thread);
        Self { orders, has_killed }
    }

    /// Kills the process if the watch is not dropped in time. The caller does not reap the process meanwhile, so its id cannot
    /// become another's.
    pub(crate) fn watch(&self, pid: Pid) -> Watch<'_> {
        let _ = self.orders.send(Some(pid));
        Watch { orders: &self.orders }
    }

    /// Did it kill the process? What was read of it then is not its state at the crash.
    pub(super) fn has_killed(&self) -> bool {
        self.has_killed.load(Ordering::SeqCst)
    }
}

/// A watch that goes on until this is dropped.
pub(crate) struct Watch<'w> {
    orders: &'w Sender<Option<Pid>>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = self.orders.send(None);
    }
}

fn watch(orders: &Receiver<Option<Pid>>, has_killed: &AtomicBool) {
    while let Ok(order) = orders.recv() {
        let Some(pid) = order else { continue };
        if matches!(orders.recv_timeout(CAPTURE_LIMIT), Err(RecvTimeoutError::Timeout)) {
            has_killed.store(true, Ordering::SeqCst);
            let _ = signals::send(pid, libc::SIGKILL);
        }
    }
}
