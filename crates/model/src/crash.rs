//! What is known of a crash, and what is kept of it: stacks, types and names. The exception's *message* may hold personal data;
//! it has no place in these types, so it can reach neither the store nor a page.
//!
//! Every text in them came from a process, so [`crate::text`] cleans each as it is read: from a shim of any age, and from the store.

mod incident;
mod note;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::incident::{Incident, IncidentInRange, IncidentSummary};
pub use self::note::{NotAnalysed, Note};
use crate::auto_heal::evidence::Sample;
pub use crate::deploy::Executable;
use crate::{CrashCause, CrashId, Exit, IncidentId, Place, ProcessId, Timestamp, WorkerId, text};

/// How a frame was found, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Trust {
    /// The registers at the crash.
    Context,
    /// Unwound by call frame information.
    CallFrameInfo,
    /// Unwound by the frame pointer.
    FramePointer,
    /// A word on the stack that looks like a return address.
    Scan,
    /// The runtime printed it.
    Runtime,
}

/// One call of a stack. What is not known is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Frame {
    /// The file that holds the code: its name without folders.
    #[serde(default, deserialize_with = "text::maybe")]
    pub module: Option<String>,
    /// The function, demangled.
    #[serde(default, deserialize_with = "text::maybe")]
    pub function: Option<String>,
    /// The source file, as the debug information or the runtime names it.
    #[serde(default, deserialize_with = "text::maybe")]
    pub file: Option<String>,
    /// The line in `file`, from 1.
    pub line: Option<u32>,
    /// Bytes from the module's start.
    pub offset: Option<u64>,
    /// How it was found.
    pub trust: Trust,
    /// The compiler put this call into the next frame's function.
    #[serde(default)]
    pub inline: bool,
}

impl Frame {
    /// The function, or `module+0x1f2` where it is not known.
    pub fn place(&self) -> String {
        match (&self.function, &self.module, self.offset) {
            (Some(function), _, _) => function.clone(),
            (None, Some(module), Some(offset)) => format!("{module}+{offset:#x}"),
            (None, Some(module), None) => module.clone(),
            (None, None, Some(offset)) => format!("{offset:#x}"),
            (None, None, None) => self.file.clone().unwrap_or_else(|| "unknown".to_owned()),
        }
    }

    /// `file:line`, as far as known.
    pub fn source(&self) -> Option<String> {
        let file = self.file.as_deref()?;
        Some(self.line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}")))
    }
}

/// The thread that crashed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Thread {
    /// Its name, where it has one.
    #[serde(default, deserialize_with = "text::maybe")]
    pub name: Option<String>,
    /// Its calls, innermost first.
    pub frames: Vec<Frame>,
    /// There were more frames than are kept.
    #[serde(default)]
    pub truncated: bool,
    /// The place in `frames` of the call that the signature ends with, which tells this crash from others.
    #[serde(default)]
    pub telling: Option<usize>,
}

impl Thread {
    /// The frame that a reader should look at first: the one that tells this crash from others, else the topmost.
    pub fn top_frame(&self) -> Option<&Frame> {
        self.telling.and_then(|telling| self.frames.get(telling)).or_else(|| self.frames.first())
    }
}

/// A file that the worker had loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Module {
    /// Its name without folders.
    #[serde(deserialize_with = "text::text")]
    pub name: String,
    /// Its GNU build id in hexadecimal digits.
    #[serde(default, deserialize_with = "text::maybe")]
    pub build_id: Option<String>,
}

/// What printed the last words, or what the worker was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Runtime {
    /// CPython.
    Python,
    /// Node.js.
    Node,
    /// A Java virtual machine.
    Java,
    /// .NET.
    Dotnet,
    /// Go.
    Go,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// Rust.
    Rust,
    /// C++.
    Cpp,
    /// The C library.
    Glibc,
    /// Machine code of another make.
    Native,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Python => "Python",
            Self::Node => "Node.js",
            Self::Java => "Java",
            Self::Dotnet => ".NET",
            Self::Go => "Go",
            Self::Ruby => "Ruby",
            Self::Php => "PHP",
            Self::Rust => "Rust",
            Self::Cpp => "C++",
            Self::Glibc => "glibc",
            Self::Native => "native",
        })
    }
}

