//! One connection to one shim: whole lines of bounded length, both ways, and nothing that is half read or half written when
//! something else comes first.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use shim::protocol::{FromShim, LINE_LIMIT, Request, Said, ToShim};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_stream::StreamExt;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

/// Why there is no connection, or none that says anything. None of it says that the shim has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// It could not be reached.
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    /// Somebody else has it.
    #[error("process {pid} is connected, and only one client can be. End that process")]
    Busy { pid: u32 },
    /// It said something else than expected, or nothing.
    #[error("the shim closed the connection before it reported its worker")]
    HungUp,
}

impl OpenError {
    /// Nobody listens there, which is how it would be if the shim had ended.
    pub(super) fn is_nobody(&self) -> bool {
        let Self::Connect(error) = self else { return false };
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
    }
}

/// How things stand with a worker, in its shim's words.
#[derive(Debug)]
pub(super) struct Heard {
    /// The worker's process.
    pub(super) pid: u32,
    /// The port that the worker was told to listen on.
    pub(super) port: u16,
    /// Where an earlier Medic reached it.
    pub(super) address: Option<SocketAddr>,
    /// The debugger is attached.
    pub(super) armed: bool,
    /// What it was started from.
    pub(super) spec_hash: String,
    /// Which version of the protocol the shim speaks.
    pub(super) protocol: u32,
    /// The shim's process. Older shims do not say.
    pub(super) process: Option<u32>,
    /// It takes requests, as an earlier Medic found. Older shims do not know.
    pub(super) warm: bool,
    /// It was asked to end.
    pub(super) asked: bool,
    /// What happened to it until now.
    pub(super) past: Vec<FromShim>,
}

impl Heard {
    /// It has neither ended nor been stopped at its fatal signal.
    pub(super) fn lives(&self) -> bool {
        !self.past.iter().any(|said| matches!(said, FromShim::Crashing { .. } | FromShim::Ended { .. }))
    }
}

/// An open connection.
pub(super) struct Session {
    lines: FramedRead<OwnedReadHalf, LinesCodec>,
    writer: OwnedWriteHalf,
    unwritten: VecDeque<u8>,
}

impl Session {
    /// Connects, and waits until the shim has said all that it knows: a stopped one says it when it goes on.
    pub(super) async fn open(run_dir: &Path) -> Result<(Self, Heard), OpenError> {
        let address = shim::Address::of(run_dir)?;
        let (reader, writer) = UnixStream::connect(address.path()).await?.into_split();
        let lines = FramedRead::new(reader, LinesCodec::new_with_max_length(LINE_LIMIT));
        let mut session = Self { lines, writer, unwritten: VecDeque::new() };
        let mut heard = match session.next().await {
            Some(Said {
                what:
                    FromShim::State {
                        pid, port, address, armed, spec_hash, protocol, shim_pid, warm, asked, ..
                    },
                ..
            }) => Heard {
                pid,
                port,
                address,
                armed,
                spec_hash,
                protocol,
                process: shim_pid,
                warm,
                asked,
                past: Vec::new(),
            },
            Some(Said { what: FromShim::Busy { pid }, .. }) => return Err(OpenError::Busy { pid }),
            _ => return Err(OpenError::HungUp),
        };
        // No shim says when it has told all; but what is answered to this comes after it.
        session.ask(&Request { id: Some(0), what: ToShim::Tail { lines: 0 } });
        loop {
            match session.step().await.ok_or(OpenError::HungUp)? {
                Some(Said { what: FromShim::Tail { .. }, .. }) => return Ok((session, heard)),
                Some(said) => heard.past.push(said.what),
                None => {}
            }
        }
    }

    /// Sends it as soon as it is taken.
    pub(super) fn ask(&mut self, request: &Request) {
        let line = serde_json::to_vec(request).expect("a request is plain data");
        self.unwritten.extend(line);
        self.unwritten.push_back(b'\n');
    }

