//! Who serves, decided from what is known of each process of the tree: a pure function.
//!
//! | what a process has | it serves |
//! |---|---|
//! | a listening socket of the port | the port: gunicorn's and puma's children, the program behind `npm start` |
//! | a connection of the port, or the mark of node's cluster | what its master hands it |
//! | another listening socket | what a proxy of the same tree passes on: php-fpm behind nginx |
//!
//! But what runs below a process that serves, and runs another program, is a helper as long as it has only sockets from above:
//! `exec` in PHP hands every one on, also past the end of who has started it. One that listens by itself is no helper: whose child
//! it is says little, since `php-fpm & exec nginx` puts php-fpm below nginx.

use std::collections::{BTreeMap, BTreeSet};

use crate::sys::Pid;

/// Which program a process runs, whatever its path: device and inode of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Executable {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// What a process serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    /// It accepts connections of the port.
    Port,
    /// Connections of the port that another process accepts.
    Connections,
    /// Another socket, for a proxy of the tree.
    Elsewhere,
}

/// The sockets of a process that matter, by inode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sockets {
    /// They listen on the port.
    pub(super) port: BTreeSet<u64>,
    /// They listen elsewhere.
    pub(super) elsewhere: BTreeSet<u64>,
    /// One at least is a connection of the port.
    pub(super) has_connection: bool,
}

/// A process of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) parent: Pid,
    /// Not known of a process that may not be looked into.
    pub(super) executable: Option<Executable>,
    pub(super) sockets: Sockets,
    /// Node's cluster has made it for a worker of its own.
    pub(super) is_cluster_worker: bool,
    /// What it was found to serve before: that stays.
    pub(super) served: Option<Serves>,
    /// Listening sockets that it was seen to have from a server above it that runs another program.
    pub(super) inherited: BTreeSet<u64>,
}

impl Process {
    pub(super) fn runs_the_same_as(&self, other: &Self) -> bool {
        self.executable.is_some() && self.executable == other.executable
    }

    fn listens(&self) -> impl Iterator<Item = &u64> {
        self.sockets.port.iter().chain(&self.sockets.elsewhere)
    }

    fn listens_on(&self, socket: u64) -> bool {
        self.sockets.port.contains(&socket) || self.sockets.elsewhere.contains(&socket)
    }
}

/// The processes that serve, and what.
pub(super) fn serving(tree: &BTreeMap<Pid, &Process>) -> BTreeMap<Pid, Serves> {
    let mut found = BTreeMap::new();
    let mut pids: Vec<(usize, Pid)> = tree.keys().map(|pid| (ancestors(tree, *pid).count(), *pid)).collect();
    // parents first: what one serves depends on them alone
    pids.sort_unstable();
    for (_, pid) in pids {
        let Some(process) = tree.get(&pid) else { continue };
        if let Some(serves) = process.served.or_else(|| serves(tree, &found, pid, process)) {
            found.insert(pid, serves);
        }
    }
    found
}

fn serves(
    tree: &BTreeMap<Pid, &Process>,
    found: &BTreeMap<Pid, Serves>,
    pid: Pid,
    process: &Process,
) -> Option<Serves> {
    let is_of_cluster = || {
        let master = tree.get(&process.parent).filter(|master| master.runs_the_same_as(process));
        process.is_cluster_worker && master.is_some() && found.get(&process.parent) == Some(&Serves::Port)
    };
    let above: Vec<&Process> = foreign_servers(tree, found, pid, process).collect();
    let is_own = |socket: &u64| {
        !process.inherited.contains(socket) && !above.iter().any(|above| above.listens_on(*socket))
    };
    if process.sockets.port.iter().any(is_own) {
        Some(Serves::Port)
    } else if (process.sockets.has_connection || is_of_cluster()) && above.is_empty() {
        Some(Serves::Connections)
    } else {
        process.sockets.elsewhere.iter().any(is_own).then_some(Serves::Elsewhere)
    }
}

/// What is above a process, serves, and runs another program.
fn foreign_servers<'t>(
    tree: &'t BTreeMap<Pid, &'t Process>,
    found: &'t BTreeMap<Pid, Serves>,
    pid: Pid,
    process: &'t Process,
) -> impl Iterator<Item = &'t Process> {
    ancestors(tree, pid)
        .filter(|(above, one)| found.contains_key(above) && !one.runs_the_same_as(process))
        .map(|(_, one)| one)
}

