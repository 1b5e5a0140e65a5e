//! What `/proc/PID/status` says.

use engine::Signal;

use crate::sys::Pid;

fn field(status: &str, name: &str) -> Option<String> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned())
}

fn status(pid: Pid) -> Option<String> {
    std::fs::read(format!("/proc/{pid}/status")).ok().map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// Who traces a thread; 0 is nobody.
pub(crate) fn tracer_of(tid: Pid) -> Option<Pid> {
    field(&status(tid)?, "TracerPid")?.parse().ok()
}

/// Does the process neither handle nor ignore this signal? Dispositions are the whole process's. False when it cannot be
/// told, which is when the process is gone.
pub(crate) fn takes_default_action(pid: Pid, signal: Signal) -> bool {
    status(pid).is_some_and(|status| has_default_action(&status, signal))
}

fn has_default_action(status: &str, signal: Signal) -> bool {
    let bit = 1_u64 << (signal.0 - 1).clamp(0, 63);
    let mask = |name| field(status, name).and_then(|mask| u64::from_str_radix(&mask, 16).ok());
    match (mask("SigCgt"), mask("SigIgn")) {
        (Some(caught), Some(ignored)) => (caught | ignored) & bit == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispositions_are_read_from_the_masks() {
        let status = "Name:\tSigCgt:\nTracerPid:\t7\nSigIgn:\t0000000000000010\nSigCgt:\t0000000000000400\n";
        assert!(!has_default_action(status, Signal(11)), "handled");
        assert!(!has_default_action(status, Signal(5)), "ignored");
        assert!(has_default_action(status, Signal(6)));
        assert!(!has_default_action("", Signal(6)));
        assert_eq!(field(status, "TracerPid").as_deref(), Some("7"));
    }
}
