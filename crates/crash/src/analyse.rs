//! Joins what the kernel, the runtime and the dump say of one death.

use model::crash::{Findings, Frame, Note, Runtime, Thread};
use model::{CrashCause, Exit, Signal};

use crate::dump::{self, DumpFindings, Sources};
use crate::last_words::{self, LastWords};
use crate::{Analysis, Death, Limits, PythonCall, kinds, python_calls, signature, text};

/// How many lines of output are the message of a death without a report. Ours.
const LAST_LINES: usize = 10;
/// More lines than this after a report say that the worker lived on.
const LINES_AFTER: usize = 50;
/// More lines than this after a report on standard output say that it was a log of something survived. Ours: other threads may
/// still get a few lines out.
const LINES_AFTER_ON_OUTPUT: usize = 10;

/// Finds out what can be known. Never fails and never panics: where the dump cannot be read, the rest is told.
pub fn analyse(death: &Death<'_>, limits: &Limits) -> Analysis {
    let sources = Sources { files: death.files, symbols: None, perf_map: death.perf_map };
    let (dump, dump_error) = match death.dump.map(|bytes| dump::read_with(bytes, &sources, limits)) {
        Some(Ok(dump)) => (Some(dump), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    let mut notes = Vec::new();
    let words = last_words(death, limits, &mut notes);
    if let Some(error) = &dump_error {
        notes.push(Note::DumpUnreadable { error: error.clone() });
    }
    if words.is_none() {
        notes.extend(shells_word(death.exit));
    }
    let (exception_type, runtime) = who_names_the_type(death, words.as_ref(), dump.as_ref());
    let calls = python_calls(death, words.as_ref(), &mut notes);
    let is_python = !calls.is_empty() && runtime == Runtime::Native;
    let runtime = if is_python { Runtime::Python } else { runtime };
    let (mut thread, modules) = whose_frames(words.as_ref(), dump, calls, limits, &mut notes);
    let subject = signature::Subject {
        exception_type: &exception_type,
        runtime,
        frames: &thread.frames,
        program: death.program,
    };
    let (signature, telling) = (signature::of(&subject), signature::telling_frame(&subject));
    thread.telling = telling;
    let message = match words {
        Some(words) => words.message,
        None => last_lines(death, limits),
    };
    let findings = Findings {
        exception_type,
        runtime,
        signature,
        crashing_thread: thread,
        modules,
        notes,
        executable: None,
    };
    Analysis { findings, message, dump_error }
}

/// The report that explains this exit. What was printed before a signal that it cannot have caused is not believed.
///
/// Standard output is asked last and believed least: it is where logs go, with every exception that was dealt with. A report
/// there counts where only a dying process prints it and next to nothing came after it.
fn last_words(death: &Death<'_>, limits: &Limits, notes: &mut Vec<Note>) -> Option<LastWords> {
    match death.cause {
        CrashCause::OutOfMemory => return None,
        CrashCause::KilledByMaster => return aborted(death, limits),
        CrashCause::Signal | CrashCause::Exit => {}
    }
    let fits = |words: &LastWords| words.explains(death.exit);
    let ends_output =
        |words: &LastWords| words.certain && words.lines_after <= LINES_AFTER_ON_OUTPUT && fits(words);
    let words = last_words::read_where(death.standard_error, limits.text_bytes, fits)
        .or_else(|| last_words::read_where(death.standard_output, limits.text_bytes, ends_output))?;
    if let Some(cause) = &words.cause {
        notes.push(Note::CausedBy { exception: cause.clone() });
    }
    if words.lines_after > LINES_AFTER {
        notes.push(Note::LinesAfterReport { lines: words.lines_after as u64 });
    }
    Some(words)
}

/// Where a child was that its master has aborted for its time: gunicorn's prints its calls, which its own handler ends.
fn aborted(death: &Death<'_>, limits: &Limits) -> Option<LastWords> {
    let is_handler = |frame: &Frame| frame.function.as_deref() == Some("handle_abort");
    let fits = |words: &LastWords| {
        words.exception_type == "SystemExit" && words.frames.first().is_some_and(is_handler)
    };
    let mut words = last_words::read_where(death.standard_error, limits.text_bytes, fits)?;
    words.frames.retain(|frame| !is_handler(frame));
    words.message = None;
    Some(words)
}

/// The runtime's word wins: it knows its exceptions, the kernel only signals. For a signal that the runtime merely repeats, the
/// dump knows the code too.
fn who_names_the_type(
    death: &Death<'_>,
    words: Option<&LastWords>,
    dump: Option<&DumpFindings>,
) -> (String, Runtime) {
    if let Some(decided) = kinds::decided(death.cause) {
        let runtime = words.map(|words| words.runtime).or_else(|| dump.map(|dump| dump.runtime));
        return (decided.to_owned(), runtime.unwrap_or(Runtime::Native));
    }
    let of_dump = dump.map(|dump| dump.exception_type.as_str()).filter(|kind| !kind.is_empty());
    match (words, of_dump) {
        (Some(words), Some(of_dump))
            if of_dump.split(" / ").next() == Some(words.exception_type.as_str()) =>
        {
            (of_dump.to_owned(), words.runtime)
        }
        (Some(words), _) => (words.exception_type.clone(), words.runtime),
        (None, Some(of_dump)) => (of_dump.to_owned(), dump.map_or(Runtime::Native, |dump| dump.runtime)),
        (None, None) => (kinds::unexplained(death.cause, death.exit), Runtime::Native),
    }
}

/// A worker that is started through a shell ends with the shell's status: 128 and the signal of what the shell had started.
fn shells_word(exit: Exit) -> Option<Note> {
    let Exit::Code(exit_code) = exit else { return None };
    let signal = Signal(exit_code.checked_sub(128)?);
    signal.dumps_core().then(|| Note::OfShell { exit_code, signal: signal.name() })
}

/// What a Python program was doing; where that could not be read, why.
fn python_calls<'a>(
    death: &'a Death<'_>,
    words: Option<&LastWords>,
    notes: &mut Vec<Note>,
) -> &'a [PythonCall] {
    match death.python_calls {
        None => &[],
        Some(Ok(calls)) => calls,
        Some(Err(error)) => {
            let printed = words.is_some_and(|words| !words.frames.is_empty());
            notes.push(Note::PythonCallsUnread { error: error.clone(), printed });
            &[]
        }
    }
}

