//! What is said of an incident wherever it is shown: how its worker ended, which request is the likely trigger, what to do.

use model::crash::{Frame, InFlightRequest, Incident, ProcessRole, Trust, newest_read};
use model::incident_state::{IncidentState, Resolution};
use model::{CrashCause, Exit, Signal};

use crate::report::{Action, Detail, Target};
use crate::words;
use crate::words::counted;

/// What the types have in them that mean that a stack ran out, in whichever runtime's words.
const STACK_OVERFLOW: [&str; 6] = [
    "stack overflow",
    "stackoverflow",
    "stack-overflow",
    "stack_overflow",
    "recursionerror",
    "systemstackerror",
];

/// `3 crashes of TypeError in handle_request`, `2 crashes with exit code 3`, `1 out-of-memory kill`.
pub fn title(incident: &Incident) -> String {
    titled(incident, incident.count)
}

/// The title as if there were only so many crashes.
pub fn titled(incident: &Incident, count: u64) -> String {
    let crashes = match (incident.cause, incident.exception_type.strip_prefix(Exit::STATUS)) {
        (CrashCause::OutOfMemory, _) => counted(count, "out-of-memory kill", "out-of-memory kills"),
        (CrashCause::KilledByMaster, _) => counted(count, "worker timeout", "worker timeouts"),
        (_, Some(code)) => format!("{} with exit code {code}", counted(count, "crash", "crashes")),
        (_, None) => format!("{} of {}", counted(count, "crash", "crashes"), incident.exception_type),
    };
    match incident.top_frame() {
        Some(frame) => format!("{crashes} in {}", frame.place()),
        None => crashes,
    }
}

/// How many crashes, and of how many of them that is only probable: `41: 1 captured, 40 probably the same (only the signal is
/// known)`.
pub fn crash_count(incident: &Incident) -> String {
    let Incident { count, probable, captured, .. } = *incident;
    if probable == 0 {
        return count.to_string();
    }
    let others = count.saturating_sub(probable + captured);
    let others = if others == 0 { String::new() } else { format!(", {others} with the same signature") };
    format!("{count}: {captured} captured{others}, {probable} probably the same (only the signal is known)")
}

/// How the worker ended: `SIGSEGV (signal 11)`, `Exit code 3`, `Out of memory (killed by the kernel)`.
pub fn termination(cause: CrashCause, signal: Option<&str>, exit_code: Option<i32>) -> String {
    match (cause, signal, exit_code) {
        (CrashCause::OutOfMemory, _, _) => "Out of memory (killed by the kernel)".to_owned(),
        (CrashCause::KilledByMaster, Some(signal), _) => format!("{signal} from its master process"),
        (CrashCause::KilledByMaster, None, Some(code)) => {
            format!("Exit code {code} after its master process aborted it")
        }
        (_, Some(signal), _) => match Signal::named(signal) {
            Some(Signal(number)) => format!("{signal} (signal {number})"),
            None => signal.to_owned(),
        },
        (_, None, Some(code)) => format!("Exit code {code}"),
        (_, None, None) => "Unknown".to_owned(),
    }
}

/// Whether it is still somebody's task, in one word.
pub const fn state_word(state: &IncidentState) -> &'static str {
    match state {
        IncidentState::Open => "Open",
        IncidentState::Resolved(_) => "Resolved",
        IncidentState::Regressed { .. } => "Regressed",
        IncidentState::Ignored { .. } => "Ignored",
    }
}

/// The same with what is known of it: `Resolved by alice (uid 1000) on 2026-01-31 08:15 UTC, fixed in 4.2`.
pub fn state(state: &IncidentState) -> String {
    match state {
        IncidentState::Open => "Open".to_owned(),
        IncidentState::Resolved(resolution) => format!("Resolved{}", resolved(resolution)),
        IncidentState::Regressed { regressed_at, regressed_in, resolution } => format!(
            "Regressed: crashed again on {}{}, after it was resolved{}",
            words::minute(*regressed_at),
            regressed_in.as_ref().map(|build| format!(" in build {build}")).unwrap_or_default(),
            resolved(resolution),
        ),
        IncidentState::Ignored { until, by } => {
            format!("Ignored until {}{}", words::minute(*until), by_whom(by.as_deref()))
        }
    }
}

fn resolved(resolution: &Resolution) -> String {
    let Resolution { resolved_at, resolved_by, fixed_in, .. } = resolution;
    let fixed_in = fixed_in.as_ref().map(|build| format!(", fixed in {build}")).unwrap_or_default();
    format!("{} on {}{fixed_in}", by_whom(resolved_by.as_deref()), words::minute(*resolved_at))
}

