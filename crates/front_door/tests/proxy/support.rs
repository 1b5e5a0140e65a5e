//! Both ends of the wire: a test is the client and the worker, and says byte by byte what each of them does.

use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use front_door::{FrontDoor, FrontDoorSettings, ServingThreads, Target};
use model::{Clock, Timestamp, WorkerId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer than anything here takes; a test that hangs fails by it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for an event that must come.
pub(crate) async fn soon<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, event).await.expect("what was waited for did not happen")
}

/// Waits until something is so that no event tells of.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    soon(async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A clock that stands still until it is moved.
#[derive(Default)]
pub(crate) struct StillClock {
    ms: AtomicU64,
}

impl StillClock {
    pub(crate) fn forward(&self, duration: Duration) {
        self.ms.fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for StillClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_ms(1_769_847_300_000) + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.ms.load(Ordering::SeqCst))
    }
}

pub(crate) fn settings() -> FrontDoorSettings {
    FrontDoorSettings::new("node-a".parse().unwrap(), "shop".parse().unwrap(), "127.0.0.1:0".parse().unwrap())
}

/// An app's front door with one thread.
pub(crate) fn open(settings: FrontDoorSettings) -> FrontDoor {
    open_at(settings, &Arc::default())
}

pub(crate) fn open_at(settings: FrontDoorSettings, clock: &Arc<StillClock>) -> FrontDoor {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    FrontDoor::bind(settings, clock, &threads(1)).expect("the front door opens")
}

/// An app's front door on these threads.
pub(crate) fn open_with(settings: FrontDoorSettings, serving: &ServingThreads) -> FrontDoor {
    FrontDoor::bind(settings, Arc::new(StillClock::default()), serving).expect("the front door opens")
}

/// The same with several threads.
pub(crate) fn open_on(count: usize) -> FrontDoor {
    let clock = Arc::new(StillClock::default());
    FrontDoor::bind(settings(), clock, &threads(count)).expect("the front door opens")
}

pub(crate) fn threads(count: usize) -> ServingThreads {
    ServingThreads::start(count).expect("threads can be started")
}

/// A front door with the given workers behind it.
pub(crate) async fn door<const N: usize>() -> (FrontDoor, [Worker; N]) {
    let door = open(settings());
    let workers = workers().await;
    route(&door, &workers);
    (door, workers)
}

pub(crate) async fn workers<const N: usize>() -> [Worker; N] {
    let mut workers = Vec::new();
    for index in 0..N {
        workers.push(Worker::listen(index).await);
    }
    workers.try_into().ok().expect("as many as were made")
}

pub(crate) fn route<'a>(door: &FrontDoor, workers: impl IntoIterator<Item = &'a Worker>) {
    door.route(workers.into_iter().map(Worker::target).collect());
}

/// Has the worker answer a hundred requests for `path`, so that it is known, and close their connection.
pub(crate) async fn ask_often(door: &FrontDoor, worker: &Worker, path: &str) {
    let mut client = Wire::connect(door).await;
    client.ask("GET", path).await;
    let mut upstream = worker.accept().await;
    for turn in 1..=100 {
        upstream.head().await;
        let last = if turn == 100 { "connection: close\r\n" } else { "" };
        upstream.send(format!("HTTP/1.1 200 X\r\n{last}content-length: 0\r\n\r\n")).await;
        assert_eq!(client.answered().await.0, 200);
        if turn < 100 {
            client.ask("GET", path).await;
        }
    }
}

/// A worker that does what the test says.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) port: u16,
    listener: Option<TcpListener>,
}

impl Worker {
    pub(crate) async fn listen(index: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let id = format!("node-a/shop/{index}/{port}").parse().unwrap();
        Self { id, port, listener: Some(listener) }
    }

    pub(crate) fn target(&self) -> Target {
        Target { worker: self.id.clone(), address: ([127, 0, 0, 1], self.port).into() }
    }

    /// The next connection that a request comes over; the front door also connects to see whether a worker lives.
    pub(crate) async fn accept(&self) -> Wire {
        let listener = self.listener.as_ref().expect("still listening");
        loop {
            let (socket, _) = soon(listener.accept()).await.unwrap();
            if soon(socket.peek(&mut [0])).await.is_ok_and(|length| length > 0) {
                return Wire::new(socket);
            }
        }
    }

    /// From now on connections are refused.
    pub(crate) fn refuse(&mut self) {
        self.listener = None;
    }

    /// Listens again at the same port.
    pub(crate) async fn listen_again(&mut self) {
        self.listener = Some(TcpListener::bind(("127.0.0.1", self.port)).await.unwrap());
    }

    /// Answers everything by itself from now on: `/echo` with the request's body, else with the instance's number.
    pub(crate) fn serve(mut self) -> Target {
        let target = self.target();
        let listener = self.listener.take().unwrap();
        let name = self.id.place.instance.to_string();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let name = name.clone();
                tokio::spawn(async move {
                    let mut wire = Wire::new(socket);
                    while let Some(head) = wire.try_head().await {
                        let body = wire.body_of(&head).await;
                        let text = if head.contains("/echo") { body } else { name.clone().into_bytes() };
                        wire.answer(200, &text).await;
                    }
                });
            }
        });
        target
    }
}

