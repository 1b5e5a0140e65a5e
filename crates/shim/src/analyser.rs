//! The short-lived child that looks at one crash: its job, its limits, its answer.
//!
//! A dump is hostile input: it comes from a process that has lost control. So whatever reads it has hard limits and no
//! connection to anything, and when it fails the shim still says what the kernel said.

mod child;
mod confine;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crash::{Analysis, PythonCalls};
use model::crash::{Findings, NotAnalysed, Note};
use model::{Clock, CrashCause, Exit, Signal};
use serde::{Deserialize, Serialize};

pub(crate) use child::run;
pub(crate) use confine::confine_memory_reader;

use crate::program::OWN_PROGRAM;
use crate::sys::descriptors::{pipe, set_nonblocking};
use crate::sys::memory::sealed_file;
use crate::sys::spawn::{Child, spawn};
use crate::sys::{Pid, signals};
use crate::worker::{c_string, find_program};

/// Its address space. Source: analyses of real crashes took up to 215 MB.
const MEMORY_LIMIT_BYTES: u64 = 512 << 20;

/// Its processor time and its time by the clock. Source: analyses of real crashes took up to 0.4 s.
const TIME_LIMIT: Duration = Duration::from_secs(10);

// gives way: the replacement of the worker starts at the same time
const RESOURCES: Resources = Resources { memory_bytes: MEMORY_LIMIT_BYTES, time: TIME_LIMIT, niceness: 10 };

/// Its answer.
const ANSWER_LIMIT_BYTES: usize = 4 << 20;

/// The descriptor on which it finds the dump.
const DUMP_FD: i32 = 3;

/// The descriptor on which it finds the worker's root directory.
const ROOT_FD: i32 = 4;

/// Why there is no analysis.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnalyserError {
    /// It could not be started.
    #[error("the analyzer did not start: {0}")]
    Start(String),
    /// It took too long.
    #[error("the analysis took longer than {} s", TIME_LIMIT.as_secs())]
    Time,
    /// It ended without an answer.
    #[error("the analyzer ended with {0}. It may have reached its limit of {limit} MiB", limit = MEMORY_LIMIT_BYTES >> 20)]
    Ended(Exit),
    /// Too many wait for it.
    #[error("too many crashes of this worker are waiting for analysis")]
    TooMany,
    /// Its answer is none.
    #[error("the analyzer's answer could not be read: {0}")]
    Answer(String),
}

impl AnalyserError {
    /// The same, as it is told.
    fn told(&self) -> NotAnalysed {
        match self {
            Self::Start(error) => NotAnalysed::NotStarted { error: error.clone() },
            Self::Time => NotAnalysed::TookTooLong { limit_s: TIME_LIMIT.as_secs() },
            Self::Ended(exit) => {
                NotAnalysed::Ended { exit: *exit, memory_limit_mib: MEMORY_LIMIT_BYTES >> 20 }
            }
            Self::TooMany => NotAnalysed::TooManyWaited,
            Self::Answer(error) => NotAnalysed::Unreadable { error: error.clone() },
        }
    }
}

/// The description of a job, as the child reads it from its standard input: one JSON line, then the end of the worker's standard
/// error, then that of its standard output.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    exit: Exit,
    cause: CrashCause,
    program: String,
    /// There is a directory on [`ROOT_FD`] that is the worker's root.
    #[serde(default)]
    has_root: bool,
    /// How a shim of an older version says that: by the path of that descriptor instead of `/`.
    #[serde(default)]
    root: Option<PathBuf>,
    perf_map: Option<PathBuf>,
    has_dump: bool,
    /// What may be read; a shim of an older version does not say.
    #[serde(default)]
    readable: Option<Vec<PathBuf>>,
    /// What the Python program was doing, where it was one.
    #[serde(default)]
    python_calls: Option<PythonCalls>,
    /// How much of what follows is standard error. A shim that was started before an update does not say, and gives it alone.
    #[serde(default)]
    standard_error_bytes: Option<usize>,
}

impl Job {
    fn has_root(&self) -> bool {
        self.has_root || self.root.as_deref().is_some_and(|root| root != Path::new("/"))
    }
}

/// The child's answer, one JSON object.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    #[serde(flatten)]
    analysis: Analysis,
    /// Of what confines the child, what this kernel does not have.
    #[serde(default)]
    unconfined: Vec<String>,
}

impl Answer {
    /// What was found, and what the reader should know of how.
    fn into_analysis(self) -> Analysis {
        let Self { mut analysis, unconfined } = self;
        if !unconfined.is_empty() {
            analysis.findings.notes.push(Note::Unconfined { lacking: unconfined });
        }
        analysis
    }
}

