//! What the debugger costs servers that do not crash: requests per second of gunicorn, Node's cluster, Java and Go with it and without
//! it, in one run.
//!
//! `cargo bench -p shim --bench armed [-- ROUNDS]`. One process tree of each server is measured both ways: the debugger is attached
//! to it and let go again, round after round, so that neither what else the machine does nor how one process happens to lie in
//! memory or was compiled makes the difference. Which of the two comes first changes with each round. The quotient is the median
//! over the rounds; how far the rates without the debugger lie apart tells how much of it is noise. gunicorn is asked once more
//! for a page that starts a program for each request.

mod support;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use shim::protocol::{FromShim, ToShim};
use support::Worker;

const ROUNDS: usize = 9;
/// wrk's, twice in each round.
const SECONDS: u32 = 2;
/// How often a new server is asked for so long before it counts: Java's compilers are at work for some seconds.
const WARM_UPS: usize = 3;
/// Less than this is told as a shortfall.
const GOAL: f64 = 0.97;

const PYTHON: &str = "
import subprocess
def app(environ, start):
    if environ['PATH_INFO'] == '/program': subprocess.run(['/bin/true'])
    start('200 OK', [('Content-Length', '2')])
    return [b'ok']
";
const NODE: &str = "
const cluster = require('cluster');
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else require('http').createServer((request, answer) => answer.end('ok')).listen(process.env.PORT, '127.0.0.1');
";
const JAVA: &str = r#"
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
public class Server {
    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(System.getenv("PORT"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, 2);
            exchange.getResponseBody().write("ok".getBytes());
            exchange.close();
        });
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
    }
}
"#;
const GO: &str = r#"
package main
import ("net/http"; "os")
func main() {
    http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) })
    http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
"#;

/// A server, and what it is asked for.
struct Case {
    name: &'static str,
    command: Vec<String>,
    path: &'static str,
}

fn main() {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    if Command::new("wrk").arg("--version").output().is_err() {
        println!("skipped: wrk is not installed (apt install wrk)");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = cases(folder.path());
    println!("requests per second by wrk, {rounds} rounds of {SECONDS} s each way: median (least to most)");
    println!("{:>18}  {:>26}  {:>26}  {:>24}", "server", "without the debugger", "with it", "quotient");
    for case in cases {
        measure(&case, rounds);
    }
}

fn cases(folder: &Path) -> Vec<Case> {
    let put = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::write(&file, text).expect("a file of the bench");
        file.to_string_lossy().into_owned()
    };
    let words = |line: &[&str]| line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let built =
        |compiler: &mut Command| compiler.current_dir(folder).status().is_ok_and(|status| status.success());
    let mut cases = Vec::new();
    let packages = python_packages();
    put("shop.py", PYTHON);
    if packages.join("gunicorn").is_dir() {
        let line = format!(
            "PYTHONPATH={}:{} exec python3 -m gunicorn -w 2 --log-level error --bind 127.0.0.1:$PORT shop:app",
            packages.display(),
            folder.display()
        );
        for (name, path) in [("gunicorn", "/"), ("gunicorn, program", "/program")] {
            cases.push(Case { name, command: words(&["sh", "-c", &line]), path });
        }
    } else {
        skipped("gunicorn", "cargo xtask test installs it");
    }
    let script = put("server.js", NODE);
    if Command::new("node").arg("--version").output().is_ok() {
        cases.push(Case { name: "node's cluster", command: words(&["node", &script]), path: "/" });
    } else {
        skipped("node", "apt install nodejs");
    }
    put("Server.java", JAVA);
    if built(Command::new("javac").arg("Server.java")) {
        let classes = folder.to_string_lossy();
        cases.push(Case {
            name: "Java",
            // else each answer waits for the client's delayed acknowledgment of its head
            command: words(&[
                "java",
                "-Xmx128m",
                "-Dsun.net.httpserver.nodelay=true",
                "-cp",
                &classes,
                "Server",
            ]),
            path: "/",
        });
    } else {
        skipped("javac", "apt install default-jdk-headless");
    }
    put("server.go", GO);
    if built(Command::new("go").args(["build", "-o", "server", "server.go"])) {
        let program = folder.join("server").to_string_lossy().into_owned();
        cases.push(Case { name: "Go", command: vec![program], path: "/" });
    } else {
        skipped("go", "apt install golang-go");
    }
    cases
}

fn skipped(program: &str, remedy: &str) {
    println!("skipped: {program} is not installed ({remedy})");
}

/// Where `cargo xtask test` puts servers in pure Python.
fn python_packages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/python")
}

fn measure(case: &Case, rounds: usize) {
    let mut server = Server::start(case);
    for _ in 0..WARM_UPS {
        server.requests_per_second(case.path);
    }
    let (mut without, mut with, mut quotients) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // whoever is second has the warmer machine
        let mut order = [false, true];
        order.rotate_left(round % 2);
        let mut rates = order.map(|arm| {
            server.arm(arm);
            server.requests_per_second(case.path)
        });
        rates.rotate_left(round % 2);
        let [plain, armed] = rates;
        without.push(plain);
        with.push(armed);
        quotients.push(armed / plain);
    }
    let quotient = median(&mut quotients);
    let mark = if quotient < GOAL { "  SHORTFALL" } else { "" };
    println!(
        "{:>18}  {:>26}  {:>26}  {:>24}{mark}",
        case.name,
        spread(&mut without, 0),
        spread(&mut with, 0),
        spread(&mut quotients, 3)
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn spread(values: &mut [f64], digits: usize) -> String {
    let middle = median(values);
    let (least, most) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
    format!("{middle:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// One that takes requests.
struct Server {
    worker: Worker,
    port: u16,
    is_armed: bool,
}

impl Server {
    fn start(case: &Case) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a port").port();
        let mut worker = Worker::start(case.command.clone(), false, |spec| {
            spec.port = port;
            spec.environment = std::env::vars().collect();
            spec.environment.insert("PORT".to_owned(), port.to_string());
        });
        let state = worker.next();
        assert!(matches!(state, FromShim::State { armed: false, .. }), "{state:?}");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        worker.send(&ToShim::Warm { address: None });
        Self { worker, port, is_armed: false }
    }

    /// Attaches the debugger, or lets go.
    fn arm(&mut self, arm: bool) {
        if arm == self.is_armed {
            return;
        }
        self.worker.send(if arm { &ToShim::Arm } else { &ToShim::Disarm });
        match self.worker.next() {
            FromShim::Armed if arm => {}
            FromShim::Disarmed if !arm => {}
            message => panic!("{message:?}"),
        }
        self.is_armed = arm;
    }

    fn requests_per_second(&self, path: &str) -> f64 {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let duration = format!("{SECONDS}s");
        let output =
            Command::new("wrk").args(["-t1", "-c8", "-d", &duration, &url]).output().expect("wrk runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = said.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
        let rate = line.and_then(|rate| rate.trim().parse().ok());
        let Some(rate) = rate.filter(|_| !said.contains("Non-2xx")) else { panic!("{said}") };
        rate
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.worker.send(&ToShim::Signal { signal: 9 });
        while !matches!(self.worker.next(), FromShim::Ended { .. }) {}
        self.worker.send(&ToShim::Acknowledge);
    }
}
