//! The child's side: gives up what it does not need, reads the one process that it was given, answers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crash::{PythonCall, PythonCalls};
use py_spy::config::LockingStrategy;
use py_spy::{Config, PythonSpy, StackTrace};

use super::Job;
use crate::analyser::confine_memory_reader;
use crate::sys::descriptors::inherited;
use crate::sys::foreign_memory::serve_trapped_reads;

/// The descriptor on which the process's memory is found.
const MEMORY_FD: i32 = 3;

/// How many calls are told, innermost first; more than are shown.
const CALLS_KEPT: usize = 200;

/// How much of an error of the library's is told.
const ERROR_CHARS: usize = 200;

/// The answer to a line that is a job about a Python program, as JSON.
pub(crate) fn answer(line: &[u8]) -> Option<Vec<u8>> {
    let job = serde_json::from_slice(line).ok()?;
    serde_json::to_vec(&calls_of(&job)).ok()
}

/// The calls of the job's thread; none where it runs no Python.
fn calls_of(job: &Job) -> PythonCalls {
    let memory = inherited(MEMORY_FD).ok_or("no memory was handed over")?;
    serve_trapped_reads(memory).map_err(|error| error.to_string())?;
    // nothing of the process has been looked at so far
    confine_memory_reader().map_err(|error| error.to_string())?;
    catch_unwind(AssertUnwindSafe(|| read(job))).map_err(|_| "its memory makes no sense".to_owned())?
}

fn read(job: &Job) -> PythonCalls {
    // the process stands still already; looking for the names of threads would take it longer
    let config =
        Config { blocking: LockingStrategy::NonBlocking, collect_thread_names: false, ..Config::default() };
    let mut spy = PythonSpy::new(job.python, &config).map_err(|error| shortened(&error))?;
    let traces = spy.get_stack_traces().map_err(|error| shortened(&error))?;
    let is_it = |trace: &StackTrace| {
        trace.thread_id == job.thread || trace.os_thread_id == u64::try_from(job.tid).ok()
    };
    let frames = traces.into_iter().find(is_it).map(|trace| trace.frames).unwrap_or_default();
    let calls = frames.into_iter().take(CALLS_KEPT).map(|frame| PythonCall {
        function: frame.name,
        file: frame.filename,
        line: u32::try_from(frame.line).ok(),
        enters: frame.is_entry || frame.is_shim_entry,
    });
    Ok(calls.collect())
}

fn shortened(error: &dyn std::fmt::Display) -> String {
    error.to_string().chars().take(ERROR_CHARS).collect()
}
