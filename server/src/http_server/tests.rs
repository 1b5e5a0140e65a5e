//! The server under clients that do not do their part. The limits are the real ones: the clock is moved.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Weak, mpsc};
use std::time::Duration;

use axum::Extension;
use axum::routing::{get, post};
use model::Timestamp;

use super::*;

/// A clock that stands still until it is moved.
#[derive(Default)]
pub(super) struct TestClock(AtomicU64);

impl TestClock {
    pub(super) fn pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_ms(0)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// More than the kernel's buffers take.
const LONG: usize = 64 << 20;
/// Nothing that is waited for takes longer on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

struct Bench {
    clock: Arc<TestClock>,
    address: SocketAddr,
    shut_down: watch::Sender<bool>,
    /// Who asked for `/long` or `/never`.
    asked: mpsc::Receiver<Weak<Caller>>,
    ended: std::thread::JoinHandle<()>,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let clock = Arc::new(TestClock::default());
        let (shut_down, shutting_down) = watch::channel(false);
        let (tell, asked) = mpsc::channel();
        let served = Arc::<TestClock>::clone(&clock);
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                serve(listener, router(tell), limits, served, shutting_down).await;
            });
        });
        Self { clock, address, shut_down, asked, ended }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A connection that the server has seen: what it sent was answered.
    fn idle(&self) -> TcpStream {
        let mut stream = self.connect();
        ask(&mut stream);
        stream
    }

    fn stop(self) {
        self.shut_down.send_replace(true);
        self.ended.join().unwrap();
    }
}

fn router(asked: mpsc::Sender<Weak<Caller>>) -> Router {
    let tell = move |Extension(caller): Extension<Arc<Caller>>| {
        asked.send(Arc::downgrade(&caller)).unwrap();
        std::future::ready(())
    };
    let never = tell.clone();
    let long = move |caller| async move {
        tell(caller).await;
        "x".repeat(LONG)
    };
    let never = move |caller| async move {
        never(caller).await;
        std::future::pending::<&'static str>().await
    };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/long", get(long))
        .route("/never", get(never))
        .route("/take", post(|body: axum::body::Bytes| async move { body.len().to_string() }))
}

fn limits() -> Limits {
    Limits { look: Duration::from_millis(5), ..Limits::TCP }
}

fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

fn ask(stream: &mut TcpStream) {
    send(stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(stream, "hello");
}

fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Waits until the server has closed it.
fn is_closed(stream: &mut TcpStream) -> bool {
    match std::io::copy(stream, &mut std::io::sink()) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn clients_that_drip_stall_or_say_nothing_are_gone_when_their_time_is() {
    let bench = Bench::new(limits());
    let mut idle = bench.idle();
    let mut silent = bench.connect();
    let mut dripping = bench.connect();
    send(&mut dripping, "GET / HTTP/1.1\r\nHo");
    let mut stalled = bench.connect();
    send(&mut stalled, "POST /take HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    read_until(&mut stalled, "100 Continue\r\n\r\n");
    send(&mut stalled, "1234");
    // the others were accepted before it
    ask(&mut idle);
    bench.clock.pass(Duration::from_secs(9));
    send(&mut dripping, "st: x\r\n");
    bench.clock.pass(Duration::from_secs(2));
    assert!(is_closed(&mut silent) && is_closed(&mut dripping));
    ask(&mut idle);
    bench.clock.pass(Duration::from_secs(50));
    assert!(is_closed(&mut stalled));
    ask(&mut idle);
    bench.clock.pass(Duration::from_secs(76));
    assert!(is_closed(&mut idle));
    bench.stop();
}

#[test]
fn a_client_that_does_not_read_its_answer_is_not_waited_for() {
    let bench = Bench::new(limits());
    let mut stream = bench.connect();
    send(&mut stream, "GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(&mut stream, "\r\n\r\n");
    // as long as its connection lives there is its caller
    let caller = bench.asked.recv_timeout(PATIENCE).unwrap();
    while caller.upgrade().is_some() {
        bench.clock.pass(Duration::from_secs(1));
        std::thread::yield_now();
    }
    // what the kernel had taken can still be read
    let read = std::io::copy(&mut stream, &mut std::io::sink()).unwrap_or_default();
    assert!(read < LONG as u64, "{read}");
    bench.stop();
}

#[test]
fn the_longest_idle_makes_room_and_a_request_under_way_does_not() {
    let bench = Bench::new(Limits { connections: 3, close: Duration::from_millis(50), ..limits() });
    let mut busy = bench.idle();
    let wait_in_vain = |stream: &mut TcpStream| {
        send(stream, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
        bench.asked.recv_timeout(PATIENCE).unwrap();
    };
    wait_in_vain(&mut busy);
    bench.clock.pass(Duration::from_secs(1));
    let mut older = bench.idle();
    bench.clock.pass(Duration::from_secs(1));
    let mut newer = bench.idle();
    bench.clock.pass(Duration::from_secs(1));
    let mut newest = bench.idle();
    assert!(is_closed(&mut older));
    ask(&mut newer);
    ask(&mut newest);
    wait_in_vain(&mut newer);
    wait_in_vain(&mut newest);
    assert!(is_closed(&mut bench.connect()), "all are being answered");
    busy.set_nonblocking(true).unwrap();
    assert_eq!(busy.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    bench.stop();
}

#[test]
fn what_is_under_way_at_the_end_is_answered_and_idle_ones_are_closed() {
    let bench = Bench::new(limits());
    let mut idle = bench.idle();
    let mut sending = bench.connect();
    send(&mut sending, "POST /take HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    read_until(&mut sending, "100 Continue\r\n\r\n");
    bench.shut_down.send_replace(true);
    assert!(is_closed(&mut idle));
    send(&mut sending, "1234");
    let answer = read_until(&mut sending, "\r\n4");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    bench.stop();
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_at_the_end() {
    let bench = Bench::new(Limits { close: Duration::from_millis(50), ..limits() });
    let mut stuck = bench.idle();
    send(&mut stuck, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
    bench.stop();
    assert!(is_closed(&mut stuck));
}
