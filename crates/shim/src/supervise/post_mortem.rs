//! What follows the end of the main process: was it a crash, and what was it.

use std::time::Duration;

use model::ending::classify;
use model::start::StartFault;
use model::{Clock, CrashCause, Ending, Exit, Signal};

use super::Shim;
use super::case::{Case, Found, Means, Victim};
use super::children::Children;
use crate::analyser::Analyser;
use crate::cgroup::{OomCounter, OwnGroup};
use crate::orphans::Orphans;
use crate::protocol::{FromShim, WorkerSpec};
use crate::sys::Pid;
use crate::sys::signals;

/// How soon a process ends because another has. Ours: npm takes a second on a busy machine.
const PASSED_ON_WITHIN: Duration = Duration::from_secs(10);

/// The analysis of an ended worker begins so much later: until then the processors are the replacement's, for which requests wait.
/// Ours: a small program listens within 5 ms.
const REPLACEMENT_FIRST: Duration = Duration::from_millis(20);

/// A worker that has ended.
pub(super) struct PostMortem {
    /// What was said at the fatal signal, where it was caught.
    crashing: Option<FromShim>,
    ended: FromShim,
    /// `None` where the end is no crash, and once it is analysed.
    pub(super) case: Option<Case>,
    /// When its analysis may begin, by the monotonic clock.
    analyse_from: Duration,
    analysed: Option<FromShim>,
}

impl PostMortem {
    /// Is everything known that ever will be?
    pub(super) fn is_settled(&self) -> bool {
        self.case.is_none()
    }

    /// When its analysis may begin, until it has.
    fn analysis_due(&self) -> Option<Duration> {
        self.case.as_ref().filter(|case| case.analyser().is_none()).map(|_| self.analyse_from)
    }

    /// What every new client is told.
    pub(super) fn messages(&self) -> impl Iterator<Item = &FromShim> {
        [self.crashing.as_ref(), Some(&self.ended), self.analysed.as_ref()].into_iter().flatten()
    }
}

impl Shim {
    pub(super) fn worker_ended(&mut self, exit: Exit) {
        // a launcher ends because of these
        self.take_deaths();
        let at = self.clock.wall();
        if self.tracer.is_some() {
            // who stands still before its fatal signal has crashed, even if it is heard of after this end
            self.take_changes();
            self.tracer = None;
        }
        self.captured_end();
        let captured = self.captured.remove(&self.worker.pid);
        let exit = match &captured {
            // a capture that took too long ends by the watchdog's kill
            Some(captured) if exit == Exit::Signal(Signal::KILL) => Exit::Signal(captured.signal),
            _ => exit,
        };
        let asked = self.asked.for_exit(exit);
        let killed = exit == Exit::Signal(Signal::KILL) && !asked;
        let oom_killed = killed && self.worker.oom_counter.as_mut().is_some_and(OomCounter::take_growth);
        let passed_on = !asked && captured.is_none() && self.passes_on(exit);
        let uptime = self.clock.monotonic().saturating_sub(self.worker.started);
        let cause = match classify(exit, asked, oom_killed) {
            Ending::Crash(cause) if !passed_on => Some(cause),
            _ => None,
        };
        let ended = FromShim::Ended {
            exit,
            asked,
            oom_killed,
            at,
            uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
            crash: cause.is_some(),
            fault: self.start_fault(exit),
            passed_on,
        };
        // first of all: the replacement starts at once
        self.send(&ended);
        self.begin_to_end_the_rest();
        self.output.finish();
        let program = self.worker.program.clone();
        let crashing = captured.as_ref().map(|captured| captured.message.clone());
        let crash = cause.map(|cause: CrashCause| {
            let file = self.serving.main_file();
            let victim = Victim { pid: self.worker.pid, program, file, exit, cause, at };
            Case::new(victim, captured, self.output.ends())
        });
        let analyse_from = self.clock.monotonic() + REPLACEMENT_FIRST;
        self.post_mortem = Some(PostMortem { crashing, ended, case: crash, analyse_from, analysed: None });
        self.end_orphans();
    }

