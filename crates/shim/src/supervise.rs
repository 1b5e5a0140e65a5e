//! The shim's one loop: signals, socket, client, the worker's pipes, the analyser's answer.
//!
//! ```text
//!  running ──── the worker ends ────► ended, no crash ─────────────────┐
//!     │                                                                ▼
//!     └─ fatal signal ─► captured ─► ended, crash ─► analysed ─► acknowledged ─► gone
//! ```
//! A main process that only goes into the background is replaced by what it leaves, see [`background`].
//!
//! A message of a state that was reached is sent to every client that connects later, until one acknowledges.

mod background;
mod captured;
mod case;
mod children;
mod ending;
mod origin;
mod post_mortem;
mod requests;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use model::{Clock, Exit, Signal, Timestamp};

use self::background::Background;
use self::captured::Captured;
use self::children::Children;
use self::ending::Ending;
use self::origin::ForeignRoot;
use self::post_mortem::PostMortem;
use crate::SystemClock;
use crate::analyser::Analyser;
use crate::capture::{Capture, Captures, Progress, Standstill};
use crate::cgroup::{OomCounter, OwnGroup};
use crate::client::Client;
use crate::executable::executable_of;
use crate::orphans::Orphans;
use crate::output::Output;
use crate::proc_status;
use crate::protocol::{FromShim, WorkerSpec};
use crate::serving::ServingProcesses;
use crate::serving::sockets::connections_of;
use crate::sys::Pid;
use crate::sys::descriptors::{Interest, Readiness, poll};
use crate::sys::signals::SignalFd;
use crate::tracer::{FatalSignal, Report, Tracer, next_untraced};

pub(crate) use start::run_shim;

/// How many changes of state are dealt with before the rest of the loop has its turn.
const CHANGES_A_TURN: usize = 1_000;

/// The process that is watched.
struct Worker {
    pid: Pid,
    /// `argv[0]`'s file name.
    program: String,
    started_at: Timestamp,
    /// By the monotonic clock.
    started: Duration,
    oom_counter: Option<OomCounter>,
    /// A server said that it takes requests.
    warm: bool,
    /// Where.
    address: Option<SocketAddr>,
    /// It took the place of the process that was started.
    was_in_background: bool,
    /// Removed with the shim, when what was killed with the worker has had its time to end.
    group: Option<OwnGroup>,
}

/// What Medic asked the worker.
#[derive(Default)]
struct Asked {
    /// A signal that means "end" to every program.
    to_end: bool,
    /// Every signal that was sent. Some have the meaning that the program gives them, but end it where it gives them none.
    sent: BTreeSet<i32>,
}

impl Asked {
    fn note(&mut self, signal: i32) {
        self.to_end |=
            matches!(signal, libc::SIGTERM | libc::SIGKILL | libc::SIGINT | libc::SIGQUIT | libc::SIGABRT);
        self.sent.insert(signal);
    }

    /// A worker that was asked to end may end as it likes, but a fault that nobody sent is a crash on the way.
    fn for_exit(&self, exit: Exit) -> bool {
        match exit {
            Exit::Signal(signal) => self.for_signal(signal),
            Exit::Code(_) => self.to_end,
        }
    }

    fn for_signal(&self, signal: Signal) -> bool {
        self.sent.contains(&signal.0) || (self.to_end && !signal.dumps_core())
    }
}

/// What one descriptor of the loop is.
#[derive(Clone, Copy)]
enum Source {
    Signals,
    Listener,
    Client,
    Output,
    Answer,
    Captures,
    Ending,
    Deaths,
}

struct Shim {
    clock: &'static SystemClock,
    run_dir: PathBuf,
    /// The run directory, locked for as long as this shim lives: the kernel's word for whoever wants to know whether it does.
    _lock: File,
    /// Without what only the worker's start needed.
    spec: WorkerSpec,
    signals: SignalFd,
    listener: UnixListener,
    client: Option<Client>,
    worker: Worker,
    output: Output,
    serving: ServingProcesses,
    tracer: Option<Tracer>,
    /// Why the debugger is not attached though it was asked for.
    refusal: Option<String>,
    captures: Captures,
    asked: Asked,
    /// The main process has ended, and what it left may go on in its place.
    background: Option<Background>,
    /// Serving processes that were asked to end before the main one is.
    ending: Option<Ending>,
    /// This shim itself was asked to end.
    leaving: bool,
    /// What the worker left, from its end on.
    orphans: Option<Orphans>,
    /// The fatal signals that were caught, of processes that have not ended yet.
    captured: BTreeMap<Pid, Captured>,
    /// Those whose master has sent them a SIGABRT that they handle.
    aborted: BTreeSet<Pid>,
    /// Crashes of serving processes other than the main one.
    children: Children,
    /// How and when the last of those ended, where that was a crash.
    last_crash: Option<(Exit, Duration)>,
    /// Set once the worker has ended.
    post_mortem: Option<PostMortem>,
    acknowledged: bool,
    /// Changes of state are left over from the last turn.
    changes_left: bool,
}

