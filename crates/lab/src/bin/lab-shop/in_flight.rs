//! How many requests are being answered. One is counted until its answer is about to be sent: whoever has the answer finds it
//! counted no more.

use std::sync::atomic::{AtomicUsize, Ordering};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Counts one request for as long as it lives.
pub(crate) struct InFlight(());

impl InFlight {
    pub(crate) fn enter() -> Self {
        COUNT.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) fn count() -> usize {
    COUNT.load(Ordering::SeqCst)
}
