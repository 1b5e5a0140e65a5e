//! Understanding a crash: how a worker ended, the end of what it printed and, where the debugger was attached, a minidump become an exception type, a stack and a signature.
//!
//! Everything here is blocking and pure but for reading the modules' files among [`Death::files`]. It runs in a short-lived child
//! with hard limits on memory and time; the bounds here ([`Limits`]) make it end with a result where the child's limits would
//! only end it. Whatever a process left is hostile input: it is read without trust, shortened and cleaned.
//!
//! The exception's message may hold personal data. It is returned beside the findings, never in them.

mod analyse;
mod demangle;
pub mod dump;
mod files;
mod kinds;
pub mod last_words;
mod python_calls;
pub mod signature;
mod start_fault;
mod text;
mod time_out;

use std::path::Path;

use model::crash::{Findings, Note, Runtime, Thread};
use model::{AppName, CrashCause, Exit, IncidentId};
use serde::{Deserialize, Serialize};

pub use analyse::analyse;
pub use files::Files;
pub use python_calls::{PythonCall, PythonCalls};
pub use start_fault::start_fault;
pub use time_out::{is_time_out, words_of};

/// How a worker ended and what it left.
#[derive(Clone, Copy, Debug)]
pub struct Death<'a> {
    /// What the kernel said.
    pub exit: Exit,
    /// What made it a crash.
    pub cause: CrashCause,
    /// The end of its standard error, up to 64 KiB.
    pub standard_error: &'a [u8],
    /// The end of its standard output, up to 64 KiB. The Java virtual machine and PHP print their last words there.
    pub standard_output: &'a [u8],
    /// The minidump, where the debugger was attached.
    pub dump: Option<&'a [u8]>,
    /// What the Python program was doing, where the process was one and was stopped for the dump.
    pub python_calls: Option<&'a PythonCalls>,
    /// Where the modules' files are.
    pub files: &'a Files,
    /// The file name of the worker's program (`argv[0]`).
    pub program: &'a str,
    /// The file in which a just-in-time compiler named its functions, where there is one.
    pub perf_map: Option<&'a Path>,
}

/// How much of a crash is looked at. The numbers are ours: far above what a person reads, far below what hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Frames kept of the crashing thread: 200.
    pub frames: usize,
    /// Threads that a dump may have: 16,384. Only the crashing one is walked.
    pub threads: usize,
    /// Modules read from the dump: 2,048.
    pub modules: usize,
    /// Bytes of standard error, and of standard output, that are read, from the end of each: 64 KiB.
    pub text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frames: 200, threads: 16_384, modules: 2_048, text_bytes: 64 << 10 }
    }
}

/// What is known of a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analysis {
    /// What is kept.
    pub findings: Findings,
    /// The exception's full message: for the local file alone.
    pub message: Option<String>,
    /// Why the dump could not be analysed; the findings then come from the rest.
    pub dump_error: Option<String>,
}

/// What can be said of a crash that was not analysed, with the reason as its only note. It has the name that an analysis which
/// finds nothing gives it, so that both are one incident.
pub fn findings_without_analysis(
    cause: CrashCause,
    exit: Exit,
    program: Option<&str>,
    note: Note,
) -> Findings {
    let exception_type = kinds::unexplained(cause, exit);
    let subject = signature::Subject {
        exception_type: &exception_type,
        runtime: Runtime::Native,
        frames: &[],
        program: program.unwrap_or_default(),
    };
    Findings {
        signature: signature::of(&subject),
        exception_type,
        runtime: Runtime::Native,
        crashing_thread: Thread::default(),
        modules: Vec::new(),
        notes: vec![note],
        executable: None,
    }
}

/// What can be said of a crash whose shim was killed before it was analysed. Which program it was the shim alone knew: it may be
/// a child's, or one that the configuration does not name any more.
pub fn findings_without_shim(cause: CrashCause, exit: Exit) -> Findings {
    findings_without_analysis(cause, exit, None, Note::ShimKilled)
}

/// The permanent name of an incident: the first 16 hexadecimal digits of SHA-256 over app, NUL and signature.
pub fn incident_id(app: &AppName, signature: &str) -> IncidentId {
    use sha2::{Digest, Sha256};
    let digest =
        Sha256::new().chain_update(app.as_str()).chain_update([0]).chain_update(signature).finalize();
    let (first, _) = digest.split_at(8);
    let number = first.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:016x}").parse().expect("16 hexadecimal digits are an incident's id")
}
