//! What the server and a shim say to each other: one JSON object a line, over the unix socket `shim.sock` in the run directory.
//!
//! The shim speaks first, with [`FromShim::State`], after every connect. Then it replays what the worker's end produced so far
//! ([`FromShim::Ended`], [`FromShim::Analysed`]), and the crashes of its children (`Child…`), so that a server that was killed
//! loses nothing. Only [`ToShim::Acknowledge`] and [`ToShim::AcknowledgeChild`] make it forget.
//!
//! ```text
//!  server                                     shim
//!    │ ◀── state, what happened before ────────│   the first client; another one hears `busy` while it lives
//!    │ ── {"id":1,"type":"signal",…} ─────────▶│
//!    │ ◀── {"re":1,"type":"done"} ─────────────│
//!    │ ── {"id":2,"type":"…new…"} ────────────▶│
//!    │ ◀── {"re":2,"type":"refused",…} ────────│   what is unknown ends nothing
//! ```
//!
//! Shims outlive upgrades, so each side meets older and newer ones of the other. [`FromShim::State`] names the [`VERSION`]; a
//! field or a message that one side does not know is left alone by it, and a field that an older side does not send has a
//! default. Version 0, of the first release, has no numbers (`id`, `re`), answers no signal, drops whoever asks what it does not
//! know, and lets the latest client win. So a server asks only for what the shim's version has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use model::crash::{Audit, Findings, ProcessRole};
use model::process_connections::ProcessConnections;
use model::start::StartFault;
use model::{CrashCause, Exit, ProcessId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::LocalWorker;

/// The longest line that either side accepts, in bytes. An analysis with every frame, module and note stays below it.
pub const LINE_LIMIT: usize = 1 << 20;

/// The version of what is said here. 1: requests have numbers, `Warm`, `Done`, `Refused`, `Busy`. 2: `Watch`, and crashes of
/// serving processes that the worker has started (`ChildCrashing`, `ChildEnded`, `ChildAnalysed`, `AcknowledgeChild`). 3:
/// `ReceiverEnded`, `TakeBack`, `TakenBack`.
pub const VERSION: u32 = 3;

/// The socket's name in the run directory.
pub const SOCKET_NAME: &str = "shim.sock";

/// Where a shim of the first release has its specification, with everything secret in it. Newer ones are given theirs in memory.
pub const SPEC_NAME: &str = "spec.json";

/// How to run one worker. Handed to the shim in memory alone, since the environment holds secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerSpec {
    /// Which worker this is.
    pub worker: LocalWorker,
    /// The program and its arguments. A program without `/` is looked up in the `PATH` of `environment`.
    pub command: Vec<String>,
    /// Where it runs; `/` where not given.
    pub directory: Option<PathBuf>,
    /// Its whole environment: nothing else is added or inherited.
    pub environment: BTreeMap<String, String>,
    /// The loopback port that it was told to listen on.
    pub port: u16,
    /// Where its output goes, in rotated files of mode 0600.
    pub application_log_dir: PathBuf,
    /// Where the type and full message of its crash go.
    pub crash_log_dir: PathBuf,
    /// How long one output file may become.
    pub log_file_limit_bytes: u64,
    /// How many output files of this instance are kept, the current one included; at least 1.
    pub log_files_kept: u32,
    /// How long one output file is written to. A server of an older release does not say.
    #[serde(default)]
    pub log_file_age_ms: Option<u64>,
    /// Attach the debugger before the program's first instruction.
    pub arm: bool,
    /// Whose crashes are the worker's. A server of an older release does not say.
    #[serde(default)]
    pub watch: Watched,
    /// The analyser child's command, such as `[/usr/bin/medic, analyse]`; where empty, the shim's own program as it was when the
    /// shim was started.
    #[serde(default)]
    pub analyser: Vec<String>,
    /// The kernel may write cores of it, with its memory, as the machine is set up.
    #[serde(default)]
    pub core_dumps: bool,
    /// The control group that is made for it alone, such as [`crate::cgroup::Home::group_of`] names; a worker that cannot be put
    /// there stays where the shim is. It is removed with the shim.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// How many files the worker may have open (the soft limit): the server raises its own, and the worker is not to know.
    /// Whatever the server has where not given.
    #[serde(default)]
    pub open_files: Option<u64>,
    /// Who it runs as, where that is not the server's own user.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// Which permissions new files of it do not have (`umask`). As this process has it where not given.
    #[serde(default)]
    pub umask: Option<u32>,
    /// How many files it may have open, soft and hard, and how many processes its user may have.
    #[serde(default)]
    pub limits: ResourceLimits,
    /// What the server compares to know whether a worker that it takes over still fits the configuration.
    pub spec_hash: String,
}

/// Who a process runs as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub user: u32,
    pub group: u32,
    /// All of its groups.
    pub groups: Vec<u32>,
}

/// Limits that an app is given; what is not given stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    #[serde(default)]
    pub open_files: Option<u64>,
    #[serde(default)]
    pub processes: Option<u64>,
}

/// Without the environment and the arguments, which hold secrets.
impl std::fmt::Debug for WorkerSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerSpec")
            .field("worker", &self.worker)
            .field("program", &self.command.first())
            .field("port", &self.port)
            .field("arm", &self.arm)
            .finish_non_exhaustive()
    }
}

/// Whose crashes are a worker's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// Its main process's alone.
    #[default]
    Main,
    /// Those of all its serving processes.
    Serving,
}

