//! What the reader of an analysis should know of how it went. A note says what is so; `insight` puts it into words.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ProcessRole;
use crate::{Exit, text};

/// One of them. An `error` is what a library or the kernel said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// Another exception led to this one.
    CausedBy {
        #[serde(deserialize_with = "text::text")]
        exception: String,
    },
    /// So much output came after the runtime's report that the worker may have ended for another reason.
    LinesAfterReport { lines: u64 },
    /// The exit code is a shell's, whose command died of this signal.
    OfShell {
        exit_code: i32,
        #[serde(deserialize_with = "text::text")]
        signal: String,
    },
    /// A file is not the one that ran.
    FileReplaced {
        #[serde(deserialize_with = "text::text")]
        file: String,
    },
    /// A file that ran is not on this machine.
    FileMissing {
        #[serde(deserialize_with = "text::text")]
        file: String,
    },
    /// A file has more debug information than is read.
    DebugInformationTooLarge {
        #[serde(deserialize_with = "text::text")]
        file: String,
    },
    /// The dump does not say which thread crashed; its first is taken.
    CrashingThreadUnknown,
    /// The dump has more modules than are read.
    ModulesLimited { modules: u64, read: u64 },
    /// There was a dump, and nothing could be learnt from it.
    DumpUnreadable {
        #[serde(deserialize_with = "text::text")]
        error: String,
    },
    /// It was killed before it could be captured.
    NotCaptured,
    /// It could not be captured.
    CaptureFailed {
        #[serde(deserialize_with = "text::text")]
        error: String,
    },
    /// There is no analysis.
    NotAnalysed { why: NotAnalysed },
    /// What the Python program was doing could not be read from its memory.
    PythonCallsUnread {
        #[serde(deserialize_with = "text::text")]
        error: String,
        /// Python printed them.
        printed: bool,
    },
    /// The exception's message could not be written into this folder.
    MessageNotWritten {
        #[serde(deserialize_with = "text::text")]
        folder: String,
        #[serde(deserialize_with = "text::text")]
        error: String,
    },
    /// What should have confined the analysis, and this kernel does not have.
    Unconfined {
        #[serde(deserialize_with = "text::list")]
        lacking: Vec<String>,
    },
    /// A process that the worker had started outlived it.
    ProcessLeft {
        pid: u32,
        #[serde(deserialize_with = "text::text")]
        name: String,
        /// Why it could not be ended; where that is not known, it did not end in time.
        #[serde(default, deserialize_with = "text::maybe")]
        error: Option<String>,
    },
    /// SIGKILL does not tell who sent it.
    SenderUnknown { role: ProcessRole },
    /// Crashes before this one were given up, since there was no server to record them.
    CrashesForgotten,
    /// The shim was killed before the crash was analysed.
    ShimKilled,
    /// A sentence, as older releases made them.
    #[serde(untagged)]
    Recorded(#[serde(deserialize_with = "text::text")] String),
}

/// Why there is no analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotAnalysed {
    /// The analyser could not be started.
    NotStarted {
        #[serde(deserialize_with = "text::text")]
        error: String,
    },
    /// It took longer.
    TookTooLong { limit_s: u64 },
    /// It ended without an answer.
    Ended { exit: Exit, memory_limit_mib: u64 },
    /// Too many crashes of the worker waited for it.
    TooManyWaited,
    /// Its answer is none.
    Unreadable {
        #[serde(deserialize_with = "text::text")]
        error: String,
    },
}

impl Note {
    /// Every text in it that came from elsewhere, to be shortened.
    pub fn texts_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::CausedBy { exception: text }
            | Self::OfShell { signal: text, .. }
            | Self::FileReplaced { file: text }
            | Self::FileMissing { file: text }
            | Self::DebugInformationTooLarge { file: text }
            | Self::DumpUnreadable { error: text }
            | Self::CaptureFailed { error: text }
            | Self::NotAnalysed {
                why: NotAnalysed::NotStarted { error: text } | NotAnalysed::Unreadable { error: text },
            }
            | Self::PythonCallsUnread { error: text, .. }
            | Self::Recorded(text) => vec![text],
            Self::MessageNotWritten { folder, error } => vec![folder, error],
            Self::Unconfined { lacking } => lacking.iter_mut().collect(),
            Self::ProcessLeft { name, error, .. } => std::iter::once(name).chain(error).collect(),
            Self::LinesAfterReport { .. }
            | Self::CrashingThreadUnknown
            | Self::ModulesLimited { .. }
            | Self::NotCaptured
            | Self::NotAnalysed { .. }
            | Self::SenderUnknown { .. }
            | Self::CrashesForgotten
            | Self::ShimKilled => Vec::new(),
        }
    }
}

