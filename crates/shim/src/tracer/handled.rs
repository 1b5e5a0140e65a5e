//! Faults that a process handles over and over, and what is not asked of the kernel about them.
//!
//! To ask whether a signal is handled takes nearly half as long as all else that the debugger does with it, and some programs
//! handle thousands of faults a second: collectors of garbage that protect pages, what makes exceptions of null pointers. So once
//! the main thread of a process has handled the same fault [`OFTEN`] times, the next ones are passed on unasked.
//!
//! Where the handler is gone by then, the process dies of such a signal. But its main thread, as it was told to
//! (`PTRACE_O_TRACEEXIT`), stops once more at its exit, with memory, files and registers as they were when the signal came, and
//! is held there instead. Other threads are asked about each time: at their exit the process's entries in `/proc` may be empty.

use model::Signal;

use crate::sys::ptrace::SignalInfo;

/// How often a fault is asked about. Ours: what is handled now and then is asked about each time.
const OFTEN: u32 = 100;

/// What the main thread of one process did with its latest fault.
#[derive(Debug)]
pub(super) struct HandledFaults {
    signal: Signal,
    /// How often in a row.
    times: u32,
    is_believed: bool,
    /// The latest one that was passed on unasked.
    unasked: Option<SignalInfo>,
}

impl HandledFaults {
    pub(super) fn new(signal: Signal) -> Self {
        Self { signal, times: 0, is_believed: false, unasked: None }
    }

    /// It was asked about this one, and handles it. Has it done so often enough?
    pub(super) fn add(&mut self, signal: Signal) -> bool {
        if self.signal != signal {
            *self = Self::new(signal);
        }
        self.times = self.times.saturating_add(u32::from(is_fault(signal)));
        self.times == OFTEN
    }

    /// The next one is passed on unasked: the exit will be reported.
    pub(super) fn believe(&mut self) {
        self.is_believed = true;
    }

    pub(super) fn are_believed(&self, signal: Signal) -> bool {
        self.is_believed && self.signal == signal
    }

    /// One is passed on unasked.
    pub(super) fn pass(&mut self, info: SignalInfo) {
        self.unasked = Some(info);
    }

    /// What was passed on unasked, where this is the signal that the process dies of.
    pub(super) fn wrongly_passed(&self, died_of: Signal) -> Option<SignalInfo> {
        self.unasked.filter(|_| self.signal == died_of)
    }
}

/// What the processor makes of an instruction; `raise` makes them, too.
fn is_fault(signal: Signal) -> bool {
    matches!(signal.0, libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGV: Signal = Signal(libc::SIGSEGV);
    const FPE: Signal = Signal(libc::SIGFPE);
    const INFO: SignalInfo = SignalInfo { signal: libc::SIGSEGV, code: 1, errno: 0, address: 16 };

    fn added(signal: Signal, times: u32) -> HandledFaults {
        let mut handled = HandledFaults::new(signal);
        assert!((1..=times).all(|time| handled.add(signal) == (time == OFTEN)));
        handled
    }

    #[test]
    fn what_is_handled_often_is_believed_and_another_fault_is_not() {
        let mut handled = added(SEGV, OFTEN);
        assert!(!handled.are_believed(SEGV), "the exit may not be reported");
        handled.believe();
        assert!(handled.are_believed(SEGV) && !handled.are_believed(FPE));
        assert_eq!(handled.wrongly_passed(SEGV), None, "each was asked about");
        handled.pass(INFO);
        assert_eq!((handled.wrongly_passed(SEGV), handled.wrongly_passed(FPE)), (Some(INFO), None));
        assert!(!handled.add(FPE));
        assert!(!handled.are_believed(SEGV) && handled.wrongly_passed(SEGV).is_none());
    }

    #[test]
    fn a_row_counts_and_a_signal_that_is_no_fault_does_not() {
        let mut handled = added(SEGV, OFTEN - 1);
        assert!(!handled.add(FPE) && !handled.add(SEGV));
        added(SEGV, 2 * OFTEN);
        let mut aborts = HandledFaults::new(Signal(libc::SIGABRT));
        assert!((0..2 * OFTEN).all(|_| !aborts.add(Signal(libc::SIGABRT))));
    }
}
