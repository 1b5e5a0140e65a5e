//! Takes minidumps of processes that are about to die, into memory.
//!
//! The order keeps the standstill short, and holds nobody but the one that dies: the debugger's thread reads the registers of the
//! threads, since the kernel tells them to no other; a thread of the capture's own reads the memory that the dump needs; then
//! the process runs on to its death, and only then the dump is written, hashed and handed over.
//!
//! Reading a process's memory can wait on what backs it: a user-space page-fault handler in the process itself, a network file
//! system. So after [`LIMIT`] the process is killed, which also ends the waits that it backs itself, and the capture has failed
//! whatever its thread still does.

mod dump;
mod mapped_files;
mod modules;
mod snapshot;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crash::PythonCalls;
use model::{Clock, Signal, Timestamp};
use sha2::{Digest, Sha256};

pub(crate) use self::modules::build_id_of_file;
use self::snapshot::{Snapshot, ThreadRegisters};
use crate::memory_map::{self, MemoryMap};
use crate::python::{self, Reader};
use crate::signal_frame;
use crate::sys::ptrace::{self, SignalInfo};
use crate::sys::{Pid, signals};
use crate::tracer::FatalSignal;

/// How long a capture may take. It takes milliseconds.
const LIMIT: Duration = Duration::from_secs(5);

/// How many processes are captured at the same time: each may hold a dump of some ten MiB. The next one dies without.
const AT_ONCE: usize = 4;

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
        LIMIT.as_secs()
    )]
    TooLong,
    /// The writer panicked.
    #[error("the dump's writer failed on this process's memory map")]
    Panicked,
    /// Others are just being captured.
    #[error("{AT_ONCE} other processes of this worker were being captured at that moment")]
    TooMany,
    /// No thread could be made.
    #[error("no thread could be made for the capture: {0}; look at the limit of processes")]
    NoThread(#[source] io::Error),
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
    /// How long the process stood still.
    pub(crate) stopped_us: u64,
}

/// What was taken of a process that is about to die.
pub(crate) struct Capture {
    pub(crate) dump: Result<Dump, CaptureError>,
    /// The text of its memory map; empty where it could not be read.
    pub(crate) maps: Vec<u8>,
    /// What the Python program was doing, where it was one.
    pub(crate) python_calls: Option<PythonCalls>,
}

impl Capture {
    fn failed(error: CaptureError) -> Self {
        Self { dump: Err(error), maps: Vec::new(), python_calls: None }
    }
}

/// A process that stands still before its fatal signal.
pub(crate) struct Standstill {
    pub(crate) pid: Pid,
    pub(crate) fatal: FatalSignal,
    /// All threads that are stopped.
    pub(crate) threads: Vec<Pid>,
    /// When the signal was held, by the monotonic clock.
    pub(crate) held: Duration,
}

/// How far a capture is.
pub(crate) enum Progress {
    /// The process may run on to its death.
    Copied(Pid),
    /// All that comes of it.
    Done(Pid, Capture),
}

struct UnderWay {
    number: u64,
    /// When it must have copied.
    until: Option<Duration>,
    /// The process has been waited for: its number may come to mean another.
    is_gone: Arc<AtomicBool>,
}

/// The captures that are under way.
pub(crate) struct Captures {
    clock: &'static dyn Clock,
    analyser: Arc<[String]>,
    under_way: BTreeMap<Pid, UnderWay>,
    numbers: u64,
    sender: Sender<(u64, Progress)>,
    receiver: Receiver<(u64, Progress)>,
    /// A byte comes for each message, for a loop that waits for descriptors.
    news: UnixStream,
    tell: UnixStream,
}

impl Captures {
    /// None yet. `analyser` is the command of what reads hostile memory.
    pub(crate) fn new(analyser: &[String], clock: &'static dyn Clock) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let (news, tell) = UnixStream::pair()?;
        news.set_nonblocking(true)?;
        let analyser = analyser.into();
        Ok(Self { clock, analyser, under_way: BTreeMap::new(), numbers: 0, sender, receiver, news, tell })
    }

    /// Readable when [`Captures::progress`] has something.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }

    /// Is something still to come of this process?
    pub(crate) fn are_under_way_of(&self, pid: Pid) -> bool {
        self.under_way.contains_key(&pid)
    }

