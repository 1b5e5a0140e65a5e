//! The shim's parent: a process that waits for the shim to end, and ends what was left if the shim could not.
//!
//! A shim that is killed cannot tidy up. Its worker ends with it, as it asked the kernel for, but what the worker had started does
//! not: that request is not inherited. The kernel gives such orphans to the nearest ancestor that has asked for them, which is this
//! process. It shares the shim's memory as the shim was at its start and does nothing until then.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

use model::Clock;

use crate::SystemClock;
use crate::orphans::Orphans;
use crate::sys::process::{self, Change, adopt_orphans, next_change};
use crate::sys::{Pid, signals};

/// What the shim waits for, so that nothing escapes its reaper, and nobody takes the reaper for a shim.
pub(crate) fn prepare() {
    if let Err(error) = adopt_orphans() {
        eprintln!("what a worker leaves whose shim is killed will be left: {error}");
    }
    // it would keep the folder's file system busy that the server was started in
    let _elsewhere = std::env::set_current_dir("/");
    process::set_name(b"medic-reaper");
    if let Err(error) = write_over_arguments(b"medic\0reaper") {
        eprintln!("the reaper looks like a second shim in lists of processes: {error}");
    }
}

/// Goes on until the shim has ended and nothing is left of its worker.
pub(crate) fn reaper(shim: Pid) {
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
        for sentence in orphans.end(None, now) {
            eprintln!("{sentence}");
        }
        if orphans.is_done() {
            return;
        }
        signals::wait_for_child(orphans.deadline().saturating_sub(now));
    }
}

/// The kernel shows as the command line what stands where it put the arguments.
fn write_over_arguments(words: &[u8]) -> std::io::Result<()> {
    let stat = std::fs::read("/proc/self/stat")?;
    let (first, end) = crate::proc_status::arguments(&stat).ok_or(std::io::ErrorKind::InvalidData)?;
    let room = usize::try_from(end.saturating_sub(first)).unwrap_or(0);
    let mut line = words.to_vec();
    line.resize(room, 0);
    let mut memory = File::options().write(true).open("/proc/self/mem")?;
    memory.seek(SeekFrom::Start(first))?;
    memory.write_all(&line)
}
