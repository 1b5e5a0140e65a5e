//! Real servers, each in a process of its own, and who of them is found to serve.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use model::crash::ProcessRole;
use model::{Exit, Signal};

use super::*;
use crate::serving_rule::ServingRule;
use crate::sys::signals;

/// How long anything may take. Not a measurement: a test that reaches it has failed.
const LIMIT: Duration = Duration::from_mins(1);

/// A running server and what is known of it.
struct Given {
    server: Child,
    port: u16,
    serving: ServingProcesses,
    deaths: Vec<Death>,
}

impl Given {
    fn start(command: &[&str], environment: &[(&str, &Path)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = std::os::unix::process::CommandExt::process_group(&mut Command::new(command[0]), 0)
            .args(&command[1..])
            .env("PORT", port.to_string())
            .envs(environment.iter().copied())
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let main = Pid::try_from(server.id()).unwrap();
        let serving = ServingProcesses::new(SystemClock, main, port, Members::Below(main));
        Self { server, port, serving, deaths: Vec::new() }
    }

    fn main(&self) -> Pid {
        self.serving.main
    }

    /// Looks until it is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&mut ServingProcesses, &[Pid]) -> bool) -> Vec<Pid> {
        let deadline = SystemClock.monotonic() + LIMIT;
        loop {
            self.serving.look_if_due();
            self.deaths.extend(self.serving.take_deaths());
            let serving = self.serving();
            if is_so(&mut self.serving, &serving) {
                return serving;
            }
            assert!(SystemClock.monotonic() < deadline, "never {what}: {serving:?}");
            std::thread::yield_now();
        }
    }

    fn serving(&self) -> Vec<Pid> {
        let serves = self.serving.known.iter().filter(|(_, known)| known.process.served.is_some());
        serves.map(|(pid, _)| *pid).collect()
    }

    fn topmost(&mut self) -> Vec<Pid> {
        self.serving.topmost().into_iter().map(|(pid, _)| pid).collect()
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        signals::kill_group(self.main());
        let _ended = self.server.wait();
    }
}

fn parent(pid: Pid) -> Pid {
    proc_status::parent_of(pid).unwrap()
}

/// A server that answers each request by `handle`, and whose listening socket is inherited by whatever it starts.
fn python(body: &str) -> String {
    format!(
        "import http.server, os, subprocess, sys\n\
         class Handler(http.server.BaseHTTPRequestHandler):\n\
         \x20   protocol_version = 'HTTP/1.1'\n\
         \x20   def do_GET(self): self.send_response(204); self.end_headers()\n\
         \x20   def log_message(self, *_): pass\n\
         server = http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler)\n\
         os.set_inheritable(server.fileno(), True)\n\
         {body}\n\
         server.serve_forever()"
    )
}

/// `None` where it is not installed, which is said.
pub(super) fn installed(what: &str, is_there: bool) -> bool {
    if !is_there {
        assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "{what} is not installed");
        eprintln!("skipped: {what} is not installed");
    }
    is_there
}

fn python_packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/python")
}

fn has(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').any(|folder| Path::new(folder).join(program).is_file())
}

#[test]
fn one_process_is_looked_at_seldom_and_serves() {
    let mut server = Given::start(&["python3", "-c", &python("")], &[]);
    server.until("serving", |_, serving| !serving.is_empty());
    assert_eq!((server.serving(), server.topmost()), (vec![server.main()], vec![server.main()]));
    // what it may start at once has had its time
    server.serving.closely_until = Duration::ZERO;
    let now = SystemClock.monotonic();
    server.serving.look();
    assert!(server.serving.deadline() > now + LOOK_EVERY);
}

#[test]
fn forked_children_serve_and_helpers_do_not() {
    let body = "for _ in range(2):\n    if os.fork() == 0: server.serve_forever()\n\
        subprocess.Popen(['sleep', '1000'], close_fds=False)\n\
        subprocess.Popen(['sh', '-c', 'sleep 1000; :'], close_fds=False)";
    let mut server = Given::start(&["python3", "-c", &python(body)], &[]);
    let main = server.main();
    let serving = server.until("three", |known, serving| serving.len() == 3 && known.known.len() == 6);
    assert!(serving.iter().all(|pid| *pid == main || parent(*pid) == main));
    assert_eq!(server.topmost(), [main]);
    let helpers: Vec<Pid> =
        server.serving.known.keys().copied().filter(|pid| !serving.contains(pid)).collect();
    for helper in helpers {
        assert!(!server.serving.serves(helper), "also when it is asked about");
    }
    let child = *serving.iter().find(|pid| **pid != main).unwrap();
    assert!(server.serving.is_master(main) && !server.serving.is_master(child));
    let watched = server.serving.watched();
    assert_eq!(watched.first(), Some(&main));
    assert_eq!(BTreeSet::from_iter(watched), BTreeSet::from_iter(serving));
}

