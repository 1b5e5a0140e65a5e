//! The server of Medic's own pages and API: accepting, limits, closing. One for the dashboard's address, one for the Unix socket.
//!
//! hyper speaks HTTP; who may stay how long is decided here, as it is in front of the apps: a client that drips its request,
//! stalls its body or does not read its answer gives its place back, and one that only holds a place loses it to whoever comes.

mod connection;
mod headers;
mod io;
mod limits;
mod progress;
mod refusal;
#[cfg(test)]
mod tests;
mod unix_socket;

use std::io::Result as IoResult;
use std::sync::Arc;

use axum::Router;
use model::Clock;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinSet};

pub use headers::add as add_headers;
pub use limits::Limits;
pub use unix_socket::UnixSocket;

use crate::access::Caller;
use connection::{Serving, converse};
use limits::{ACCEPT_PAUSE, KEEP_ALIVE};
use progress::Progress;

/// Where connections come from.
pub trait Listen: Send {
    /// One of them.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one, and who is at its other end. It loses none when it is dropped.
    fn accept(&self) -> impl Future<Output = IoResult<(Self::Stream, Caller)>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> IoResult<(TcpStream, Caller)> {
        loop {
            let (stream, peer) = Self::accept(self).await?;
            // without it small answers wait for the client's acknowledgement
            stream.set_nodelay(true).ok();
            SockRef::from(&stream).set_tcp_keepalive(&KEEP_ALIVE).ok();
            // a client that is gone already is no reason to pause
            if let Ok(caller) = Caller::by_tcp(&stream, peer) {
                return Ok((stream, caller));
            }
        }
    }
}

impl Listen for UnixSocket {
    type Stream = UnixStream;

    async fn accept(&self) -> IoResult<(UnixStream, Caller)> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            if let Ok(caller) = Caller::by_unix(&stream) {
                return Ok((stream, caller));
            }
        }
    }
}

/// Serves `router` on `listener` until `shut_down` turns true and what was under way then has ended, for which it has
/// [`Limits::close`].
pub async fn serve(
    listener: impl Listen,
    router: Router,
    limits: Limits,
    clock: Arc<dyn Clock>,
    mut shut_down: watch::Receiver<bool>,
) {
    let serving = Serving { router, limits, shut_down: shut_down.clone() };
    let mut connections = OpenConnections::default();
    let mut is_failing = false;
    loop {
        tokio::select! {
            biased;
            () = stopping(&mut shut_down) => break,
            Some(ended) = connections.tasks.join_next_with_id() => connections.forget(match ended {
                Ok((id, ())) => id,
                Err(error) => error.id(),
            }),
            accepted = listener.accept() => match accepted {
                Ok((stream, caller)) => {
                    if std::mem::take(&mut is_failing) {
                        tracing::info!("the dashboard accepts connections again");
                    }
                    if connections.make_room(limits.connections) {
                        let progress = Arc::new(Progress::new(Arc::clone(&clock)));
                        let task = converse(stream, caller, Arc::clone(&progress), serving.clone());
                        connections.add(progress, task);
                    }
                }
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::error!(%error, "the dashboard cannot accept connections; trying again");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let all = async { while connections.tasks.join_next().await.is_some() {} };
    let _cut_off_with_the_set = tokio::time::timeout(limits.close, all).await;
}

/// The connection had gone before it was accepted; the next one has nothing to do with it.
fn is_of_the_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, PermissionDenied};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | PermissionDenied)
}

async fn stopping(shut_down: &mut watch::Receiver<bool>) {
    let _gone = shut_down.wait_for(|stop| *stop).await;
}

/// The connections that are open.
#[derive(Default)]
struct OpenConnections {
    tasks: JoinSet<()>,
    open: Vec<OpenConnection>,
    is_full: bool,
}

struct OpenConnection {
    task: AbortHandle,
    progress: Arc<Progress>,
}

impl OpenConnections {
    /// Whether one more may come in; the longest idle one goes for it.
    fn make_room(&mut self, limit: usize) -> bool {
        if self.open.len() < limit {
            self.is_full = false;
            return true;
        }
        if !std::mem::replace(&mut self.is_full, true) {
            tracing::warn!(
                limit,
                "the dashboard has all the connections that it takes; idle ones are closed"
            );
        }
        let idle = self.open.iter().enumerate();
        let idle = idle.filter_map(|(index, connection)| Some((connection.progress.idle_since()?, index)));
        let Some((_, longest)) = idle.min() else { return false };
        self.open.swap_remove(longest).task.abort();
        true
    }

    fn add(&mut self, progress: Arc<Progress>, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(task);
        self.open.push(OpenConnection { task, progress });
    }

    fn forget(&mut self, ended: Id) {
        self.open.retain(|connection| connection.task.id() != ended);
    }
}
