//! The child's side: reads the job, gives up what it does not need, understands the crash, answers, ends.

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use crash::{Death, Files, Limits};

use super::confine::confine;
use super::{Answer, DUMP_FD, Job, ROOT_FD};
use crate::sys::descriptors::inherited;
use crate::sys::{process, signals};

/// The largest dump that is read. A dump of 1,024 threads with 64 KiB of stack each stays below it.
const DUMP_LIMIT_BYTES: u64 = 96 << 20;

/// Reads one job from standard input and the dump, or the memory of a Python program, from descriptor
/// 3, and writes what was found to standard output, as JSON. It is started by a shim alone, with limits of memory and time. `python`
/// answers a job about a Python program, and nothing where the job is none.
pub(crate) fn run(python: fn(&[u8]) -> Option<Vec<u8>>) -> ExitCode {
    signals::reset_inherited();
    process::name_as_called();
    // whatever a panic has to say may hold what the dump held
    std::panic::set_hook(Box::new(|_| {}));
    match analyse(python) {
        Some(answer) if std::io::stdout().write_all(&answer).is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn analyse(python: fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).ok()?;
    let end_of_line = input.iter().position(|byte| *byte == b'\n')?;
    if let Some(answer) = python(&input[..end_of_line]) {
        return Some(answer);
    }
    let job: Job = serde_json::from_slice(&input[..end_of_line]).ok()?;
    let files = if job.has_root() { Files::below(inherited(ROOT_FD)?) } else { Files::of_machine() };
    // nothing that came from the worker has been looked at so far
    let unconfined = confine(&files, job.readable.as_deref()).ok()?;
    let dump = if job.has_dump { Some(read_dump()?) } else { None };
    let printed = &input[end_of_line + 1..];
    let (standard_error, standard_output) = match job.standard_error_bytes {
        Some(length) => printed.split_at_checked(length)?,
        None => (printed, &[][..]),
    };
    let death = Death {
        exit: job.exit,
        cause: job.cause,
        standard_error,
        standard_output,
        dump: dump.as_deref(),
        python_calls: job.python_calls.as_ref(),
        files: &files,
        program: &job.program,
        perf_map: job.perf_map.as_deref().map(Path::new),
    };
    let analysis = crash::analyse(&death, &Limits::default());
    serde_json::to_vec(&Answer { analysis, unconfined }).ok()
}

fn read_dump() -> Option<Vec<u8>> {
    let file = std::fs::File::from(inherited(DUMP_FD)?);
    let size = usize::try_from(file.metadata().ok()?.len().min(DUMP_LIMIT_BYTES)).ok()?;
    let mut dump = Vec::with_capacity(size);
    file.take(DUMP_LIMIT_BYTES).read_to_end(&mut dump).ok()?;
    Some(dump)
}
