//! A minidump becomes the crashing thread's stack.
//!
//! `minidump-processor` reads the dump and walks the stack; what makes that safe and good is ours:
//! - It has no bounds: a dump of 1 MB whose threads share one stack, or whose modules share one long name, took 46 s and 7 GB.
//!   So it is given a *reduced* dump ([`reduce`]): only the crashing thread, a bounded stack, bounded names and lists.
//! - Its provider of symbols for the local machine has the wrong base for executables at a fixed address, does not look at
//!   build ids and cannot step over signal frames. Ours ([`provider`]) does, and opens only the files that the stack is in.
//!
//! Dumps of other systems and processors are read with what the processor does by itself, and a folder of Breakpad symbols where
//! there is one.

mod convert;
mod elf;
mod lines;
mod perf_map;
mod provider;
mod reason;
mod reduce;
mod unwind;

use std::path::Path;

use minidump::Minidump;
use minidump_processor::{ProcessState, ProcessorOptions, process_minidump_with_options};
use model::crash::{Module, Note, Runtime, Thread};

use crate::{Files, Limits};
pub use provider::DEBUG_FILES;
use provider::Provider;

/// What a dump says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpFindings {
    /// The exception's type, such as `SIGSEGV / SEGV_MAPERR`; empty where the dump has no exception.
    pub exception_type: String,
    /// Always [`Runtime::Native`]: a dump knows machine code.
    pub runtime: Runtime,
    /// The crashing thread.
    pub thread: Thread,
    /// What was loaded, the files of the stack first.
    pub modules: Vec<Module>,
    /// What the reader should know, such as a replaced file.
    pub notes: Vec<Note>,
}

/// Why a dump could not be analysed.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// Larger than is ever read.
    #[error("the dump has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most that is read.
        limit: usize,
    },
    /// Not a minidump, or of the other byte order.
    #[error("it is no minidump: it does not begin with `MDMP`")]
    NotAMinidump,
    /// Something points outside of it.
    #[error("the dump is damaged: {what} is outside of its {bytes} bytes")]
    OutOfRange {
        /// What is.
        what: &'static str,
        /// The dump's size.
        bytes: usize,
    },
    /// More of something than a real dump has.
    #[error("the dump is damaged: it claims {count} {what}; at most {limit} are read")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many it claims.
        count: usize,
        /// The most that are read.
        limit: usize,
    },
    /// A stream without which nothing can be said.
    #[error("the dump has no {0}")]
    Missing(&'static str),
    /// It does not read as a dump.
    #[error("the dump does not read")]
    Unreadable(#[source] minidump::Error),
    /// What reads it has a defect that it, or a file of the crash, brings out.
    #[error("what reads dumps failed on this one or on a file of the crash")]
    Panicked,
    /// It reads, but cannot be processed.
    #[error("the dump cannot be processed")]
    Unprocessable(#[source] minidump_processor::ProcessError),
}

/// Where names come from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Where the modules' files are.
    pub files: &'a Files,
    /// A folder of Breakpad symbols (`name/id/name.sym`), for dumps of other machines.
    pub symbols: Option<&'a Path>,
    /// The file in which a just-in-time compiler named its functions.
    pub perf_map: Option<&'a Path>,
}

/// Reads a dump with the files of the machine where the crash happened.
pub fn read(bytes: &[u8], files: &Files, limits: &Limits) -> Result<DumpFindings, DumpError> {
    read_with(bytes, &Sources { files, symbols: None, perf_map: None }, limits)
}

/// Reads a dump with names from `sources`.
pub fn read_with(bytes: &[u8], sources: &Sources<'_>, limits: &Limits) -> Result<DumpFindings, DumpError> {
    // several libraries' code on hostile files: its panic must not take along what else is known of the crash
    let read = std::panic::AssertUnwindSafe(|| read_all(bytes, sources, limits));
    std::panic::catch_unwind(read).unwrap_or(Err(DumpError::Panicked))
}

fn read_all(bytes: &[u8], sources: &Sources<'_>, limits: &Limits) -> Result<DumpFindings, DumpError> {
    let reduced = reduce::reduce(bytes, limits)?;
    let minidump = Minidump::read(reduced.bytes.as_slice()).map_err(DumpError::Unreadable)?;
    let provider = Provider::new(sources, limits.frames);
    let state = process(&minidump, &provider)?;
    let mut notes = reduced.notes;
    notes.extend(provider.into_notes());
    Ok(findings(&state, sources, limits, notes))
}

fn process(minidump: &Minidump<'_, &[u8]>, provider: &Provider<'_>) -> Result<ProcessState, DumpError> {
    let options = ProcessorOptions::default();
    pollster::block_on(process_minidump_with_options(minidump, provider, options))
        .map_err(DumpError::Unprocessable)
}

fn findings(state: &ProcessState, sources: &Sources<'_>, limits: &Limits, notes: Vec<Note>) -> DumpFindings {
    let stack = state.requesting_thread.and_then(|index| state.threads.get(index)).or(state.threads.first());
    let thread = stack.map(|stack| convert::thread(stack, sources, limits.frames)).unwrap_or_default();
    DumpFindings {
        exception_type: reason::exception_type(state, stack, &thread.frames),
        runtime: Runtime::Native,
        modules: convert::modules(&state.modules, stack, limits.modules),
        thread,
        notes,
    }
}
