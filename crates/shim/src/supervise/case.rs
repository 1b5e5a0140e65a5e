//! One process's crash, from its end to its analysis: the evidence, and the analyser at work on it.
//!
//! ```text
//!             answer
//!  at work ───────────────────────────────────────────────▶ found
//!     │ the dump could not be analysed                        ▲
//!     └──────────▶ at work on the last words alone ───────────┘
//! ```

use std::path::Path;

use crash::Analysis;
use model::crash::{Audit, Executable, Findings, Note};
use model::{Clock, CrashCause, Exit, Timestamp};

use super::captured::Captured;
use super::origin::ForeignRoot;
use crate::analyser::{Analyser, AnalyserError, Evidence};
use crate::capture::Capture;
use crate::message_file::MessageFile;
use crate::protocol::{FromShim, LINE_LIMIT};
use crate::sys::Pid;

/// Whose crash it is, and how it ended.
#[derive(Clone, Debug)]
pub(super) struct Victim {
    pub(super) pid: Pid,
    /// The program's file name.
    pub(super) program: String,
    /// That file with its build, where it was seen.
    pub(super) file: Option<Executable>,
    pub(super) exit: Exit,
    pub(super) cause: CrashCause,
    pub(super) at: Timestamp,
}

/// What the work on any case needs.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    /// The analyser's command.
    pub(super) analyser: &'a [String],
    /// Where messages are kept.
    pub(super) crash_log_dir: &'a Path,
    pub(super) instance: u16,
    pub(super) clock: &'a dyn Clock,
}

/// What came of it.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) findings: Findings,
    pub(super) audit: Option<Audit>,
}

impl Found {
    /// The message that tells it, within the limit of a line: hostile names can be long and many.
    pub(super) fn told(mut self, message: impl Fn(Self) -> FromShim) -> FromShim {
        for step in 0..3 {
            let message = message(self.clone());
            if serde_json::to_vec(&message).is_ok_and(|line| line.len() < LINE_LIMIT) {
                return message;
            }
            let findings = &mut self.findings;
            match step {
                0 => findings.modules.clear(),
                1 => {
                    findings.crashing_thread.frames.truncate(20);
                    findings.crashing_thread.truncated = true;
                }
                _ => findings.crashing_thread.frames.clear(),
            }
        }
        message(self)
    }
}

/// A crash under analysis.
pub(super) struct Case {
    victim: Victim,
    captured: Option<Captured>,
    /// The end of standard output and of standard error.
    words: [Vec<u8>; 2],
    /// What the reader should know beside what is found.
    notes: Vec<Note>,
    analyser: Option<Analyser>,
    is_second_try: bool,
}

impl Case {
    pub(super) fn new(victim: Victim, captured: Option<Captured>, words: [Vec<u8>; 2]) -> Self {
        Self { victim, captured, words, notes: Vec::new(), analyser: None, is_second_try: false }
    }

    /// Whose case it is.
    pub(super) fn pid(&self) -> Pid {
        self.victim.pid
    }

    /// All that comes of the capture.
    pub(super) fn complete(&mut self, capture: Capture) {
        if let Some(captured) = &mut self.captured {
            captured.complete(capture);
        }
    }

    pub(super) fn add_note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// At work.
    pub(super) fn analyser(&self) -> Option<&Analyser> {
        self.analyser.as_ref()
    }

    pub(super) fn analyser_mut(&mut self) -> Option<&mut Analyser> {
        self.analyser.as_mut()
    }

    /// Begins; what was found, where there can be nothing more.
    pub(super) fn begin(&mut self, means: Means<'_>) -> Option<Found> {
        // taken: with the end of this function the analyser is its only holder
        let dump = self.captured.as_mut().and_then(Captured::take_dump);
        let mut evidence = self.evidence();
        evidence.dump = dump.as_ref();
        match Analyser::start(means.analyser, &evidence, means.clock) {
            Ok(analyser) => {
                self.analyser = Some(analyser);
                None
            }
            Err(error) => self.conclude(Err(error), means),
        }
    }

    /// The analyser has ended; what was found, unless it is tried once more.
    pub(super) fn analyser_ended(&mut self, exit: Exit, means: Means<'_>) -> Option<Found> {
        let analyser = self.analyser.take()?;
        self.conclude(analyser.finish(exit), means)
    }

    /// What can be said without an analyser.
    pub(super) fn give_up(&mut self, why: &AnalyserError, means: Means<'_>) -> Found {
        self.is_second_try = true;
        let findings = self.evidence().minimal_findings(why);
        self.finish(findings, None, Some(why.to_string()), means)
    }

    fn conclude(&mut self, result: Result<Analysis, AnalyserError>, means: Means<'_>) -> Option<Found> {
        let failure = match &result {
            Ok(analysis) => analysis.dump_error.clone(),
            Err(error) => Some(error.to_string()),
        };
        match result {
            Ok(analysis) => Some(self.finish(analysis.findings, analysis.message.as_deref(), failure, means)),
            // the last words may say what the dump did not
            Err(_) if !self.is_second_try && self.captured.as_ref().is_some_and(Captured::has_dump) => {
                self.is_second_try = true;
                if let Some(captured) = &mut self.captured {
                    captured.drop_dump(means.clock.wall(), failure);
                }
                self.begin(means)
            }
            Err(error) => Some(self.give_up(&error, means)),
        }
    }

    fn finish(
        &mut self,
        mut findings: Findings,
        message: Option<&str>,
        failure: Option<String>,
        means: Means<'_>,
    ) -> Found {
        let failure = failure.filter(|_| !self.is_second_try);
        if let Some(captured) = &mut self.captured {
            captured.drop_dump(means.clock.wall(), failure);
        }
        findings.notes.extend(self.captured.as_ref().and_then(Captured::note));
        findings.notes.append(&mut self.notes);
        let seen_at_stop = self.captured.as_mut().and_then(|captured| captured.file.take());
        findings.executable = seen_at_stop.or_else(|| self.victim.file.clone());
        if let Some(captured) = &mut self.captured {
            // it would keep a container's file system busy
            captured.root = None;
        }
        self.write_message(&mut findings, message, means);
        Found { findings, audit: self.captured.as_ref().and_then(Captured::audit) }
    }

    fn write_message(&self, findings: &mut Findings, message: Option<&str>, means: Means<'_>) {
        let file = MessageFile {
            at: self.victim.at,
            instance: means.instance,
            pid: self.victim.pid.unsigned_abs(),
            exception_type: &findings.exception_type,
            message,
        };
        if let Err(error) = file.write(means.crash_log_dir) {
            let folder = means.crash_log_dir.display().to_string();
            findings.notes.push(Note::MessageNotWritten { folder, error: error.to_string() });
        }
    }

    fn evidence(&self) -> Evidence<'_> {
        let Victim { pid, exit, cause, .. } = self.victim;
        let [standard_output, standard_error] = &self.words;
        Evidence {
            exit,
            cause,
            program: &self.victim.program,
            pid,
            standard_error,
            standard_output,
            dump: None,
            root: self
                .captured
                .as_ref()
                .and_then(|captured| captured.root.as_ref())
                .map(ForeignRoot::directory),
            mapped: self.captured.as_ref().map_or(&[], |captured| &captured.mapped),
            python_calls: self.captured.as_ref().and_then(|captured| captured.python_calls.as_ref()),
        }
    }
}
