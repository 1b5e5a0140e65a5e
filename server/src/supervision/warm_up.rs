//! When a new worker is warm: it is asked for a path until it answers as it should. And whether an older one still answers.
//!
//! A worker that does not listen yet is tried often, so that no time is lost; one that answers with another status seldom, since
//! it is working on something. There is no limit here: the policy gives up a worker that is late, and its probe with it.

use std::error::Error as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{Request, header};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use model::start::Readiness;
use shim::WorkerTree;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::config::warm_up::WarmUpCheck;
use crate::descriptors::is_shortage;

/// Between two tries of a worker that does not listen, least and most: nothing tells when a port begins to listen. Within them it
/// is a share of the time that was waited already, so that neither a program that listens after 2 ms nor one that takes 200 is
/// found much later, and one that takes a minute is not asked all the time.
const UNTIL_LISTENING: [Duration; 2] = [Duration::from_micros(250), Duration::from_millis(20)];
const SHARE_OF_WAIT: u32 = 32;
/// From this length on the runtime's sleep is exact enough.
const COARSE: Duration = Duration::from_millis(5);
/// How often it is looked where else the worker may listen, while it is not at the loopback address.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Between two tries of a worker that answered otherwise.
const UNTIL_READY: Duration = Duration::from_millis(250);
/// How much of the rest of an answer is heard out, and for how long.
const REST_LIMIT_BYTES: u64 = 1 << 20;
const REST_LIMIT: Duration = Duration::from_secs(5);

/// Where a worker is looked for first, and mostly found.
pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Ends when the worker on `port` is warm, with the address that it answers at; until then `found` says how far it is.
pub(super) async fn until_warm(
    port: u16,
    tree: &WorkerTree,
    check: &WarmUpCheck,
    found: &watch::Sender<Readiness>,
) -> SocketAddr {
    let mut address = loopback(port);
    let (mut waited, mut look_at) = (Duration::ZERO, LOOK_EVERY);
    loop {
        let answer = match TcpStream::connect(address).await {
            Ok(stream) => {
                found.send_replace(Readiness::NoResponse);
                exchange(stream, address, &check.path).await
            }
            Err(error) => {
                // one that Medic was not able to ask may listen
                if !is_shortage(&error) {
                    found.send_replace(Readiness::NotListening);
                }
                if waited >= look_at {
                    look_at = waited + LOOK_EVERY;
                    address = listen_address(tree, port).await.unwrap_or(address);
                }
                Err(error)
            }
        };
        match answer {
            Ok(Some(status)) if check.statuses.accept(status) => return address,
            Ok(status) => {
                found.send_replace(status.map_or(Readiness::NotHttp, |status| Readiness::Status { status }));
                tokio::time::sleep(UNTIL_READY).await;
            }
            Err(_) => {
                let length = pause_after(waited);
                pause(length).await;
                waited += length;
            }
        }
    }
}

/// Waits for that long. The runtime's own sleep is counted in whole milliseconds and rounded up, which is much of a short one.
async fn pause(length: Duration) {
    if length < COARSE {
        let _the_runtime_ends = tokio::task::spawn_blocking(move || std::thread::sleep(length)).await;
    } else {
        tokio::time::sleep(length).await;
    }
}

/// Where one of the worker's processes listens on its port: an app that binds `localhost` may be at `::1` alone.
async fn listen_address(tree: &WorkerTree, port: u16) -> Option<SocketAddr> {
    let tree = tree.clone();
    let looked = tokio::task::spawn_blocking(move || tree.address(port)).await;
    looked.ok()?.ok()?
}

fn pause_after(waited: Duration) -> Duration {
    let [least, most] = UNTIL_LISTENING;
    (waited / SHARE_OF_WAIT).clamp(least, most)
}

/// Whether the worker at `address` answers within this time, whatever it answers. One that Medic was not able to ask, because it had
/// no file left for it, is not blamed.
pub(super) async fn answers(address: SocketAddr, path: &str, within: Duration) -> bool {
    let mut nothing_left = false;
    let asking = async {
        loop {
            nothing_left = false;
            match ask(address, path).await {
                Err(error) if is_shortage(&error) => nothing_left = true,
                answer => return matches!(answer, Ok(Some(_))),
            }
            tokio::time::sleep(UNTIL_LISTENING[1]).await;
        }
    };
    let answered = timeout(within, asking).await;
    answered.unwrap_or(nothing_left)
}

/// The status that the worker answers with; `None` where what comes is no answer. An error where it cannot be reached.
async fn ask(address: SocketAddr, path: &str) -> io::Result<Option<u16>> {
    exchange(TcpStream::connect(address).await?, address, path).await
}

