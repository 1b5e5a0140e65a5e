//! Where workers get control groups of their own: beside each other, under the group that Medic was given.
//!
//! ```text
//!  medic.service         Medic's, delegated to it; without processes, as version 2 wants it of a group with controllers
//!  ├── medic             Medic itself and the shims
//!  ├── worker.shop.0.…   one worker and what it starts
//!  └── worker.shop.1.…
//! ```
//!
//! A group of its own tells a worker's kills for want of memory from its neighbours', and its memory and processor time from
//! its shared pages and its children. It is for accounting alone: no `memory.max` is set to an app's `memory_limit`. That would
//! count the page cache too and would kill in the middle of requests, where auto-heal, at 90 % of the same limit, replaces the
//! worker without failing one.
//!
//! What is needed: version 2 with the memory controller, and a group that is Medic's alone and writable, such as a systemd unit
//! with `Delegate=memory` and `DelegateSubgroup=medic` (the latter lets the unit be restarted while workers run). Or version 1's
//! memory hierarchy and the rights to make groups there, which root has. Processes of others are never moved.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::LocalWorker;

use super::control_file::{put, write_existing};
use super::{Group, Version, WORKER_PREFIX, candidates};

/// Medic's own group below the one that it was given.
const LEAF: &str = "medic";
/// How often the processes are counted again after moving them: one that forks meanwhile leaves a child behind.
const PASSES: usize = 10;

/// Where workers' groups are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    version: Version,
    folder: PathBuf,
}

/// Why workers get no groups of their own.
#[derive(Debug, thiserror::Error)]
pub enum NoHome {
    /// Not mounted, or without the memory controller.
    #[error("no control group here accounts for memory; mount cgroup2 with its memory controller")]
    NoController,
    /// Others are in Medic's group, and are not Medic's to move.
    #[error(
        "Medic shares its control group {} with process {pid}; run it as a service of its own, with Delegate=memory",
        group.display()
    )]
    Shared {
        /// Medic's group.
        group: PathBuf,
        /// One of the others.
        pid: u32,
    },
    /// Memory limits would not reach groups below.
    #[error("the control group {} does not pass its memory limit on; set memory.use_hierarchy to 1", .0.display())]
    NotHierarchical(PathBuf),
    /// systemd would not get Medic back into a group that it has divided.
    #[error(
        "systemd starts Medic in {}, and could not do so again while workers have groups below; that needs systemd 254 and \
         DelegateSubgroup=medic",
        .0.display()
    )]
    NoSubgroup(PathBuf),
    /// The kernel refused.
    #[error(
        "the control group {} is not Medic's to divide: {source}; run it as a service with Delegate=memory",
        group.display()
    )]
    Refused {
        /// Which group.
        group: PathBuf,
        source: io::Error,
    },
}

