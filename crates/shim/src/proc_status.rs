//! What `/proc` says of a process's state.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use model::Signal;

use crate::sys::Pid;
use crate::sys::ptrace::SignalInfo;

/// Who traces a thread; 0 is nobody.
pub(crate) fn tracer_of(tid: Pid) -> Option<Pid> {
    let status = std::fs::read(format!("/proc/{tid}/status")).ok()?;
    field(&String::from_utf8_lossy(&status), "TracerPid")?.parse().ok()
}

/// The process that a thread belongs to, and who started that, or adopted it.
pub(crate) fn process_of(tid: Pid) -> Option<(Pid, Pid)> {
    let status = std::fs::read(format!("/proc/{tid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    Some((field(&status, "Tgid")?.parse().ok()?, field(&status, "PPid")?.parse().ok()?))
}

/// Who started a process, or adopted it.
pub(crate) fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    stat_field(&stat, 4)?.try_into().ok()
}

/// Has the parent of a process sent this signal to it?
pub(crate) fn is_from_parent(info: &SignalInfo, pid: Pid) -> bool {
    info.sender().is_some_and(|sender| parent_of(pid) == Some(sender))
}

/// The session that a process is in.
pub(crate) fn session_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    stat_field(&stat, 6)?.try_into().ok()
}

/// Who started a process, or adopted it, and when it was started, in ticks since the machine's start.
pub(crate) fn parent_and_start(pid: Pid) -> Option<(Pid, u64)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    Some((stat_field(&stat, 4)?.try_into().ok()?, stat_field(&stat, 22)?))
}

/// What `wait` will say of a process that has ended, the last field of its `stat`; 0 to those that may not know.
pub(crate) fn exit_status(stat: &[u8]) -> Option<i32> {
    stat_field(stat, 52)?.try_into().ok()
}

/// Where the arguments of a process are in its memory, from its `stat`: first byte and end.
pub(crate) fn arguments(stat: &[u8]) -> Option<(u64, u64)> {
    Some((stat_field(stat, 48)?, stat_field(stat, 49)?))
}

/// A number of `stat`, of the fourth on, counted as proc(5) does.
fn stat_field(stat: &[u8], number: usize) -> Option<u64> {
    let field = after_name(stat).split(u8::is_ascii_whitespace).nth(number.checked_sub(3)?)?;
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// From the third field on: the name before it holds whatever the program wants.
fn after_name(stat: &[u8]) -> &[u8] {
    stat.iter().rposition(|byte| *byte == b')').and_then(|end| stat.get(end + 2..)).unwrap_or_default()
}

/// Is this thread of `pid` still one that runs? One that has ended stays one for debuggers to refuse until it is reaped.
pub(crate) fn is_alive(pid: Pid, tid: Pid) -> bool {
    let status = std::fs::read(format!("/proc/{pid}/task/{tid}/status")).unwrap_or_default();
    field(&String::from_utf8_lossy(&status), "State").is_some_and(|state| !state.starts_with(['X', 'Z']))
}

fn field<'t>(status: &'t str, name: &str) -> Option<&'t str> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    Some(line.strip_prefix(name)?.strip_prefix(':')?.trim())
}

/// What one process does with its signals: nothing is remembered, the kernel is asked each time.
///
/// Some runtimes handle thousands of signals a second, and each of them stands still meanwhile. So the file stays open, and it is
/// the `stat` of the main thread alone: `status` takes the kernel three times as long, and the process's own `stat` adds up all
/// its threads. A main thread that has ended still has one, and `exec` by another thread leaves it valid.
pub(crate) struct Dispositions(File);

impl Dispositions {
    /// Opens the file of a process that was not waited for yet.
    pub(crate) fn of(pid: Pid) -> io::Result<Self> {
        File::open(format!("/proc/{pid}/task/{pid}/stat")).map(Self)
    }

    /// Does the process neither handle nor ignore this signal, which is not a realtime one? False when it cannot be told, which
    /// is when the process is gone.
    pub(crate) fn are_default_for(&self, signal: Signal) -> bool {
        // 52 numbers of up to 20 digits and a name of up to 64 bytes
        let mut stat = [0; 2_048];
        self.0.read_at(&mut stat, 0).is_ok_and(|length| has_default_action(&stat[..length], signal))
    }
}

/// Fields 33 (ignored) and 34 (handled) of `stat` are masks of the first 31 signals, in decimal.
fn has_default_action(stat: &[u8], signal: Signal) -> bool {
    let bit = 1_u64 << (signal.0 - 1).clamp(0, 63);
    let mut fields = after_name(stat).split(|byte| *byte == b' ').skip(33 - 3);
    let mut mask = || std::str::from_utf8(fields.next()?).ok()?.parse::<u64>().ok();
    match (mask(), mask()) {
        (Some(ignored), Some(caught)) => (caught | ignored) & bit == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispositions_are_read_from_the_masks() {
        let before = " 0".repeat(33 - 4);
        let stat = format!("7 (a) S 1 (b\n) t{before} 16 1024 0 0 0 17\n");
        let is_default = |signal| has_default_action(stat.as_bytes(), Signal(signal));
        assert!(!is_default(11), "handled");
        assert!(!is_default(5), "ignored");
        assert!(is_default(6) && is_default(31));
        assert!(!has_default_action(b"", Signal(6)));
        assert!(!has_default_action(b"7 (a) t 1 2", Signal(6)));
    }

    /// The other file of the same masks.
    #[test]
    fn the_kernel_says_the_same_in_both_files() {
        let pid = Pid::try_from(std::process::id()).unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mask = |name| u64::from_str_radix(field(&status, name).unwrap(), 16).unwrap();
        let set = mask("SigCgt") | mask("SigIgn");
        let dispositions = Dispositions::of(pid).unwrap();
        for signal in 1..=31 {
            let is_default = set & 1 << (signal - 1) == 0;
            assert_eq!(dispositions.are_default_for(Signal(signal)), is_default, "{signal}");
        }
        assert!(set & 1 << (libc::SIGSEGV - 1) != 0, "the runtime handles overflows of stacks");
        assert_eq!(tracer_of(pid), Some(0));
    }

    #[test]
    fn a_parent_and_its_arguments_are_found() {
        let pid = Pid::try_from(std::process::id()).unwrap();
        let parent = Pid::try_from(std::os::unix::process::parent_id()).unwrap();
        assert_eq!(parent_of(pid), Some(parent));
        let (start, end) = arguments(&std::fs::read("/proc/self/stat").unwrap()).unwrap();
        let length = std::fs::read("/proc/self/cmdline").unwrap().len() as u64;
        assert_eq!(end - start, length);
        assert_eq!(stat_field(b"7 (a) S 1 (b\n) t 16 1024\n", 4), Some(16));
        assert_eq!(stat_field(b"7 (a", 4), None);
    }

    #[test]
    fn a_thread_is_alive_until_it_has_ended() {
        let pid = Pid::try_from(std::process::id()).unwrap();
        assert!(is_alive(pid, pid));
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        let child = Pid::try_from(ended.id()).unwrap();
        while is_alive(child, child) {
            std::thread::yield_now();
        }
        assert!(std::path::Path::new(&format!("/proc/{child}/status")).exists(), "a zombie");
        ended.wait().unwrap();
        assert!(!is_alive(child, child), "gone");
    }
}
