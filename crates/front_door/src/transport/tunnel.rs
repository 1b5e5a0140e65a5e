//! What a connection becomes after an answer 101: bytes both ways, until both sides have closed theirs.

use std::io;
use std::task::Poll;

use hyper::body::Bytes;
use hyper::upgrade::OnUpgrade;
use tokio::io::AsyncWriteExt;

use super::client_socket::ClientSocket;
use super::worker_socket::WorkerSocket;
use crate::exchange::flight::Flight;

/// A tunnel whose client has yet to get its 101. It counts as one request in flight until it is closed.
pub(crate) struct Tunnel {
    /// The client's side, once hyper is through with it.
    pub(crate) client: OnUpgrade,
    pub(crate) worker: WorkerSocket,
    /// What the worker sent behind its 101.
    pub(crate) ahead: Bytes,
    pub(crate) flight: Flight,
}

impl Tunnel {
    /// Carries bytes until both sides have ended, one breaks off, or the worker dies.
    pub(crate) async fn run(self) -> io::Result<()> {
        let Self { client, mut worker, ahead, mut flight } = self;
        let parts = client
            .await
            .map_err(io::Error::other)?
            .downcast::<ClientSocket>()
            .map_err(|_| io::ErrorKind::Other)?;
        flight.client.timeouts.enter_served();
        let mut client = parts.io.into_inner();
        let carry = async {
            worker.write_all(&parts.read_buf).await?;
            client.write_all(&ahead).await?;
            tokio::io::copy_bidirectional(&mut client, &mut worker).await
        };
        // the worker's death wakes this task
        let interrupted = std::future::poll_fn(|_| {
            if flight.client.is_interrupted() { Poll::Ready(()) } else { Poll::Pending }
        });
        let ended = tokio::select! {
            carried = carry => carried.map(|_| ()),
            () = interrupted => return Ok(()),
        };
        if worker.broke() {
            flight.broke();
        } else {
            flight.finished();
        }
        ended
    }
}
