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
mod ending;
mod origin;
mod post_mortem;
mod requests;
mod start;

use std::collections::BTreeSet;
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use model::{Clock, Exit, Signal, Timestamp};

use self::background::Background;
use self::ending::Ending;
use self::origin::ForeignRoot;
use self::post_mortem::{Captured, PostMortem};
use crate::SystemClock;
use crate::analyser::Analyser;
use crate::capture::{Captures, Progress, Standstill};
use crate::cgroup::{OomCounter, OwnGroup};
use crate::client::Client;
use crate::orphans::Orphans;
use crate::output::Output;
use crate::protocol::{FromShim, WorkerSpec};
use crate::serving::ServingProcesses;
use crate::serving_rule::MainProcess;
use crate::sys::Pid;
use crate::sys::descriptors::{Interest, Readiness, poll};
use crate::sys::signals::SignalFd;
use crate::tracer::{Report, Tracer, next_untraced};

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
    processes: ServingProcesses,
    output: Output,
    serving: MainProcess,
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
    /// What could not be ended of it, in sentences.
    left: Vec<String>,
    /// The fatal signal that was caught.
    captured: Option<Captured>,
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
            if self.post_mortem.is_none() {
                self.processes.look_if_due();
            }
            let now = self.clock.monotonic();
            if let Some(analyser) = self.analyser() {
                analyser.check_time(now);
            }
            self.end_orphans();
            self.client.take_if(|client| client.is_lost());
        }
        // what is in there is this shim's own: socket, log
        let _ = std::fs::remove_dir_all(&self.run_dir);
    }

    fn is_done(&self) -> bool {
        let settled = self.post_mortem.as_ref().is_some_and(PostMortem::is_settled);
        let is_alone = self.orphans.as_ref().is_none_or(Orphans::is_done);
        settled && is_alone && (self.acknowledged || self.leaving)
    }

    fn analyser(&mut self) -> Option<&mut Analyser> {
        self.post_mortem.as_mut()?.analyser.as_mut()
    }

    fn wait(&mut self) -> Vec<(Source, Readiness)> {
        let analyser = self.post_mortem.as_ref().and_then(|post_mortem| post_mortem.analyser.as_ref());
        let timeout = if self.changes_left {
            Some(Duration::ZERO)
        } else {
            let deadlines = analyser.map(Analyser::deadline).into_iter();
            let deadlines = deadlines.chain(self.orphans.as_ref().map(Orphans::deadline));
            let deadlines = deadlines.chain(self.captures.deadline());
            let deadlines = deadlines.chain(self.background.as_ref().map(Background::deadline));
            let deadlines = deadlines.chain(self.post_mortem.is_none().then(|| self.processes.deadline()));
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
        sources.extend(analyser.and_then(Analyser::descriptor).map(|fd| reading(Source::Answer, fd)));
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
            Source::Answer => {
                if let Some(analyser) = self.analyser() {
                    analyser.read();
                }
            }
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
                Report::Fatal { pid, signal, .. } => self.hold(pid, signal),
                Report::Still { pid, tid, signal, threads } => {
                    let Some(captured) = &mut self.captured else { continue };
                    captured.root = ForeignRoot::of(pid);
                    self.captures.begin(&Standstill { pid, tid, signal, threads, held: captured.held });
                }
                Report::Ended { pid, exit } => {
                    self.captures.ended(pid);
                    if self.analyser().is_some_and(|analyser| analyser.pid() == pid) {
                        self.analyser_ended(exit);
                    } else if pid == self.worker.pid && self.post_mortem.is_none() {
                        self.main_ended(exit);
                    }
                }
            }
        }
    }

    /// The moment between the fatal signal and the death.
    fn hold(&mut self, pid: Pid, signal: Signal) {
        let Some(tracer) = &mut self.tracer else { return };
        if self.captured.is_some() || self.asked.for_signal(signal) {
            tracer.pass_on(pid, &mut self.serving);
            return;
        }
        let message = FromShim::Crashing { signal: signal.0, at: self.clock.wall() };
        // first of all: the replacement starts at the signal, not after the dump
        if let Some(client) = &mut self.client {
            client.send(&message);
        }
        self.captured = Some(Captured::new(signal, message, self.clock.monotonic()));
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
                Progress::Done(_, capture) => self.captured(capture),
            }
        }
    }
}