impl Shim {
    /// Goes on until the worker has ended and a client has acknowledged what is known of it.
    fn run(&mut self) {
        while !self.is_done() {
            for (source, ready) in self.wait() {
                self.serve(source, ready);
            }
            self.take_changes();
            self.go_on_with_captures();
            self.go_on_ending();
            self.go_on_in_background();
            self.look_at_processes();
            let now = self.clock.monotonic();
            self.analysers_mut().for_each(|analyser| analyser.check_time(now));
            self.end_orphans();
            self.start_analysis_when_due();
            self.client.take_if(|client| client.is_lost());
        }
        // what is in there is this shim's own: socket, log
        let _ = std::fs::remove_dir_all(&self.run_dir);
    }

    fn is_done(&self) -> bool {
        let settled = self.post_mortem.as_ref().is_some_and(PostMortem::is_settled);
        let is_alone = self.orphans.as_ref().is_none_or(Orphans::is_done);
        let is_recorded = self.acknowledged && self.children.are_recorded();
        settled && self.children.are_settled() && is_alone && (is_recorded || self.leaving)
    }

    fn analysers(&self) -> impl Iterator<Item = &Analyser> {
        let of_main = self.post_mortem.as_ref().and_then(|after| after.case.as_ref()?.analyser());
        of_main.into_iter().chain(self.children.analyser())
    }

    fn analysers_mut(&mut self) -> impl Iterator<Item = &mut Analyser> {
        let of_main = self.post_mortem.as_mut().and_then(|after| after.case.as_mut()?.analyser_mut());
        of_main.into_iter().chain(self.children.analyser_mut())
    }

    /// Finds who serves, and has the debugger follow those that it does not know.
    fn look_at_processes(&mut self) {
        if self.post_mortem.is_some() {
            return;
        }
        if self.serving.look_if_due() {
            self.follow_serving();
        }
    }

    fn follow_serving(&mut self) {
        if let Some(tracer) = &mut self.tracer {
            tracer.follow(&mut self.serving);
            self.changes_left = true;
        }
    }

    fn wait(&mut self) -> Vec<(Source, Readiness)> {
        let timeout = if self.changes_left {
            Some(Duration::ZERO)
        } else {
            let deadlines = self.analysers().map(Analyser::deadline);
            let deadlines = deadlines.chain(self.orphans.as_ref().map(Orphans::deadline));
            let deadlines = deadlines.chain(self.captures.deadline()).chain(self.analysis_due());
            let deadlines = deadlines.chain(self.background.as_ref().map(Background::deadline));
            let deadlines = deadlines.chain(self.post_mortem.is_none().then(|| self.serving.deadline()));
            let next = deadlines.chain(self.tracer.as_ref().and_then(Tracer::deadline)).min();
            next.filter(|next| *next != Duration::MAX).map(|next| next.saturating_sub(self.clock.monotonic()))
        };
        let reading = |source, fd| (source, Interest { fd, write: false });
        let mut sources = vec![
            reading(Source::Signals, self.signals.as_fd()),
            reading(Source::Listener, self.listener.as_fd()),
            reading(Source::Captures, self.captures.descriptor()),
        ];
        if let Some(client) = &self.client {
            sources.push((Source::Client, Interest { fd: client.descriptor(), write: client.is_owed() }));
        }
        sources.extend(self.output.descriptors().into_iter().flatten().map(|fd| reading(Source::Output, fd)));
        let answers = self.analysers().filter_map(Analyser::descriptor);
        sources.extend(answers.map(|fd| reading(Source::Answer, fd)));
        sources.extend(self.serving.descriptor().map(|fd| reading(Source::Deaths, fd)));
        let ending = self.ending.iter().flat_map(Ending::descriptors);
        sources.extend(ending.map(|fd| reading(Source::Ending, fd)));
        let (tags, interests): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
        tags.into_iter().zip(poll(&interests, timeout)).collect()
    }

