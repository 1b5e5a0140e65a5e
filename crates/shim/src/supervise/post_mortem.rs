//! What follows the worker's end: was it a crash, what was it, and the proof that the dump is gone.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use crash::{Analysis, PythonCalls};
use model::crash::{Audit, Findings};
use model::ending::classify;
use model::start::StartFault;
use model::{Clock, CrashCause, Ending, Exit, Signal, Timestamp};

use super::Shim;
use super::origin::{ForeignRoot, files_of_code};
use crate::analyser::{Analyser, AnalyserError, Evidence};
use crate::capture::{Capture, CaptureError, Dump};
use crate::cgroup::{OomCounter, OwnGroup};
use crate::message_file::MessageFile;
use crate::orphans::Orphans;
use crate::protocol::{FromShim, LINE_LIMIT};
use crate::sys::memory::sealed_file;
use crate::sys::signals;

/// What was caught at the fatal signal.
pub(super) struct Captured {
    /// What was said of it.
    pub(super) message: FromShim,
    /// When, by the monotonic clock.
    pub(super) held: Duration,
    signal: Signal,
    /// `None` until it was taken.
    dump: Option<Result<HeldDump, CaptureError>>,
    pub(super) root: Option<ForeignRoot>,
    /// The files that the worker had mapped as code.
    mapped: Vec<PathBuf>,
    python_calls: Option<PythonCalls>,
}

/// A dump until it has been analysed.
struct HeldDump {
    /// The one place where it still is; the analyser has it too while it works.
    memory: Option<File>,
    size_bytes: u64,
    sha256: String,
    captured_at: Timestamp,
    stopped_us: u64,
    /// Why it was not analysed.
    failure: Option<String>,
    /// When the last holder's memory was given back.
    dropped_at: Option<Timestamp>,
}

impl Captured {
    pub(super) fn new(signal: Signal, message: FromShim, held: Duration) -> Self {
        Self { message, held, signal, dump: None, root: None, mapped: Vec::new(), python_calls: None }
    }

    fn dump(&self) -> Option<&HeldDump> {
        self.dump.as_ref()?.as_ref().ok()
    }

    fn dump_mut(&mut self) -> Option<&mut HeldDump> {
        self.dump.as_mut()?.as_mut().ok()
    }
}

impl HeldDump {
    /// Moves the dump into memory that can be handed over.
    fn new(dump: &Dump) -> Self {
        let (memory, failure) = match sealed_file(&[&dump.bytes]) {
            Ok(memory) => (Some(memory), None),
            Err(error) => (None, Some(format!("there was no memory to hand the dump over: {error}"))),
        };
        Self {
            memory,
            size_bytes: dump.bytes.len() as u64,
            sha256: dump.sha256.clone(),
            captured_at: dump.captured_at,
            stopped_us: dump.stopped_us,
            failure,
            dropped_at: None,
        }
    }
}

/// A worker that has ended.
pub(super) struct PostMortem {
    ended: FromShim,
    exit: Exit,
    at: Timestamp,
    /// `None` where the end is no crash.
    cause: Option<CrashCause>,
    /// At work on the crash.
    pub(super) analyser: Option<Analyser>,
    /// The first analysis failed, and this is the one that looks at the last words alone.
    second_try: bool,
    analysed: Option<FromShim>,
}

impl PostMortem {
    /// Is everything known that ever will be?
    pub(super) fn is_settled(&self) -> bool {
        self.cause.is_none() || self.analysed.is_some()
    }

    /// What every new client is told.
    pub(super) fn messages(&self) -> impl Iterator<Item = &FromShim> {
        [Some(&self.ended), self.analysed.as_ref()].into_iter().flatten()
    }
}

impl Shim {
    pub(super) fn worker_ended(&mut self, exit: Exit) {
        let at = self.clock.wall();
        self.tracer = None;
        let exit = match &self.captured {
            // a capture that took too long ends by the watchdog's kill
            Some(captured) if exit == Exit::Signal(Signal::KILL) => Exit::Signal(captured.signal),
            _ => exit,
        };
        let asked = self.asked.for_exit(exit);
        let killed = exit == Exit::Signal(Signal::KILL) && !asked;
        let oom_killed = killed && self.worker.oom_counter.as_ref().is_some_and(OomCounter::grew);
        let uptime = self.clock.monotonic().saturating_sub(self.worker.started);
        let cause = match classify(exit, asked, oom_killed) {
            Ending::Crash(cause) => Some(cause),
            Ending::Asked | Ending::Finished => None,
        };
        let ended = FromShim::Ended {
            exit,
            asked,
            oom_killed,
            at,
            uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
            crash: cause.is_some(),
            fault: self.start_fault(exit),
        };
        // first of all: the replacement starts at once
        self.send(&ended);
        self.post_mortem =
            Some(PostMortem { ended, exit, at, cause, analyser: None, second_try: false, analysed: None });
        self.begin_to_end_the_rest();
        self.output.finish();
        self.start_analysis_when_complete();
    }

