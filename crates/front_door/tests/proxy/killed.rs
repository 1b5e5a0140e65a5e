//! Workers that are processes and are killed, under load.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use front_door::{Death, FrontDoor, Target};
use model::crash::AffectedRequests;

use crate::support::{Wire, open, open_on, settings, soon, until};

/// Set in this program's process where it is to be a worker.
const AS_WORKER: &str = "FRONT_DOOR_TEST_WORKER";

/// Not a test of its own: what a worker's process runs. It says its port, then every POST that reaches it; `/kill` ends it.
#[test]
#[ignore = "run as a worker by the tests here"]
fn be_a_worker() {
    if std::env::var_os(AS_WORKER).is_none() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    say(&format!("port {}", listener.local_addr().unwrap().port()));
    for connection in listener.incoming().flatten() {
        std::thread::spawn(move || answer_all(connection).ok());
    }
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "\n{line}").unwrap();
    output.flush().unwrap();
}

fn answer_all(mut connection: TcpStream) -> std::io::Result<()> {
    let (mut buffer, mut length) = ([0; 4096], 0);
    loop {
        match connection.read(&mut buffer[length..])? {
            0 => return Ok(()),
            more => length += more,
        }
        if buffer[..length].ends_with(b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..std::mem::take(&mut length)]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            match path {
                "/kill" => std::process::abort(),
                path if head.starts_with("POST") => say(&format!("post {path}")),
                _ => {}
            }
            // so that a kill meets requests that are under way
            std::thread::sleep(Duration::from_millis(3));
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        }
    }
}

struct Process {
    target: Target,
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(index: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::be_a_worker", "--ignored", "--nocapture"])
            .env(AS_WORKER, "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert!(output.read_line(&mut line).unwrap() > 0, "the worker says its port");
            if let Some(port) = line.trim().strip_prefix("port ") {
                break port.parse().unwrap();
            }
        };
        let worker = format!("node-a/shop/{index}/{}", child.id()).parse().unwrap();
        Self { target: Target { worker, address: ([127, 0, 0, 1], port).into() }, child, output }
    }

    /// Waits for its end, tells the front door as its parent would, and adds the POSTs that had reached it.
    async fn reap(mut self, door: &FrontDoor, posts: &mut BTreeMap<String, u32>) -> AffectedRequests {
        self.child.wait().unwrap();
        let affected = door.worker_died(&self.target.worker, Death::Killed).await;
        let mut output = String::new();
        self.output.read_to_string(&mut output).unwrap();
        for line in output.lines() {
            if let Some(path) = line.strip_prefix("post ") {
                *posts.entry(path.to_owned()).or_default() += 1;
            }
        }
        affected
    }

    async fn kill(mut self, door: &FrontDoor, posts: &mut BTreeMap<String, u32>) -> AffectedRequests {
        self.child.kill().unwrap();
        self.reap(door, posts).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Asks one request after another until `over`; says how many were answered 502.
async fn keep_asking(
    door: Arc<FrontDoor>,
    method: &'static str,
    answered: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
) -> u64 {
    let (mut client, mut failed) = (Wire::connect(&door).await, 0);
    let number = Arc::as_ptr(&answered) as usize;
    while !over.load(Ordering::SeqCst) {
        client.ask(method, &format!("/{number}-{}", answered.load(Ordering::SeqCst))).await;
        let (status, _) = client.answered().await;
        answered.fetch_add(1, Ordering::SeqCst);
        assert!(status == 200 || status == 502, "{method}: {status}");
        failed += u64::from(status == 502);
    }
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_get_fails_and_no_post_comes_twice_when_workers_are_killed_under_load() {
    let door = Arc::new(open_on(2));
    let mut worker = Process::start(0);
    door.route(vec![worker.target.clone()]);
    let over = Arc::new(AtomicBool::new(false));
    let start = |number| {
        let (answered, method) = (Arc::default(), if number % 3 == 0 { "POST" } else { "GET" });
        let asking = keep_asking(Arc::clone(&door), method, Arc::clone(&answered), Arc::clone(&over));
        (method, answered, tokio::spawn(asking))
    };
    let clients: Vec<_> = (0..12).map(start).collect();
    let (mut posts, mut casualties, mut failed, mut suspects) = (BTreeMap::new(), 0, 0, 0);
    for _ in 0..6 {
        // no request is under way that an earlier worker had
        let far =
            clients.iter().map(|(_, answered, _)| answered.load(Ordering::SeqCst) + 2).collect::<Vec<_>>();
        until(|| {
            clients.iter().zip(&far).all(|((_, answered, _), far)| answered.load(Ordering::SeqCst) >= *far)
        })
        .await;
        let affected = worker.kill(&door, &mut posts).await;
        casualties += affected.count;
        failed += affected.failed;
        suspects += u64::from(affected.suspect.is_some_and(|suspect| suspect.method == "GET"));
        worker = Process::start(0);
        door.route(vec![worker.target.clone()]);
    }
    over.store(true, Ordering::SeqCst);
    let mut of_method = BTreeMap::from([("GET", 0), ("POST", 0)]);
    for (method, _, client) in clients {
        *of_method.get_mut(method).unwrap() += soon(client).await.unwrap();
    }
    worker.kill(&door, &mut posts).await;
    assert!(casualties > 12, "the kills met {casualties} requests");
    assert!(of_method["GET"] <= suspects, "only one that was the only one fails");
    let seen = of_method.values().sum::<u64>();
    // an answer that was on its way when its worker died counts, and arrives
    assert!(
        seen <= failed && failed <= seen + u64::from(casualties),
        "{seen} failed, and {failed} were told"
    );
    assert!(posts.values().all(|times| *times == 1), "{posts:?}");
}

#[tokio::test]
async fn a_request_that_kills_kills_once() {
    let door = open(settings());
    let mut workers = vec![Process::start(0), Process::start(1)];
    door.route(workers.iter().map(|worker| worker.target.clone()).collect());
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/kill").await;
    let mut dead = None;
    until(|| {
        dead = workers.iter_mut().position(|worker| worker.child.try_wait().unwrap().is_some());
        dead.is_some()
    })
    .await;
    let affected = workers.remove(dead.unwrap()).reap(&door, &mut BTreeMap::new()).await;
    assert_eq!((affected.count, affected.failed), (1, 1));
    let suspect = affected.suspect.unwrap();
    assert_eq!((&*suspect.method, &*suspect.path), ("GET", "/*"), "it was never asked for before");
    assert_eq!(client.answered().await.0, 502);
    client.ask("GET", "/").await;
    assert_eq!(client.answered().await.0, 200, "the other lives");
    assert_eq!(workers.remove(0).kill(&door, &mut BTreeMap::new()).await, AffectedRequests::default());
}
