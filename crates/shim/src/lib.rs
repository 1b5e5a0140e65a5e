//! A worker's parent on Linux x86-64.
//!
//! A shim is one small process per worker: its parent, its only waiter and, when armed, its debugger, in a single-threaded loop.
//! It is a process of its own because all three must outlive the server: a server that is killed or updated finds its workers
//! running, their exit statuses and last words not lost. And the loop is single-threaded because debugger requests are valid from
//! one thread only, and because a second waiter would take the first one's stops away; what it must not wait for, the copy of a
//! dying process's memory, has a thread of its own.
//!
//! ```text
//!  fork server ── reaper (ends what is left when the shim is killed)
//!       │            │
//!  server ──shim.sock── shim ──pipes, wait, ptrace── worker
//!                        └── analyser (short-lived, confined; gets the dump as a sealed memory file)
//! ```
//!
//! [`launch`] starts one, [`connect`] reaches it, [`has_ended`] tells that none is left, and [`protocol`] is what is said. The
//! program that the server belongs to runs [`fork_server_main`] for `fork-server`, from which shims are forked, [`analyser_main`]
//! for `analyse`, and [`shim_main`] for `shim RUN_DIR`, which the first release says. All `unsafe` of Medic is in the module `sys`.

mod analyser;
mod capture;
pub mod cgroup;
mod client;
mod clock;
mod cores;
mod executable;
mod first_release;
mod fork_server;
mod give_back;
mod launch;
mod listening;
mod liveness;
mod local_worker;
mod log_name;
mod memory_map;
mod message_file;
mod open_files;
mod orphans;
mod output;
mod proc_status;
mod process_tree;
mod program;
pub mod protocol;
mod python;
mod reaper;
mod serving;
mod serving_rule;
mod signal_frame;
mod start_request;
mod supervise;
mod sys;
mod title;
mod tracer;
mod worker;

pub use clock::SystemClock;
pub use executable::executable_of_program;
pub use first_release::shim_main;
pub use fork_server::{ForkServer, fork_server_main};
pub use give_back::{give_back_memory, limit_heaps};
pub use launch::{Address, LaunchError, connect, launch};
pub use listening::{Listening, WorkerTree};
pub use liveness::has_ended;
pub use local_worker::LocalWorker;
pub use log_name::{MessageName, OutputName};
pub use open_files::OpenFiles;
pub use program::Program;
pub use sys::sock_diag::{ConnectionEnd, established_end};
pub use sys::socket::{listener_of, own_user};
pub use sys::users::{Account, account, group, groups_of, may_change_user, own_group, run_as};
pub use worker::{StartError, check_program};

/// What `medic analyse` runs.
pub fn analyser_main() -> std::process::ExitCode {
    analyser::run(python::answer)
}

/// Undoes what a program inherited from the one that started it: signals that were ignored or blocked there. An ignored SIGCHLD
/// would take the ends of children away before anybody could ask for them. Call it first in `main`.
pub fn reset_signals() {
    sys::signals::reset_inherited();
}

/// The descriptors after the standard ones that this process was started with, such as a service manager passes; what it starts
/// itself does not inherit them. Call it once, before anything else could own one.
pub fn take_inherited_sockets(count: usize) -> Vec<std::os::fd::OwnedFd> {
    let end = i32::try_from(count).unwrap_or(0).saturating_add(3);
    (3..end).filter_map(sys::descriptors::inherited_alone).collect()
}

/// Ends every process of a process group, which is named by the id of its first process. For programs that are started without
/// a shim, in groups of their own.
pub fn kill_group(first: u32) {
    if let Ok(group) = sys::Pid::try_from(first) {
        sys::signals::kill_group(group);
    }
}
