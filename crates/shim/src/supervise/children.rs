//! Crashes of serving processes that the worker has started: told, analysed one after another, and kept until a server has
//! recorded them.
//!
//! ```text
//!  died ──▶ told ──▶ waiting for the analyser ──▶ at work ──▶ analysed: told ──▶ acknowledged: forgotten
//! ```
//!
//! The worker lives on, so that nothing bounds their number: a server that starts its children again may lose some each second,
//! while nobody records. So of those that wait for the analyser the surplus is told without it, and of those that nobody records
//! the oldest are forgotten.

use std::collections::VecDeque;

use model::crash::Note;
use model::ending::classify_child;
use model::{Clock, CrashCause, Ending, Exit, ProcessId, Signal};

use super::Shim;
use super::case::{Case, Found, Victim};
use crate::analyser::{Analyser, AnalyserError};
use crate::cgroup::OomCounter;
use crate::protocol::{FromShim, LINE_LIMIT, Watched};
use crate::serving::Death;
use crate::sys::Pid;

/// How many wait for the analyser. Ours: one takes up to half a second.
const WAITING_LIMIT: usize = 16;

/// How many crashes are kept for a server that is not there.
const KEPT: usize = 256;

/// How long all that is said of them may be: less than a client is owed at most.
const KEPT_BYTES: usize = 2 * LINE_LIMIT;

/// One crash.
struct ChildCrash {
    process: ProcessId,
    /// What is told to every new client.
    messages: Vec<FromShim>,
    case: Option<Case>,
}

/// All that nobody has recorded yet, oldest first.
#[derive(Default)]
pub(super) struct Children {
    crashes: VecDeque<ChildCrash>,
    forgotten: u32,
}

impl Children {
    /// Is everything known that ever will be?
    pub(super) fn are_settled(&self) -> bool {
        self.crashes.iter().all(|crash| crash.case.is_none())
    }

    /// Is nothing left that a server should record?
    pub(super) fn are_recorded(&self) -> bool {
        self.crashes.is_empty()
    }

    /// What every new client is told.
    pub(super) fn messages(&self) -> impl Iterator<Item = &FromShim> {
        self.crashes.iter().flat_map(|crash| &crash.messages)
    }

    /// It is recorded.
    pub(super) fn forget(&mut self, process: ProcessId) {
        self.crashes.retain(|crash| crash.process != process);
    }

    /// The one at work, of all that wait.
    pub(super) fn analyser(&self) -> Option<&Analyser> {
        self.crashes.iter().find_map(|crash| crash.case.as_ref()?.analyser())
    }

    pub(super) fn analyser_mut(&mut self) -> Option<&mut Analyser> {
        self.crashes.iter_mut().find_map(|crash| crash.case.as_mut()?.analyser_mut())
    }

    /// The case of this process that has no dump yet.
    pub(super) fn case_of(&mut self, pid: Pid) -> Option<&mut Case> {
        self.crashes.iter_mut().rev().filter_map(|crash| crash.case.as_mut()).find(|case| case.pid() == pid)
    }

    fn find(&mut self, process: ProcessId) -> Option<&mut ChildCrash> {
        self.crashes.iter_mut().find(|crash| crash.process == process)
    }

    fn waiting(&self) -> usize {
        self.crashes.iter().filter(|crash| crash.case.is_some()).count()
    }

    fn add(&mut self, crash: ChildCrash) {
        self.crashes.push_back(crash);
        while self.crashes.len() > KEPT {
            self.crashes.pop_front();
            self.forgotten += 1;
        }
    }

    /// Shortens what is known of the oldest, until all of it can be told to a client at once.
    fn shorten(&mut self) {
        let size = |message: &FromShim| serde_json::to_vec(message).map_or(0, |line| line.len());
        let mut total: usize = self.messages().map(size).sum();
        for message in self.crashes.iter_mut().flat_map(|crash| &mut crash.messages) {
            if total <= KEPT_BYTES {
                return;
            }
            if let FromShim::ChildAnalysed { findings, .. } = message {
                findings.modules.clear();
                findings.crashing_thread.frames.truncate(20);
            }
            total = total.saturating_sub(size(message));
        }
    }
}

impl Shim {
    /// Deals with the ends of serving processes since the last time.
    pub(super) fn take_deaths(&mut self) {
        let deaths = self.serving.take_deaths();
        if deaths.is_empty() {
            return;
        }
        for death in deaths {
            self.child_ended(&death);
        }
        // what replaces them is to be known before it dies, too
        self.serving.look();
    }

    /// Those that stand still before their fatal signal end with the worker, and had crashed before it ended.
    pub(super) fn captured_end(&mut self) {
        let main = self.worker.pid;
        let captured = self.captured.iter().filter(|(pid, _)| **pid != main);
        let ends: Vec<(Pid, Exit)> =
            captured.map(|(pid, captured)| (*pid, Exit::Signal(captured.signal))).collect();
        for (pid, exit) in ends {
            if let Some(death) = self.serving.ended(pid, exit) {
                self.child_ended(&death);
            }
        }
    }

