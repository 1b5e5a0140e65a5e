//! Takes a minidump of a worker that is about to die, into memory.
//!
//! The order keeps the standstill short: registers of the dying thread, stop the others, write the dump, let everything run on
//! to its own death; only then hash and hand over.

mod dump;
mod watchdog;

use std::io;

use model::{Clock, Signal, Timestamp};
use sha2::{Digest, Sha256};

pub(crate) use watchdog::Watchdog;

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
        /// Which.
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
    pub(crate) float_registers: [u8; 512],
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

/// Takes the dump of the process whose thread `tid` is held before `signal`, and lets the process die of it in any case.
pub(crate) fn capture(
    tracer: &mut Tracer<'_>,
    pid: Pid,
    tid: Pid,
    signal: Signal,
    clock: &dyn Clock,
    watchdog: &Watchdog,
) -> Result<Dump, CaptureError> {
    let captured_at = clock.wall();
    let started = clock.monotonic();
    let guard = watchdog.guard(pid);
    let thread = crashed_thread(pid, tid, signal);
    let threads = tracer.stop_all();
    let bytes = thread.and_then(|thread| {
        // a third party's code on a hostile process's memory map: its panic must not take the shim along
        let write = std::panic::AssertUnwindSafe(|| dump::write(pid, &thread, &threads, captured_at));
        std::panic::catch_unwind(write).unwrap_or(Err(CaptureError::Panicked))
    });
    tracer.resume_all();
    drop(guard);
    let stopped = clock.monotonic().saturating_sub(started);
    let bytes = if watchdog.has_killed() { Err(CaptureError::TooLong) } else { bytes }?;
    let sha256 = hexadecimal(&Sha256::digest(&bytes));
    let stopped_us = u64::try_from(stopped.as_micros()).unwrap_or(u64::MAX);
    Ok(Dump { bytes, sha256, captured_at, stopped_us })
}

fn crashed_thread(pid: Pid, tid: Pid, signal: Signal) -> Result<CrashedThread, CaptureError> {
    let read = |source| CaptureError::Thread { tid, source };
    let registers = ptrace::registers(tid).map_err(read)?;
    let float_registers = ptrace::float_registers(tid).map_err(read)?;
    let info = ptrace::signal_info(tid).map_err(read)?;
    Ok(match signal_frame::find(pid, &registers, signal) {
        Some(interrupted) => {
            CrashedThread { tid, registers: interrupted.registers, float_registers, info: interrupted.info }
        }
        None => CrashedThread { tid, registers, float_registers, info },
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // writing to a String cannot fail
        let _ = write!(text, "{byte:02x}");
        text
    })
}
