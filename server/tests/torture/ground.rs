//! Where a case is fought: a Medic with an app whose processes can be told from all others of the machine, and the books that
//! are kept of them.

use std::collections::BTreeSet;
use std::path::Path;

pub(crate) use crate::support::kill;
use crate::support::{Medic, is_alive, wait_until};

/// Marks every process of the app, and of what it starts, by its environment.
pub(crate) const MARK: &str = "TORTURED";

/// Every crash is caught, and none is followed by a pause.
pub(crate) const ALWAYS: &str = "[crash_monitoring]\ncrashes = 0\npause = \"0s\"\n";

/// The app under torture and what was done to it.
pub(crate) struct Ground {
    pub(crate) medic: Medic,
    mark: String,
    /// The workers that were crashed, each of which must be recorded once.
    pub(crate) crashed: BTreeSet<u64>,
    /// What a database that others use, too, held before.
    others: BTreeSet<String>,
    /// The workers that took requests at some time.
    seen: BTreeSet<u64>,
}

impl Ground {
    /// A Medic with the lab's shop on `instances` places; `head` and `app` are added to the configuration.
    pub(crate) fn new(instances: u16, head: &str, app: &str) -> Self {
        Self::on(Path::new("data"), instances, head, app)
    }

    /// The same with its data in another folder.
    pub(crate) fn on(data_dir: &Path, instances: u16, head: &str, app: &str) -> Self {
        Self::begin(data_dir, Path::new(env!("CARGO_BIN_EXE_medic")), instances, head, app)
    }

    /// The same with another Medic.
    pub(crate) fn with_program(program: &Path, instances: u16, head: &str, app: &str) -> Self {
        Self::begin(Path::new("data"), program, instances, head, app)
    }

    fn begin(data_dir: &Path, program: &Path, instances: u16, head: &str, app: &str) -> Self {
        let mark = new_mark();
        let app = format!(
            "instances = {instances}\nback_off = \"0s\"\nenvironment = {{ {MARK} = \"{mark}\" }}\n{app}"
        );
        let medic = Medic::with_shop_at(data_dir, program, &[], head, &app);
        medic.until_running();
        Self { medic, mark, crashed: BTreeSet::new(), others: BTreeSet::new(), seen: BTreeSet::new() }
    }

    /// What is recorded already belongs to others who use the same database.
    pub(crate) fn forget_others(&mut self) {
        self.others = self.crashes().into_iter().map(|(worker, _)| worker).collect();
    }

    /// The workers that take requests now and were not crashed.
    pub(crate) fn running(&mut self) -> Vec<u64> {
        let running = self.medic.instances();
        let running = running.iter().filter(|instance| instance["state"] == "running");
        let pids: Vec<u64> = running
            .filter_map(|instance| instance["pid"].as_u64())
            .filter(|pid| !self.crashed.contains(pid))
            .collect();
        self.seen.extend(&pids);
        pids
    }

    /// The living workers, by their shims: also while the server cannot be asked.
    pub(crate) fn workers(&self) -> Vec<u64> {
        let workers: BTreeSet<u64> = shims(&self.medic.data_dir()).into_iter().flat_map(children).collect();
        marked(&self.mark).intersection(&workers).copied().filter(|pid| !self.crashed.contains(pid)).collect()
    }

    /// Crashes a worker by a signal that the program does not handle.
    pub(crate) fn crash(&mut self, pid: u64, signal: &str) {
        if is_alive(pid) && kill(pid, signal) {
            self.crashed.insert(pid);
        }
    }

    /// Waits until every instance runs and every crash is recorded, and says what does not balance.
    pub(crate) fn settle(&mut self) {
        let wanted = self.crashed.len();
        self.medic.until_running();
        self.medic.until("every crash recorded", || {
            let recorded = self.recorded().len();
            println!("{recorded} of {wanted} crashes recorded");
            (recorded >= wanted).then_some(())
        });
        self.medic.until_running();
        let running: BTreeSet<u64> = self.running().into_iter().collect();
        let recorded = self.recorded();
        let once: BTreeSet<u64> = recorded.iter().copied().collect();
        let lost: Vec<_> = self.crashed.difference(&once).collect();
        let invented: Vec<_> = once.difference(&self.crashed).collect();
        let ended: Vec<_> =
            self.seen.iter().filter(|pid| !self.crashed.contains(pid) && !running.contains(pid)).collect();
        println!(
            "{} crashes: {} lost, {} recorded twice, {} invented; {} healthy workers ended",
            self.crashed.len(),
            lost.len(),
            recorded.len() - once.len(),
            invented.len(),
            ended.len()
        );
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert!(invented.is_empty(), "recorded but never crashed: {invented:?}");
        assert_eq!(recorded.len(), once.len(), "recorded twice");
        assert!(ended.is_empty(), "healthy workers were ended: {ended:?}");
        self.no_orphans();
    }

    /// What carries the app's mark is its workers, and one shim stands for each of them.
    pub(crate) fn no_orphans(&mut self) {
        let workers: BTreeSet<u64> = self.running().into_iter().collect();
        let (mark, wanted) = (self.mark.clone(), workers.clone());
        wait_until("the end of what belongs to no worker", move || marked(&mark) == wanted);
        let (app, count) = (self.medic.data_dir(), workers.len());
        wait_until("one shim a worker", move || shims(&app).len() == count);
    }

    /// The processes of the crashes that are recorded.
    fn recorded(&self) -> Vec<u64> {
        let crashes = self.crashes().into_iter();
        crashes.filter(|(worker, _)| !self.others.contains(worker)).map(|(_, pid)| pid).collect()
    }

    fn crashes(&self) -> Vec<(String, u64)> {
        // A database that has just come back may need another moment.
        let answer = self.medic.get("/api/v1/apps/shop/crashes");
        let crashes = if answer.status == 200 { answer.json() } else { serde_json::Value::Null };
        let crashes = crashes.as_array().into_iter().flatten();
        crashes.filter_map(|crash| Some((crash["worker"].to_string(), crash["pid"].as_u64()?))).collect()
    }
}

/// The shims of a data folder: they live in it, or, while it takes no new run folder, at least write their workers' logs there.
pub(crate) fn shims(data_dir: &Path) -> Vec<u32> {
    let is_below = |pid: u32| {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .any(|file| file.starts_with(data_dir))
    };
    let here = data_dir.to_string_lossy();
    processes()
        .filter_map(|pid| Some((pid, std::fs::read(format!("/proc/{pid}/cmdline")).ok()?)))
        .filter(|(_, line)| line.split(|byte| *byte == 0).nth(1) == Some(b"shim"))
        .filter(|(pid, line)| String::from_utf8_lossy(line).contains(&*here) || is_below(*pid))
        .map(|(pid, _)| pid)
        .collect()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A mark that no other process carries.
pub(crate) fn new_mark() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default().trim().to_owned()
}

/// The living processes whose environment carries the mark.
pub(crate) fn marked(mark: &str) -> BTreeSet<u64> {
    let wanted = format!("{MARK}={mark}");
    processes()
        .map(u64::from)
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                environment.split(|byte| *byte == 0).any(|line| line == wanted.as_bytes())
            })
        })
        .collect()
}

/// The direct children of a process.
pub(crate) fn children(pid: u32) -> Vec<u64> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
