//! Go: panics, fatal errors of the runtime, and what it prints at a fatal signal. A call is two lines: the function with its
//! arguments, then file and line behind a tab.

use model::crash::{Frame, Runtime};

use super::{LastWords, Report, ahead, message};
use crate::text::{file_line, printed};

/// The texts of `fatal error:` that the runtime itself has, which therefore tell nothing private.
const FATAL: [&str; 11] = [
    "all goroutines are asleep - deadlock!",
    "concurrent map writes",
    "concurrent map read and map write",
    "concurrent map iteration and map write",
    "sync: unlock of unlocked mutex",
    "sync: Unlock of unlocked RWMutex",
    "sync: RUnlock of unlocked RWMutex",
    "sync: inconsistent mutex state",
    "fault",
    "unexpected signal during runtime execution",
    "no goroutines (main called runtime.Goexit) - deadlock!",
];

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    panic(lines, at)
        .or_else(|| fatal_error(lines, at))
        .or_else(|| signal(lines, at))
        .or_else(|| served_panic(lines, at))
        .or_else(|| headless(lines, at))
}

fn panic(lines: &[&str], start: usize) -> Option<Report> {
    let first = lines[start].strip_prefix("panic: ")?;
    let to_stack = ahead(lines, start + 1, 100).iter().position(|line| is_goroutine(line))?;
    let head = &lines[start + 1..start + 1 + to_stack];
    // A panic while panicking: each further one stands behind a tab, the last is the one that ended it.
    let again = head.iter().filter(|line| line.trim_start().starts_with("panic: ")).count();
    let value =
        head.iter().filter_map(|line| line.trim_start().strip_prefix("panic: ")).next_back().unwrap_or(first);
    let (kind, text) = value_type(without_marks(value));
    let text = if again == 0 {
        message(text, head, |line| {
            line.is_empty() || line.starts_with("[signal ") || line.starts_with("goroutine ")
        })
    } else {
        text.to_owned()
    };
    let cause = (again > 0).then(|| value_type(without_marks(first)).0);
    let (thread, frames, end) = stack(lines, start + 1 + to_stack);
    let words = LastWords::new(Runtime::Go, kind)
        .with_message(&text)
        .with_thread(thread)
        .with_frames(without_machinery(frames))
        .with_cause(cause);
    Some(Report { words, end })
}

/// `value [recovered]`, `value [recovered, repanicked]`.
fn without_marks(value: &str) -> &str {
    value.split(" [recovered").next().unwrap_or(value)
}

/// Type and text of a panic's value: `runtime error: …`, `main.MyErr{Code:42}`, `(main.T) {…}`, `&errors.errorString{…}`,
/// `main.Name("x")`, or only a text.
fn value_type(value: &str) -> (&str, &str) {
    if let Some(text) = value.strip_prefix("runtime error: ") {
        return ("runtime.Error", text);
    }
    let inner = value.trim_start_matches(['&', '(']);
    let end = inner.find(|c: char| !(c.is_alphanumeric() || "_./*-".contains(c))).unwrap_or(inner.len());
    let (kind, rest) = inner.split_at(end);
    let has_package = kind.split_once('.').is_some_and(|(package, name)| {
        !package.is_empty() && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
    });
    if has_package && (rest.starts_with(['{', '(', ')'])) { (kind, value) } else { ("panic", value) }
}

fn fatal_error(lines: &[&str], start: usize) -> Option<Report> {
    let text = lines[start].strip_prefix("fatal error: ")?;
    let to_stack = ahead(lines, start + 1, 200).iter().position(|line| is_goroutine(line))?;
    let (thread, frames, end) = stack(lines, start + 1 + to_stack);
    let known =
        FATAL.iter().find(|known| text.starts_with(**known)).map(|known| format!("fatal error: {known}"));
    let kind = match known {
        Some(kind) => kind,
        None if text.starts_with("stack overflow") => "Stack overflow".to_owned(),
        None if text.contains("out of memory") || text.contains("cannot allocate memory") => {
            "Out of memory".to_owned()
        }
        None => "fatal error".to_owned(),
    };
    let words = LastWords::new(Runtime::Go, &kind)
        .with_message(text)
        .with_thread(thread)
        .with_frames(without_machinery(frames));
    Some(Report { words, end })
}