/// What the analysis of one crash found, without its message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Findings {
    /// The exception's type, such as `TypeError`, `std::runtime_error` or `SIGSEGV / SEGV_MAPERR`.
    #[serde(deserialize_with = "text::text")]
    pub exception_type: String,
    /// Who said so.
    pub runtime: Runtime,
    /// The crash's name, at most 255 characters.
    #[serde(deserialize_with = "text::text")]
    pub signature: String,
    /// The thread that crashed.
    pub crashing_thread: Thread,
    /// What the worker had loaded; empty where no dump was taken.
    #[serde(default)]
    pub modules: Vec<Module>,
    /// What the reader should know about the result, such as a replaced file whose symbols could not be used.
    #[serde(flatten, with = "note::told")]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub notes: Vec<Note>,
    /// What the process ran, where that was seen while it lived.
    #[serde(default)]
    pub executable: Option<Executable>,
}

/// The proof that a dump was dropped: it existed in memory between two times, and this is all that is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Audit {
    /// The dump's size.
    pub size_bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    #[serde(deserialize_with = "text::text")]
    pub sha256: String,
    /// When it was taken.
    pub captured_at: Timestamp,
    /// When the memory that held it was given back.
    pub dropped_at: Timestamp,
    /// How long all of the worker's threads stood still for it, in microseconds.
    pub stopped_us: u64,
    /// `analysed`, or why the analysis failed.
    #[serde(deserialize_with = "text::text")]
    pub result: String,
}

/// A request that a worker was answering when it crashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InFlightRequest {
    /// GET, POST, …
    #[serde(deserialize_with = "text::text")]
    pub method: String,
    /// The path without query, what may be personal in it as `*` (see [`crate::path_template`]).
    #[serde(deserialize_with = "text::text")]
    pub path: String,
    /// How long it had been under way.
    pub age_ms: u64,
    /// By what it is known that the process had it.
    #[serde(default, skip_serializing_if = "RequestEvidence::is_default")]
    pub evidence: RequestEvidence,
}

/// By what it is known that a process that crashed had a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum RequestEvidence {
    /// Its worker had it, and nothing more is known.
    #[default]
    InFlight,
    /// Its connection ended with the process, and nothing was left to read on it.
    Closed,
    /// The process stood still, and had read it from its socket.
    Read,
}

impl RequestEvidence {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The request of these, oldest first, that most likely killed the process that had them: the newest of those that it is known
/// to have read, else the newest of all, since what had run for long was survived for long.
pub fn newest_read(requests: &[InFlightRequest]) -> Option<&InFlightRequest> {
    let is_known = |request: &&InFlightRequest| request.evidence != RequestEvidence::InFlight;
    requests.iter().rev().find(is_known).or_else(|| requests.last())
}

/// The requests that a worker's end affected: those that it was answering, and those that it had when it was retired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AffectedRequests {
    /// How many it was answering when it died, those that were then tried again included.
    pub count: u32,
    /// The newest of them, oldest first, at most [`Crash::IN_FLIGHT_KEPT`].
    pub requests: Vec<InFlightRequest>,
    /// The one that may have killed it, and was not tried again for that.
    pub suspect: Option<InFlightRequest>,
    /// Requests, streams and tunnels that it finished after it was retired and before it was asked to end, and requests that it
    /// finished then.
    pub drained: u64,
    /// Its requests that ended by an error of the front door's own (502, a cut answer) since it was retired or because it died. One that was tried again is not among them, unless no worker took it in time; a later call tells that.
    /// One whose answer was on its way when the worker died is, though the answer still arrives.
    pub failed: u64,
    /// Streams that were cut since it was retired or because it died, or that ended after it was asked to end.
    pub streams_ended: u64,
    /// Tunnels, likewise.
    pub tunnels_ended: u64,
}