/// The listening sockets that each process has from one above it that serves and runs another program.
pub(super) fn inherited(
    tree: &BTreeMap<Pid, &Process>,
    found: &BTreeMap<Pid, Serves>,
) -> Vec<(Pid, BTreeSet<u64>)> {
    let of = |(pid, process): (&Pid, &&Process)| {
        let sockets: BTreeSet<u64> = foreign_servers(tree, found, *pid, process)
            .flat_map(|above| process.listens().filter(|socket| above.listens_on(**socket)))
            .copied()
            .collect();
        (!sockets.is_empty()).then_some((*pid, sockets))
    };
    tree.iter().filter_map(of).collect()
}

/// Do its children serve beside it or for it? One of the same program has been found to serve, or has lived for so long that it
/// is no helper that was just forked; `has_lived` says which have.
pub(super) fn is_master(tree: &BTreeMap<Pid, &Process>, pid: Pid, has_lived: impl Fn(Pid) -> bool) -> bool {
    let Some(process) = tree.get(&pid) else { return false };
    tree.iter().any(|(child, seen)| {
        seen.parent == pid && seen.runs_the_same_as(process) && (seen.served.is_some() || has_lived(*child))
    })
}

/// The processes that serve while none above them does: those that are to be asked to end. What they have started they end
/// themselves, and a prefork server would only start its children again.
pub(super) fn topmost(tree: &BTreeMap<Pid, &Process>) -> Vec<Pid> {
    let found = serving(tree);
    let is_topmost = |pid: &Pid| !ancestors(tree, *pid).any(|(ancestor, _)| found.contains_key(&ancestor));
    found.keys().copied().filter(is_topmost).collect()
}

