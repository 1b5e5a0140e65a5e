//! How a worker ended, and whether that is a crash.
//!
//! A crash is the end of one of a worker's serving processes by an unhandled exception: a fatal signal, a non-zero exit of its
//! own accord, or a kill by the kernel for want of memory. What Medic asked for is none, nor is an exit with status 0.
//!
//! Of those that another process than Medic has started (a prefork server's children), that process may ask for the end, too:
//! by a signal that asks programs to end. When it ends one that does not answer in time, that is a crash, however the child ends
//! then.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A Linux signal number (x86-64).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(pub i32);

impl Signal {
    /// Ends at once, cannot be handled.
    pub const KILL: Self = Self(9);
    /// Asks to end.
    pub const TERM: Self = Self(15);

    /// Is its default action to end the process with a core dump? Those are what Linux itself calls a crash (signal(7)).
    pub const fn dumps_core(self) -> bool {
        matches!(self.0, 3..=8 | 11 | 24 | 25 | 31)
    }

    /// Does it ask a program to end, in whatever order that needs?
    pub const fn asks_to_end(self) -> bool {
        matches!(self.0, 1..=3 | 15)
    }

    /// `SIGSEGV` and the like; `SIG35` for what has no name.
    pub fn name(self) -> String {
        NAMES
            .iter()
            .find(|(number, _)| *number == self.0)
            .map_or_else(|| format!("SIG{}", self.0), |(_, name)| (*name).to_owned())
    }

    /// The signal that [`Signal::name`] gives this name.
    pub fn named(name: &str) -> Option<Self> {
        let known = NAMES.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
        known.or_else(|| name.strip_prefix("SIG")?.parse().ok()).map(Self)
    }
}

const NAMES: [(i32, &str); 31] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (16, "SIGSTKFLT"),
    (17, "SIGCHLD"),
    (18, "SIGCONT"),
    (19, "SIGSTOP"),
    (20, "SIGTSTP"),
    (21, "SIGTTIN"),
    (22, "SIGTTOU"),
    (23, "SIGURG"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (26, "SIGVTALRM"),
    (27, "SIGPROF"),
    (28, "SIGWINCH"),
    (29, "SIGIO"),
    (30, "SIGPWR"),
    (31, "SIGSYS"),
];

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// What the kernel said of a process that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It called exit with this status (0–255).
    Code(i32),
    /// This signal ended it.
    Signal(Signal),
}

/// As people read it: `exit code 3`, `SIGSEGV`.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "{signal}"),
        }
    }
}

impl Exit {
    /// What stands before the code in [`Exit::type_name`].
    pub const STATUS: &str = "exit status ";

    /// The exception's type of a crash of which only the exit is known: `SIGSEGV`, `exit status 3`.
    ///
    /// Signatures are made of it, and an incident's permanent address is a hash of its signature. In other words each incident that
    /// is recorded would begin a second time, and links to the first would lead to one that counts no more. So it stays, and
    /// `insight` has people read "Exit code 3" instead.
    pub fn type_name(self) -> String {
        match self {
            Self::Code(code) => format!("{}{code}", Self::STATUS),
            Self::Signal(signal) => signal.name(),
        }
    }
}

/// What made a crash a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum CrashCause {
    /// A fatal signal.
    Signal,
    /// A non-zero exit of its own accord.
    Exit,
    /// The kernel killed it for want of memory.
    OutOfMemory,
    /// The process that had started it killed it, as servers do whose child does not answer in time.
    KilledByMaster,
}

/// What an end was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Medic asked for it.
    Asked,
    /// It exited with status 0 by itself.
    Finished,
    /// A launcher that ended because what it had started had crashed: that crash has a record of its own.
    PassedOn,
    /// It crashed.
    Crash(CrashCause),
}

