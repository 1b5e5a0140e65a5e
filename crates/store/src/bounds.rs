//! Text from crashed programs, made fit to be stored: of bounded length, and without NUL, which PostgreSQL refuses.

use engine::crash::{Crash, Frame, InFlightRequest, Module, Thread};

/// A signature's length in characters, as [`engine::crash::Findings`] has it, and that of other short names.
const NAME: usize = 255;
/// C++ and Rust functions with their types; the longest that a reader can take in.
const FUNCTION: usize = 1_024;
const NOTE: usize = 1_024;
const NOTES: usize = 50;
/// More frames than an analysis gives.
const FRAMES: usize = 1_024;
/// More modules than an analysis gives.
const MODULES: usize = 4_096;

/// At most `limit` characters, the last an ellipsis where there were more. NUL becomes the replacement character.
pub(crate) fn text(text: &str, limit: usize) -> String {
    let whole = text.chars().nth(limit).is_none();
    let kept = if whole { limit } else { limit.saturating_sub(1) };
    let clean = text.chars().take(kept).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c });
    clean.chain((!whole).then_some('…')).collect()
}

/// A short name.
pub(crate) fn name(name: &str) -> String {
    text(name, NAME)
}

/// A machine's name; also without line breaks, which separate such names in an answer of the database.
pub(crate) fn node(node: &str) -> String {
    name(node).chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The crash as it is stored.
pub(crate) fn crash(crash: &Crash) -> Crash {
    let mut crash = crash.clone();
    crash.node = node(&crash.node);
    crash.signal = crash.signal.map(|signal| name(&signal));
    crash.in_flight.truncate(Crash::IN_FLIGHT_KEPT);
    crash.in_flight.iter_mut().for_each(request);
    if let Some(audit) = &mut crash.audit {
        audit.sha256 = name(&audit.sha256);
        audit.result = name(&audit.result);
    }
    let findings = &mut crash.findings;
    findings.exception_type = name(&findings.exception_type);
    findings.signature = name(&findings.signature);
    thread(&mut findings.crashing_thread);
    findings.modules.truncate(MODULES);
    findings.modules.iter_mut().for_each(module);
    findings.notes.truncate(NOTES);
    findings.notes.iter_mut().for_each(|note| *note = text(note, NOTE));
    crash
}

fn request(request: &mut InFlightRequest) {
    request.method = name(&request.method);
    request.path = name(&request.path);
}

fn thread(thread: &mut Thread) {
    thread.name = thread.name.take().map(|text| name(&text));
    thread.truncated |= thread.frames.len() > FRAMES;
    thread.frames.truncate(FRAMES);
    thread.frames.iter_mut().for_each(frame);
}

fn frame(frame: &mut Frame) {
    frame.module = frame.module.take().map(|module| name(&module));
    frame.function = frame.function.take().map(|function| text(&function, FUNCTION));
    frame.file = frame.file.take().map(|file| text(&file, FUNCTION));
}

fn module(module: &mut Module) {
    module.name = name(&module.name);
    module.build_id = module.build_id.take().map(|id| name(&id));
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn text_is_cut_between_characters_and_only_when_too_long() {
        assert_eq!(text("abc", 3), "abc");
        assert_eq!(text("🦀🦀🦀🦀", 3), "🦀🦀…");
        assert_eq!(text("a\0b", 3), "a\u{fffd}b");
        assert_eq!(text("", 3), "");
    }
}