/// `SIGABRT: abort`, `PC=0x465e41 m=0 sigcode=0`.
fn signal(lines: &[&str], start: usize) -> Option<Report> {
    let (name, text) = lines[start].split_once(": ")?;
    let is_signal =
        name.starts_with("SIG") && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if !(is_signal && lines.get(start + 1)?.starts_with("PC=")) {
        return None;
    }
    let to_stack = ahead(lines, start + 2, 60).iter().position(|line| is_goroutine(line));
    let (thread, frames, end) =
        to_stack.map_or((None, Vec::new(), start + 2), |to_stack| stack(lines, start + 2 + to_stack));
    let words = LastWords::new(Runtime::Go, name).with_message(text).with_thread(thread).with_frames(frames);
    Some(Report { words, end })
}

/// `net/http` catches a handler's panic, prints it and goes on.
fn served_panic(lines: &[&str], start: usize) -> Option<Report> {
    let (_, text) = lines[start].split_once("http: panic serving ")?;
    if !lines.get(start + 1).is_some_and(|line| is_goroutine(line)) {
        return None;
    }
    let text = text.split_once(": ").map_or(text, |(_address, text)| text);
    let (thread, frames, end) = stack(lines, start + 1);
    let (kind, text) = value_type(text);
    let after_panic =
        frames.iter().position(|frame| frame.function.as_deref() == Some("panic")).map_or(0, |at| at + 1);
    let words = LastWords::new(Runtime::Go, kind)
        .with_message(text)
        .with_thread(thread)
        .with_frames(without_machinery(frames[after_panic..].to_vec()));
    Some(Report { words: words.perhaps(), end })
}

/// Thousands of goroutines push the panic's own line out of the tail; what is left still tells that it was Go.
fn headless(lines: &[&str], start: usize) -> Option<Report> {
    if !is_goroutine(lines[start]) {
        return None;
    }
    let (thread, frames, end) = stack(lines, start);
    let running = lines[start].contains("[running");
    let frames = if running { without_machinery(frames) } else { Vec::new() };
    let thread = thread.filter(|_| running);
    Some(Report {
        words: LastWords::new(Runtime::Go, "panic").with_thread(thread).with_frames(frames).perhaps(),
        end,
    })
}

/// `goroutine 9 [running]:`, `goroutine 1 gp=0xc000002380 m=0 mp=0x5 [running, locked to thread]:`.
fn is_goroutine(line: &str) -> bool {
    line.starts_with("goroutine ") && line.ends_with("]:")
}

/// The goroutine's name, its calls, and the line after all goroutines that follow.
fn stack<'t>(lines: &[&'t str], start: usize) -> (Option<&'t str>, Vec<Frame>, usize) {
    let header = lines[start];
    let number_end =
        header["goroutine ".len()..].find(' ').map_or(header.len(), |at| at + "goroutine ".len());
    let mut frames = Vec::new();
    let mut at = start + 1;
    while let Some(line) = lines.get(at).filter(|line| !line.is_empty()) {
        let place = lines.get(at + 1).filter(|next| next.starts_with('\t'));
        if !line.starts_with("created by ")
            && let (Some(function), Some(place)) = (without_arguments(line), place)
        {
            let (file, number) = file_line(
                place
                    .trim_start()
                    .split(" +0x")
                    .next()
                    .unwrap_or(place)
                    .split(" fp=")
                    .next()
                    .unwrap_or(place),
            );
            frames.push(printed(function, file, number));
        }
        at += 1 + usize::from(place.is_some());
    }
    (header.get(..number_end), frames, after_goroutines(lines, at))
}

/// Skips the other goroutines and the registers: none of it is another report.
fn after_goroutines(lines: &[&str], mut at: usize) -> usize {
    loop {
        let next = at + lines.iter().skip(at).take_while(|line| line.is_empty()).count();
        match lines.get(next) {
            Some(line)
                if is_goroutine(line) || line.starts_with("rax ") || line.starts_with("runtime stack:") =>
            {
                at = next + lines.iter().skip(next).take_while(|line| !line.is_empty()).count();
            }
            Some(line) if line.starts_with("exit status ") => return next + 1,
            _ => return at,
        }
    }
}

/// `main.(*Shop).load(0xc000012345, {0x0, 0x0})` without the last pair of parentheses.
fn without_arguments(line: &str) -> Option<&str> {
    let inner = line.strip_suffix(')')?;
    let mut depth = 1_u32;
    for (at, c) in inner.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return inner.get(..at).filter(|function| !function.is_empty());
        }
    }
    None
}

/// The calls without the runtime's own on the way from the fault to its report.
fn without_machinery(frames: Vec<Frame>) -> Vec<Frame> {
    let of_runtime = |frame: &Frame| {
        frame
            .function
            .as_deref()
            .is_some_and(|function| function == "panic" || function.starts_with("runtime."))
    };
    let own = frames.iter().take_while(|frame| of_runtime(frame)).count();
    if own == frames.len() { frames } else { frames.into_iter().skip(own).collect() }
}
