//! Servers that are more than one process, as people run them: each child that crashes is a crash of the instance, whose worker
//! lives on.
//!
//! A server that is not installed is skipped, and said, unless `MEDIC_TEST_ALL` says that all are there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use support::{Medic, is_alive, request, wait_until};

/// How many children are killed.
const KILLED: usize = 50;
/// Every crash by a signal is captured.
const ALWAYS: &str = "[crash_monitoring]\ncrashes = 0\npause = \"0s\"\n";
/// None is.
const NEVER: &str = "[crash_monitoring]\ncrashes = 1000\n";

fn tools(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(name)
}

fn installed(what: &str, is_there: bool) -> bool {
    if !is_there {
        assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "{what} is not installed");
        eprintln!("skipped: {what} is not installed");
    }
    is_there
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Requests from several clients without end; how many, and those that were not answered 200.
struct Load {
    ends: Arc<AtomicBool>,
    clients: Vec<std::thread::JoinHandle<(usize, Vec<u16>)>>,
}

impl Load {
    fn on(medic: &Medic, clients: usize) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let address = medic.front_door;
        let client = |_| {
            let ends = Arc::clone(&ends);
            std::thread::spawn(move || {
                let (mut count, mut failed) = (0, Vec::new());
                while !ends.load(Ordering::Relaxed) {
                    let status = request(address, "GET", "/", &[], "").status;
                    count += 1;
                    failed.extend((status != 200).then_some(status));
                }
                (count, failed)
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { ends, clients }
    }

    fn end(self) -> (usize, Vec<u16>) {
        self.ends.store(true, Ordering::Relaxed);
        let clients = self.clients.into_iter().map(|client| client.join().unwrap());
        clients.fold((0, Vec::new()), |(count, mut all), (more, failed)| {
            all.extend(failed);
            (count + more, all)
        })
    }
}

/// Waits until the worker has this many children and its shim holds each by a descriptor.
fn until_known(worker: u64, children: usize) {
    wait_until("the children known", move || {
        let read = |path: String| std::fs::read_to_string(path).unwrap_or_default();
        let stat = read(format!("/proc/{worker}/stat"));
        let Some(shim) = stat.rsplit(')').next().and_then(|fields| fields.split(' ').nth(2)) else {
            return false;
        };
        let Ok(descriptors) = std::fs::read_dir(format!("/proc/{shim}/fdinfo")) else { return false };
        let held: Vec<String> = descriptors
            .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
            .filter_map(|info| {
                Some(info.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().to_owned())
            })
            .collect();
        let living = read(format!("/proc/{worker}/task/{worker}/children"));
        let living: Vec<&str> = living.split_whitespace().collect();
        living.len() == children && living.iter().all(|child| held.iter().any(|pid| pid == child))
    });
}

fn crashes(medic: &Medic) -> Vec<Value> {
    medic.json("/api/v1/apps/shop/crashes").as_array().unwrap().clone()
}

/// Kills one child after the other by a request, under load: each is recorded, nobody else suffers, and the worker is the same.
fn kill_children(medic: &Medic, path: &str, (children, clients): (usize, usize)) -> Vec<Value> {
    medic.until_running();
    let worker = medic.instances()[0]["pid"].as_u64().unwrap();
    let load = Load::on(medic, clients);
    for number in 1..=KILLED {
        until_known(worker, children);
        assert_eq!(medic.shop(path).status, 502, "the request that kills");
        medic.until("the crash recorded", || (crashes(medic).len() >= number).then_some(()));
    }
    let (count, failed) = load.end();
    println!("{KILLED} children killed beside {count} requests, of which failed: {failed:?}");
    assert!(failed.is_empty(), "{failed:?} of {count}");
    let instance = &medic.instances()[0];
    assert!(is_alive(worker) && instance["pid"] == worker && instance["state"] == "running", "{instance:#}");
    let crashes = crashes(medic);
    assert_eq!(crashes.len(), KILLED);
    let processes: std::collections::BTreeSet<u64> =
        crashes.iter().map(|crash| crash["pid"].as_u64().unwrap()).collect();
    assert!(processes.len() == KILLED && !processes.contains(&worker), "each a process of its own");
    for crash in &crashes {
        assert_eq!((&crash["role"], &crash["signal"]), (&"child".into(), &"SIGSEGV".into()), "{crash:#}");
    }
    crashes
}

const PYTHON_APP: &str = "
import ctypes
def app(environ, start):
    if environ['PATH_INFO'] == '/crash': ctypes.string_at(0)
    start('200 OK', [('Content-Length', '2')])
    return [b'ok']
";

fn gunicorn(head: &str) -> Option<(tempfile::TempDir, Medic)> {
    let packages = tools("python");
    if !installed("gunicorn", packages.join("gunicorn").is_dir()) {
        return None;
    }
    let folder = folder(&[("shop.py", PYTHON_APP)]);
    let line = "exec python3 -m gunicorn -w 4 --bind 127.0.0.1:$PORT shop:app";
    let app = format!(
        "directory = \"{}\"\nenvironment = {{ PYTHONPATH = \"{}\" }}",
        folder.path().display(),
        packages.display()
    );
    let medic = Medic::with_command(&["sh", "-c", line].map(PathBuf::from), head, &app);
    Some((folder, medic))
}

#[test]
fn gunicorn_loses_fifty_children_and_each_is_recorded() {
    let Some((_folder, medic)) = gunicorn(NEVER) else { return };
    for crash in kill_children(&medic, "/crash", (4, 2)) {
        assert!(crash["audit"].is_null(), "{crash:#}");
    }
}

#[test]
fn gunicorn_loses_fifty_children_under_the_debugger_and_each_has_its_stack() {
    let Some((_folder, medic)) = gunicorn(ALWAYS) else { return };
    let captured = AtomicUsize::new(0);
    for crash in kill_children(&medic, "/crash", (4, 2)) {
        captured.fetch_add(usize::from(crash["audit"].is_object()), Ordering::Relaxed);
        assert!(crash["crashing_thread"]["frames"].to_string().contains("_ctypes"), "{crash:#}");
    }
    assert_eq!(captured.into_inner(), KILLED);
}

const CLUSTER: &str = "
const cluster = require('cluster');
if (cluster.isPrimary) {
  for (let i = 0; i < 3; i++) cluster.fork();
  cluster.on('exit', () => cluster.fork());
} else {
  require('http').createServer((request, answer) => {
    if (request.url === '/crash') process.kill(process.pid, 'SIGSEGV');
    answer.end('ok');
  }).listen(process.env.PORT, '127.0.0.1');
}
";

/// Without load: a connection that node's master is just handing to a child that dies hangs, whoever watches.
#[test]
fn nodes_cluster_loses_fifty_children_and_each_is_recorded() {
    let is_there =
        std::env::var("PATH").unwrap().split(':').any(|path| Path::new(path).join("node").is_file());
    if !installed("node", is_there) {
        return;
    }
    let folder = folder(&[("server.js", CLUSTER)]);
    let app = format!("directory = \"{}\"", folder.path().display());
    let medic = Medic::with_command(&["node", "server.js"].map(PathBuf::from), NEVER, &app);
    kill_children(&medic, "/crash", (3, 0));
}

#[test]
fn nothing_is_left_of_a_launcher_whose_server_has_crashed() {
    for monitoring in [NEVER, ALWAYS] {
        let line = format!("{}; echo done", lab::shop().display());
        let mut medic = Medic::with_command(&["/bin/sh".into(), "-c".into(), line.into()], monitoring, "");
        medic.until_running();
        until_known(medic.instances()[0]["pid"].as_u64().unwrap(), 1);
        assert_eq!(medic.crash("abort"), 1);
        let crash = crashes(&medic).remove(0);
        assert_eq!((&crash["role"], &crash["signal"]), (&"behind_launcher".into(), &"SIGABRT".into()));
        medic.until("another server", || (medic.shop("/").status == 200).then_some(()));
        assert!(medic.stop());
        assert!(support::processes_below(&medic.data_dir()).is_empty(), "{}", medic.log());
        assert_eq!(medic.log().matches("without waiting longer").count(), 0, "{}", medic.log());
    }
}
