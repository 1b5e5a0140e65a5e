//! The exceptions' types that are our own words, each written once: several readers and the kernel's word come to the same one,
//! signatures are made of them, and an incident's address is made of its signature. So none of them may ever change.

use model::{CrashCause, Exit};

/// Memory ran out, and nobody has a better name for that.
pub(crate) const OUT_OF_MEMORY: &str = "Out of memory";
/// The stack ran out, likewise.
pub(crate) const STACK_OVERFLOW: &str = "Stack overflow";
/// A condition of the program's own did not hold.
pub(crate) const ASSERTION_FAILED: &str = "Assertion failed";
/// Its master process ended it, since it did not answer in time.
const WORKER_TIMEOUT: &str = "Worker timeout";

/// The type of a crash that neither last words nor a dump explain.
pub(crate) fn unexplained(cause: CrashCause, exit: Exit) -> String {
    decided(cause).map_or_else(|| exit.type_name(), str::to_owned)
}

/// The type that the cause alone decides, whatever the process said.
pub(crate) const fn decided(cause: CrashCause) -> Option<&'static str> {
    match cause {
        CrashCause::OutOfMemory => Some(OUT_OF_MEMORY),
        CrashCause::KilledByMaster => Some(WORKER_TIMEOUT),
        CrashCause::Signal | CrashCause::Exit => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Death, Files, Limits, analyse, findings_without_analysis};
    use model::Signal;
    use model::crash::Note;

    /// These names are in databases, and incidents' addresses are made of them.
    #[test]
    fn a_crash_has_one_name_whether_its_analysis_found_nothing_or_there_was_none() {
        let signal = |number| Exit::Signal(Signal(number));
        let (files, limits) = (Files::of_machine(), Limits::default());
        for (cause, exit, exception_type, signature) in [
            (CrashCause::OutOfMemory, signal(9), "Out of memory", "OOM | shop"),
            (CrashCause::KilledByMaster, signal(9), "Worker timeout", "Worker timeout | shop"),
            (CrashCause::KilledByMaster, Exit::Code(1), "Worker timeout", "Worker timeout | shop"),
            (CrashCause::Signal, signal(6), "SIGABRT", "abort | shop"),
            (CrashCause::Signal, signal(11), "SIGSEGV", "SIGSEGV | shop"),
            (CrashCause::Exit, Exit::Code(3), "exit status 3", "exit status 3 | shop"),
        ] {
            let death = Death {
                exit,
                cause,
                standard_error: b"",
                standard_output: b"",
                dump: None,
                python_calls: None,
                files: &files,
                program: "shop",
                perf_map: None,
            };
            let analysed = analyse(&death, &limits).findings;
            let not_analysed = findings_without_analysis(cause, exit, Some("shop"), Note::NotCaptured);
            for findings in [analysed, not_analysed] {
                let name = (&*findings.exception_type, &*findings.signature);
                assert_eq!(name, (exception_type, signature), "{cause:?}, {exit:?}");
            }
        }
    }
}