fn by_whom(by: Option<&str>) -> String {
    by.map(|by| format!(" by {by}")).unwrap_or_default()
}

/// What a process was to its worker, in a table.
pub(crate) const fn role(role: ProcessRole) -> &'static str {
    match role {
        ProcessRole::Main => "Main",
        ProcessRole::Child => "Child",
        ProcessRole::BehindLauncher => "Behind launcher",
    }
}

/// Which process crashed at the crash shown, and who starts another where that is not Medic.
pub fn process(incident: &Incident) -> Vec<Detail> {
    let pid = incident.pid;
    let (what, replacement) = match incident.role {
        ProcessRole::Main => (format!("Main process (PID {pid})"), None),
        ProcessRole::Child => (
            format!("Child process (PID {pid}) of the app's own master process"),
            Some(
                "The master process starts another child. Medic starts nothing, and the instance keeps running.",
            ),
        ),
        ProcessRole::BehindLauncher => (
            format!("Server (PID {pid}) behind a launcher, such as npm or sh"),
            Some("Medic starts nothing for the server. Medic restarts the instance when the launcher exits."),
        ),
    };
    let replacement = replacement.map(|said| Detail::text("Replacement", said.to_owned()));
    std::iter::once(Detail::text("Process", what)).chain(replacement).collect()
}

/// The request that most likely killed the process at the crash shown (see [`newest_read`]); of one that its master killed for its
/// time the oldest. SIGKILL comes from outside and blames none, unless it was the only one.
pub fn likely_trigger(incident: &Incident) -> Option<&InFlightRequest> {
    let from_outside = incident.cause == CrashCause::Signal && incident.signal.as_deref() == Some("SIGKILL");
    // Oldest first.
    if incident.cause == CrashCause::KilledByMaster {
        return incident
            .in_flight
            .first()
            .filter(|_| incident.in_flight.len() == incident.in_flight_count as usize);
    }
    newest_read(&incident.in_flight).filter(|_| incident.in_flight_count == 1 || !from_outside)
}

/// What to do next, most promising first.
pub fn actions(incident: &Incident) -> Vec<Action> {
    let mut actions = Vec::new();
    actions.extend(by_exception(incident));
    if let Some(frame) = incident.top_frame() {
        let place =
            frame.source().map_or_else(|| frame.place(), |source| format!("{} ({source})", frame.place()));
        actions.push(Action::new(format!("Start at {place}, the most relevant frame.")));
    }
    if let Some(trigger) = likely_trigger(incident) {
        actions.push(Action::new(format!(
            "Reproduce with {} {} in a test environment.",
            trigger.method, trigger.path
        )));
    }
    actions.extend(missing_stack(incident));
    actions.push(Action::new(
        "Read the full message in logfiles/crashdumps in the app's data folder. Medic keeps the last 10 there.",
    ));
    actions
}

fn by_exception(incident: &Incident) -> Option<Action> {
    if incident.cause == CrashCause::KilledByMaster {
        return Some(Action::new(
            "Find what the child was doing: its master process kills children that do not respond in time (gunicorn: timeout, \
             puma: worker_timeout, PHP-FPM: request_terminate_timeout). Make the request faster, or raise the timeout.",
        ));
    }
    let kind = incident.exception_type.to_ascii_lowercase();
    let is = |names: &[&str]| names.iter().any(|name| kind.contains(name));
    if incident.cause == CrashCause::OutOfMemory {
        return Some(Action::at(
            "Find what grew before the crash, or give the app more memory.",
            Target::Detector { id: "memory-analysis" },
        ));
    }
    if is(&STACK_OVERFLOW) {
        return Some(Action::new("Infinite recursion. Find the repeating function in the stack trace."));
    }
    is(&["double free", "corrupt"]).then(|| {
        Action::new(
            "Heap corruption. The fault is earlier than this stack trace: reproduce under AddressSanitizer or Valgrind.",
        )
    })
}

fn missing_stack(incident: &Incident) -> Option<Action> {
    let frames = &incident.crashing_thread.frames;
    let is_nameless = |frame: &Frame| frame.function.is_none() && frame.trust != Trust::Runtime;
    match incident.cause {
        CrashCause::Signal if frames.is_empty() => Some(Action::at(
            "No stack trace: the debugger was not attached. Wait for capture to be armed, or turn on capture from the first crash.",
            Target::Settings,
        )),
        CrashCause::Exit if frames.is_empty() => Some(Action::new(
            "No recognized exception in stderr. Read the worker's last lines in logfiles/application in the app's data folder.",
        )),
        _ if !frames.is_empty() && frames.iter().all(is_nameless) => Some(Action::new(
            "Install the debug symbols beside the program, or build it without stripping them: no function names are known.",
        )),
        _ => None,
    }
}