async fn exchange(stream: TcpStream, address: SocketAddr, path: &str) -> io::Result<Option<u16>> {
    let request = Request::get(path)
        .header(header::HOST, format!("localhost:{}", address.port()))
        .header(header::USER_AGENT, "Medic-WarmUp")
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Body::empty())
        .map_err(io::Error::other)?;
    // servers that are written by hand may look for the names as they are usually written; and only the status matters here
    let (mut sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .ignore_invalid_headers_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .handshake::<_, Body>(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let driven = AbortOnDropHandle::new(tokio::spawn(connection));
    match sender.send_request(request).await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            tokio::spawn(async move {
                let _slow_or_broken = timeout(REST_LIMIT, hear_out(answer.into_body())).await;
                drop(driven);
            });
            Ok(Some(status))
        }
        Err(error) => match error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) {
            Some(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => Err(cause.kind().into()),
            _ => Ok(None),
        },
    }
}

/// Reads the rest, which nobody waits for: to a worker whose answer is cut off, that is an error to be logged.
async fn hear_out(body: Incoming) {
    let mut body = std::pin::pin!(body);
    let mut heard = 0;
    while heard < REST_LIMIT_BYTES
        && let Some(Ok(frame)) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        heard += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn pauses_grow_with_what_was_waited() {
        let (ms, us) = (Duration::from_millis, Duration::from_micros);
        for (waited_ms, pause_us) in
            [(0, 250), (8, 250), (32, 1_000), (320, 10_000), (640, 20_000), (60_000, 20_000)]
        {
            assert_eq!(pause_after(ms(waited_ms)), us(pause_us), "{waited_ms}");
        }
    }

    #[tokio::test]
    async fn the_status_of_whatever_is_http_1_is_an_answer() {
        for (answer, expected) in [
            (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], Some(204)),
            (b"HTTP/1.0 503 Busy\r\n\r\nlater", Some(503)),
            (b"HTTP/1.1 200 OK\r\nX-Odd Name : 1\r\n\r\n", Some(200)),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", Some(200)),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n", Some(404)),
            (b"HTTP/2.0 200 OK\r\n\r\n", None),
            (b"HTTP/1.1 2xx OK\r\n\r\n", None),
            (b"hello dependencies!", None),
            (b"", None),
        ] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let worker = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4_096];
                assert_ne!(stream.read(&mut head).await.unwrap(), 0);
                stream.write_all(answer).await.unwrap();
            };
            let (status, ()) = tokio::join!(ask(address, "/"), worker);
            assert_eq!(status.unwrap(), expected, "{}", String::from_utf8_lossy(answer));
        }
    }

    #[tokio::test]
    async fn an_error_is_an_answer_and_silence_or_an_end_is_none() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move { answers(address, "/", Duration::from_mins(1)).await });
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 500 No\r\n\r\n").await.unwrap();
        assert!(asked.await.unwrap());
        let asked = tokio::spawn(async move { answers(address, "/", Duration::from_mins(1)).await });
        drop(listener.accept().await.unwrap());
        assert!(!asked.await.unwrap());
        assert!(!answers(address, "/", Duration::from_millis(20)).await, "accepted and never answered");
        drop(listener);
        assert!(!answers(address, "/", Duration::from_mins(1)).await, "refused");
    }

    /// Runs itself once more in a process that may open few files.
    #[tokio::test]
    async fn one_that_cannot_be_asked_is_not_blamed() {
        const FEW: &str = "MEDIC_TEST_FEW_FILES";
        if std::env::var_os(FEW).is_none() {
            let mut limited = std::process::Command::new("prlimit");
            limited.arg("--nofile=64").arg(std::env::current_exe().unwrap()).env(FEW, "1");
            limited.args(["--exact", "supervision::warm_up::tests::one_that_cannot_be_asked_is_not_blamed"]);
            let output = limited.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let files: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).take(100).collect();
        assert!(files.len() < 100, "the limit holds");
        assert!(answers(loopback(1), "/", Duration::from_millis(50)).await);
        drop(files);
        assert!(!answers(loopback(1), "/", Duration::from_mins(1)).await, "nobody listens there");
    }

    #[tokio::test]
    async fn a_worker_is_asked_until_it_answers_as_it_should() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let worker = tokio::spawn(async move {
            let mut asked = Vec::new();
            let page = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(600_000));
            for answer in ["nonsense", "", "HTTP/1.1 503 Busy\r\n\r\n", &page] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4_096];
                let length = stream.read(&mut head).await.unwrap();
                asked.push(String::from_utf8_lossy(&head[..length]).into_owned());
                stream.write_all(answer.as_bytes()).await.expect("an answer is heard out");
            }
            asked
        });
        let check = WarmUpCheck { path: "/warm?x=1".to_owned(), statuses: "200-299".parse().unwrap() };
        let (found, seen) = watch::channel(Readiness::NotListening);
        let tree = WorkerTree::of_worker(std::process::id(), None);
        assert_eq!(until_warm(address.port(), &tree, &check, &found).await, address);
        assert_eq!(*seen.borrow(), Readiness::NoResponse, "the last one was asked and answered");
        let asked = worker.await.unwrap();
        assert!(asked.iter().all(|head| head.starts_with("GET /warm?x=1 HTTP/1.1\r\nHost: localhost:")));
    }
}