/// The dump's calls win: they are complete, with modules and inlines. But a runtime that compiles as it runs, or interprets, has
/// its own calls in machine code without names: what was read of it is put into the dump's, and what it printed itself is better
/// where nothing was.
fn whose_frames(
    words: Option<&LastWords>,
    dump: Option<DumpFindings>,
    calls: &[PythonCall],
    limits: &Limits,
    notes: &mut Vec<Note>,
) -> (Thread, Vec<model::crash::Module>) {
    let printed = words.map(|words| {
        let truncated = words.frames.len() > limits.frames;
        let frames = words.frames.iter().take(limits.frames).cloned().collect();
        Thread { name: words.thread.clone(), frames, truncated, telling: None }
    });
    let Some(dump) = dump else { return (printed.unwrap_or_default(), Vec::new()) };
    if !calls.is_empty() {
        notes.extend(dump.notes);
        let mut frames = python_calls::join(dump.thread.frames, calls);
        let truncated = dump.thread.truncated || frames.len() > limits.frames;
        frames.truncate(limits.frames);
        return (Thread { frames, truncated, ..dump.thread }, dump.modules);
    }
    let runs_managed_code = words.is_some_and(|words| {
        !words.frames.is_empty()
            && !matches!(words.runtime, Runtime::Rust | Runtime::Cpp | Runtime::Glibc | Runtime::Native)
    });
    let thread = match printed {
        Some(printed) if runs_managed_code || dump.thread.frames.is_empty() => {
            Thread { name: printed.name.or(dump.thread.name), ..printed }
        }
        _ => {
            notes.extend(dump.notes);
            dump.thread
        }
    };
    (thread, dump.modules)
}

/// What a worker said last before an exit that no report explains: on standard error, else on standard output.
fn last_lines(death: &Death<'_>, limits: &Limits) -> Option<String> {
    let last = |tail| last_lines_of(&text::plain(tail, limits.text_bytes));
    last(death.standard_error).or_else(|| last(death.standard_output))
}

fn last_lines_of(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
    (!last.is_empty()).then(|| last.join("\n"))
}
