//! Servers that are more than one process, as people run them: each child that crashes is a crash of the instance, whose worker
//! lives on.
//!
//! A server that is not installed is skipped, and said, unless `MEDIC_TEST_ALL` says that all are there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use support::servers::{
    ALWAYS, Load, NEVER, crashes, folder, installed, on_path, post, python_packages, until_known,
};
use support::{Medic, is_alive, request, wait_until};

/// How many children are killed.
const KILLED: usize = 50;

/// Kills one child after the other by a request, under load: each is recorded, nobody else suffers, and the worker is the same.
fn kill_children(
    medic: &Medic,
    (path, signal): (&str, &str),
    (children, clients): (usize, usize),
) -> Vec<Value> {
    medic.until_running();
    let worker = medic.instances()[0]["pid"].as_u64().unwrap();
    let load = Load::on(medic, clients);
    for number in 1..=KILLED {
        until_known(worker, children);
        assert_eq!(post(medic, path), 502, "the request that kills");
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
        assert_eq!((&crash["role"], &crash["signal"]), (&"child".into(), &signal.into()), "{crash:#}");
    }
    crashes
}

const PYTHON_APP: &str = "
import ctypes, os, time
def app(environ, start):
    path, body = environ['PATH_INFO'], environ['wsgi.input'].read()
    if path == '/hold':
        open('held', 'w').close()
        while not os.path.exists('go'): time.sleep(0.01)
    if path in ('/crash', '/hold'): ctypes.string_at(0)
    answer = body or b'ok'
    start('200 OK', [('Content-Length', str(len(answer)))])
    return [answer]
";

fn gunicorn(options: &str, head: &str) -> Option<(tempfile::TempDir, Medic)> {
    let packages = python_packages();
    if !installed("gunicorn", packages.join("gunicorn").is_dir()) {
        return None;
    }
    let folder = folder(&[("shop.py", PYTHON_APP)]);
    let line = format!("exec python3 -m gunicorn {options} --bind 127.0.0.1:$PORT shop:app");
    let app = format!(
        "directory = \"{}\"\nenvironment = {{ PYTHONPATH = \"{}\" }}",
        folder.path().display(),
        packages.display()
    );
    let medic = Medic::with_command(&["sh", "-c", &line].map(PathBuf::from), head, &app);
    Some((folder, medic))
}

#[test]
fn gunicorn_loses_fifty_children_and_each_is_recorded() {
    let Some((_folder, medic)) = gunicorn("-w 4", NEVER) else { return };
    for crash in kill_children(&medic, ("/crash", "SIGSEGV"), (4, 2)) {
        assert!(crash["audit"].is_null(), "{crash:#}");
    }
}