impl Home {
    /// Finds or makes the place, moving this process into a group of its own if it must. Call it before anything is started.
    pub fn open() -> Result<Self, NoHome> {
        let read = |path| fs::read_to_string(path).map_err(|_| NoHome::NoController);
        let (groups, mounts) = (read("/proc/self/cgroup")?, read("/proc/self/mountinfo")?);
        let mut refusal = NoHome::NoController;
        for group in candidates(&groups, &mounts, "memory") {
            match Self::within(&group, "memory") {
                Ok(home) => return Ok(home),
                // the next may not know the controller at all, which says less
                Err(NoHome::NoController) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// The group that a worker is to get; the shim makes it.
    pub fn group_of(&self, worker: &LocalWorker) -> PathBuf {
        let LocalWorker { app, instance, started_at } = worker;
        self.folder.join(format!("{WORKER_PREFIX}{app}.{instance}.{}", started_at.as_ms()))
    }

    /// Removes the groups of workers that are gone; the kernel keeps those in which something runs. Returns how many went.
    pub fn remove_leftovers(&self) -> usize {
        let Ok(entries) = fs::read_dir(&self.folder) else { return 0 };
        let is_a_workers =
            |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(WORKER_PREFIX.as_bytes());
        entries
            .flatten()
            .filter(|entry| is_a_workers(&entry.file_name()) && fs::remove_dir(entry.path()).is_ok())
            .count()
    }

    fn within(own: &Group, controller: &str) -> Result<Self, NoHome> {
        let folder = match own.version {
            Version::One => first_version(own)?,
            Version::Two => second_version(own, controller)?,
        };
        let home = Self { version: own.version, folder };
        home.try_out().map_err(|source| NoHome::Refused { group: home.folder.clone(), source })?;
        Ok(home)
    }

    /// A refusal is better heard now than at each worker's start.
    fn try_out(&self) -> io::Result<()> {
        // not named as a worker's: another Medic would take it for a leftover
        let group = self.folder.join(format!("medic-try.{}", std::process::id()));
        fs::create_dir(&group)?;
        fs::remove_dir(group)
    }
}

/// In which group of which version; for people.
impl std::fmt::Display for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let version = match self.version {
            Version::One => 1,
            Version::Two => 2,
        };
        write!(
            f,
            "each worker has a control group (version {version}) of its own in {}",
            self.folder.display()
        )
    }
}

/// Groups may be made beside processes there; but kernels before 5.11 can be told to let limits end at a group.
fn first_version(own: &Group) -> Result<PathBuf, NoHome> {
    match fs::read_to_string(own.folder.join("memory.use_hierarchy")) {
        Ok(text) if text.trim() == "1" => Ok(own.folder.clone()),
        Ok(_) => Err(NoHome::NotHierarchical(own.folder.clone())),
        Err(_) => Err(NoHome::NoController),
    }
}

fn second_version(own: &Group, controller: &str) -> Result<PathBuf, NoHome> {
    // Medic was here before, or systemd has put it here
    let is_in_leaf = own.folder != own.mount_point && own.folder.ends_with(LEAF);
    let home = own.folder.parent().filter(|_| is_in_leaf).unwrap_or(&own.folder);
    if !lists(&home.join("cgroup.controllers"), controller) {
        return Err(NoHome::NoController);
    }
    if lists(&home.join("cgroup.subtree_control"), controller) {
        return Ok(home.to_owned());
    }
    let refused = |source| NoHome::Refused { group: home.to_owned(), source };
    // the machine's topmost group, which has no type, may have processes and groups with controllers
    if home.join("cgroup.type").exists() {
        if !is_in_leaf && std::env::var_os("NOTIFY_SOCKET").is_some() {
            return Err(NoHome::NoSubgroup(home.to_owned()));
        }
        clear(home)?;
    }
    write_existing(&home.join("cgroup.subtree_control"), &format!("+{controller}")).map_err(refused)?;
    Ok(home.to_owned())
}

/// Moves all processes of Medic's group into its leaf; none, if one of them is not Medic's.
fn clear(home: &Path) -> Result<(), NoHome> {
    let refused = |source| NoHome::Refused { group: home.to_owned(), source };
    let processes = || -> io::Result<Vec<u32>> {
        let text = fs::read_to_string(home.join("cgroup.procs"))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    };
    let program = program_of(std::process::id()).map_err(refused)?;
    let leaf = home.join(LEAF);
    for _ in 0..PASSES {
        let found = processes().map_err(refused)?;
        if found.is_empty() {
            return Ok(());
        }
        if let Some(pid) = found.iter().find(|pid| !is_medics(**pid, &program)) {
            return Err(NoHome::Shared { group: home.to_owned(), pid: *pid });
        }
        match fs::create_dir(&leaf) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(error)),
            _ => {}
        }
        for pid in found {
            match put(pid, &leaf) {
                // it has ended meanwhile
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                result => result.map_err(refused)?,
            }
        }
    }
    Err(refused(io::ErrorKind::ResourceBusy.into()))
}

/// Is it this process, a shim, or what one of them has started? Workers of an earlier Medic without groups are met here.
fn is_medics(pid: u32, program: &Path) -> bool {
    // 0 stands for a process that this one may not see; one that is gone is in nobody's way
    let is_gone = pid != 0 && !Path::new(&format!("/proc/{pid}")).exists();
    let mut kin = std::iter::successors(Some(pid), |pid| parent_of(*pid));
    is_gone || kin.any(|pid| program_of(pid).is_ok_and(|own| own == program))
}