/// Tells a crash from what is none. `asked`: Medic had asked this worker to stop before it ended. `oom_killed`: the kernel
/// counted an out-of-memory kill in the worker's cgroup.
pub fn classify(exit: Exit, asked: bool, oom_killed: bool) -> Ending {
    match exit {
        _ if asked => Ending::Asked,
        Exit::Signal(Signal::KILL) if oom_killed => Ending::Crash(CrashCause::OutOfMemory),
        Exit::Signal(_) => Ending::Crash(CrashCause::Signal),
        Exit::Code(0) => Ending::Finished,
        Exit::Code(_) => Ending::Crash(CrashCause::Exit),
    }
}

/// The same for a serving process that another process of the worker has started. `timed_out`: that process ended it, since it did
/// not answer in time, whatever it made of that.
pub fn classify_child(exit: Exit, asked: bool, oom_killed: bool, timed_out: bool) -> Ending {
    match exit {
        _ if timed_out && !asked => Ending::Crash(CrashCause::KilledByMaster),
        Exit::Signal(signal) if signal.asks_to_end() => Ending::Asked,
        // the status of a program that deals with such a signal and says so
        Exit::Code(code) if code > 128 && Signal(code - 128).asks_to_end() => Ending::Asked,
        exit => classify(exit, asked, oom_killed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_asked_for_is_a_crash() {
        let segv = Exit::Signal(Signal(11));
        let kill = Exit::Signal(Signal::KILL);
        let cases = [
            (segv, false, false, Ending::Crash(CrashCause::Signal)),
            (segv, true, false, Ending::Asked),
            (kill, false, false, Ending::Crash(CrashCause::Signal)),
            (kill, false, true, Ending::Crash(CrashCause::OutOfMemory)),
            (kill, true, true, Ending::Asked),
            (Exit::Code(0), false, false, Ending::Finished),
            (Exit::Code(1), false, false, Ending::Crash(CrashCause::Exit)),
            (Exit::Code(143), true, false, Ending::Asked),
        ];
        for (exit, asked, oom, ending) in cases {
            assert_eq!(classify(exit, asked, oom), ending, "{exit:?} asked={asked} oom={oom}");
        }
    }

    #[test]
    fn a_child_that_its_master_ends_has_not_crashed() {
        let signal = |number| Exit::Signal(Signal(number));
        let crash = Ending::Crash;
        let cases = [
            (signal(11), false, false, crash(CrashCause::Signal)),
            (signal(11), true, false, Ending::Asked),
            (signal(9), false, false, crash(CrashCause::Signal)),
            (signal(9), false, true, crash(CrashCause::KilledByMaster)),
            (signal(6), false, true, crash(CrashCause::KilledByMaster)),
            (signal(9), true, true, Ending::Asked),
            (signal(15), false, true, crash(CrashCause::KilledByMaster)),
            (signal(15), false, false, Ending::Asked),
            (Exit::Code(0), false, true, crash(CrashCause::KilledByMaster)),
            (Exit::Code(0), true, true, Ending::Asked),
            (signal(2), false, false, Ending::Asked),
            (signal(13), false, false, crash(CrashCause::Signal)),
            (Exit::Code(0), false, false, Ending::Finished),
            (Exit::Code(1), false, false, crash(CrashCause::Exit)),
            (Exit::Code(143), false, false, Ending::Asked),
            (Exit::Code(139), false, false, crash(CrashCause::Exit)),
        ];
        for (exit, asked, timed_out, ending) in cases {
            assert_eq!(classify_child(exit, asked, false, timed_out), ending, "{exit:?} {asked} {timed_out}");
        }
        assert_eq!(classify_child(signal(9), false, true, false), crash(CrashCause::OutOfMemory));
    }

    #[test]
    fn the_core_signals_are_those_of_signal_7() {
        let core: Vec<_> = (1..=64).filter(|n| Signal(*n).dumps_core()).map(|n| Signal(n).name()).collect();
        assert_eq!(
            core,
            [
                "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGXCPU",
                "SIGXFSZ", "SIGSYS"
            ]
        );
    }
}
