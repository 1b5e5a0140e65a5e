//! Takes a minidump of a worker that is about to die, into memory.
//!
//! The order keeps the standstill short: registers of the dying thread, stop the others, read what the dump needs, let everything
//! run on to its own death; only then write the dump, hash it and hand it over.

mod dump;
mod modules;
mod snapshot;
mod watchdog;

use std::io;
use std::time::Duration;

use model::{Clock, Signal, Timestamp};
use sha2::{Digest, Sha256};

pub(crate) use watchdog::Watchdog;

use self::snapshot::Snapshot;
use crate::memory_map::{self, MemoryMap};
use crate::signal_frame;
use crate::sys::Pid;
use crate::sys::ptrace::{self, SignalInfo};
use crate::tracer::Tracer;

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    /// The dying thread could not be read: it was killed meanwhile.
    #[error(
        "the crashing thread {tid} could not be read: {source}; it was killed in the middle of the capture"
    )]
    Thread {
        tid: Pid,
        /// The kernel's word.
        source: io::Error,
    },
    /// A part of the dump could not be written.
    #[error("the dump's {part} could not be written: {reason}")]
    Write {
        /// Which part.
        part: &'static str,
        /// What was said.
        reason: String,
    },
    /// It took too long.
    #[error(
        "the process's memory could not be read within {} s, so it was killed; part of it is served by another program or \
         over a network",
        watchdog::CAPTURE_LIMIT.as_secs()
    )]
    TooLong,
    /// The writer panicked.
    #[error("the dump's writer failed on this process's memory map")]
    Panicked,
}

/// The thread that crashed, where it crashed.
#[derive(Clone)]
pub(crate) struct CrashedThread {
    pub(crate) tid: Pid,
    pub(crate) registers: libc::user_regs_struct,
    pub(crate) float_registers: libc::user_fpregs_struct,
    pub(crate) info: SignalInfo,
}

/// A dump and what the audit says of it.
pub(crate) struct Dump {
    /// The minidump.
    pub(crate) bytes: Vec<u8>,
    /// Its SHA-256 in hexadecimal digits.
    pub(crate) sha256: String,
    /// When it was taken.
    pub(crate) captured_at: Timestamp,
    /// How long the worker stood still.
    pub(crate) stopped_us: u64,
}

/// What was taken of a worker that is about to die.
pub(crate) struct Capture {
    pub(crate) dump: Result<Dump, CaptureError>,
    /// The text of its memory map; empty where it could not be read.
    pub(crate) maps: Vec<u8>,
}

/// Takes the dump of the process whose thread `tid` is held before `signal`, and lets the process die of it in any case. `held`
/// is when it was.
pub(crate) fn capture(
    tracer: &mut Tracer<'_>,
    pid: Pid,
    tid: Pid,
    signal: Signal,
    (clock, held): (&dyn Clock, Duration),
    watchdog: &Watchdog,
) -> Capture {
    let captured_at = clock.wall();
    let watch = watchdog.watch(pid);
    let stopped = tracer.stop_all();
    let maps = memory_map::read(pid).unwrap_or_default();
    // a third party's code on a hostile process's memory: its panic must not take the shim along
    let taken = unpanicked(|| {
        let map = MemoryMap::parse(&maps);
        let thread = crashed_thread(pid, &map, tid, signal)?;
        let snapshot = Snapshot::take(pid, &map, &thread, &stopped)?;
        Ok((thread, snapshot))
    });
    tracer.resume_all();
    drop(watch);
    let stood_still = clock.monotonic().saturating_sub(held);
    let taken = if watchdog.has_killed() { Err(CaptureError::TooLong) } else { taken };
    let bytes = taken
        .and_then(|(thread, snapshot)| unpanicked(|| dump::write(&thread, &snapshot, &maps, captured_at)));
    let dump = bytes.map(|bytes| Dump {
        sha256: hex::encode(Sha256::digest(&bytes)),
        bytes,
        captured_at,
        stopped_us: u64::try_from(stood_still.as_micros()).unwrap_or(u64::MAX),
    });
    Capture { dump, maps }
}

fn unpanicked<T>(work: impl FnOnce() -> Result<T, CaptureError>) -> Result<T, CaptureError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(Err(CaptureError::Panicked))
}

fn crashed_thread(
    pid: Pid,
    map: &MemoryMap,
    tid: Pid,
    signal: Signal,
) -> Result<CrashedThread, CaptureError> {
    let read = |source| CaptureError::Thread { tid, source };
    let registers = ptrace::registers(tid).map_err(read)?;
    let float_registers = ptrace::float_registers(tid).map_err(read)?;
    let info = ptrace::signal_info(tid).map_err(read)?;
    Ok(match signal_frame::find(pid, map, &registers, signal) {
        Some(interrupted) => {
            CrashedThread { tid, registers: interrupted.registers, float_registers, info: interrupted.info }
        }
        None => CrashedThread { tid, registers, float_registers, info },
    })
}