#[test]
fn gunicorn_loses_fifty_children_under_the_debugger_and_each_has_its_stack() {
    let Some((_folder, medic)) = gunicorn("-w 4", ALWAYS) else { return };
    let (captured, with_python_calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for crash in kill_children(&medic, ("/crash", "SIGSEGV"), (4, 2)) {
        captured.fetch_add(usize::from(crash["audit"].is_object()), Ordering::Relaxed);
        let frames = crash["crashing_thread"]["frames"].as_array().unwrap();
        let is_of_app = |frame: &Value| {
            frame["function"] == "app" && frame["file"].as_str().is_some_and(|file| file.ends_with("shop.py"))
        };
        let has_calls = frames.iter().any(is_of_app);
        with_python_calls.fetch_add(usize::from(has_calls), Ordering::Relaxed);
        // a busy machine may not read them in the time that a process may be held
        assert!(
            has_calls || crash["notes"].to_string().contains("No Python frames from memory"),
            "{crash:#}"
        );
        assert!(crash["crashing_thread"]["frames"].to_string().contains("_ctypes"), "{crash:#}");
    }
    assert_eq!(captured.into_inner(), KILLED);
    assert_ne!(with_python_calls.into_inner(), 0);
}

const RACK: &str = "
run lambda { |env|
  if env['PATH_INFO'] == '/crash'
    Process.kill(:SEGV, Process.pid)
    sleep
  end
  [200, { 'content-type' => 'text/plain' }, ['ok']]
}
";

/// A child takes no connection while its one thread is busy: what it reads ahead besides is lost with it, whoever watches.
#[test]
fn puma_loses_fifty_children_and_each_is_recorded() {
    if !installed("puma", on_path("puma")) {
        return;
    }
    let settings = "workers 4\nthreads 1, 1\nqueue_requests false\nbind \"tcp://127.0.0.1:#{ENV['PORT']}\"\n";
    let folder = folder(&[("config.ru", RACK), ("puma.rb", settings)]);
    let app = format!("directory = \"{}\"", folder.path().display());
    let medic = Medic::with_command(&["puma", "-C", "puma.rb"].map(PathBuf::from), NEVER, &app);
    // Ruby prints its report and aborts
    kill_children(&medic, ("/crash", "SIGABRT"), (4, 2));
}

/// Over connections that are kept, whose end may also mean that the server closed them as unused.
#[test]
fn a_get_that_kills_its_child_kills_no_other_and_the_crash_names_it() {
    for (monitoring, evidence) in [(NEVER, "closed"), (ALWAYS, "read")] {
        let options = "-w 3 -k gthread --threads 2 --keep-alive 75";
        let Some((_folder, medic)) = gunicorn(options, monitoring) else { return };
        medic.until_running();
        let worker = medic.instances()[0]["pid"].as_u64().unwrap();
        for number in 1..=5 {
            until_known(worker, 3);
            (0..8).for_each(|_| assert_eq!(medic.shop("/").status, 200));
            assert_eq!(medic.shop("/crash").status, 502);
            medic.until("the crash recorded", || (crashes(&medic).len() >= number).then_some(()));
        }
        until_known(worker, 3);
        let crashes = crashes(&medic);
        assert_eq!(crashes.len(), 5, "one each");
        for crash in crashes {
            let request = &crash["in_flight"][0];
            assert_eq!(
                (&crash["in_flight_count"], &request["method"]),
                (&1.into(), &"GET".into()),
                "{crash:#}"
            );
            assert_eq!(request["evidence"], evidence, "{crash:#}");
        }
    }
}

/// How many sockets the one child of a worker has open.
fn sockets_of_child(worker: u64) -> usize {
    let children =
        std::fs::read_to_string(format!("/proc/{worker}/task/{worker}/children")).unwrap_or_default();
    let Ok(folder) = std::fs::read_dir(format!("/proc/{}/fd", children.trim())) else { return 0 };
    let target = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
    folder.filter_map(target).filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn a_post_that_a_dying_child_had_accepted_and_not_read_is_answered_by_another() {
    let Some((folder, medic)) = gunicorn("-w 1 -k gthread --threads 1", ALWAYS) else { return };
    medic.until_running();
    let worker = medic.instances()[0]["pid"].as_u64().unwrap();
    until_known(worker, 1);
    let front_door = medic.front_door;
    let killing = std::thread::spawn(move || request(front_door, "GET", "/hold", &[], ""));
    medic.until("the child busy", || folder.path().join("held").exists().then_some(()));
    let before = sockets_of_child(worker);
    let waiting = std::thread::spawn(move || request(front_door, "POST", "/echo", &[], "one order"));
    wait_until("another connection of the child's", move || sockets_of_child(worker) > before);
    std::fs::write(folder.path().join("go"), "").unwrap();
    assert_eq!(killing.join().unwrap().status, 502);
    let answer = waiting.join().unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "one order"));
    medic.until("the crash recorded", || (!crashes(&medic).is_empty()).then_some(()));
    let crash = crashes(&medic).remove(0);
    assert_eq!(crash["in_flight_count"], 1, "{crash:#}");
    assert_eq!(
        (&crash["in_flight"][0]["method"], &crash["in_flight"][0]["evidence"]),
        (&"GET".into(), &"read".into())
    );
}

const CLUSTER: &str = "
const cluster = require('cluster');
if (cluster.isPrimary) {
  for (let i = 0; i < 3; i++) cluster.fork();
  cluster.on('exit', () => cluster.fork());
} else {
  require('http').createServer((request, answer) => {
    if (request.url === '/crash') process.dlopen({ exports: {} }, __dirname + '/fault.node');
    answer.end('ok');
  }).listen(process.env.PORT, '127.0.0.1');
}
";

/// Faults as it is loaded.
const FAULT: &str =
    "__attribute__((constructor)) static void order_total(void) { *(volatile int *)0 = 1; }\n";

fn nodes_cluster(head: &str) -> Option<(tempfile::TempDir, Medic)> {
    if !installed("node", on_path("node")) {
        return None;
    }
    let folder = folder(&[("server.js", CLUSTER), ("fault.c", FAULT)]);
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-g", "-shared", "-fPIC", "-o", "fault.node", "fault.c"]).current_dir(&folder);
    assert!(compiler.status().unwrap().success());
    let app = format!("directory = \"{}\"", folder.path().display());
    let medic = Medic::with_command(&["node", "server.js"].map(PathBuf::from), head, &app);
    Some((folder, medic))
}

/// Of each child that dies, node's master keeps the connection for ever that was on its way to it.
#[test]
fn nodes_cluster_loses_fifty_children_and_each_is_recorded() {
    let Some((_folder, medic)) = nodes_cluster(NEVER) else { return };
    kill_children(&medic, ("/crash", "SIGSEGV"), (3, 4));
}

#[test]
fn nodes_cluster_loses_fifty_children_under_the_debugger_and_each_has_its_stack() {
    let Some((_folder, medic)) = nodes_cluster(ALWAYS) else { return };
    for crash in kill_children(&medic, ("/crash", "SIGSEGV"), (3, 4)) {
        assert!(crash["audit"].is_object(), "{crash:#}");
        assert!(crash["crashing_thread"]["frames"].to_string().contains("order_total"), "{crash:#}");
    }
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