/// What is known when a worker has crashed.
pub(crate) struct Evidence<'a> {
    /// What the kernel said.
    pub(crate) exit: Exit,
    /// What made it a crash.
    pub(crate) cause: CrashCause,
    /// `argv[0]`'s file name.
    pub(crate) program: &'a str,
    /// The worker's process id.
    pub(crate) pid: Pid,
    /// The end of its standard error.
    pub(crate) standard_error: &'a [u8],
    /// The end of its standard output.
    pub(crate) standard_output: &'a [u8],
    /// The dump, in a sealed memory file.
    pub(crate) dump: Option<&'a File>,
    /// The worker's root directory, where it is not this process's.
    pub(crate) root: Option<&'a File>,
    /// The files that it had mapped as code.
    pub(crate) mapped: &'a [PathBuf],
    /// What the Python program was doing, where it was one.
    pub(crate) python_calls: Option<&'a PythonCalls>,
}

impl Evidence<'_> {
    fn job(&self) -> Job {
        let perf_map = PathBuf::from(format!("/tmp/perf-{}.map", self.pid));
        let mut readable = confine::explaining(self.mapped);
        readable.push(perf_map.clone());
        Job {
            exit: self.exit,
            cause: self.cause,
            program: self.program.to_owned(),
            has_root: self.root.is_some(),
            root: None,
            perf_map: Some(perf_map),
            has_dump: self.dump.is_some(),
            readable: Some(readable),
            python_calls: self.python_calls.cloned(),
            standard_error_bytes: Some(self.standard_error.len()),
        }
    }

    /// What can be said without any analysis.
    pub(crate) fn minimal_findings(&self, why: &AnalyserError) -> Findings {
        let note = Note::NotAnalysed { why: why.told() };
        crash::findings_without_analysis(self.cause, self.exit, Some(self.program), note)
    }
}

/// A child at work.
pub(crate) struct Analyser {
    pid: Pid,
    answer: Option<File>,
    received: Vec<u8>,
    deadline: Duration,
    timed_out: bool,
    too_long: bool,
}

impl Analyser {
    /// Starts the child. The dump's only other holder may close it as soon as this returns.
    pub(crate) fn start(
        command: &[String],
        evidence: &Evidence<'_>,
        clock: &dyn Clock,
    ) -> Result<Self, AnalyserError> {
        let start = |error: &dyn std::fmt::Display| AnalyserError::Start(error.to_string());
        let (answer, pid) = spawn_child(command, evidence).map_err(|error| start(&error))?;
        set_nonblocking(answer.as_fd()).map_err(|error| start(&error))?;
        Ok(Self {
            pid,
            answer: Some(File::from(answer)),
            received: Vec::new(),
            deadline: clock.monotonic() + TIME_LIMIT,
            timed_out: false,
            too_long: false,
        })
    }

    /// Which process it is.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The answer's pipe, while it is open.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.answer.as_ref().map(AsFd::as_fd)
    }

    /// When it has to be done, by the monotonic clock.
    pub(crate) fn deadline(&self) -> Duration {
        if self.timed_out { Duration::MAX } else { self.deadline }
    }

    /// Ends it when its time is over.
    pub(crate) fn check_time(&mut self, now: Duration) {
        if now >= self.deadline() {
            self.timed_out = true;
            let _ = signals::send(self.pid, libc::SIGKILL);
        }
    }

    /// Reads what it has said so far.
    pub(crate) fn read(&mut self) {
        let mut chunk = [0; 16 << 10];
        while let Some(answer) = &mut self.answer {
            match answer.read(&mut chunk) {
                Ok(length @ 1..) if self.received.len() + length <= ANSWER_LIMIT_BYTES => {
                    self.received.extend_from_slice(&chunk[..length]);
                }
                Ok(1..) => {
                    self.too_long = true;
                    self.answer = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => self.answer = None,
            }
        }
    }

    /// Its answer, when the process has ended so.
    pub(crate) fn finish(mut self, exit: Exit) -> Result<Analysis, AnalyserError> {
        self.read();
        match exit {
            _ if self.timed_out => Err(AnalyserError::Time),
            _ if self.too_long => {
                Err(AnalyserError::Answer(format!("it is longer than {} MiB", ANSWER_LIMIT_BYTES >> 20)))
            }
            Exit::Signal(Signal(libc::SIGXCPU)) => Err(AnalyserError::Time),
            Exit::Code(0) => serde_json::from_slice::<Answer>(&self.received)
                .map(Answer::into_analysis)
                .map_err(|error| AnalyserError::Answer(error.to_string())),
            exit => Err(AnalyserError::Ended(exit)),
        }
    }
}

