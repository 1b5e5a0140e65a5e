//! What the reader of a crash should know of its analysis, in sentences, and what led to the exception, which is noted beside it.

use model::Exit;
use model::crash::{NotAnalysed, Note, ProcessRole};

/// The types of the exceptions that led to this one. They belong to it, and to no sentence about the analysis.
pub fn causes(notes: &[Note]) -> Vec<String> {
    notes.iter().filter_map(led_to_it).map(str::to_owned).collect()
}

fn led_to_it(note: &Note) -> Option<&str> {
    match note {
        Note::CausedBy { exception } => Some(exception),
        // as older releases recorded it
        Note::Recorded(sentence) => sentence.strip_prefix("Caused by "),
        _ => None,
    }
}

/// One sentence each, two where there is something to do about it.
pub fn sentences(notes: &[Note]) -> Vec<String> {
    notes.iter().filter(|note| led_to_it(note).is_none()).filter_map(sentence).collect()
}

fn sentence(note: &Note) -> Option<String> {
    let said = match note {
        Note::CausedBy { .. } => return None,
        Note::LinesAfterReport { lines } => format!(
            "{lines} lines of output followed the report. The worker may have ended for another reason."
        ),
        Note::OfShell { exit_code, signal } => {
            format!("A shell exits with code {exit_code} when {signal} terminates its command.")
        }
        Note::FileReplaced { file } => {
            format!("No symbols for {file}: the file was replaced or deleted after the program started.")
        }
        Note::FileMissing { file } => format!("No symbols for {file}: the file is not on this machine."),
        Note::DebugInformationTooLarge { file } => {
            format!("No line numbers for {file}: its debug information is too large to be read.")
        }
        Note::CrashingThreadUnknown => {
            "The dump does not name the crashing thread. The stack trace is of its first thread.".to_owned()
        }
        Note::ModulesLimited { modules, read } => {
            format!("The dump lists {modules} modules. Medic read the first {read}.")
        }
        Note::DumpUnreadable { error } => format!("The dump was not analyzed: {}.", cause(error)),
        Note::NotCaptured => "No dump: the process was killed before its capture.".to_owned(),
        Note::CaptureFailed { error } => format!("No dump: {}.", cause(error)),
        Note::NotAnalysed { why } => format!("No stack trace: {}.", not_analysed(why)),
        Note::PythonCallsUnread { error, printed } => {
            let instead = if *printed {
                "The stack trace shows the frames that Python printed."
            } else {
                "Set PYTHONFAULTHANDLER=1 in the app's environment, so that Python prints its stack trace when it crashes."
            };
            format!("No Python frames from memory: {}. {instead}", cause(error))
        }
        Note::MessageNotWritten { folder, error } => {
            format!("The message is not in {folder}: {}.", cause(error))
        }
        Note::Unconfined { lacking } => format!(
            "Less isolation for the analysis: this kernel lacks {}, or it is not enabled.",
            lacking.join(" and ")
        ),
        Note::ProcessLeft { pid, name, error: Some(error) } => {
            format!("The worker left process {pid} ({name}), which cannot be ended: {}.", cause(error))
        }
        Note::ProcessLeft { pid, name, error: None } => {
            format!("The worker left process {pid} ({name}), which did not end: it waits in the kernel.")
        }
        Note::SenderUnknown { role } => sender_unknown(*role).to_owned(),
        Note::CrashesForgotten => {
            "Earlier crashes of this worker are not recorded: no Medic server was running.".to_owned()
        }
        Note::ShimKilled => {
            "No stack trace: the shim process was killed before the crash was analyzed.".to_owned()
        }
        Note::Recorded(sentence) => sentence.clone(),
    };
    Some(said)
}

fn not_analysed(why: &NotAnalysed) -> String {
    match why {
        NotAnalysed::NotStarted { error } => format!("the analyzer did not start: {}", cause(error)),
        NotAnalysed::TookTooLong { limit_s } => format!("the analysis took longer than {limit_s}\u{a0}s"),
        NotAnalysed::Ended { exit, memory_limit_mib } => {
            let how = match exit {
                Exit::Code(code) => format!("exited with code {code}"),
                Exit::Signal(signal) => format!("was terminated by {signal}"),
            };
            format!("the analyzer {how}. It may have reached its limit of {memory_limit_mib}\u{a0}MiB")
        }
        NotAnalysed::TooManyWaited => {
            "too many crashes of this worker were waiting for the analyzer".to_owned()
        }
        NotAnalysed::Unreadable { error } => {
            format!("the answer of the analyzer is unreadable: {}", cause(error))
        }
    }
}

const fn sender_unknown(role: ProcessRole) -> &'static str {
    match role {
        ProcessRole::Child => {
            "The sender of SIGKILL is unknown. Master processes send it to children that do not respond in time: see the \
             app's own log."
        }
        ProcessRole::Main | ProcessRole::BehindLauncher => {
            "The sender of SIGKILL is unknown. Another process sent it: see the app's own log."
        }
    }
}

/// What a library said, within a sentence.
fn cause(error: &str) -> &str {
    error.trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_an_older_release_is_shown_as_it_was_recorded() {
        let notes = [Note::Recorded("It was so".to_owned()), Note::NotCaptured];
        assert_eq!(sentences(&notes), ["It was so", "No dump: the process was killed before its capture."]);
    }

    #[test]
    fn what_led_to_an_exception_is_no_sentence_about_its_analysis_whichever_release_recorded_it() {
        let caused_by = |exception: &str| Note::CausedBy { exception: exception.to_owned() };
        let notes = [
            Note::Recorded("Caused by KeyError".to_owned()),
            Note::NotCaptured,
            caused_by("java.io.IOException"),
        ];
        assert_eq!(causes(&notes), ["KeyError", "java.io.IOException"]);
        assert_eq!(sentences(&notes), ["No dump: the process was killed before its capture."]);
    }

    #[test]
    fn a_cause_stands_within_its_sentence() {
        let said = |note| sentences(&[note]).remove(0);
        let unread = |printed| said(Note::PythonCallsUnread { error: "timed out.".to_owned(), printed });
        assert!(unread(false).contains("memory: timed out. Set PYTHONFAULTHANDLER=1"), "{}", unread(false));
        assert!(unread(true).ends_with("that Python printed."));
        let why = NotAnalysed::Ended { exit: Exit::Code(7), memory_limit_mib: 512 };
        assert_eq!(
            said(Note::NotAnalysed { why }),
            "No stack trace: the analyzer exited with code 7. It may have reached its limit of 512\u{a0}MiB."
        );
    }
}
