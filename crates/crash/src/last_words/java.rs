//! The Java virtual machine: uncaught exceptions with their causes, failed starts, and its own crash report.

use model::crash::{Frame, Runtime};

use super::{Ends, LastWords, Report, ahead, message};
use crate::text::{self, printed, type_and_message};

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    uncaught(lines, at)
        .or_else(|| machine_crash(lines, at))
        .or_else(|| out_of_memory(lines, at))
        .or_else(|| failed_start(lines, at))
        .or_else(|| logged(lines, at))
        .or_else(|| headless(lines, at))
}

/// The machine prints at most 1,024 calls of an exception (`MaxJavaStackTraceDepth`); those of a stack overflow push their
/// heading out of the tail. What prints so many is hardly anything else.
fn headless(lines: &[&str], start: usize) -> Option<Report> {
    const MANY: usize = 400;
    if start > 2 || !lines[start].starts_with("\tat ") {
        return None;
    }
    let frames: Vec<Frame> = lines[start..].iter().map_while(|line| call(line)).collect();
    let end = start + frames.len();
    let words = LastWords::new(Runtime::Java, "java.lang.StackOverflowError")
        .with_frames(frames)
        .ending(Ends::ByExit);
    (end - start >= MANY).then(|| Report { words: words.perhaps(), end })
}

/// `Exception in thread "main" java.lang.IllegalStateException: …`. The thread dies of it; with the last one the program.
fn uncaught(lines: &[&str], start: usize) -> Option<Report> {
    let (thread, error) = lines[start].strip_prefix("Exception in thread \"")?.split_once("\" ")?;
    let mut report = exception(lines, start, error)?;
    report.words = report.words.with_thread(Some(thread));
    Some(report)
}

/// The exception whose first line is `error`, with its calls and its causes.
fn exception(lines: &[&str], start: usize, error: &str) -> Option<Report> {
    let (kind, text) = type_and_message(error).filter(|(kind, _)| is_class(kind))?;
    let body = ahead(lines, start + 1, 2_000);
    let is_stack = |line: &str| {
        line.starts_with("\tat ") || line.starts_with("Caused by: ") || line.starts_with("\t... ")
    };
    let stack_at = body.iter().take(super::MESSAGE_LINES + 1).position(|line| is_stack(line));
    let text = stack_at.map_or_else(|| text.to_owned(), |at| message(text, &body[..at], |_| false));
    let stack_at = stack_at.unwrap_or(0);
    let frames = body[stack_at..].iter().map_while(|line| call(line)).collect();
    let belongs =
        |line: &str| line.starts_with('\t') || line.starts_with("Caused by: ") || line.starts_with("    ");
    let stack = body[stack_at..].iter().take_while(|line| belongs(line));
    let cause = stack
        .clone()
        .filter_map(|line| line.strip_prefix("Caused by: ").and_then(type_and_message))
        .last()
        .map(|(kind, _)| kind);
    let end = start + 1 + stack_at + stack.count();
    let words = LastWords::new(Runtime::Java, kind)
        .with_message(&text)
        .with_frames(frames)
        .with_cause(cause)
        .ending(Ends::ByExit);
    Some(Report { words, end })
}

fn is_class(kind: &str) -> bool {
    text::is_path(kind) && !kind.contains("::") && !kind.contains('\\')
}

/// `\tat java.base/java.lang.Thread.run(Thread.java:840) ~[app.jar:1.0]`.
fn call(line: &str) -> Option<Frame> {
    let call = line.strip_prefix("\tat ").or_else(|| line.strip_prefix("    at "))?;
    let (call, jar) = match call.split_once(") ") {
        Some((call, jar)) => (call, Some(jar.trim_start_matches('~').trim_matches(['[', ']']))),
        None => (call.strip_suffix(')')?, None),
    };
    let (method, place) = call.split_once('(')?;
    let (module, method) =
        method.rsplit_once('/').map_or((None, method), |(module, method)| (Some(module), method));
    let (file, number) = text::file_line(place);
    let mut frame = printed(method, if number.is_some() { file } else { "" }, number);
    let jar =
        jar.map(|jar| jar.split([':', '!']).next().unwrap_or(jar)).filter(|jar| *jar != "?" && *jar != "na");
    let module =
        module.map(|module| module.split(['@', '/']).next().unwrap_or(module)).filter(|m| *m != "app");
    frame.module = jar.or(module).and_then(|module| text::name_of(module, text::MODULE_CHARS));
    Some(frame)
}

