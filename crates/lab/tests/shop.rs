//! `lab-shop` really does what its tables say.
#![expect(clippy::unwrap_used, reason = "a test that fails says where by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(1);

struct Shop {
    child: Child,
    address: String,
}

impl Shop {
    fn start() -> Self {
        let mut child = command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, address }
    }

    /// The whole answer to a request whose connection is closed afterwards; empty when the shop died of it.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab-shop"));
    command.env("PORT", "0").env("WEBSITE_INSTANCE_ID", "lab-0").env_remove("LAB_CRASH");
    command
}

/// `(signal, exit code, standard error)` of a shop that crashes right after its start.
fn end_of(how: &str) -> (Option<i32>, Option<i32>, String) {
    let child = command().env("LAB_CRASH", how).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = receiver.recv_timeout(PATIENCE).expect("the shop ends").unwrap();
    (output.status.signal(), output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn each_way_to_crash_ends_as_it_says() {
    let cases = [
        ("null", Some(libc::SIGSEGV), None, ""),
        ("reraise", Some(libc::SIGSEGV), None, "cleaning up"),
        ("panic", None, Some(101), "panicked at"),
        ("abort", Some(libc::SIGABRT), None, ""),
        ("stack-overflow", Some(libc::SIGABRT), None, "has overflowed its stack"),
        ("double-free", Some(libc::SIGABRT), None, "double free"),
        ("fpe", Some(libc::SIGFPE), None, ""),
        ("bus", Some(libc::SIGBUS), None, ""),
        ("ill", Some(libc::SIGILL), None, ""),
        ("trap", Some(libc::SIGTRAP), None, ""),
        ("kill", Some(libc::SIGKILL), None, ""),
        ("exit/3", None, Some(3), ""),
        ("oom", Some(libc::SIGABRT), None, "memory allocation of"),
    ];
    for (how, signal, code, words) in cases {
        let (got_signal, got_code, stderr) = end_of(how);
        assert_eq!((got_signal, got_code), (signal, code), "{how}: {stderr}");
        assert!(stderr.contains(words), "{how}: {stderr}");
    }
}

#[test]
fn what_is_survived_answers_again() {
    let shop = Shop::start();
    for how in ["handled-segv/5000", "panic-in-request", "leak/1", "unknown"] {
        shop.get(&format!("/crash/{how}"));
        assert!(shop.get("/orders/7").ends_with("{\"id\":7,\"total_cents\":321}\n"), "{how}");
    }
}

#[test]
fn the_other_addresses_answer() {
    let shop = Shop::start();
    let cases = [
        ("/", "It sells nothing"),
        ("/slow?ms=1", "slow"),
        ("/cart/checkout?order=7", "{\"total_cents\":321}"),
        ("/env", "\"WEBSITE_INSTANCE_ID\":\"lab-0\""),
        ("/stream?chunks=3&ms=0", "line 3 of 3"),
        ("/status/503", "503 Service Unavailable"),
        ("/nowhere", "404 Not Found"),
    ];
    for (path, words) in cases {
        let answer = shop.get(path);
        assert!(answer.contains(words), "{path}: {answer}");
    }
    let length = "POST /post-count HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    assert!(shop.ask(length).ends_with("\r\n\r\n5\n"));
    let chunked = "POST /post-count HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert!(shop.ask(chunked).ends_with("\r\n\r\n5\n"));
}

#[test]
fn a_connection_is_kept_alive_and_upgraded() {
    let shop = Shop::start();
    let mut stream = TcpStream::connect(&shop.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET /slow?ms=0 HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\nUpgrade: bytes\r\n\r\nping")
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut seen = Vec::new();
    while !seen.ends_with(b"ping") {
        let mut byte = [0];
        reader.read_exact(&mut byte).unwrap();
        seen.extend(byte);
    }
    let seen = String::from_utf8(seen).unwrap();
    assert!(seen.starts_with("HTTP/1.1 200 OK") && seen.contains("101 Switching Protocols"), "{seen}");
}
