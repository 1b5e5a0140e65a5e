//! The debugger's requests. All are only valid from the thread that seized the tracee.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use model::{Exit, Signal};

use super::wait_status::exit_of_status;
use super::{Pid, check};

/// The event of a group stop, a new thread's first stop and an interrupt. (`libc` has no name for it on this target.)
pub(crate) const EVENT_STOP: i32 = 128;

fn request(request: libc::c_uint, tid: Pid, data: usize) -> io::Result<()> {
    let (none, data) = (ptr::null_mut::<libc::c_void>(), ptr::without_provenance_mut::<libc::c_void>(data));
    // SAFETY: the requests that come here take integers as `data`; the kernel writes nothing into this process.
    check(unsafe { libc::ptrace(request, tid, none, data) }).map(drop)
}

/// Asks for a whole structure. `T` must be what the request fills.
fn read<T>(request: libc::c_uint, tid: Pid) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the kernel writes at most the structure that the request is for, which is `T`: see the callers below.
    check(unsafe { libc::ptrace(request, tid, ptr::null_mut::<libc::c_void>(), value.as_mut_ptr()) })?;
    // SAFETY: the `T`s of the callers are C structures of integers, for which zeroes are a value, and the kernel filled it.
    Ok(unsafe { value.assume_init() })
}

/// What a thread stops for besides signals, threads that it makes, and programs that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopsFor {
    /// Processes that it makes, which are attached to.
    pub(crate) forks: bool,
    /// Its own exit, before it gives anything up.
    pub(crate) exit: bool,
}

impl StopsFor {
    /// As it is attached to.
    pub(crate) const FORKS: Self = Self { forks: true, exit: false };

    fn options(self) -> usize {
        const FORKS: i32 = libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_TRACEVFORK;
        let always = libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_TRACEEXEC;
        let forks = if self.forks { FORKS } else { 0 };
        let exit = if self.exit { libc::PTRACE_O_TRACEEXIT } else { 0 };
        usize::try_from(always | forks | exit).unwrap_or(0)
    }
}

/// Attaches to one thread without stopping it, and to the threads and processes that it makes from now on.
pub(crate) fn seize(tid: Pid) -> io::Result<()> {
    request(libc::PTRACE_SEIZE, tid, StopsFor::FORKS.options())
}

/// What a stopped thread, and what it makes, stops for from now on.
pub(crate) fn set_stops(tid: Pid, stops: StopsFor) -> io::Result<()> {
    request(libc::PTRACE_SETOPTIONS, tid, stops.options())
}

/// Of a thread that is stopped at its exit: what its process dies of, where that is a signal.
pub(crate) fn exit_signal(tid: Pid) -> Option<Signal> {
    // a wait status, and the kernel writes a whole word
    let status: libc::c_ulong = read(libc::PTRACE_GETEVENTMSG, tid).ok()?;
    match exit_of_status(i32::try_from(status).ok()?)? {
        Exit::Signal(signal) => Some(signal),
        Exit::Code(_) => None,
    }
}

/// Lets a stopped thread run on and delivers `signal` to it; 0 delivers none.
pub(crate) fn resume(tid: Pid, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_CONT, tid, usize::try_from(signal).unwrap_or(0))
}

/// Leaves a thread in its group stop, so that SIGCONT wakes it as if nobody traced it.
pub(crate) fn listen(tid: Pid) -> io::Result<()> {
    request(libc::PTRACE_LISTEN, tid, 0)
}

/// Asks a running thread to stop; its stop is reported by wait.
pub(crate) fn interrupt(tid: Pid) -> io::Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, 0)
}

/// Lets a stopped thread go for good and delivers `signal` to it; 0 delivers none.
pub(crate) fn detach(tid: Pid, signal: i32) -> io::Result<()> {
    request(libc::PTRACE_DETACH, tid, usize::try_from(signal).unwrap_or(0))
}

/// The general registers of a stopped thread.
pub(crate) fn registers(tid: Pid) -> io::Result<libc::user_regs_struct> {
    read(libc::PTRACE_GETREGS, tid)
}

/// The floating point registers of a stopped thread, in the layout of FXSAVE.
pub(crate) fn float_registers(tid: Pid) -> io::Result<libc::user_fpregs_struct> {
    read(libc::PTRACE_GETFPREGS, tid)
}

/// What is known of the signal that a thread was stopped for.
pub(crate) fn signal_info(tid: Pid) -> io::Result<SignalInfo> {
    let info: libc::siginfo_t = read(libc::PTRACE_GETSIGINFO, tid)?;
    Ok(SignalInfo::from_kernel(&info))
}

/// The parts of a `siginfo_t` that a dump keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignalInfo {
    /// The signal.
    pub(crate) signal: i32,
    /// Why it was sent.
    pub(crate) code: i32,
    /// `si_errno`; the kernel leaves it 0.
    pub(crate) errno: i32,
    /// The faulting address. Means something for kernel-made faults alone.
    pub(crate) address: u64,
}

impl SignalInfo {
    fn from_kernel(info: &libc::siginfo_t) -> Self {
        // SAFETY: every signal's `siginfo_t` is zeroed or filled by the kernel over its whole size, so the union's address
        // member is always an initialised integer.
        let address = unsafe { info.si_addr() }.addr() as u64;
        Self { signal: info.si_signo, code: info.si_code, errno: info.si_errno, address }
    }

    /// Who sent it, where a process did.
    pub(crate) fn sender(&self) -> Option<Pid> {
        // SI_USER, SI_QUEUE and SI_TKILL: `si_pid` lies where the address of a fault would
        let is_sent = matches!(self.code, 0 | -1 | -6);
        is_sent.then_some(self.address & u64::from(u32::MAX)).and_then(|pid| Pid::try_from(pid).ok())
    }

    /// From the bytes that the kernel put on a stack (x86-64: number, errno, code, padding, address).
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(i32::from_le_bytes);
        let address = u64::from_le_bytes(bytes.get(16..24)?.try_into().ok()?);
        Some(Self { signal: word(0)?, errno: word(4)?, code: word(8)?, address })
    }
}