    fn serve(&mut self, source: Source, ready: Readiness) {
        if !ready.read && !ready.write {
            return;
        }
        match source {
            Source::Signals => {
                for signal in self.signals.take() {
                    if signal != libc::SIGCHLD {
                        self.leaving = true;
                        self.signal_worker(libc::SIGTERM);
                    }
                }
            }
            Source::Listener => self.accept(),
            Source::Client => self.hear(),
            Source::Output => self.output.read(),
            // looked at in every turn
            Source::Captures | Source::Ending => {}
            Source::Answer => self.analysers_mut().for_each(Analyser::read),
            Source::Deaths => self.take_deaths(),
        }
    }

    fn send(&mut self, message: &FromShim) {
        if let Some(client) = &mut self.client {
            client.send(message);
        }
    }

    /// Deals with what happened to the worker, its processes and the analyser.
    fn take_changes(&mut self) {
        for _ in 0..CHANGES_A_TURN {
            let next = match &mut self.tracer {
                Some(tracer) => tracer.next(&mut self.serving),
                None => next_untraced(),
            };
            let Some(reports) = next else {
                self.changes_left = false;
                self.tracer.take_if(|tracer| tracer.is_leaving() && tracer.is_done());
                return;
            };
            self.take_reports(reports);
        }
        self.changes_left = true;
    }

    fn take_reports(&mut self, reports: Vec<Report>) {
        for report in reports {
            match report {
                Report::Fatal { pid, fatal } => self.hold(pid, fatal),
                Report::Still { pid, fatal, threads } => {
                    let Some(captured) = self.captured.get_mut(&pid) else { continue };
                    // first of all: the replacement starts at the signal, not after the dump
                    let connections = connections_of(pid, self.spec.port);
                    let message = captured.stands_still(connections);
                    if let Some(client) = &mut self.client {
                        client.send(&message);
                    }
                    captured.root = ForeignRoot::of(pid);
                    captured.file = executable_of(pid);
                    self.captures.begin(&Standstill { pid, fatal, threads, held: captured.held });
                }
                Report::Aborted { pid } => {
                    self.aborted.insert(pid);
                }
                Report::Ended { pid, exit } => {
                    self.captures.ended(pid);
                    if self.main_analyser_ended(pid, exit) || self.child_analyser_ended(pid, exit) {
                        continue;
                    }
                    if pid == self.worker.pid && self.post_mortem.is_none() {
                        self.main_ended(exit);
                    } else if let Some(death) = self.serving.ended(pid, exit) {
                        self.child_ended(&death);
                    }
                    self.aborted.remove(&pid);
                }
            }
        }
    }

    /// The moment between the fatal signal and the death.
    fn hold(&mut self, pid: Pid, fatal: FatalSignal) {
        let FatalSignal { signal, info, .. } = fatal;
        let Some(tracer) = &mut self.tracer else { return };
        let at = self.clock.wall();
        let message = if pid == self.worker.pid {
            Some(FromShim::Crashing { signal: signal.0, at, connections: None })
        } else {
            let identity = self.serving.identity(pid).filter(|_| self.post_mortem.is_none());
            identity.map(|(process, role)| FromShim::ChildCrashing {
                process,
                role,
                signal: signal.0,
                at,
                connections: None,
            })
        };
        let Some(message) =
            message.filter(|_| !self.asked.for_signal(signal) && !self.captured.contains_key(&pid))
        else {
            tracer.pass_on(pid, &mut self.serving);
            return;
        };
        let by_parent = proc_status::is_from_parent(&info, pid);
        let captured = Captured::new(signal, message, self.clock.monotonic(), by_parent);
        self.captured.insert(pid, captured);
        let reports = tracer.capture(pid, &mut self.serving);
        self.take_reports(reports);
    }

    fn go_on_with_captures(&mut self) {
        let now = self.clock.monotonic();
        if let Some(tracer) = self.tracer.as_mut().filter(|tracer| tracer.deadline().is_some()) {
            let reports = tracer.check_time(&mut self.serving);
            self.take_reports(reports);
        }
        let mut news = self.captures.progress();
        news.extend(self.captures.check_time(now));
        for progress in news {
            match progress {
                Progress::Copied(pid) => {
                    if let Some(tracer) = &mut self.tracer {
                        tracer.copied(pid, &mut self.serving);
                    }
                    self.changes_left = true;
                }
                Progress::Done(pid, capture) => self.capture_done(pid, capture),
            }
        }
    }

    /// All that comes of a capture is there, before the end of its process or after.
    fn capture_done(&mut self, pid: Pid, capture: Capture) {
        if let Some(captured) = self.captured.get_mut(&pid) {
            captured.complete(capture);
        } else if let Some(case) = self.children.case_of(pid) {
            case.complete(capture);
        } else if let Some(case) = self.post_mortem.as_mut().and_then(|after| after.case.as_mut()) {
            case.complete(capture);
        }
        self.begin_next_case();
    }
}