/// From the parent up. A tree that is read while it changes may lead in a circle.
fn ancestors<'t>(tree: &'t BTreeMap<Pid, &'t Process>, pid: Pid) -> impl Iterator<Item = (Pid, &'t Process)> {
    let parent = move |of: Pid| {
        let parent = tree.get(&of)?.parent;
        Some((parent, *tree.get(&parent)?))
    };
    std::iter::successors(parent(pid), move |(above, _)| parent(*above)).take(tree.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SH: u64 = 1;
    const PYTHON: u64 = 2;
    const NODE: u64 = 3;
    const NGINX: u64 = 4;
    const FPM: u64 = 5;
    const GIT: u64 = 6;

    fn process(parent: Pid, program: u64, port: &[u64], elsewhere: &[u64]) -> Process {
        Process {
            parent,
            executable: Some(Executable { device: 1, inode: program }),
            sockets: Sockets {
                port: port.iter().copied().collect(),
                elsewhere: elsewhere.iter().copied().collect(),
                has_connection: false,
            },
            is_cluster_worker: false,
            served: None,
            inherited: BTreeSet::new(),
        }
    }

    fn with_connection(process: Process) -> Process {
        Process { sockets: Sockets { has_connection: true, ..process.sockets }, ..process }
    }

    fn tree(processes: &[(Pid, Process)]) -> BTreeMap<Pid, &Process> {
        processes.iter().map(|(pid, process)| (*pid, process)).collect()
    }

    fn who(processes: &[(Pid, Process)]) -> Vec<Pid> {
        serving(&tree(processes)).into_keys().collect()
    }

    #[test]
    fn a_prefork_server_is_its_master_and_every_child() {
        let all = [
            (10, process(1, PYTHON, &[100], &[])),
            (11, process(10, PYTHON, &[100], &[])),
            (12, process(10, PYTHON, &[100], &[])),
        ];
        assert_eq!(who(&all), [10, 11, 12]);
        assert_eq!(topmost(&tree(&all)), [10], "its children are its own to end");
    }

    #[test]
    fn with_a_socket_each_the_children_serve_and_the_master_does_not() {
        let all = [
            (10, process(1, PYTHON, &[], &[])),
            (11, process(10, PYTHON, &[100], &[])),
            (12, process(10, PYTHON, &[101], &[])),
        ];
        assert_eq!(who(&all), [11, 12]);
        assert_eq!(topmost(&tree(&all)), [11, 12]);
    }

    #[test]
    fn behind_launchers_the_server_serves_and_is_asked_to_end() {
        let all = [
            (10, process(1, NODE, &[], &[])),
            (11, process(10, SH, &[], &[])),
            (12, process(11, NODE, &[100], &[])),
        ];
        assert_eq!(who(&all), [12]);
        assert_eq!(topmost(&tree(&all)), [12]);
    }

    #[test]
    fn nodes_cluster_hands_connections_on() {
        let mut all = vec![
            (10, process(1, NODE, &[100], &[])),
            (11, with_connection(process(10, NODE, &[], &[]))),
            (12, process(10, NODE, &[], &[])),
        ];
        assert_eq!(who(&all), [10, 11], "one that has had no connection may be anything");
        all[2].1.is_cluster_worker = true;
        assert_eq!(who(&all), [10, 11, 12]);
        assert_eq!(topmost(&tree(&all)), [10]);
        all[0].1.sockets.port.clear();
        assert_eq!(who(&all), [11], "nobody accepts yet");
        all[1].1.sockets.has_connection = false;
        all[1].1.served = Some(Serves::Connections);
        assert_eq!(who(&all), [11], "what one has served, it serves between two requests too");
    }

    #[test]
    fn helpers_do_not_serve_whatever_they_inherited() {
        let all = [
            (10, process(1, PYTHON, &[100], &[])),
            (11, process(10, PYTHON, &[100], &[])),
            (12, process(11, GIT, &[100], &[])),
            (14, with_connection(process(11, SH, &[], &[]))),
            (15, process(14, GIT, &[100], &[])),
            (16, Process { executable: None, ..process(11, PYTHON, &[100], &[]) }),
        ];
        assert_eq!(who(&all), [10, 11]);
    }

    #[test]
    fn what_stands_behind_a_proxy_of_the_tree_serves() {
        let all = [
            (10, process(1, SH, &[], &[])),
            (11, process(10, NGINX, &[100], &[])),
            (12, process(11, NGINX, &[100], &[])),
            (13, process(10, FPM, &[], &[200])),
            (14, process(13, FPM, &[], &[200])),
            (15, process(14, GIT, &[], &[200])),
        ];
        assert_eq!(who(&all), [11, 12, 13, 14]);
        assert_eq!(topmost(&tree(&all)), [11, 13]);
    }

    /// `php-fpm & exec nginx`: whose child one is depends on the order of a line.
    #[test]
    fn what_listens_by_itself_below_a_server_of_another_program_serves() {
        let mut all = vec![
            (10, process(1, NGINX, &[100], &[])),
            (11, process(10, NGINX, &[100], &[])),
            (12, process(10, FPM, &[], &[200])),
            (13, process(12, FPM, &[], &[200])),
            (14, process(13, GIT, &[], &[200])),
            (15, process(13, GIT, &[100], &[200])),
            // it has the port from above, and its own socket besides
            (16, process(10, NODE, &[100], &[300])),
        ];
        assert_eq!(who(&all), [10, 11, 12, 13, 16]);
        assert_eq!(serving(&tree(&all))[&16], Serves::Elsewhere);
        assert_eq!(topmost(&tree(&all)), [10]);
        // what a helper has from above stays from above, when that is gone
        let found = serving(&tree(&all));
        for (pid, sockets) in inherited(&tree(&all), &found) {
            let (_, helper) = all.iter_mut().find(|(one, _)| *one == pid).unwrap();
            helper.inherited = sockets;
        }
        let orphan = |(pid, process): (Pid, Process)| {
            (!matches!(pid, 12 | 13)).then_some((pid, Process { parent: 1, ..process }))
        };
        let all: Vec<_> = all.into_iter().filter_map(orphan).collect();
        assert_eq!(who(&all), [10, 11, 16]);
    }

    #[test]
    fn below_a_supervisor_with_a_control_socket_who_opens_a_socket_serves() {
        let all = [
            (10, process(1, PYTHON, &[], &[300])),
            (11, process(10, NGINX, &[100], &[])),
            (12, process(10, FPM, &[], &[200])),
            (13, process(10, GIT, &[], &[300])),
        ];
        assert_eq!(who(&all), [10, 11, 12]);
        assert_eq!(topmost(&tree(&all)), [10]);
    }

    #[test]
    fn a_master_has_a_child_of_its_own_program_that_serves_or_has_lived() {
        let served = |process| Process { served: Some(Serves::Port), ..process };
        let all = [
            (10, process(1, NODE, &[100], &[])),
            (11, process(10, NODE, &[], &[])),
            (12, served(process(11, NODE, &[], &[]))),
            (13, served(process(12, GIT, &[], &[]))),
        ];
        let tree = tree(&all);
        assert!(!is_master(&tree, 10, |_| false));
        assert!(is_master(&tree, 10, |child| child == 11));
        assert!(is_master(&tree, 11, |_| false));
        assert!(!is_master(&tree, 12, |_| true), "another program");
        assert!(!is_master(&tree, 99, |_| true));
    }

    #[test]
    fn a_tree_that_is_a_circle_is_read_to_an_end() {
        let all = [(10, process(11, PYTHON, &[100], &[])), (11, process(10, PYTHON, &[100], &[]))];
        assert_eq!(who(&all), [10, 11]);
        assert_eq!(topmost(&tree(&all)), [] as [Pid; 0]);
    }
}