    /// What the worker leaves would hold its port and memory while the replacement runs.
    fn begin_to_end_the_rest(&mut self) {
        signals::kill_group(self.worker.pid);
        self.orphans = Some(Orphans::new(self.clock.monotonic()));
        if let Some(Err(error)) = self.worker.group.as_ref().map(OwnGroup::end) {
            eprintln!("the processes in the worker's control group could not be ended: {error}");
        }
        self.end_orphans();
    }

    /// Why it could not start, where it never took requests: then nobody minds that its last output is read first.
    fn start_fault(&mut self, exit: Exit) -> Option<StartFault> {
        if self.worker.warm {
            return None;
        }
        self.output.read();
        let [standard_output, standard_error] = self.output.ends();
        crash::start_fault(exit, standard_error, standard_output)
    }

    /// All that comes of the capture is there.
    pub(super) fn captured(&mut self, capture: Capture) {
        let Some(captured) = &mut self.captured else { return };
        captured.mapped = files_of_code(&capture.maps);
        captured.python_calls = capture.python_calls;
        captured.dump = Some(capture.dump.map(|dump| HeldDump::new(&dump)));
        self.start_analysis_when_complete();
    }

    /// When the worker has ended and its dump is written, whatever is later.
    fn start_analysis_when_complete(&mut self) {
        let is_crash = self.post_mortem.as_ref().is_some_and(|after| after.cause.is_some());
        if is_crash && !self.captures.are_under_way_of(self.worker.pid) {
            self.start_analysis();
        }
    }

    /// One more round, while there is something left.
    pub(super) fn end_orphans(&mut self) {
        let analyser = self.analyser().map(|analyser| analyser.pid());
        let now = self.clock.monotonic();
        let Some(orphans) = &mut self.orphans else { return };
        for sentence in orphans.end(analyser, now) {
            // in the app's own log, whoever looks for it; and with the crash, where it is one
            self.output.say(&sentence);
            self.left.push(sentence);
        }
    }

    fn start_analysis(&mut self) {
        match self.try_to_start_analysis() {
            Ok(analyser) => {
                if let Some(post_mortem) = &mut self.post_mortem {
                    post_mortem.analyser = Some(analyser);
                }
            }
            Err(error) => self.analysis_done(Err(error)),
        }
    }

    fn try_to_start_analysis(&mut self) -> Result<Analyser, AnalyserError> {
        let dump = self.captured.as_mut().and_then(Captured::dump_mut);
        // taken: with the end of this function the analyser is its only holder
        let memory = dump.and_then(|dump| dump.memory.take());
        with_evidence(self, memory.as_ref(), |shim, evidence| {
            Analyser::start(&shim.spec.analyser, evidence, shim.clock)
        })
    }

    pub(super) fn analyser_ended(&mut self, exit: Exit) {
        let analyser = self.post_mortem.as_mut().and_then(|post_mortem| post_mortem.analyser.take());
        if let Some(analyser) = analyser {
            self.analysis_done(analyser.finish(exit));
        }
    }