    /// Reads and writes on; what was said, if something was. `None`: the connection is over. Nothing is lost when this is not
    /// awaited to its end.
    pub(super) async fn step(&mut self) -> Option<Option<Said>> {
        if self.unwritten.is_empty() {
            return self.next().await.map(Some);
        }
        tokio::select! {
            written = self.writer.write(self.unwritten.as_slices().0) => {
                // When it takes nothing more, what it still said is to be heard.
                let taken = written.ok().filter(|written| *written > 0).unwrap_or(self.unwritten.len());
                self.unwritten.drain(..taken);
                Some(None)
            },
            said = next(&mut self.lines) => said.map(Some),
        }
    }

    async fn next(&mut self) -> Option<Said> {
        next(&mut self.lines).await
    }
}

async fn next(lines: &mut FramedRead<OwnedReadHalf, LinesCodec>) -> Option<Said> {
    loop {
        match lines.next().await? {
            Ok(line) => match serde_json::from_str(&line) {
                Ok(said) => return Some(said),
                // A newer shim may say what this Medic does not know.
                Err(error) => tracing::warn!(%error, "unrecognized message from shim"),
            },
            Err(LinesCodecError::MaxLineLengthExceeded) => {
                tracing::warn!(LINE_LIMIT, "message from shim is too long");
                // The stream pauses once after an error; then the rest of the line is skipped.
                let _pause = lines.next().await;
            }
            Err(LinesCodecError::Io(_)) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::UnixListener;

    use super::*;

    const STATE: &str = r#"{"type":"state","worker":"shop/0/1769847300000","pid":7,"started_at":"2026-01-31T08:15:00Z","port":20000,"spec_hash":"ab","armed":false,"version":"0.1.0"}"#;
    const TAIL: &str = r#"{"type":"tail","lines":[]}"#;

    /// What is heard of a shim that says this, and answers the first request with that.
    async fn heard(says: String, answers: &str) -> Result<(Session, Heard), OpenError> {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("shim.sock")).unwrap();
        let shim = async {
            let mut stream = listener.accept().await.unwrap().0;
            stream.write_all(says.as_bytes()).await.unwrap();
            if !answers.is_empty() {
                let mut line = String::new();
                BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
                stream.write_all(answers.as_bytes()).await.unwrap();
            }
        };
        tokio::join!(Session::open(folder.path()), shim).0
    }

    #[tokio::test]
    async fn all_that_the_shim_knows_is_heard_before_anything_is_decided() {
        let ended = r#"{"type":"ended","exit":{"code":3},"asked":false,"oom_killed":false,"at":"2026-01-31T08:15:01Z","uptime_ms":9,"crash":true}"#;
        let (_, first) = heard(format!("{STATE}\n"), &format!("{TAIL}\n")).await.unwrap();
        assert!(first.lives() && !first.warm && first.protocol == 0);
        let (_, gone) = heard(format!("{STATE}\n"), &format!("{ended}\n{TAIL}\n")).await.unwrap();
        assert!(!gone.lives());
    }

    #[tokio::test]
    async fn what_is_unknown_or_too_long_is_passed_over() {
        let long = "x".repeat(3 * LINE_LIMIT);
        let unknown = r#"{"type":"sings"}"#;
        let says = format!("{unknown}\n{long}\n{STATE}\nnonsense\n{long}\n");
        let (_, heard) = heard(says, &format!("{unknown}\n{TAIL}\n")).await.unwrap();
        assert_eq!((heard.pid, heard.port, heard.past.len()), (7, 20_000, 0));
    }

    #[tokio::test]
    async fn nothing_but_a_refused_connection_is_like_an_end() {
        for (says, expected) in [
            ("", "closed the connection"),
            (r#"{"type":"busy","pid":77}"#, "process 77"),
            (TAIL, "closed the connection"),
        ] {
            let error = heard(format!("{says}\n"), "").await.err().expect("no state");
            assert!(error.to_string().contains(expected) && !error.is_nobody(), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(Session::open(folder.path()).await.err().expect("nobody").is_nobody());
        drop(std::os::unix::net::UnixListener::bind(folder.path().join("shim.sock")).unwrap());
        assert!(Session::open(folder.path()).await.err().expect("nobody").is_nobody());
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!Session::open(&file).await.err().expect("no folder").is_nobody());
    }
}