#[test]
fn what_was_just_forked_is_not_sure_to_serve_unless_it_is_stopped() {
    let body = "if os.fork() == 0: server.serve_forever()";
    let mut server = Given::start(&["python3", "-c", &python(body)], &[]);
    let main = server.main();
    // what starts the program may start others first
    let likely = |known: &ServingProcesses| {
        known.known.iter().find(|(pid, known)| **pid != main && known.is_likely).map(|(pid, _)| *pid)
    };
    let serving = server.until("a child", |known, _| likely(known).is_some());
    let child = likely(&server.serving).unwrap();
    if !serving.contains(&child) {
        // looked at while it was young
        assert!(server.serving.serves(child));
    }
    server.until("both", |_, serving| serving.len() == 2);
}

#[test]
fn behind_a_launcher_the_server_is_found_and_asked_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("server.py");
    std::fs::write(&script, python("")).unwrap();
    let line = format!("python3 {}; exit $?", script.display());
    let mut server = Given::start(&["sh", "-c", &line], &[]);
    let main = server.main();
    let serving = server.until("serving", |_, serving| !serving.is_empty());
    assert!(serving.len() == 1 && parent(serving[0]) == main);
    assert_eq!(server.topmost(), serving);
}

#[test]
fn gunicorns_workers_serve() {
    let packages = python_packages();
    if !installed("gunicorn", packages.join("gunicorn").is_dir()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("shop.py"),
        "def app(environ, start):\n    start('204 No Content', [])\n    return []\n",
    )
    .unwrap();
    let chdir = folder.path().to_str().unwrap();
    for reuse_port in [false, true] {
        let bind = "exec python3 -m gunicorn -w 4 --bind 127.0.0.1:$PORT";
        let line =
            format!("{bind} --chdir {chdir} {} shop:app", if reuse_port { "--reuse-port" } else { "" });
        let mut server = Given::start(&["sh", "-c", &line], &[("PYTHONPATH", &packages)]);
        let main = server.main();
        let count = if reuse_port { 4 } else { 5 };
        let serving = server.until("all", |_, serving| serving.len() >= count);
        assert!(serving.iter().all(|pid| *pid == main || parent(*pid) == main));
        // the child that replaces one is found, too
        let child = *serving.iter().find(|pid| **pid != main).unwrap();
        signals::send(child, libc::SIGKILL).unwrap();
        server.until("replaced", |known, now| now.len() == count && !known.known.contains_key(&child));
        let [death] = server.deaths.as_slice() else { panic!("{:?}", server.deaths) };
        assert_eq!((death.pid, death.exit), (child, Some(Exit::Signal(Signal::KILL))));
        assert_eq!(death.role, ProcessRole::Child);
    }
}

/// Node, running this, in which a child that node starts is a job where its first argument says so.
fn node(folder: &Path, script: &str) -> Given {
    let file = folder.join("server.js");
    let job = "if (process.argv[2] === 'job') { setInterval(() => 0, 1000); }";
    std::fs::write(&file, format!("{job} else {{\n{script}\n}}\n")).unwrap();
    Given::start(&["node", file.to_str().unwrap()], &[])
}

/// Node's master accepts, and its workers hold connections for as long as these live.
#[test]
fn nodes_cluster_serves_before_it_has_a_connection() {
    if !installed("node", has("node")) {
        return;
    }
    let script = "const cluster = require('cluster');\n\
        if (cluster.isPrimary) { cluster.fork(); cluster.fork(); require('child_process').fork(process.argv[1], ['job']); }\n\
        else require('http').createServer((q, s) => s.end('served')).listen(process.env.PORT, '127.0.0.1');";
    let folder = tempfile::tempdir().unwrap();
    let mut server = node(folder.path(), script);
    let main = server.main();
    let serving = server.until("three", |known, serving| serving.len() == 3 && known.known.len() == 4);
    assert!(serving.iter().all(|pid| *pid == main || parent(*pid) == main));
}

#[test]
fn what_is_handed_a_connection_by_its_master_serves() {
    if !installed("node", has("node")) {
        return;
    }
    let script = "const child = require('child_process').fork(__dirname + '/kept.js');\n\
        const server = require('net').createServer({ pauseOnConnect: true }, (socket) => child.send('', socket));\n\
        server.listen(process.env.PORT, '127.0.0.1');";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kept.js"), "process.on('message', (_, socket) => socket.resume());")
        .unwrap();
    let mut server = node(folder.path(), script);
    let main = server.main();
    server.until("the master", |known, serving| serving == [main] && known.known.len() == 2);
    let child = server.serving.known.keys().copied().find(|pid| *pid != main).unwrap();
    assert!(!server.serving.serves(child));
    let connection = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    server.until("known by its connection", |known, _| known.serves(child));
    assert!(server.serving.holds_connection(child));
    drop(connection);
}