fn spawn_child(
    command: &[String],
    evidence: &Evidence<'_>,
) -> Result<(OwnedFd, Pid), Box<dyn std::error::Error>> {
    let mut job = serde_json::to_vec(&evidence.job())?;
    job.push(b'\n');
    let job = sealed_file(&[&job, evidence.standard_error, evidence.standard_output])?;
    let null = File::open("/dev/null")?;
    let dump = evidence.dump.map_or(null.as_fd(), AsFd::as_fd);
    let root = evidence.root.map_or(null.as_fd(), AsFd::as_fd);
    // in the order of DUMP_FD and ROOT_FD
    spawn_analyser(command, &[job.as_fd(), dump, root], RESOURCES, |_| {})
}

/// What a child that reads hostile input may use.
#[derive(Clone, Copy)]
pub(crate) struct Resources {
    /// Its address space.
    pub(crate) memory_bytes: u64,
    /// Its processor time.
    pub(crate) time: Duration,
    /// How much it gives way to other programs; 0 as little as the shim.
    pub(crate) niceness: i32,
}

/// Starts a child whose standard input is the first of `inputs`; the others are its descriptors from 3 on. The pipe of its standard
/// output, and its id, which is also told before it can end.
pub(crate) fn spawn_analyser(
    command: &[String],
    inputs: &[BorrowedFd<'_>],
    resources: Resources,
    before_exec: impl FnOnce(Pid),
) -> Result<(OwnedFd, Pid), Box<dyn std::error::Error>> {
    let (program, arguments) = match command {
        // whatever became of its file: replaced by another version, or deleted
        [] => (PathBuf::from(OWN_PROGRAM), ["medic", "analyse"].map(str::to_owned).to_vec()),
        [name, ..] => (find_program(name, Path::new("/"), None)?, command.to_vec()),
    };
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (answer, answer_write) = pipe()?;
    let (input, others) = inputs.split_first().ok_or("there is nothing to read")?;
    let mut descriptors = vec![*input, answer_write.as_fd(), null.as_fd()];
    descriptors.extend(others);
    let seconds = resources.time.as_secs();
    let child = Child {
        program: c_string(program.as_os_str(), "command")?,
        arguments: arguments
            .iter()
            .map(|argument| c_string(argument, "command"))
            .collect::<Result<_, _>>()?,
        environment: Vec::new(),
        directory: c_string("/", "directory")?,
        descriptors,
        niceness: resources.niceness,
        identity: None,
        umask: None,
        limits: vec![
            (libc::RLIMIT_AS, resources.memory_bytes, resources.memory_bytes),
            (libc::RLIMIT_CPU, seconds, seconds + 1),
            // see the worker's: neither a core file nor a core pipe, which would be the dump again
            (libc::RLIMIT_CORE, 1, 1),
            (libc::RLIMIT_FSIZE, 0, 0),
        ],
        group: None,
    };
    let pid = spawn(&child, before_exec)?;
    Ok((answer, pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It runs whatever is at the analyser's path by now, and reads the answer as it knew it.
    #[test]
    fn a_shim_of_the_first_release_is_understood_and_understands() {
        let exit = serde_json::to_value(Exit::Signal(Signal(11))).unwrap();
        let cause = serde_json::to_value(CrashCause::Signal).unwrap();
        let job = |root: &str| {
            let job = serde_json::json!({
                "exit": exit, "cause": cause, "program": "shop", "root": root, "perf_map": null, "has_dump": true,
                "standard_error_bytes": 12,
            });
            serde_json::from_value::<Job>(job).unwrap()
        };
        assert!(job("/proc/self/fd/4").has_root() && !job("/").has_root());
        assert_eq!(job("/").readable, None);
        let evidence = Evidence {
            exit: Exit::Code(1),
            cause: CrashCause::Exit,
            program: "shop",
            pid: 1,
            standard_error: b"",
            standard_output: b"",
            dump: None,
            root: None,
            mapped: &[],
            python_calls: None,
        };
        let findings = evidence.minimal_findings(&AnalyserError::Time);
        let analysis = Analysis { findings, message: None, dump_error: None };
        let answer = Answer { analysis: analysis.clone(), unconfined: vec!["Landlock".to_owned()] };
        let line = serde_json::to_vec(&answer).unwrap();
        assert_eq!(serde_json::from_slice::<Analysis>(&line).unwrap(), analysis);
        let notes = serde_json::from_slice::<Answer>(&line).unwrap().into_analysis().findings.notes;
        assert_eq!(notes.last(), Some(&Note::Unconfined { lacking: vec!["Landlock".to_owned()] }));
    }
}
