//! Where the dashboard and the API are reached: an address, and a Unix socket for this machine's tools. Where the address is
//! taken the apps are served without it, and it is tried again.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use model::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::descriptors::Shares;
use crate::health::Health;
use crate::http_server::{self as server, Limits, UnixSocket};
use crate::service_manager::ServiceManager;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// What is served there.
pub(super) struct Dashboard {
    pub(super) address: SocketAddr,
    pub(super) health: Health,
    pub(super) service_manager: Arc<ServiceManager>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) router: Router,
    /// How many connections there may be.
    pub(super) shares: Shares,
    pub(super) shutting_down: watch::Receiver<bool>,
}

/// Listens at once, if it can: on the last Medic's socket, where a service manager kept it.
pub(super) async fn listen(
    address: SocketAddr,
    health: &Health,
    service_manager: &ServiceManager,
) -> io::Result<TcpListener> {
    let opened = match service_manager.take(address).pop() {
        Some(kept) => kept.set_nonblocking(true).and_then(|()| TcpListener::from_std(kept)),
        None => TcpListener::bind(address).await,
    };
    if let Ok(listener) = &opened {
        service_manager.keep(address, &[listener]);
    }
    opened.inspect_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "the address is in use by another program",
            io::ErrorKind::AddrNotAvailable => "this machine does not have the address",
            _ => "the operating system refused: see the Medic log",
        };
        health.closed(None, address, reason, None);
    })
}

/// Without it everything goes on: the dashboard's address serves the same.
pub(super) fn unix_socket(data_dir: &Path) -> Option<UnixSocket> {
    match UnixSocket::open(data_dir) {
        Ok(socket) => {
            tracing::info!("the API is at {} as well", socket.path().display());
            Some(socket)
        }
        Err(error) => {
            tracing::error!("no Unix socket for tools: {error}");
            None
        }
    }
}

impl Dashboard {
    /// Serves until Medic stops; at the address as soon as it can be had.
    pub(super) async fn serve(self, listener: io::Result<TcpListener>, socket: Option<UnixSocket>) {
        let (router, clock, stop) =
            (self.router.clone(), Arc::clone(&self.clock), self.shutting_down.clone());
        let limits = Limits { connections: self.shares.operator, ..Limits::UNIX };
        let unix = async {
            if let Some(socket) = socket {
                server::serve(socket, router, limits, clock, stop).await;
            }
        };
        tokio::join!(self.serve_at_address(listener), unix);
    }

    async fn serve_at_address(self, listener: io::Result<TcpListener>) {
        let mut stop = self.shutting_down.clone();
        let listener = tokio::select! {
            listener = self.opened(listener) => listener,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let limits = Limits { connections: self.shares.dashboard, ..Limits::TCP };
        server::serve(listener, self.router, limits, self.clock, self.shutting_down).await;
    }

    /// The listener, as soon as there is one.
    async fn opened(&self, mut listener: io::Result<TcpListener>) -> TcpListener {
        let address = self.address;
        if let Err(error) = &listener {
            tracing::error!(%error, "the dashboard cannot listen on {address}; the apps are served, trying again");
        }
        loop {
            if let Ok(listener) = listener {
                self.health.opened(None);
                tracing::info!("the dashboard is at http://{address}");
                return listener;
            }
            tokio::time::sleep(PAUSE).await;
            listener = listen(address, &self.health, &self.service_manager).await;
        }
    }
}
