//! What is known of one process of the tree.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

use model::crash::ProcessRole;
use model::{Exit, ProcessId, Timestamp};

use super::rule::{Executable, Process, Sockets};
use super::{AGAIN, FORK_LIMIT};
use crate::executable;
use crate::proc_status;
use crate::sys::Pid;
use crate::sys::held_process::HeldProcess;
use crate::sys::wait_status::exit_of_status;

/// By this variable node's cluster tells a process that it makes what it is.
const CLUSTER_MARK: &[u8] = b"NODE_UNIQUE_ID=";

/// The kernel's `USER_HZ`: 100 a second on every machine that Medic runs on.
const TICK_MS: u64 = 10;

/// What is known.
pub(super) struct Known {
    pub(super) process: Process,
    /// In ticks since the machine's start; with the number it names the process.
    pub(super) started: u64,
    /// By the monotonic clock, zero where that was before it began.
    pub(super) born: Duration,
    /// By the wall clock.
    pub(super) started_at: Timestamp,
    /// The file's name of the program that it runs.
    pub(super) program: Option<String>,
    /// That file, of the main process and of those whose deaths are waited for.
    pub(super) file: Option<model::crash::Executable>,
    /// Sockets that are no connections of the port.
    pub(super) strangers: BTreeSet<u64>,
    /// It seems to serve, but may be too young for that to be sure.
    pub(super) is_likely: bool,
    /// Where its death is waited for.
    pub(super) held: Option<Held>,
    looks: u32,
    pub(super) look_at: Duration,
}

/// A process whose death is waited for.
pub(super) struct Held {
    process: HeldProcess,
    /// Opened while it lived: reads sooner.
    stat: Option<File>,
}

impl Held {
    /// Of a process that is not to end unseen: `None` where it has.
    pub(super) fn of(pid: Pid, process: HeldProcess) -> Self {
        Self { process, stat: File::open(format!("/proc/{pid}/stat")).ok() }
    }

    pub(super) fn process(&self) -> &HeldProcess {
        &self.process
    }

    /// How it ended: where its parent has asked for that, by what the kernel tells anybody (Linux 6.15), and until then by what
    /// the kernel shows of a process that nobody has asked for.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.process.exit().or_else(|| {
            let mut stat = [0; 2_048];
            let length = self.stat.as_ref()?.read_at(&mut stat, 0).ok()?;
            let status = proc_status::exit_status(stat.get(..length)?)?;
            // to those that may not know it, the kernel says 0
            exit_of_status(status).filter(|exit| *exit != Exit::Code(0))
        })
    }
}

impl Known {
    pub(super) fn new(parent: Pid, started: u64, now: Duration, wall: Timestamp) -> Self {
        let process = Process {
            parent,
            executable: None,
            sockets: Sockets::default(),
            is_cluster_worker: false,
            served: None,
            inherited: BTreeSet::new(),
        };
        let age = age(started);
        Self {
            process,
            started,
            born: now.saturating_sub(age),
            started_at: wall - age,
            program: None,
            file: None,
            strangers: BTreeSet::new(),
            is_likely: false,
            held: None,
            looks: 0,
            look_at: now,
        }
    }

    pub(super) fn id(&self, pid: Pid) -> ProcessId {
        ProcessId { pid: pid.unsigned_abs(), started_at: self.started_at }
    }

    /// It has run the program that it was forked for.
    pub(super) fn is_grown(&self, now: Duration) -> bool {
        now.saturating_sub(self.born) >= FORK_LIMIT
    }

    /// Where it runs another program than was known, that is noted.
    pub(super) fn set_executable(&mut self, pid: Pid, executable: Option<Executable>) {
        if self.process.executable != executable {
            self.process.executable = executable;
            self.process.is_cluster_worker = false;
            self.program = program_of(pid);
            self.file = None;
        }
        // one that was just forked may run the same program anew, with another environment
        if self.process.served.is_none() && !self.process.is_cluster_worker {
            self.process.is_cluster_worker = is_cluster_worker(pid);
        }
    }

    /// Reads which build it runs, where that is not known.
    pub(super) fn read_file(&mut self, pid: Pid) {
        if self.file.is_none() {
            self.file = executable::executable_of(pid);
        }
    }

    pub(super) fn plan_next_look(&mut self, now: Duration) {
        let [first, longest] = AGAIN;
        let pause = if self.process.served.is_some() {
            longest
        } else {
            longest.min(first * 2_u32.saturating_pow(self.looks.min(16)))
        };
        self.looks += 1;
        self.look_at = now + pause;
        if !self.is_grown(now) {
            self.look_at = self.look_at.min(self.born + FORK_LIMIT + Duration::from_millis(TICK_MS));
        }
    }
}

/// What a process is to the worker whose main process is another.
pub(super) fn role(process: &Process, parent: Option<&Process>) -> ProcessRole {
    let is_of_parent = |parent: &Process| parent.runs_the_same_as(process);
    if parent.is_some_and(is_of_parent) { ProcessRole::Child } else { ProcessRole::BehindLauncher }
}

pub(super) fn executable_of(pid: Pid) -> Option<Executable> {
    let file = std::fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some(Executable { device: file.dev(), inode: file.ino() })
}

fn program_of(pid: Pid) -> Option<String> {
    executable::name(&std::fs::read_link(format!("/proc/{pid}/exe")).ok()?)
}

/// Only whether the mark is there is looked at, and nothing is kept.
fn is_cluster_worker(pid: Pid) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(CLUSTER_MARK))
}

/// How long ago a process was started that was at this tick.
fn age(started: u64) -> Duration {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = uptime.split(' ').next().and_then(|uptime| uptime.parse::<f64>().ok()).unwrap_or(0.0);
    let started = Duration::from_millis(started.saturating_mul(TICK_MS));
    Duration::try_from_secs_f64(seconds).unwrap_or_default().saturating_sub(started)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use model::Signal;

    use super::*;

    /// Below Linux 6.15, and while its parent has not asked yet.
    #[test]
    fn how_a_process_ended_is_read_before_anybody_has_asked() {
        for (way, expected) in [("kill -SEGV $$", Exit::Signal(Signal(11))), ("exit 7", Exit::Code(7))] {
            let mut child = Command::new("sh").args(["-c", way]).spawn().unwrap();
            let pid = Pid::try_from(child.id()).unwrap();
            let held = Held::of(pid, HeldProcess::open(pid).unwrap());
            while !held.process().has_ended() {
                std::thread::yield_now();
            }
            assert_eq!(held.process.exit(), None);
            assert_eq!(held.exit(), Some(expected));
            child.wait().unwrap();
        }
    }

    #[test]
    fn a_process_is_as_old_as_it_is() {
        let own = crate::sys::process::process_id();
        let (_, started) = proc_status::parent_and_start(own).unwrap();
        let known = Known::new(1, started, Duration::from_secs(1_000_000), Timestamp::from_ms(0));
        assert!(age(started) < Duration::from_hours(1));
        assert!(known.started_at <= Timestamp::from_ms(0));
        assert_eq!(known.program, None);
        assert!(program_of(own).unwrap().starts_with("shim-"), "the test's own name");
        assert!(!is_cluster_worker(own));
    }
}