    /// When a process has stood still for too long.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.under_way.values().filter_map(|way| way.until).min()
    }

    /// Begins to copy a process. To be called by the debugger's thread.
    pub(crate) fn begin(&mut self, standstill: &Standstill) {
        self.numbers += 1;
        let (number, pid) = (self.numbers, standstill.pid);
        let until = Some(self.clock.monotonic() + LIMIT);
        let is_gone = Arc::new(AtomicBool::new(false));
        self.under_way.insert(pid, UnderWay { number, until, is_gone: Arc::clone(&is_gone) });
        let started = if self.under_way.len() > AT_ONCE {
            Err(CaptureError::TooMany)
        } else {
            Job::new(standstill, self, is_gone).and_then(|job| self.start(number, job))
        };
        if let Err(error) = started {
            let _received_below = self.sender.send((number, Progress::Copied(pid)));
            let _received_below = self.sender.send((number, Progress::Done(pid, Capture::failed(error))));
            let _full_is_read = (&self.tell).write(&[0]);
        }
    }

    fn start(&self, number: u64, job: Job) -> Result<(), CaptureError> {
        let (sender, tell) = (self.sender.clone(), self.tell.try_clone());
        let mut tell = tell.map_err(CaptureError::NoThread)?;
        let mut send = move |progress| {
            // whoever has given the capture up does not listen any more
            let _ = sender.send((number, progress));
            let _ = tell.write(&[0]);
        };
        let thread = std::thread::Builder::new().name("capture".to_owned());
        thread.spawn(move || job.run(&mut send)).map(drop).map_err(CaptureError::NoThread)
    }

    /// What has come since the last time.
    pub(crate) fn progress(&mut self) -> Vec<Progress> {
        while matches!(self.news.read(&mut [0; 64]), Ok(1..)) {}
        let mut news = Vec::new();
        while let Ok((number, progress)) = self.receiver.try_recv() {
            let (Progress::Copied(pid) | Progress::Done(pid, _)) = &progress;
            let Some(way) = self.under_way.get_mut(pid).filter(|way| way.number == number) else { continue };
            way.until = None;
            if matches!(progress, Progress::Done(..)) {
                self.under_way.remove(pid);
            }
            news.push(progress);
        }
        news
    }

    /// Kills what has stood still for too long.
    pub(crate) fn check_time(&mut self, now: Duration) -> Vec<Progress> {
        let is_late = |way: &UnderWay| way.until.is_some_and(|until| until <= now);
        let late: Vec<Pid> =
            self.under_way.iter().filter(|(_, way)| is_late(way)).map(|(pid, _)| *pid).collect();
        late.into_iter()
            .flat_map(|pid| {
                self.under_way.remove(&pid);
                // not waited for yet: see `ended`. One that is held at its exit gets no signal any more, and runs on to its end.
                let _ = signals::send(pid, libc::SIGKILL);
                [Progress::Copied(pid), Progress::Done(pid, Capture::failed(CaptureError::TooLong))]
            })
            .collect()
    }

    /// The process has been waited for.
    pub(crate) fn ended(&mut self, pid: Pid) {
        if let Some(way) = self.under_way.get_mut(&pid) {
            way.until = None;
            way.is_gone.store(true, Ordering::SeqCst);
        }
    }
}

/// One capture, in a thread of its own.
struct Job {
    clock: &'static dyn Clock,
    analyser: Arc<[String]>,
    pid: Pid,
    signal: Signal,
    held: Duration,
    captured_at: Timestamp,
    crashed: CrashedThread,
    others: Vec<ThreadRegisters>,
    is_gone: Arc<AtomicBool>,
}

impl Job {
    fn new(
        standstill: &Standstill,
        captures: &Captures,
        is_gone: Arc<AtomicBool>,
    ) -> Result<Self, CaptureError> {
        let Standstill { pid, fatal: FatalSignal { tid, signal, info }, ref threads, held } = *standstill;
        let read = |source| CaptureError::Thread { tid, source };
        let crashed = CrashedThread {
            tid,
            registers: ptrace::registers(tid).map_err(read)?,
            float_registers: ptrace::float_registers(tid).map_err(read)?,
            info,
        };
        let others = threads.iter().filter(|thread| **thread != tid);
        let others = others.filter_map(|tid| ThreadRegisters::of(*tid)).collect();
        let (clock, analyser) = (captures.clock, Arc::clone(&captures.analyser));
        Ok(Self { clock, analyser, pid, signal, held, captured_at: clock.wall(), crashed, others, is_gone })
    }

    fn run(self, send: &mut dyn FnMut(Progress)) {
        let maps = memory_map::read(self.pid).unwrap_or_default();
        // beside the copy
        let reader = python::is_in(&maps).then(|| {
            let thread = (self.pid, self.crashed.tid);
            Reader::start(&self.analyser, thread, self.crashed.registers.fs_base, self.clock)
        });
        // a third party's code on a hostile process's memory: its panic must not take the shim along
        let taken = unpanicked(|| {
            let map = MemoryMap::parse(&maps);
            let crashed = interrupted(self.pid, &map, self.crashed, self.signal);
            let snapshot = Snapshot::take(self.pid, &map, &crashed, &self.others)?;
            if self.is_gone.load(Ordering::SeqCst) {
                // killed from outside: what was read may be another's
                let source = io::Error::from_raw_os_error(libc::ESRCH);
                return Err(CaptureError::Thread { tid: crashed.tid, source });
            }
            Ok((crashed, snapshot))
        });
        let python_calls = reader.map(|reader| reader.and_then(|reader| reader.finish(self.clock)));
        send(Progress::Copied(self.pid));
        let stood_still = self.clock.monotonic().saturating_sub(self.held);
        let bytes = taken.and_then(|(thread, snapshot)| {
            unpanicked(|| dump::write(&thread, &snapshot, &maps, self.captured_at))
        });
        let dump = bytes.map(|bytes| Dump {
            sha256: hex::encode(Sha256::digest(&bytes)),
            bytes,
            captured_at: self.captured_at,
            stopped_us: u64::try_from(stood_still.as_micros()).unwrap_or(u64::MAX),
        });
        send(Progress::Done(self.pid, Capture { dump, maps, python_calls }));
    }
}

fn unpanicked<T>(work: impl FnOnce() -> Result<T, CaptureError>) -> Result<T, CaptureError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(Err(CaptureError::Panicked))
}

/// The thread where it crashed, not in the handler that dealt with that.
fn interrupted(pid: Pid, map: &MemoryMap, thread: CrashedThread, signal: Signal) -> CrashedThread {
    match signal_frame::find(pid, map, &thread.registers, signal) {
        Some(interrupted) => {
            CrashedThread { registers: interrupted.registers, info: interrupted.info, ..thread }
        }
        None => thread,
    }
}
