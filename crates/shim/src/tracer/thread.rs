//! One thread that is ours: what it stops for, and when its stop is its process's death.

use model::Signal;

use super::events::{FatalSignal, Stop};
use super::facts::Facts;
use super::handled::HandledFaults;
use crate::sys::Pid;
use crate::sys::ptrace::{SignalInfo, StopsFor};

/// One thread.
pub(super) struct Thread {
    pub(super) process: Pid,
    /// `None` while it runs, as far as is known.
    pub(super) stop: Option<Stop>,
    pub(super) forks: Forks,
    reports_exit: bool,
    /// As the kernel was told; `None` where that is to be done anew.
    stops: Option<StopsFor>,
    /// Of a main thread alone.
    handled: Option<HandledFaults>,
}

/// What is done about processes that a thread makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forks {
    Followed,
    /// They are helpers, and the thread does not stop for them.
    Unseen,
    /// To be followed again from the thread's next stop on.
    ToFollow,
}

impl Thread {
    /// One that was just attached to, and runs.
    pub(super) fn new(process: Pid) -> Self {
        let stops = Some(StopsFor::FORKS);
        Self { process, stop: None, forks: Forks::Followed, reports_exit: false, stops, handled: None }
    }

    /// It runs another program from now on.
    pub(super) fn runs_anew(&mut self) {
        self.handled = None;
        self.reports_exit = false;
        // the one that ran it may have been another thread, which has this one's number now
        self.stops = None;
    }

    /// One that starts helpers is not stopped for the next one.
    pub(super) fn choose_forks(&mut self, stop: Stop, facts: &mut dyn Facts) {
        match self.forks {
            Forks::Followed if stop.is_fork() && facts.starts_helpers(self.process) => {
                self.forks = Forks::Unseen;
            }
            Forks::ToFollow => self.forks = Forks::Followed,
            _ => {}
        }
    }

    /// What it is to stop for, where the kernel does not know yet.
    pub(super) fn changed_stops(&mut self) -> Option<StopsFor> {
        let stops = StopsFor { forks: self.forks == Forks::Followed, exit: self.reports_exit };
        (self.stops.replace(stops) != Some(stops)).then_some(stops)
    }

    /// The signal that its process, which serves, dies of when it runs on.
    pub(super) fn fatal(&mut self, tid: Pid, stop: Stop, facts: &mut dyn Facts) -> Option<FatalSignal> {
        let signal = Signal(stop.signal);
        let (signal, info) = match stop.event {
            0 if signal.dumps_core() => (signal, self.fatal_before_delivery(tid, signal, facts)?),
            libc::PTRACE_EVENT_EXIT => {
                let signal = facts.exit_signal(tid)?;
                (signal, self.handled.as_ref()?.wrongly_passed(signal)?)
            }
            _ => return None,
        };
        facts.serves(self.process).then_some(FatalSignal { tid, signal, info })
    }

    /// A core signal about to be delivered that the process neither handles nor ignores is its death. The kernel resets a blocked or
    /// ignored synchronous fault to its default action before the delivery stop, so asking for the disposition there is enough.
    fn fatal_before_delivery(
        &mut self,
        tid: Pid,
        signal: Signal,
        facts: &mut dyn Facts,
    ) -> Option<SignalInfo> {
        if let Some(handled) = self.handled.as_mut().filter(|handled| handled.are_believed(signal)) {
            handled.pass(facts.signal_info(tid)?);
            return None;
        }
        if facts.has_default_action(self.process, signal) {
            return facts.signal_info(tid);
        }
        if tid == self.process {
            let handled = self.handled.get_or_insert_with(|| HandledFaults::new(signal));
            // a core would be written before the exit is reported
            if handled.add(signal) && !facts.may_leave_core(tid) {
                handled.believe();
                self.reports_exit = true;
            }
        }
        None
    }
}
