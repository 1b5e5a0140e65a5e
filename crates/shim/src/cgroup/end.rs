//! Ends everything that runs in a worker's own group.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::own::write_existing;
use crate::sys::Pid;
use crate::sys::signals::HeldProcess;

/// How often what runs there is counted again where the kernel cannot end a group as a whole.
const PASSES: usize = 100;

/// Sends SIGKILL to every process of a group and of those below it, where nobody is left who could: a group that was made for a
/// worker alone holds nothing else. They end a moment later. An error names what could not be reached.
pub fn end_group(folder: &Path) -> io::Result<()> {
    // as a whole, so that none is born meanwhile: version 2, from Linux 5.14 on
    if write_existing(&folder.join("cgroup.kill"), "1").is_ok() {
        return Ok(());
    }
    let mut ended = BTreeSet::new();
    for _ in 0..PASSES {
        let held: Vec<(Pid, HeldProcess)> = processes(folder)?
            .into_iter()
            .filter(|pid| !ended.contains(pid))
            .filter_map(|pid| Some((pid, HeldProcess::open(pid).ok()?)))
            .collect();
        if held.is_empty() {
            break;
        }
        // a number that is still listed now is that of the process that is held, or of one that is gone
        let still = processes(folder)?;
        for (pid, process) in held.iter().filter(|(pid, _)| still.contains(pid)) {
            process.kill()?;
            ended.insert(*pid);
        }
    }
    Ok(())
}

/// The numbers of the processes of a group and of those below it.
fn processes(folder: &Path) -> io::Result<BTreeSet<Pid>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let text = fs::read_to_string(folder.join("cgroup.procs"))?;
        found.extend(text.lines().filter_map(|line| line.parse::<Pid>().ok()).filter(|pid| *pid > 0));
        let below = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
        folders.extend(below.filter(|path| path.is_dir()));
    }
    Ok(found)
}
