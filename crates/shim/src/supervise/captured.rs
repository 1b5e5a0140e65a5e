//! What was caught of a process at its fatal signal, until it has been analysed.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use crash::PythonCalls;
use model::crash::{Audit, Executable, Note};
use model::process_connections::ProcessConnections;
use model::{Signal, Timestamp};

use super::origin::{ForeignRoot, files_of_code};
use crate::capture::{Capture, CaptureError, Dump};
use crate::protocol::FromShim;
use crate::sys::memory::sealed_file;

/// What was caught.
pub(super) struct Captured {
    /// What is said of it.
    pub(super) message: FromShim,
    /// It was said: once the process stood still.
    pub(super) is_told: bool,
    /// When, by the monotonic clock.
    pub(super) held: Duration,
    pub(super) signal: Signal,
    /// Its parent had sent the signal.
    pub(super) by_parent: bool,
    /// `None` until it was taken.
    dump: Option<Result<HeldDump, CaptureError>>,
    pub(super) root: Option<ForeignRoot>,
    /// The files that the process had mapped as code.
    pub(super) mapped: Vec<PathBuf>,
    pub(super) python_calls: Option<PythonCalls>,
    /// What it ran.
    pub(super) file: Option<Executable>,
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

impl Captured {
    pub(super) fn new(signal: Signal, message: FromShim, held: Duration, by_parent: bool) -> Self {
        Self {
            message,
            is_told: false,
            held,
            signal,
            by_parent,
            dump: None,
            root: None,
            mapped: Vec::new(),
            python_calls: None,
            file: None,
        }
    }

    /// The process stands still, and has these connections: what is to be said is complete.
    pub(super) fn stands_still(&mut self, with: Option<ProcessConnections>) -> FromShim {
        if let FromShim::Crashing { connections, .. } | FromShim::ChildCrashing { connections, .. } =
            &mut self.message
        {
            *connections = with;
        }
        self.is_told = true;
        self.message.clone()
    }

    /// All that comes of the capture.
    pub(super) fn complete(&mut self, capture: Capture) {
        self.mapped = files_of_code(&capture.maps);
        self.python_calls = capture.python_calls;
        self.dump = Some(capture.dump.map(|dump| HeldDump::new(&dump)));
    }

    /// The dump: whoever takes it is its only holder.
    pub(super) fn take_dump(&mut self) -> Option<File> {
        self.dump.as_mut()?.as_mut().ok()?.memory.take()
    }

    pub(super) fn has_dump(&self) -> bool {
        matches!(self.dump, Some(Ok(_)))
    }

    /// No process holds the dump any more. `failure` is why it was not analysed.
    pub(super) fn drop_dump(&mut self, now: Timestamp, failure: Option<String>) {
        if let Some(Ok(dump)) = &mut self.dump {
            dump.memory = None;
            dump.dropped_at.get_or_insert(now);
            dump.failure = dump.failure.take().or(failure);
        }
    }

    /// What the reader of the findings should know.
    pub(super) fn note(&self) -> Option<Note> {
        match &self.dump {
            None => Some(Note::NotCaptured),
            Some(Err(error)) => Some(Note::CaptureFailed { error: error.to_string() }),
            Some(Ok(HeldDump { failure, .. })) => failure.clone().map(|error| Note::DumpUnreadable { error }),
        }
    }

    /// The proof that the dump is gone.
    pub(super) fn audit(&self) -> Option<Audit> {
        let dump = self.dump.as_ref()?.as_ref().ok()?;
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