/// One end of a connection, spoken by hand.
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    ahead: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        Self { socket, ahead: Vec::new() }
    }

    pub(crate) async fn connect(door: &FrontDoor) -> Self {
        Self::new(soon(TcpStream::connect(door.address())).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.socket.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends a request without a body.
    pub(crate) async fn ask(&mut self, method: &str, path: &str) {
        self.send(format!("{method} {path} HTTP/1.1\r\nhost: shop.example\r\n\r\n")).await;
    }

    /// Sends an answer with a body of known length.
    pub(crate) async fn answer(&mut self, status: u16, body: &[u8]) {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
        self.send([head.as_bytes(), body].concat()).await;
    }

    /// The next message's head, up to and without the empty line.
    pub(crate) async fn head(&mut self) -> String {
        self.try_head().await.expect("the connection ended before a head")
    }

    pub(crate) async fn try_head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8(self.ahead[..end].to_vec()).unwrap();
                self.ahead.drain(..end + 4);
                return Some(head);
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// The next `length` bytes.
    pub(crate) async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.ahead.len() < length {
            assert!(self.read_more().await, "the connection ended within a body");
        }
        self.ahead.drain(..length).collect()
    }

    /// Throws away what has been read already, up to `length` bytes; says how many.
    fn take_what_is_there(&mut self, length: usize) -> usize {
        let length = length.min(self.ahead.len());
        self.ahead.drain(..length);
        length
    }

    /// Everything up to the connection's end.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read_more().await {}
        std::mem::take(&mut self.ahead)
    }

    /// The body that a head announces by `content-length`.
    pub(crate) async fn body_of(&mut self, head: &str) -> Vec<u8> {
        let length = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
        self.take(length).await
    }

    /// The next answer: its status and body.
    pub(crate) async fn answered(&mut self) -> (u16, Vec<u8>) {
        let head = self.head().await;
        let body = self.body_of(&head).await;
        (status(&head), body)
    }

    /// Closes it so that the other side gets a reset.
    pub(crate) fn reset(self) {
        self.socket.set_zero_linger().unwrap();
    }

    /// Closes it, with a reset or without.
    pub(crate) fn end(self, reset: bool) {
        if reset {
            self.reset();
        }
    }

    /// Reads so much and throws it away.
    pub(crate) async fn swallow(&mut self, mut expected: usize) {
        let mut buffer = vec![0; 256 * 1024];
        expected -= self.take_what_is_there(expected);
        while expected > 0 {
            let length = soon(self.socket.read(&mut buffer)).await.unwrap();
            assert!(length > 0 && length <= expected);
            expected -= length;
        }
    }

    async fn read_more(&mut self) -> bool {
        let read = soon(self.socket.read_buf(&mut self.ahead)).await;
        read.is_ok_and(|length| length > 0)
    }
}

/// Sends `length` bytes of a body and counts what the kernel has taken of it.
pub(crate) fn pour(mut wire: Wire, length: usize) -> (Arc<AtomicUsize>, tokio::task::JoinHandle<Wire>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let task = tokio::spawn(async move {
        let chunk = vec![b'x'; 64 * 1024];
        for _ in 0..length / chunk.len() {
            soon(wire.socket.write_all(&chunk)).await.unwrap();
            counter.fetch_add(chunk.len(), Ordering::SeqCst);
        }
        wire
    });
    (sent, task)
}

/// Waits until no more is taken.
pub(crate) async fn stands_still(sent: &AtomicUsize) -> usize {
    soon(async {
        loop {
            let before = sent.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(100)).await;
            if before > 0 && sent.load(Ordering::SeqCst) == before {
                return before;
            }
        }
    })
    .await
}

pub(crate) fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
}

/// A head's only value of `name`.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut values = headers(head, name);
    let value = values.next();
    assert!(values.next().is_none(), "{name} twice in {head}");
    value
}

pub(crate) fn headers<'a>(head: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .filter(move |(line, _)| line.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// What is said in the log, from all threads.
pub(crate) struct Log(&'static Mutex<Vec<String>>);

impl Log {
    /// Keeps it from now on.
    pub(crate) fn keep() -> Self {
        static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
        // the first test to ask sets it up for all
        tracing::subscriber::set_global_default(Said(&SAID)).ok();
        Self(&SAID)
    }

    /// What was said of `worker`.
    pub(crate) fn of(&self, worker: &WorkerId) -> Vec<String> {
        let id = worker.to_string();
        self.0.lock().unwrap().iter().filter(|line| line.contains(&id)).cloned().collect()
    }
}

struct Said(&'static Mutex<Vec<String>>);

impl tracing::Subscriber for Said {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("front_door")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            line.extend([field.name(), "=", &format!("{value:?} ")]);
        });
        self.0.lock().unwrap().push(line);
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
