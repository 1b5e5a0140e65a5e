//! The processes that a worker has started, and those that these have started.

use std::collections::BTreeSet;

use shim::cgroup::Group;

use super::process::{Process, Usage};
use super::{numbers_in, read};

/// How many are counted: more than any server forks, and few enough that one that forks without end costs little.
const MEMBERS_LIMIT: usize = 256;
/// How many threads are asked for their children: as many as a worker of 20 processes with 100 threads each has.
const THREADS_LIMIT: usize = 2_048;

/// The worker's descendants as they were last found.
#[derive(Default)]
pub(super) struct ProcessTree(Vec<Process>);

impl ProcessTree {
    /// Finds them anew: in the worker's own control group, which also has those whose parents are gone, or from parent to
    /// child. A kernel without `CONFIG_PROC_CHILDREN` names no children; then the worker alone is counted.
    pub(super) fn find(&mut self, worker: Process, group: Option<&Group>) {
        let pids = group.map_or_else(|| descendants(worker.pid), Group::processes);
        let others = pids.into_iter().filter(|pid| *pid != worker.pid).collect::<BTreeSet<_>>();
        self.0 = others
            .into_iter()
            .take(MEMBERS_LIMIT)
            .filter_map(Process::now)
            // an id that was given anew meanwhile may be an older process's only by a wrong clock
            .filter(|process| process.started >= worker.started)
            .collect();
    }

    pub(super) fn processes(&self) -> &[Process] {
        &self.0
    }

    /// Adds what each of them uses; those that are gone are forgotten.
    pub(super) fn usages(&mut self, usages: &mut Vec<(Process, Usage)>) {
        self.0.retain(|process| {
            let usage = process.usage();
            usages.extend(usage.map(|usage| (*process, usage)));
            usage.is_some()
        });
    }
}

fn descendants(worker: u32) -> Vec<u32> {
    let (mut found, mut asked) = (vec![worker], 0);
    let mut threads_left = THREADS_LIMIT;
    while let Some(parent) = found.get(asked).copied() {
        asked += 1;
        for thread in numbers_in(&format!("/proc/{parent}/task")).take(threads_left) {
            threads_left -= 1;
            let children = read(&format!("/proc/{parent}/task/{thread}/children")).unwrap_or_default();
            found.extend(children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        if found.len() > MEMBERS_LIMIT || threads_left == 0 {
            break;
        }
    }
    found
}