    fn analysis_done(&mut self, result: Result<Analysis, AnalyserError>) {
        let now = self.clock.wall();
        let dump = self.captured.as_mut().and_then(Captured::dump_mut);
        let had_dump = dump.is_some();
        if let Some(dump) = dump {
            // no process holds it any more
            dump.memory = None;
            dump.dropped_at.get_or_insert(now);
            if dump.failure.is_none() && !self.post_mortem.as_ref().is_some_and(|after| after.second_try) {
                dump.failure = match &result {
                    Ok(analysis) => analysis.dump_error.clone(),
                    Err(error) => Some(error.to_string()),
                };
            }
        }
        let Some(post_mortem) = &mut self.post_mortem else { return };
        let (mut findings, message) = match result {
            Ok(analysis) => (analysis.findings, analysis.message),
            // the last words may say what the dump did not
            Err(_) if had_dump && !post_mortem.second_try => {
                post_mortem.second_try = true;
                self.start_analysis();
                return;
            }
            Err(error) => (with_evidence(self, None, |_, evidence| evidence.minimal_findings(&error)), None),
        };
        self.add_notes(&mut findings);
        self.write_message(&mut findings, message.as_deref());
        let analysed = fitting(FromShim::Analysed { findings, audit: self.audit() });
        self.send(&analysed);
        if let Some(post_mortem) = &mut self.post_mortem {
            post_mortem.analysed = Some(analysed);
        }
        if let Some(captured) = &mut self.captured {
            // it would keep the container's file system busy
            captured.root = None;
        }
    }

    fn add_notes(&self, findings: &mut Findings) {
        match self.captured.as_ref().map(|captured| captured.dump.as_ref()) {
            Some(None) => findings.notes.push("It was killed before it could be captured.".to_owned()),
            Some(Some(Err(error))) => findings.notes.push(format!("The capture failed: {error}.")),
            Some(Some(Ok(HeldDump { failure: Some(failure), .. }))) => {
                findings.notes.push(format!("The dump could not be analysed: {failure}."));
            }
            _ => {}
        }
        findings.notes.extend(self.left.iter().cloned());
    }

    fn write_message(&self, findings: &mut Findings, message: Option<&str>) {
        let Some(post_mortem) = &self.post_mortem else { return };
        let file = MessageFile {
            at: post_mortem.at,
            instance: self.spec.worker.instance,
            pid: u32::try_from(self.worker.pid).unwrap_or(0),
            exception_type: &findings.exception_type,
            message,
        };
        if let Err(error) = file.write(&self.spec.crash_log_dir) {
            let folder = self.spec.crash_log_dir.display();
            findings.notes.push(format!("The message could not be written to {folder}: {error}."));
        }
    }

    fn audit(&self) -> Option<Audit> {
        let dump = self.captured.as_ref()?.dump()?;
        Some(Audit {
            size_bytes: dump.size_bytes,
            sha256: dump.sha256.clone(),
            captured_at: dump.captured_at,
            dropped_at: dump.dropped_at.unwrap_or(dump.captured_at),
            stopped_us: dump.stopped_us,
            result: dump.failure.clone().unwrap_or_else(|| "analysed".to_owned()),
        })
    }
}

fn with_evidence<T>(
    shim: &mut Shim,
    dump: Option<&File>,
    use_it: impl FnOnce(&Shim, &Evidence<'_>) -> T,
) -> T {
    let [standard_output, standard_error] = shim.output.ends().map(<[u8]>::to_vec);
    let (exit, cause) = shim.post_mortem.as_ref().map_or((Exit::Code(0), CrashCause::Exit), |after| {
        (after.exit, after.cause.unwrap_or(CrashCause::Exit))
    });
    let evidence = Evidence {
        exit,
        cause,
        program: &shim.worker.program,
        pid: shim.worker.pid,
        standard_error: &standard_error,
        standard_output: &standard_output,
        dump,
        root: shim.captured.as_ref().and_then(|captured| captured.root.as_ref()).map(ForeignRoot::directory),
        mapped: shim.captured.as_ref().map_or(&[], |captured| &captured.mapped),
        python_calls: shim.captured.as_ref().and_then(|captured| captured.python_calls.as_ref()),
    };
    use_it(shim, &evidence)
}

/// Within the limit of a line: hostile names can be long and many.
fn fitting(message: FromShim) -> FromShim {
    let size = |message: &FromShim| serde_json::to_vec(message).map_or(usize::MAX, |line| line.len());
    let FromShim::Analysed { mut findings, audit } = message else { return message };
    for step in 0..3 {
        let message = FromShim::Analysed { findings: findings.clone(), audit: audit.clone() };
        if size(&message) < LINE_LIMIT {
            return message;
        }
        match step {
            0 => findings.modules.clear(),
            1 => {
                findings.crashing_thread.frames.truncate(20);
                findings.crashing_thread.truncated = true;
            }
            _ => findings.crashing_thread.frames.clear(),
        }
    }
    FromShim::Analysed { findings, audit }
}
