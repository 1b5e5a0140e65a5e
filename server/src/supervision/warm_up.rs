//! When a new worker is warm: it is asked for a path until it answers as it should. And whether an older one still answers.
//!
//! A worker that does not listen yet is tried often, so that no time is lost; one that answers with another status seldom, since
//! it is working on something. There is no limit here: the policy gives up a worker that is late, and its probe with it.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::warm_up::WarmUpCheck;
use crate::descriptors::is_shortage;

/// Between the first two tries of a worker that does not listen, doubled with each up to the second: a native program listens
/// within a millisecond or two, an interpreter takes its time.
const UNTIL_LISTENING: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];
/// Between two tries of a worker that answered otherwise.
const UNTIL_READY: Duration = Duration::from_millis(250);
/// `HTTP/1.1 200`: all of an answer that is looked at.
const STATUS_LINE_BYTES: usize = 12;
/// How much of the rest of an answer is heard out, and for how long.
const REST_LIMIT_BYTES: u64 = 1 << 20;
const REST_LIMIT: Duration = Duration::from_secs(5);

/// Ends when the worker on `port` is warm.
pub(super) async fn until_warm(port: u16, check: &WarmUpCheck) {
    let [mut pause, longest] = UNTIL_LISTENING;
    loop {
        match ask(port, &check.path).await {
            Ok(Some(status)) if check.statuses.accept(status) => return,
            Ok(_) => tokio::time::sleep(UNTIL_READY).await,
            Err(_) => {
                tokio::time::sleep(pause).await;
                pause = longest.min(pause * 2);
            }
        }
    }
}

/// Whether the worker on `port` answers within this time, whatever it answers. One that Medic was not able to ask, because it had
/// no file left for it, is not blamed.
pub(super) async fn answers(port: u16, path: &str, within: Duration) -> bool {
    let mut nothing_left = false;
    let asking = async {
        loop {
            nothing_left = false;
            match ask(port, path).await {
                Err(error) if is_shortage(&error) => nothing_left = true,
                answer => return matches!(answer, Ok(Some(_))),
            }
            tokio::time::sleep(UNTIL_LISTENING[1]).await;
        }
    };
    let answered = timeout(within, asking).await;
    answered.unwrap_or(nothing_left)
}

/// The status that the worker answers with; `None` where what comes is no answer.
async fn ask(port: u16, path: &str) -> io::Result<Option<u16>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: Medic-WarmUp\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; STATUS_LINE_BYTES];
    match stream.read_exact(&mut line).await {
        Ok(_) => {
            tokio::spawn(hear_out(stream));
            Ok(status(&line))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the rest, which nobody waits for: to a worker whose answer is cut off, that is an error to be logged.
async fn hear_out(stream: TcpStream) {
    let mut rest = stream.take(REST_LIMIT_BYTES);
    let _slow_or_broken = timeout(REST_LIMIT, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?.get(1..)?;
    let digits = rest.strip_prefix(b" ")?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|status| (100..=999).contains(status))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_status_line_is_one_of_http_1() {
        assert_eq!(status(b"HTTP/1.1 204"), Some(204));
        assert_eq!(status(b"HTTP/1.0 503"), Some(503));
        for bad in [b"HTTP/2.0 200".as_slice(), b"HTTP/1.1 2xx", b"hello world!", b""] {
            assert_eq!(status(bad), None);
        }
    }

    #[tokio::test]
    async fn an_error_is_an_answer_and_silence_or_an_end_is_none() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = tokio::spawn(async move { answers(port, "/", Duration::from_mins(1)).await });
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 500 No\r\n\r\n").await.unwrap();
        assert!(asked.await.unwrap());
        let asked = tokio::spawn(async move { answers(port, "/", Duration::from_mins(1)).await });
        drop(listener.accept().await.unwrap());
        assert!(!asked.await.unwrap());
        assert!(!answers(port, "/", Duration::from_millis(20)).await, "accepted and never answered");
        drop(listener);
        assert!(!answers(port, "/", Duration::from_mins(1)).await, "refused");
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
        assert!(answers(1, "/", Duration::from_millis(50)).await);
        drop(files);
        assert!(!answers(1, "/", Duration::from_mins(1)).await, "nobody listens there");
    }

    #[tokio::test]
    async fn a_worker_is_asked_until_it_answers_as_it_should() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
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
        until_warm(port, &check).await;
        let asked = worker.await.unwrap();
        assert!(asked.iter().all(|head| head.starts_with("GET /warm?x=1 HTTP/1.1\r\nHost: localhost:")));
    }
}
