//! How a Java virtual machine tells that it crashed itself.
//!
//! `HotSpot` prints a block of lines with `#`, which also begins its `hs_err_pid.log`. `OpenJ9` prints `Unhandled exception`, the
//! registers and a backtrace, and for each event that it takes a dump for, such as memory that ran out, a message whose number
//! begins with `JVMDUMP`.

use model::crash::{Frame, Runtime};

use crate::kinds;
use crate::last_words::report::{At, Report};
use crate::last_words::{Ends, LastWords, form};
use crate::text::{self, printed};

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    hotspot(at).or_else(|| openj9(at)).or_else(|| openj9_event(at))
}

fn hotspot(at: At<'_, '_>) -> Option<Report> {
    const MAX_LINES: usize = 60;
    let body = at.below(MAX_LINES);
    let body = &body[..body.iter().take_while(|line| line.starts_with('#')).count()];
    if at.head.starts_with("# There is insufficient memory for the Java Runtime Environment") {
        let text = body.first().map_or("", |line| line.text.trim_start_matches(['#', ' ']));
        let words = LastWords::new(Runtime::Java, kinds::OUT_OF_MEMORY).with_message(text);
        return Some(Report::of(words, at, body.len()));
    }
    if !at.head.starts_with("# A fatal error has been detected by the Java Runtime Environment") {
        return None;
    }
    let reason =
        body.iter().map(|line| line.text.trim_start_matches(['#', ' '])).find(|line| !line.is_empty())?;
    let name = reason.split([' ', '(']).next().unwrap_or(reason);
    let is_signal = (name.starts_with("SIG") || name.starts_with("EXCEPTION_"))
        && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let above = &at.lines[at.start.saturating_sub(3)..at.start];
    let kind = if above.iter().any(|line| line.starts_with("An irrecoverable stack overflow has occurred")) {
        kinds::STACK_OVERFLOW
    } else if is_signal {
        name
    } else if body.iter().any(|line| line.contains("fatal error: OutOfMemory encountered: ")) {
        "java.lang.OutOfMemoryError" // CrashOnOutOfMemoryError
    } else {
        "Internal Error"
    };
    let frame = body
        .iter()
        .position(|line| line.starts_with("# Problematic frame:"))
        .and_then(|heading| problematic_frame(body.get(heading + 1)?.trim_start_matches(['#', ' '])));
    let words = LastWords::new(Runtime::Java, kind)
        .with_message(reason)
        .with_frames(frame.into_iter().collect())
        .ending(Ends::BySignal);
    Some(Report::of(words, at, body.len()))
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

/// `Unhandled exception`, `Type=Segmentation error vmState=0x00040000`, registers, `Stack Backtrace` with
/// `resolve+0x1a (0x00007F78 [libj9vm29.so+0x1124a])`.
fn openj9(at: At<'_, '_>) -> Option<Report> {
    const MAX_LINES: usize = 300;
    let body = at.below(MAX_LINES);
    let text = body.first()?.text.strip_prefix("Type=")?;
    if at.head != "Unhandled exception" || !text.contains(" vmState=") {
        return None;
    }
    let signal = body.iter().take(4).find_map(|line| {
        let (_, number) = line.text.split_once(" Signal_Number=")?;
        u8::from_str_radix(number.split(' ').next()?, 16).ok()
    });
    let kind = match signal {
        Some(4) => "SIGILL",
        Some(6) => "SIGABRT",
        Some(7) => "SIGBUS",
        Some(8) => "SIGFPE",
        Some(11) => "SIGSEGV",
        _ => "Unhandled exception",
    };
    let backtrace = body.iter().position(|line| line.contains("- Stack Backtrace -"));
    let frames: Vec<Frame> = backtrace
        .map(|heading| body[heading + 1..].iter().map_while(|line| openj9_frame(line)).collect())
        .unwrap_or_default();
    let end = backtrace.map_or(2, |heading| heading + 1 + frames.len());
    let words =
        LastWords::new(Runtime::Java, kind).with_message(text).with_frames(frames).ending(Ends::BySignal);
    Some(Report::of(words, at, end))
}

fn openj9_frame(line: &str) -> Option<Frame> {
    let (function, module) = line.strip_suffix("])")?.split_once(" (0x")?;
    let (_, module) = module.split_once('[')?;
    let (module, offset) = module.split_once("+0x")?;
    let (function, _) = function.rsplit_once("+0x").unwrap_or(("", function));
    let mut frame = printed(function, "", None);
    frame.module = text::name_of(module, text::MODULE_CHARS);
    frame.offset = u64::from_str_radix(offset, 16).ok();
    Some(frame)
}

/// `JVMDUMP039I Processing dump event "systhrow", detail "java/lang/OutOfMemoryError" at … - please wait.`: an event that the
/// program may catch.
fn openj9_event(at: At<'_, '_>) -> Option<Report> {
    if !at.head.starts_with("JVMDUMP039I Processing dump event \"systhrow\"") {
        return None;
    }
    let (_, detail) = at.head.split_once("detail \"")?;
    let kind = detail.split('"').next()?.replace('/', ".");
    form::is_error(&kind).then(|| {
        let words = LastWords::new(Runtime::Java, &kind).with_message(at.head).perhaps();
        Report::of(words, at, at.below(200).iter().take_while(|line| line.starts_with("JVMDUMP")).count())
    })
}
