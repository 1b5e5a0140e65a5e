//! Visitors who ask an app all the time while its configuration changes, and what became of their requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;

use crate::support::PATIENCE;

/// Looks again and again, for what nobody is told of.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let is_late = Arc::new(AtomicBool::new(false));
    let (_waits, waiting) = mpsc::channel::<()>();
    let late = Arc::clone(&is_late);
    std::thread::spawn(move || {
        late.store(waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout), Ordering::Relaxed);
    });
    while !is_so() {
        assert!(!is_late.load(Ordering::Relaxed), "waited in vain for: {what}");
        std::thread::yield_now();
    }
}

/// One request by a connection that stays open.
pub(crate) fn ask(stream: &mut BufReader<TcpStream>, path: &str) -> std::io::Result<String> {
    write!(stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n")?;
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    if head.starts_with("HTTP/1.1 200") {
        Ok(String::from_utf8_lossy(&body).into_owned())
    } else {
        Err(std::io::Error::other(head.lines().next().unwrap_or_default().to_owned()))
    }
}

pub(crate) fn connect(to: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// How visitors come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Come {
    /// One connection each, as long as the test.
    ToStay,
    /// One connection for each request.
    EachTime,
}

/// Visitors who ask all the time.
pub(crate) struct Visitors {
    over: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    coming: Vec<JoinHandle<Vec<String>>>,
}

impl Visitors {
    pub(crate) fn come(to: SocketAddr, come: Come) -> Self {
        let (over, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let visit = |_| {
            let (over, served) = (Arc::clone(&over), Arc::clone(&served));
            std::thread::spawn(move || {
                let mut failed = Vec::new();
                let mut stays = (come == Come::ToStay).then(|| connect(to).unwrap());
                while !over.load(Ordering::Relaxed) {
                    let answered = match &mut stays {
                        Some(stream) => ask(stream, "/env"),
                        None => connect(to).and_then(|mut stream| ask(&mut stream, "/env")),
                    };
                    match answered {
                        Ok(_) => drop(served.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => {
                            failed.push(error.to_string());
                            if come == Come::ToStay {
                                break;
                            }
                        }
                    }
                }
                failed
            })
        };
        let coming = (0..6).map(visit).collect();
        let visitors = Self { over, served, coming };
        visitors.until_served_again();
        visitors
    }

    pub(crate) fn until_served_again(&self) {
        let before = self.served.load(Ordering::Relaxed);
        until("more visitors served", || self.served.load(Ordering::Relaxed) > before + 200);
    }

    /// What became of those who were not served.
    pub(crate) fn leave(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.coming.into_iter().flat_map(|visitor| visitor.join().unwrap()).collect()
    }
}
