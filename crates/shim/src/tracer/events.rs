//! What the debugger hears, asks and tells.

use std::time::Duration;

use model::{Exit, Signal};

use crate::sys::Pid;
use crate::sys::ptrace::{self, SignalInfo, StopsFor};

/// How a thread is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) signal: i32,
    pub(super) event: i32,
}

impl Stop {
    /// What the thread was about to get.
    pub(super) fn pending_signal(self) -> i32 {
        if self.event == 0 { self.signal } else { 0 }
    }

    pub(super) fn is_group_stop(self) -> bool {
        self.event == ptrace::EVENT_STOP
            && matches!(self.signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
    }

    pub(super) fn is_fork(self) -> bool {
        matches!(self.event, libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK)
    }
}

/// What happened, or what was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A running thread is ours from now on, with what it forks.
    Seized { tid: Pid, pid: Pid },
    /// A thread of ours, or one that was just made, is stopped.
    Stopped { tid: Pid, stop: Stop },
    /// A thread is gone; a process, where it is its last.
    Ended { tid: Pid, exit: Exit },
    /// The process that was just held is to be captured: its threads may take until then to stop.
    Capture { pid: Pid, until: Duration },
    /// The process that was just held dies without a capture.
    PassOn { pid: Pid },
    /// What is wanted of a process that stood still has been copied.
    Copied { pid: Pid },
    /// Time has passed.
    Tick { now: Duration },
    /// Who serves has been looked at anew: one that was taken for a starter of helpers may be a master.
    Reconsider,
    /// Everything is to be let go.
    Leave,
}

/// What is asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Run on and get this signal; 0 is none.
    Resume { tid: Pid, signal: i32 },
    /// Stay in the group stop.
    Listen { tid: Pid },
    /// Stop.
    Interrupt { tid: Pid },
    /// Run on for good, as if there had been no debugger.
    LetGo { tid: Pid, stop: Stop },
    /// What this stopped thread stops for from now on.
    SetStops { tid: Pid, stops: StopsFor },
}

/// The signal that a process is about to die of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FatalSignal {
    /// The thread that gets it.
    pub(crate) tid: Pid,
    pub(crate) signal: Signal,
    pub(crate) info: SignalInfo,
}

/// What the debugger's owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The process, which serves, is held before its death. Answered by a capture or by passing it on.
    Fatal { pid: Pid, fatal: FatalSignal },
    /// The process stands still, all of it but what does not stop: to be copied.
    Still { pid: Pid, fatal: FatalSignal, threads: Vec<Pid> },
    /// The process was sent SIGABRT by its parent, which it handles: how it ends does not tell that any more.
    Aborted { pid: Pid },
    /// A process is gone, followed or not.
    Ended { pid: Pid, exit: Exit },
}

/// What comes of an event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) requests: Vec<Request>,
    pub(super) reports: Vec<Report>,
}