/// The report that also goes to `hs_err_pid.log`: `# A fatal error has been detected by the Java Runtime Environment:`.
fn machine_crash(lines: &[&str], start: usize) -> Option<Report> {
    let body = ahead(lines, start + 1, 40);
    let body = &body[..body.iter().take_while(|line| line.starts_with('#')).count()];
    if lines[start].starts_with("# There is insufficient memory for the Java Runtime Environment") {
        let words = LastWords::new(Runtime::Java, "Out of memory")
            .with_message(body.first().map_or("", |line| line.trim_start_matches(['#', ' '])));
        return Some(Report { words, end: start + 1 + body.len() });
    }
    if !lines[start].starts_with("# A fatal error has been detected by the Java Runtime Environment") {
        return None;
    }
    let reason = body.iter().map(|line| line.trim_start_matches(['#', ' '])).find(|line| !line.is_empty())?;
    let kind = if reason.starts_with("SIG") || reason.starts_with("EXCEPTION_") {
        reason.split([' ', '(']).next().unwrap_or(reason)
    } else {
        "Internal Error"
    };
    let overflowed = start.checked_sub(3).is_some_and(|from| {
        lines[from..start].iter().any(|line| line.starts_with("An irrecoverable stack overflow has occurred"))
    });
    let frame = body
        .iter()
        .position(|line| line.starts_with("# Problematic frame:"))
        .and_then(|at| problematic_frame(body.get(at + 1)?.trim_start_matches(['#', ' '])));
    let words = LastWords::new(Runtime::Java, if overflowed { "Stack overflow" } else { kind })
        .with_message(reason)
        .with_frames(frame.into_iter().collect())
        .ending(Ends::BySignal);
    Some(Report { words, end: start + 1 + body.len() })
}

/// `V  [libjvm.so+0x9a1b2c]  Unsafe_PutInt+0x6c`, `C  [libc.so.6+0x15a3d0]`, `j  Crash.main([Ljava/lang/String;)V+5`,
/// `J 123 c2 Crash.run()V (5 bytes) @ 0x…`.
fn problematic_frame(line: &str) -> Option<Frame> {
    if let Some((module, rest)) = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')) {
        let (module, offset) = module.split_once("+0x")?;
        let function = rest.trim().rsplit_once("+0x").map_or("", |(function, _)| function);
        let mut frame = printed(function, "", None);
        frame.module = text::name_of(module, text::MODULE_CHARS);
        frame.offset = u64::from_str_radix(offset, 16).ok();
        return Some(frame);
    }
    let method = line.split_whitespace().find(|word| word.contains('('))?;
    Some(printed(method.split('(').next().unwrap_or(method), "", None))
}

/// `Terminating due to java.lang.OutOfMemoryError: Java heap space`, or the handler itself ran out of it.
fn out_of_memory(lines: &[&str], start: usize) -> Option<Report> {
    let line = lines[start];
    let error = ["Terminating due to ", "Aborting due to ", "Exception: "]
        .iter()
        .find_map(|before| line.strip_prefix(before))
        .filter(|error| error.starts_with("java.lang."))?;
    let (kind, text) = error.split_once([':', ' ']).unwrap_or((error, ""));
    let words = LastWords::new(Runtime::Java, kind).with_message(text);
    Some(Report { words, end: start + 1 })
}

/// `Error: Could not find or load main class Shop` and `Error occurred during initialization of VM`.
fn failed_start(lines: &[&str], start: usize) -> Option<Report> {
    let line = lines[start];
    let is_start = [
        "Error: Could not find or load main class",
        "Error: Unable to initialize main class",
        "Error: Main method not found",
        "Error: Unable to access jarfile",
        "Error: LinkageError occurred while loading main class",
        "Error occurred during initialization of VM",
        "Error: A JNI error has occurred",
        "Error: Could not create the Java Virtual Machine",
    ]
    .iter()
    .any(|begin| line.starts_with(begin));
    if !is_start {
        return None;
    }
    let next = lines.get(start + 1).copied().unwrap_or_default();
    let cause = next.strip_prefix("Caused by: ").or(Some(next).filter(|line| line.starts_with("java.lang.")));
    let kind = cause.and_then(type_and_message).map_or("Java start-up error", |(kind, _)| kind);
    let words = LastWords::new(Runtime::Java, kind).with_message(line).ending(Ends::ByExit);
    Some(Report { words, end: start + 1 + usize::from(cause.is_some()) })
}

/// A stack trace without the thread's name: `printStackTrace()` and loggers. The program may have gone on after it.
fn logged(lines: &[&str], start: usize) -> Option<Report> {
    let next = lines.get(start + 1)?;
    let (kind, _) = type_and_message(lines[start])?;
    let last = kind.rsplit(['.', '$']).next()?;
    let is_exception = ["Exception", "Error", "Throwable", "Failure"].iter().any(|end| last.ends_with(end));
    if !(is_exception && next.starts_with("\tat ") && next.contains('(')) {
        return None;
    }
    exception(lines, start, lines[start]).map(|report| Report { words: report.words.perhaps(), ..report })
}
