//! The connection to one worker's shim: what it says becomes inputs of the loop, what the loop wants is sent to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::fleet::Input;
use engine::instance::{self, Toll};
use engine::{Exit, Signal, WorkerId, ending};
use front_door::Death;
use shim::protocol::{FromShim, LINE_LIMIT, ToShim};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use crate::doors::Door;

/// How long a shim may take to say how things stand; it is one thread that does little else.
const FIRST_WORD: Duration = Duration::from_secs(10);

/// Why there is no connection to a shim.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// Nobody listens there any more.
    #[error("the shim in {} does not answer: {source}", run_dir.display())]
    Connect {
        /// Where it should be.
        run_dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It said something else than expected, or nothing.
    #[error("the shim in {} did not say how its worker is: {what}", run_dir.display())]
    NoState {
        /// Where it is.
        run_dir: PathBuf,
        /// What came instead.
        what: String,
    },
}

/// A connection over which the shim has said how things stand.
pub(super) struct Link {
    worker: WorkerId,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    run_dir: PathBuf,
    front_door: Option<Arc<Door>>,
    /// The worker's process.
    pub(super) pid: u32,
    /// The worker's port.
    pub(super) port: u16,
    armed: bool,
    /// What it was started from.
    pub(super) spec_hash: String,
}

impl Link {
    /// Connects and waits for the first word.
    pub(super) async fn open(
        worker: WorkerId,
        run_dir: PathBuf,
        front_door: Option<Arc<Door>>,
    ) -> Result<Self, LinkError> {
        let refused = |source| LinkError::Connect { run_dir: run_dir.clone(), source };
        let stream = shim::connect(&run_dir).map_err(refused)?;
        stream.set_nonblocking(true).map_err(refused)?;
        let (reader, writer) = UnixStream::from_std(stream).map_err(refused)?.into_split();
        let mut link = Self {
            worker,
            reader: BufReader::new(reader),
            writer,
            run_dir: run_dir.clone(),
            front_door,
            pid: 0,
            port: 0,
            armed: false,
            spec_hash: String::new(),
        };
        match tokio::time::timeout(FIRST_WORD, link.next()).await {
            Ok(Some(FromShim::State { pid, port, armed, spec_hash, .. })) => {
                (link.pid, link.port, link.armed, link.spec_hash) = (pid, port, armed, spec_hash);
                Ok(link)
            }
            Ok(other) => Err(LinkError::NoState {
                run_dir,
                what: if other.is_some() { "another message came".into() } else { "it hung up".into() },
            }),
            Err(_) => Err(LinkError::NoState {
                run_dir,
                what: format!("nothing came within {} s", FIRST_WORD.as_secs()),
            }),
        }
    }

    /// What the shim's first word means to the loop.
    pub(super) fn started(&self) -> instance::Input {
        instance::Input::Started { pid: self.pid, port: self.port, armed: self.armed }
    }

    /// Carries messages both ways until the shim is gone; a shim that goes before its worker's end was recorded is lost.
    pub(super) async fn run(
        mut self,
        mut wishes: mpsc::UnboundedReceiver<ToShim>,
        inbox: mpsc::Sender<Input>,
    ) {
        let (mut ended, mut acknowledged) = (false, false);
        loop {
            tokio::select! {
                message = self.next() => {
                    let Some(message) = message else { break };
                    ended |= matches!(message, FromShim::Ended { .. });
                    if let Some(input) = self.translate(message).await
                        && inbox.send(Input::Worker { worker: self.worker.clone(), input }).await.is_err()
                    {
                        return;
                    }
                }
                wish = wishes.recv() => {
                    let Some(wish) = wish else { return };
                    acknowledged |= wish == ToShim::Acknowledge;
                    self.send(&wish).await;
                }
            }
        }
        if !(ended && acknowledged) {
            tracing::warn!(worker = %self.worker, "the shim is gone");
            let toll = self.toll(Death::Killed).await;
            // Its shim cannot do it any more.
            let _already_gone = std::fs::remove_dir_all(&self.run_dir);
            let _ended = inbox
                .send(Input::Worker { worker: self.worker, input: instance::Input::Lost { toll } })
                .await;
        }
    }

    async fn translate(&self, message: FromShim) -> Option<instance::Input> {
        Some(match message {
            FromShim::State { .. } | FromShim::Disarmed | FromShim::Tail { .. } => return None,
            FromShim::Armed => instance::Input::Armed,
            FromShim::ArmRefused { reason } => instance::Input::ArmRefused { reason },
            FromShim::Crashing { .. } => instance::Input::Fatal { toll: self.toll(Death::ByItself).await },
            FromShim::Ended { exit, asked, oom_killed, at, uptime_ms, .. } => instance::Input::Ended {
                pid: self.pid,
                exit,
                ending: ending::classify(exit, asked, oom_killed),
                at,
                uptime: Duration::from_millis(uptime_ms),
                toll: self.toll(death(exit, oom_killed)).await,
            },
            FromShim::Analysed { findings, audit } => {
                instance::Input::Analysed { findings: Box::new(findings), audit }
            }
        })
    }

    /// Answers what the worker was answering, and says what that was.
    async fn toll(&self, death: Death) -> Toll {
        let Some(front_door) = &self.front_door else { return Toll::default() };
        let toll = front_door.worker_died(&self.worker, death).await;
        Toll { count: toll.count, requests: toll.requests, drained: toll.drained, failed: toll.failed }
    }

    async fn next(&mut self) -> Option<FromShim> {
        loop {
            let mut line = Vec::new();
            let limit = u64::try_from(LINE_LIMIT).unwrap_or(u64::MAX);
            let read = (&mut self.reader).take(limit).read_until(b'\n', &mut line).await;
            match read {
                Ok(0) | Err(_) => return None,
                Ok(_) => match serde_json::from_slice(&line) {
                    Ok(message) => return Some(message),
                    // A newer shim may say what this Medic does not know.
                    Err(error) => {
                        tracing::warn!(worker = %self.worker, %error, "the shim said something unknown");
                    }
                },
            }
        }
    }

    /// A failure shows as the end of what the shim says.
    async fn send(&mut self, wish: &ToShim) {
        let mut line = serde_json::to_vec(wish).expect("a wish is plain data");
        line.push(b'\n');
        let _shown_by_next = self.writer.write_all(&line).await;
    }
}

/// SIGKILL comes from outside, except for want of memory, which a request may have asked for.
fn death(exit: Exit, oom_killed: bool) -> Death {
    if exit == Exit::Signal(Signal::KILL) && !oom_killed { Death::Killed } else { Death::ByItself }
}