impl AffectedRequests {
    /// Adds what came to light later, or somewhere else.
    pub fn add(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.drained = self.drained.saturating_add(more.drained);
        self.failed = self.failed.saturating_add(more.failed);
        self.streams_ended = self.streams_ended.saturating_add(more.streams_ended);
        self.tunnels_ended = self.tunnels_ended.saturating_add(more.tunnels_ended);
        self.suspect = self.suspect.take().or(more.suspect);
        self.requests.extend(more.requests);
        let surplus = self.requests.len().saturating_sub(Crash::IN_FLIGHT_KEPT);
        self.requests.drain(..surplus);
    }
}

/// What a process that crashed was to its worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ProcessRole {
    /// The process that Medic started.
    #[default]
    Main,
    /// A child that a server of the same program has started to serve, and that it replaces.
    Child,
    /// What a launcher has started to serve, such as the program behind `npm start`.
    BehindLauncher,
}

/// One crash, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Crash {
    /// The worker whose process crashed.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub worker: WorkerId,
    /// Where the worker ran.
    #[serde(flatten)]
    pub place: Place,
    /// The process that crashed.
    pub pid: u32,
    /// What it was to the worker.
    #[serde(default)]
    pub role: ProcessRole,
    /// When the process was started; of a main one, when that was decided.
    pub process_started_at: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// How long the process had run.
    pub uptime_ms: u64,
    /// What made it a crash.
    pub cause: CrashCause,
    /// The fatal signal, such as `SIGSEGV`.
    pub signal: Option<String>,
    /// The exit code where no signal ended it.
    pub exit_code: Option<i32>,
    /// What the analysis found.
    #[serde(flatten)]
    pub findings: Findings,
    /// What was under way, oldest first; counted whole, the newest listed up to [`Crash::IN_FLIGHT_KEPT`].
    pub in_flight: Vec<InFlightRequest>,
    /// How many requests were under way.
    pub in_flight_count: u32,
    /// Its private bytes over its last minutes, oldest first, where it was killed for want of memory; empty otherwise.
    #[serde(default)]
    pub memory: Vec<Sample>,
    /// The dump's proof of deletion, where one was taken.
    pub audit: Option<Audit>,
    /// The incident it belongs to.
    pub incident: IncidentId,
}

impl Crash {
    /// How many of the requests in flight are listed. Ours: enough to see the pattern, few enough for a row.
    pub const IN_FLIGHT_KEPT: usize = 20;

    /// The GNU build id of the code that crashed: of the file that holds the call which tells this crash from others.
    pub fn build_id(&self) -> Option<&str> {
        build_id(&self.findings.crashing_thread, &self.findings.modules)
    }

    /// Only by which signal it ended is known: no stack was captured, and its last words said nothing.
    pub fn is_signal_only(&self) -> bool {
        self.cause == CrashCause::Signal
            && self.audit.is_none()
            && self.findings.crashing_thread.frames.is_empty()
            && self.signal.as_ref() == Some(&self.findings.exception_type)
    }

    /// Its stack was captured as a signal ended it.
    pub fn is_captured(&self) -> bool {
        self.cause == CrashCause::Signal
            && self.signal.is_some()
            && self.audit.is_some()
            && !self.findings.crashing_thread.frames.is_empty()
    }

    /// Its name.
    pub fn id(&self) -> CrashId {
        let process = ProcessId { pid: self.pid, started_at: self.process_started_at };
        CrashId { worker: self.worker.clone(), process: (self.role != ProcessRole::Main).then_some(process) }
    }

    /// The signal and status as the store and the pages have them.
    pub fn exit_parts(exit: Exit) -> (Option<String>, Option<i32>) {
        match exit {
            Exit::Signal(signal) => (Some(signal.name()), None),
            Exit::Code(code) => (None, Some(code)),
        }
    }
}

fn build_id<'a>(thread: &Thread, modules: &'a [Module]) -> Option<&'a str> {
    let name = thread.top_frame()?.module.as_deref()?;
    modules.iter().find(|module| module.name == name)?.build_id.as_deref()
}