    /// What the worker leaves would hold its port and memory while the replacement runs.
    fn begin_to_end_the_rest(&mut self) {
        signals::kill_group(self.worker.pid);
        self.orphans = Some(Orphans::new(self.clock.monotonic()));
        if let Some(Err(error)) = self.worker.group.as_ref().map(OwnGroup::end) {
            eprintln!("the processes in the worker's control group could not be ended: {error}");
        }
    }

    /// Why it could not start, where it never took requests: then nobody minds that its last output is read first.
    fn start_fault(&mut self, exit: Exit) -> Option<StartFault> {
        if self.worker.warm {
            return None;
        }
        let [standard_output, standard_error] = self.output.ends();
        crash::start_fault(exit, &standard_error, &standard_output)
    }

    /// Does the main process end because the last of those that it had started to serve has crashed? A launcher does, and so does
    /// a server whose children cannot start, with their status.
    fn passes_on(&self, exit: Exit) -> bool {
        let Some((last, at)) = self.last_crash else { return false };
        let is_soon = self.clock.monotonic().saturating_sub(at) < PASSED_ON_WITHIN;
        match exit {
            Exit::Code(0) => false,
            Exit::Code(_) if !self.serving.main_has_served() => is_soon || !self.serving.others_serve(),
            _ => exit == last && is_soon,
        }
    }

    /// When the main process's analysis is to begin; `None` while its dump is being written.
    pub(super) fn analysis_due(&self) -> Option<Duration> {
        let is_written = !self.captures.are_under_way_of(self.worker.pid);
        self.post_mortem.as_ref().filter(|_| is_written)?.analysis_due()
    }

    pub(super) fn start_analysis_when_due(&mut self) {
        let now = self.clock.monotonic();
        if self.analysis_due().is_none_or(|due| due > now) {
            return;
        }
        let means = means(&self.spec, self.clock);
        if let Some(case) = self.post_mortem.as_mut().and_then(|after| after.case.as_mut()) {
            let found = case.begin(means);
            self.main_found(found);
        }
    }

    /// One more round, while there is something left.
    pub(super) fn end_orphans(&mut self) {
        let analysers: Vec<Pid> = self.analysers().map(Analyser::pid).collect();
        let now = self.clock.monotonic();
        let Some(orphans) = &mut self.orphans else { return };
        for left in orphans.end(&analysers, now) {
            // in the app's own log, whoever looks for it; and with the crash, where it is one
            self.output.say(&left.to_string());
            if let Some(case) = self.post_mortem.as_mut().and_then(|after| after.case.as_mut()) {
                case.add_note(left.into());
            }
        }
    }

    /// `false` where it was not the main process's.
    pub(super) fn main_analyser_ended(&mut self, pid: Pid, exit: Exit) -> bool {
        let means = means(&self.spec, self.clock);
        let case = self.post_mortem.as_mut().and_then(|after| after.case.as_mut());
        let Some(case) = case.filter(|case| case.analyser().is_some_and(|analyser| analyser.pid() == pid))
        else {
            return false;
        };
        let found = case.analyser_ended(exit, means);
        self.main_found(found);
        true
    }

    fn main_found(&mut self, found: Option<Found>) {
        let Some(found) = found else { return };
        let analysed = found.told(|Found { findings, audit }| FromShim::Analysed { findings, audit });
        self.send(&analysed);
        if let Some(after) = &mut self.post_mortem {
            after.case = None;
            after.analysed = Some(analysed);
        }
    }

    pub(super) fn children_and_means(&mut self) -> (&mut Children, Means<'_>) {
        (&mut self.children, means(&self.spec, self.clock))
    }
}

fn means<'a>(spec: &'a WorkerSpec, clock: &'a dyn Clock) -> Means<'a> {
    Means {
        analyser: &spec.analyser,
        crash_log_dir: &spec.crash_log_dir,
        instance: spec.worker.instance,
        clock,
    }
}
