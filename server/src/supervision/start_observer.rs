//! What a worker that is not ready yet is doing, told to the loop as long as that lasts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use engine::fleet::Input;
use engine::instance;
use model::WorkerId;
use model::start::{Readiness, StartSeen};
use shim::{Listening, WorkerTree};
use tokio::sync::{mpsc, watch};

use crate::vitals;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A worker that is ready sooner is not looked at: most are, and a look takes processor time that they need.
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(200);
/// What uses less of a processor than this is idle: programs that wait have timers.
const BUSY_US: u64 = 1_000_000 * LOOK_EVERY.as_secs() / 20;

/// How many other ports are told.
const PORTS_LIMIT: usize = 4;

/// Looks at one worker.
pub(super) struct StartObserver {
    pub(super) worker: WorkerId,
    pub(super) pid: u32,
    pub(super) port: u16,
    pub(super) tree: WorkerTree,
    /// What the readiness check found last.
    pub(super) found: watch::Receiver<Readiness>,
    pub(super) inbox: mpsc::Sender<Input>,
}

impl StartObserver {
    /// Goes on for as long as it is awaited; the loop is told of changes alone.
    pub(super) async fn run(self) -> Infallible {
        let mut told = None;
        tokio::time::sleep(FIRST_LOOK_AFTER).await;
        let mut used = self.processor_us().await;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.processor_us().await;
            let is_busy = now.saturating_sub(used) >= BUSY_US;
            used = now;
            let seen = StartSeen { readiness: self.readiness().await, is_busy };
            if told.as_ref() != Some(&seen) {
                told = Some(seen.clone());
                let input = instance::WorkerEvent::Seen(seen);
                let _ended = self.inbox.send(Input::Worker { worker: self.worker.clone(), input }).await;
            }
        }
    }

    /// What the check found, and where the worker listens instead, if it does.
    async fn readiness(&self) -> Readiness {
        let found = self.found.borrow().clone();
        if found != Readiness::NotListening {
            return found;
        }
        let tree = self.tree.clone();
        let looked = tokio::task::spawn_blocking(move || tree.listening()).await;
        let Ok(Ok(Listening { tcp, unix })) = looked else { return found };
        let mut ports: Vec<u16> = tcp.iter().map(SocketAddr::port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports.truncate(PORTS_LIMIT);
        if ports.contains(&self.port) {
            found
        } else if !ports.is_empty() {
            Readiness::Elsewhere { ports }
        } else if unix {
            Readiness::UnixSocket
        } else {
            found
        }
    }

    /// Nothing where it is gone.
    async fn processor_us(&self) -> u64 {
        let pid = self.pid;
        let read = tokio::task::spawn_blocking(move || vitals::processor_us(pid)).await;
        read.ok().flatten().unwrap_or(0)
    }
}
