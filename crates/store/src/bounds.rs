//! Text from programs that crashed or were healed, made fit to be stored: of bounded length, and without what [`model::text`] replaces, among it NUL, which PostgreSQL refuses, and ends of lines, which separate machines' names in an answer of the database.

use model::auto_heal::event::{ActionEnd, ActionResult, EventKind, HealEvent};
use model::auto_heal::evidence::{Evidence, POINTS_LIMIT, RuleState, RuleStateText, Sample, Seen};
use model::auto_heal::restart::{Restart, RestartFailure, RestartOutcome};
use model::crash::{Crash, Executable, Frame, InFlightRequest, Module, Note, Thread};
use model::crash_monitor::LastEnd;
use model::deploy::{Code, Revision};
use model::incident_state::{IncidentState, Resolution};
use model::text::seen;

/// A signature's length in characters, as [`model::crash::Findings`] has it, and that of other short names.
const NAME: usize = 255;
/// C++ and Rust functions with their types; the longest that a reader can take in.
const FUNCTION: usize = 1_024;
const NOTE: usize = 1_024;
const NOTES: usize = 50;
/// More frames than an analysis gives.
const FRAMES: usize = 1_024;
/// More modules than an analysis gives.
const MODULES: usize = 4_096;
/// More rules than an app has.
const READINGS: usize = 100;
/// Linux' longest path.
const PATH: usize = 4_096;

/// At most `limit` characters, the last an ellipsis where there were more. All of them can be seen.
pub(crate) fn text(text: &str, limit: usize) -> String {
    let start = text.char_indices().nth(limit + 1).map_or(text, |(end, _)| text.get(..end).unwrap_or(text));
    let text = seen(start);
    let whole = text.chars().nth(limit).is_none();
    let kept = if whole { limit } else { limit.saturating_sub(1) };
    text.chars().take(kept).chain((!whole).then_some('…')).collect()
}

/// A short name.
pub(crate) fn name(name: &str) -> String {
    text(name, NAME)
}

/// A saved state, which is not looked into.
pub(crate) fn state(json: &str) -> String {
    json.replace('\0', "\u{fffd}")
}

/// The crash as it is stored.
pub(crate) fn crash(crash: &Crash) -> Crash {
    let mut crash = crash.clone();
    crash.signal = crash.signal.map(|signal| name(&signal));
    crash.in_flight.truncate(Crash::IN_FLIGHT_KEPT);
    crash.in_flight.iter_mut().for_each(request);
    latest(&mut crash.memory);
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
    if let Some(executable) = &mut findings.executable {
        executable.name = name(&executable.name);
        executable.build = name(&executable.build);
    }
    findings.notes.truncate(NOTES);
    for said in findings.notes.iter_mut().flat_map(Note::texts_mut) {
        *said = text(said, NOTE);
    }
    crash
}

/// Which code an app runs as it is stored.
pub(crate) fn code(code: &Code) -> Code {
    let file = |file: &Executable| Executable { name: name(&file.name), build: name(&file.build) };
    Code {
        revision: code
            .revision
            .as_ref()
            .map(|revision| Revision { name: name(&revision.name), source: name(&revision.source) }),
        executable: code.executable.as_ref().map(file),
        script: code.script.as_ref().map(file),
        command: name(&code.command),
    }
}

/// The state of an incident as it is stored.
pub(crate) fn incident_state(state: &IncidentState) -> IncidentState {
    let short = |text: &mut Option<String>| *text = text.as_deref().map(name);
    let resolution = |resolution: &mut Resolution| {
        short(&mut resolution.resolved_by);
        short(&mut resolution.fixed_in);
        short(&mut resolution.faulty_build);
        resolution.faulty_code = resolution.faulty_code.as_deref().map(|faulty| Box::new(code(faulty)));
    };
    let mut state = state.clone();
    match &mut state {
        IncidentState::Open => {}
        IncidentState::Resolved(resolved) => resolution(resolved),
        IncidentState::Regressed { regressed_in, resolution: resolved, .. } => {
            short(regressed_in);
            resolution(resolved);
        }
        IncidentState::Ignored { by, .. } => short(by),
    }
    state
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

/// The restart as it is stored.
pub(crate) fn restart(restart: &Restart) -> Restart {
    let mut restart = restart.clone();
    if let RestartOutcome::Failed { why } = &mut restart.outcome {
        failure(why);
    }
    restart.evidence.iter_mut().for_each(evidence);
    restart
}

fn failure(why: &mut RestartFailure) {
    match why {
        RestartFailure::Recorded(sentence)
        | RestartFailure::NewWorker { end: LastEnd::StartFailed { reason: sentence } } => {
            *sentence = text(sentence, NOTE);
        }
        RestartFailure::NewWorker { .. }
        | RestartFailure::OldWorker
        | RestartFailure::MedicStopped
        | RestartFailure::InstanceRemoved => (),
    }
}

/// The event as it is stored.
pub(crate) fn heal_event(event: &HealEvent) -> HealEvent {
    let mut event = event.clone();
    if let EventKind::Ran { exe, result } = &mut event.what {
        *exe = text(exe, PATH);
        action_result(result);
    }
    evidence(&mut event.evidence);
    event
}

fn action_result(result: &mut ActionResult) {
    match result {
        ActionResult::Recorded(sentence) => *sentence = text(sentence, NOTE),
        ActionResult::Ended { end, output_lost } => {
            let error = match end {
                ActionEnd::StartFailed { error }
                | ActionEnd::Lost { error }
                | ActionEnd::Signal { signal: error } => Some(error),
                ActionEnd::NotStarted { .. }
                | ActionEnd::Exited { .. }
                | ActionEnd::TimedOut { .. }
                | ActionEnd::MedicStopped => None,
            };
            error.into_iter().chain(output_lost).for_each(|error| *error = text(error, NOTE));
        }
    }
}

/// Of too many samples the latest are kept: they lie before what they tell of.
fn latest(samples: &mut Vec<Sample>) {
    samples.drain(..samples.len().saturating_sub(POINTS_LIMIT));
}

fn evidence(evidence: &mut Evidence) {
    if let Seen::Recorded(recorded) = &mut evidence.seen {
        recorded.condition = text(&recorded.condition, NOTE);
        recorded.observed = text(&recorded.observed, NOTE);
    }
    latest(&mut evidence.samples);
    evidence.not_fired.truncate(READINGS);
    for reading in &mut evidence.not_fired {
        if let Seen::Recorded(recorded) = &mut reading.seen {
            recorded.text = text(&recorded.text, NOTE);
        }
        if let RuleState::Recorded(recorded) = &mut reading.state {
            let (RuleStateText::Waiting { why } | RuleStateText::Silent { why } | RuleStateText::Off { why }) =
                recorded;
            *why = text(why, NOTE);
        }
    }
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