/// Notes on their way from an analyser to a shim and from a shim to a server, of which either may be older: sentences stand where
/// they have always stood, the rest beside them, and what is not known is passed over.
#[derive(Serialize, Deserialize)]
struct Told {
    #[serde(default, deserialize_with = "text::list", skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(default, deserialize_with = "known", skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<Note>,
}

/// For serde: of a field that is flattened.
pub(super) mod told {
    use super::{Deserialize, Deserializer, Note, Serialize, Serializer, Told};

    pub(crate) fn serialize<S: Serializer>(all: &[Note], serializer: S) -> Result<S::Ok, S::Error> {
        let mut told = Told { notes: Vec::new(), remarks: Vec::new() };
        for note in all {
            match note {
                Note::Recorded(sentence) => told.notes.push(sentence.clone()),
                remark => told.remarks.push(remark.clone()),
            }
        }
        told.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Note>, D::Error> {
        let Told { notes, remarks } = Told::deserialize(deserializer)?;
        Ok(notes.into_iter().map(Note::Recorded).chain(remarks).collect())
    }
}

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Note>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Read {
        Known(Note),
        Unknown(IgnoredAny),
    }
    let known = |read: Read| match read {
        Read::Known(note) => Some(note),
        Read::Unknown(IgnoredAny) => None,
    };
    Ok(Vec::<Read>::deserialize(deserializer)?.into_iter().filter_map(known).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::{Findings, Runtime, Thread};

    fn findings(notes: Vec<Note>) -> Findings {
        Findings {
            exception_type: "SIGSEGV".to_owned(),
            runtime: Runtime::Native,
            signature: "SIGSEGV | main".to_owned(),
            crashing_thread: Thread::default(),
            modules: Vec::new(),
            notes,
            executable: None,
        }
    }

    #[test]
    fn sentences_stand_where_older_programs_look_for_them_and_the_rest_beside() {
        let ended = NotAnalysed::Ended { exit: Exit::Code(1), memory_limit_mib: 512 };
        let notes = vec![
            Note::Recorded("It was so.".to_owned()),
            Note::CausedBy { exception: "KeyError".to_owned() },
            Note::NotAnalysed { why: ended },
            Note::ShimKilled,
        ];
        let told = serde_json::to_value(findings(notes.clone())).unwrap();
        assert_eq!(told["notes"], serde_json::json!(["It was so."]));
        assert_eq!(told["remarks"][0], serde_json::json!({"note": "caused_by", "exception": "KeyError"}));
        assert_eq!(serde_json::from_value::<Findings>(told).unwrap().notes, notes);
    }

    #[test]
    fn what_a_newer_program_notes_is_passed_over_and_an_older_ones_sentences_are_kept_and_cleaned() {
        let mut told = serde_json::to_value(findings(Vec::new())).unwrap();
        told["notes"] = serde_json::json!(["a\u{202e}b"]);
        told["remarks"] = serde_json::json!([{"note": "of_tomorrow", "x": [1]}, {"note": "not_captured"}, 7]);
        let read: Findings = serde_json::from_value(told.clone()).unwrap();
        assert_eq!(read.notes, [Note::Recorded("a\u{fffd}b".to_owned()), Note::NotCaptured]);
        told.as_object_mut().unwrap().remove("remarks");
        assert_eq!(serde_json::from_value::<Findings>(told).unwrap().notes.len(), 1);
    }

    #[test]
    fn a_stored_list_may_hold_sentences_and_notes() {
        let stored = r#"["It was\u200b so.",{"note":"process_left","pid":7,"name":"sleep\u202e"}]"#;
        let read: Vec<Note> = serde_json::from_str(stored).unwrap();
        let left = Note::ProcessLeft { pid: 7, name: "sleep\u{fffd}".to_owned(), error: None };
        assert_eq!(read, [Note::Recorded("It was\u{fffd} so.".to_owned()), left]);
    }
}