    pub(super) fn child_ended(&mut self, death: &Death) {
        self.tell_if_crash(death);
        if death.is_receiver && self.post_mortem.is_none() {
            self.send(&FromShim::ReceiverEnded { process: death.process });
        }
    }

    fn tell_if_crash(&mut self, death: &Death) {
        let captured = self.captured.remove(&death.pid);
        let exit = match (&captured, death.exit) {
            // a capture that took too long ends by the watchdog's kill
            (Some(captured), Some(Exit::Signal(Signal::KILL)) | None) => Exit::Signal(captured.signal),
            (_, Some(exit)) => exit,
            // this kernel tells nobody but its parent
            (None, None) => return,
        };
        let by_parent = captured.as_ref().is_some_and(|captured| captured.by_parent);
        let timed_out =
            self.aborted.remove(&death.pid) || by_parent || self.is_said_to_time_out(death.pid, exit);
        let asked = self.asked.for_exit(exit);
        let killed = exit == Exit::Signal(Signal::KILL) && !asked;
        let oom_killed = killed && self.worker.oom_counter.as_mut().is_some_and(OomCounter::take_growth);
        let ending = classify_child(exit, asked, oom_killed, timed_out);
        self.last_crash = None;
        let Ending::Crash(cause) = ending else { return };
        if self.serving.watched_processes() == Watched::Main || self.post_mortem.is_some() {
            return;
        }
        self.last_crash = Some((exit, self.clock.monotonic()));
        let ended = FromShim::ChildEnded {
            process: death.process,
            role: death.role,
            exit,
            cause,
            at: self.clock.wall(),
            uptime_ms: u64::try_from(death.age.as_millis()).unwrap_or(u64::MAX),
        };
        self.send(&ended);
        let program = death.program.clone().unwrap_or_else(|| self.worker.program.clone());
        let file = death.file.clone();
        let victim = Victim { pid: death.pid, program, file, exit, cause, at: self.clock.wall() };
        let mut words = self.output.latest();
        if cause == CrashCause::KilledByMaster {
            // several may have been timed out, one right after another
            words = words.map(|said| crash::words_of(&said, death.pid.unsigned_abs()).to_vec());
        }
        let crashing = captured.as_ref().map(|captured| captured.message.clone());
        let messages = crashing.into_iter().chain([ended]).collect();
        let mut crash = Case::new(victim, captured, words);
        if cause == CrashCause::Signal && killed {
            crash.add_note(Note::SenderUnknown { role: death.role });
        }
        if std::mem::take(&mut self.children.forgotten) > 0 {
            crash.add_note(Note::CrashesForgotten);
        }
        let has_room = self.children.waiting() < WAITING_LIMIT;
        self.children.add(ChildCrash { process: death.process, messages, case: Some(crash) });
        if has_room {
            self.begin_next_case();
        } else {
            let (children, means) = self.children_and_means();
            let found = children
                .find(death.process)
                .and_then(|crash| Some(crash.case.as_mut()?.give_up(&AnalyserError::TooMany, means)));
            self.child_found(death.process, found);
        }
    }

    /// Did its master say on the common output, which is read for it, that it ends this child for its time?
    fn is_said_to_time_out(&mut self, pid: Pid, exit: Exit) -> bool {
        self.output.latest().iter().any(|said| crash::is_time_out(said, pid.unsigned_abs(), exit))
    }

    /// One at a time: the analyser takes memory and a processor.
    pub(super) fn begin_next_case(&mut self) {
        while self.children.analyser().is_none() {
            let can_begin = |crash: &&ChildCrash| {
                crash.case.as_ref().is_some_and(|case| !self.captures.are_under_way_of(case.pid()))
            };
            let Some(process) = self.children.crashes.iter().find(can_begin).map(|crash| crash.process)
            else {
                return;
            };
            let (children, means) = self.children_and_means();
            let found = children.find(process).and_then(|crash| crash.case.as_mut()?.begin(means));
            if found.is_some() {
                self.child_found(process, found);
            }
        }
    }

    /// `false` where it was no child's.
    pub(super) fn child_analyser_ended(&mut self, pid: Pid, exit: Exit) -> bool {
        let is_it = |crash: &&ChildCrash| {
            crash.case.as_ref().and_then(Case::analyser).is_some_and(|analyser| analyser.pid() == pid)
        };
        let Some(process) = self.children.crashes.iter().find(is_it).map(|crash| crash.process) else {
            return false;
        };
        let (children, means) = self.children_and_means();
        let found = children.find(process).and_then(|crash| crash.case.as_mut()?.analyser_ended(exit, means));
        if found.is_some() {
            self.child_found(process, found);
        }
        self.begin_next_case();
        true
    }

    fn child_found(&mut self, process: ProcessId, found: Option<Found>) {
        let Some(found) = found else { return };
        let analysed =
            found.told(|Found { findings, audit }| FromShim::ChildAnalysed { process, findings, audit });
        self.send(&analysed);
        if let Some(crash) = self.children.find(process) {
            crash.case = None;
            crash.messages.push(analysed);
        }
        self.children.shorten();
    }
}
