//! The shim's parent: a process that waits for the shim to end, and ends what was left if the shim could not.
//!
//! A shim that is killed cannot tidy up. Its worker ends with it, as it asked the kernel for, but what the worker had started does
//! not: that request is not inherited. The kernel gives such orphans to the nearest ancestor that has asked for them, which is this
//! process. It shares the shim's memory as the shim was at its start and does nothing until then.

use std::time::Duration;

use model::Clock;

use crate::SystemClock;
use crate::orphans::Orphans;
use crate::sys::process::{self, Change, adopt_orphans, next_change};
use crate::sys::{Pid, signals};
use crate::title;

/// What must be so before the shim exists: nothing escapes its reaper.
pub(crate) fn prepare() {
    if let Err(error) = adopt_orphans() {
        eprintln!("what a worker leaves whose shim is killed will be left: {error}");
    }
}

/// Goes on until the shim has ended and nothing is left of its worker.
pub(crate) fn reaper(shim: Pid) {
    // nobody is to take it for a shim
    process::set_name(b"medic-reaper");
    if let Err(error) = title::set(&["medic", "reaper"]) {
        eprintln!("the reaper is not named in lists of processes: {error}");
    }
    // what asks a shim to end, it passes on to its worker; this one has to outlive both
    signals::block(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT]);
    let clock = SystemClock;
    let mut orphans = None;
    loop {
        while let Some((pid, change)) = next_change() {
            if pid == shim && matches!(change, Change::Ended(_)) {
                orphans = Some(Orphans::new(clock.monotonic()));
            }
        }
        let Some(orphans) = &mut orphans else {
            signals::wait_for_child(Duration::MAX);
            continue;
        };
        let now = clock.monotonic();
        for left in orphans.end(&[], now) {
            eprintln!("{left}");
        }
        if orphans.is_done() {
            return;
        }
        signals::wait_for_child(orphans.deadline().saturating_sub(now));
    }
}