/// An updated program's file is another, but its name is the same.
fn program_of(pid: u32) -> io::Result<PathBuf> {
    let path = fs::read_link(format!("/proc/{pid}/exe"))?.to_string_lossy().into_owned();
    Ok(PathBuf::from(path.strip_suffix(" (deleted)").unwrap_or(&path)))
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

fn lists(file: &Path, controller: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().any(|one| one.trim_start_matches('+') == controller)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> LocalWorker {
        "shop/1/1769847300000".parse().unwrap()
    }

    /// What the kernel would keep, without its checks.
    fn on_paper(files: &[(&str, &str)]) -> (tempfile::TempDir, Group) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let mount_point = root.path().to_owned();
        let group = Group { version: Version::Two, folder: mount_point.join("medic.service"), mount_point };
        (root, group)
    }

    #[test]
    fn a_group_without_the_controller_is_no_home() {
        let (_root, own) = on_paper(&[("medic.service/cgroup.controllers", "cpu pids\n")]);
        assert!(matches!(Home::within(&own, "memory"), Err(NoHome::NoController)));
    }

    #[test]
    fn processes_of_others_are_not_moved() {
        let (_root, own) = on_paper(&[
            ("medic.service/cgroup.controllers", "cpu memory\n"),
            ("medic.service/cgroup.subtree_control", ""),
            ("medic.service/cgroup.type", "domain\n"),
            ("medic.service/cgroup.procs", "1\n"),
        ]);
        let error = Home::within(&own, "memory").unwrap_err();
        assert!(matches!(error, NoHome::Shared { pid: 1, .. }), "{error}");
        assert!(!own.folder.join(LEAF).exists());
        assert_eq!(fs::read_to_string(own.folder.join("cgroup.subtree_control")).unwrap(), "");
    }

    #[test]
    fn in_its_leaf_medic_uses_the_group_above() {
        let (_root, mut own) = on_paper(&[
            ("medic.service/cgroup.controllers", "cpu memory\n"),
            ("medic.service/cgroup.subtree_control", "memory\n"),
            ("medic.service/medic/cgroup.procs", "1\n"),
        ]);
        let above = own.folder.clone();
        own.folder.push(LEAF);
        let home = Home::within(&own, "memory").unwrap();
        assert_eq!(home.group_of(&worker()), above.join("worker.shop.1.1769847300000"));
        assert_eq!(fs::read_dir(&above).unwrap().count(), 3, "nothing is left of the trial");
    }

    #[test]
    fn empty_groups_of_workers_are_removed_and_nothing_else() {
        let (_root, own) = on_paper(&[
            ("medic.service/cgroup.controllers", "memory\n"),
            ("medic.service/cgroup.subtree_control", "memory\n"),
            ("medic.service/worker.shop.0.1/in-use", ""),
        ]);
        let home = Home::within(&own, "memory").unwrap();
        for name in ["worker.shop.0.2", "worker.shop.1.3", "medic"] {
            fs::create_dir(own.folder.join(name)).unwrap();
        }
        assert_eq!(home.remove_leftovers(), 2);
        assert!(own.folder.join("medic").exists() && own.folder.join("worker.shop.0.1").exists());
    }

    /// A group that the kernel made, below the topmost one of version 2, with whatever controller can be had there.
    struct Given {
        group: Group,
        controller: String,
        /// Enabled for this test alone.
        enabled: bool,
    }

    impl Given {
        fn new() -> Option<Self> {
            let (groups, mounts) = ("0::/", fs::read_to_string("/proc/self/mountinfo").unwrap());
            let top = candidates(groups, &mounts, "").into_iter().next()?.folder;
            let read = |file| fs::read_to_string(top.join(file)).unwrap_or_default();
            let controller = read("cgroup.controllers").split_whitespace().next()?.to_owned();
            let control = top.join("cgroup.subtree_control");
            let enabled = !lists(&control, &controller);
            if enabled {
                write_existing(&control, &format!("+{controller}")).ok()?;
            }
            let folder = top.join(format!("medic-test-{}", std::process::id()));
            let group = Group { version: Version::Two, mount_point: top, folder };
            let given = Self { group, controller, enabled };
            fs::create_dir(&given.group.folder).is_ok().then_some(given)
        }
    }

    impl Drop for Given {
        fn drop(&mut self) {
            for folder in [self.group.folder.join(LEAF), self.group.folder.clone()] {
                let _ = fs::remove_dir(folder);
            }
            if self.enabled {
                let control = self.group.mount_point.join("cgroup.subtree_control");
                let _ = write_existing(&control, &format!("-{}", self.controller));
            }
        }
    }

    #[test]
    fn the_kernel_lets_a_delegated_group_be_divided() {
        use std::process::{Command, Stdio};
        let Some(given) = Given::new() else {
            eprintln!("skipped: no group can be made (root, and cgroup2 with a controller)");
            return;
        };
        let mut start = Command::new("cat");
        start.stdin(Stdio::piped()).stdout(Stdio::null());
        let (mut medics, mut workers) = (start.spawn().unwrap(), start.spawn().unwrap());
        put(medics.id(), &given.group.folder).unwrap();
        let home = Home::within(&given.group, &given.controller).unwrap();
        let in_group = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        assert!(in_group(medics.id()).contains(&format!("medic-test-{}/{LEAF}\n", std::process::id())));
        let folder = home.group_of(&worker());
        let own = super::super::OwnGroup::make(&folder).unwrap();
        own.adopt(workers.id()).unwrap();
        assert!(in_group(workers.id()).contains("/worker.shop.1.1769847300000\n"));
        assert_eq!(
            Home::within(&given.group, &given.controller).unwrap(),
            home,
            "the next Medic finds the same"
        );
        assert_eq!(home.remove_leftovers(), 0, "a worker runs there");
        drop(own);
        assert!(folder.exists(), "the kernel kept it");
        for child in [&mut medics, &mut workers] {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
        assert_eq!(home.remove_leftovers(), 1);
        assert!(!folder.exists());
    }
}