/// A request with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Comes back in what answers it. Without one, only what is worth a message of its own is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What is asked.
    #[serde(flatten)]
    pub what: ToShim,
}

/// A message, and which request it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said<Message = FromShim> {
    /// The request's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// What is said.
    #[serde(flatten)]
    pub what: Message,
}

/// What the server asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToShim {
    /// Attach the debugger; answered by `Armed` or `ArmRefused`.
    Arm,
    /// Detach it; answered by `Disarmed`.
    Disarm,
    /// Send a signal to the worker. TERM, KILL, INT, QUIT and ABRT mark its end as asked, unless it then dies of a fault; any
    /// other does where the worker ends by that very signal.
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// The last lines of the output.
    Tail {
        /// How many at most.
        lines: usize,
    },
    /// The worker takes requests: every later client is told. Answered by `Done`. Since version 1.
    Warm {
        /// Where it was reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<SocketAddr>,
    },
    /// Whose crashes count from now on. Answered by `Done`. Since version 2.
    Watch { processes: Watched },
    /// Who serves beside the main process; answered by `Serving`. Since version 2.
    Serving,
    /// Take back one request that was handed to a process which has ended: the first of these that nobody has read. Answered by
    /// `TakenBack`. Since version 3.
    TakeBack {
        /// The ports from which the server has connected to the worker.
        from: Vec<u16>,
    },
    /// The crash of this process is recorded: forget it. Answered by `Done`. Since version 2.
    AcknowledgeChild { process: ProcessId },
    /// Everything is recorded: remove the run directory and exit. Ignored while the worker runs or is being analysed.
    Acknowledge,
}

/// What the shim says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromShim {
    /// The first message after every connect.
    State {
        /// Which worker this is.
        worker: LocalWorker,
        /// Its process id.
        pid: u32,
        /// When its process was started.
        started_at: Timestamp,
        /// The port it was told to listen on.
        port: u16,
        /// The specification's hash, as given.
        spec_hash: String,
        /// Is the debugger attached?
        armed: bool,
        /// The shim's version, for people.
        version: String,
        /// The version of the protocol that it speaks.
        #[serde(default)]
        protocol: u32,
        /// The shim's own process id.
        #[serde(default)]
        shim_pid: Option<u32>,
        /// A server said that the worker takes requests. Version 0 does not know.
        #[serde(default)]
        warm: bool,
        /// Where the server reached it then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<SocketAddr>,
        /// The worker was asked to end. Version 0 does not say.
        #[serde(default)]
        asked: bool,
    },
    /// Another client is connected and lives, so this one is not heard: the first and only message. Try again later.
    Busy {
        /// The other client's process.
        pid: u32,
    },
    /// The request was carried out, and has no other answer.
    Done,
    /// The request was not understood, and nothing was done.
    Refused { reason: String },
    /// The debugger is attached.
    Armed,
    /// It could not be attached. Also told to every new client after `State`, where the last attempt failed, be it the one at
    /// the start.
    ArmRefused {
        /// What was wrong, where, and what to do.
        reason: String,
    },
    /// The debugger is not attached any more.
    Disarmed,
    /// The fatal signal was caught; the dump comes next, then the end.
    Crashing {
        /// The signal.
        signal: i32,
        /// When it was caught.
        at: Timestamp,
        /// What it had of the port when it stood still, where that could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connections: Option<ProcessConnections>,
    },
    /// The worker ended.
    Ended {
        exit: Exit,
        /// The server had asked for it.
        asked: bool,
        /// The kernel killed it for want of memory.
        oom_killed: bool,
        at: Timestamp,
        /// How long it had run.
        uptime_ms: u64,
        /// It is a crash, so `Analysed` follows.
        crash: bool,
        /// What its output names as the reason, where it never took requests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<StartFault>,
        /// It was a launcher and ended because what it had started had crashed, as was said by `ChildEnded`. Since version 2.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        passed_on: bool,
    },
    /// What is known of the crash.
    Analysed {
        /// Exception, stack, signature.
        findings: Findings,
        /// The proof of the dump's deletion, where one was taken.
        audit: Option<Audit>,
    },
    /// A serving process that the worker has started is stopped at its fatal signal; its dump comes next, then its end. Since
    /// version 2, as is all that speaks of these.
    ChildCrashing {
        process: ProcessId,
        role: ProcessRole,
        signal: i32,
        at: Timestamp,
        /// As in `Crashing`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connections: Option<ProcessConnections>,
    },
    /// It crashed. What ends otherwise is not told.
    ChildEnded {
        process: ProcessId,
        role: ProcessRole,
        exit: Exit,
        cause: CrashCause,
        at: Timestamp,
        /// How long it had run.
        uptime_ms: u64,
    },
    /// What is known of its crash.
    ChildAnalysed { process: ProcessId, findings: Findings, audit: Option<Audit> },
    /// A serving process has ended, in whatever way, to which another one hands the connections that it accepts: who was on the
    /// way would wait for ever. Since version 3.
    ReceiverEnded { process: ProcessId },
    /// The request over the connection from this port was read by nobody, and nobody can read it any more; the connection is
    /// closed. `None` where there is no such request.
    TakenBack { from: Option<u16> },
    /// Who is known to serve beside the main process.
    Serving { processes: Vec<ProcessId> },
    /// The last lines of the output.
    Tail {
        /// Oldest first, without line ends; not UTF-8 replaced.
        lines: Vec<String>,
    },
}
