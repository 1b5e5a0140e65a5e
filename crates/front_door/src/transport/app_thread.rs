//! One app on one serving thread: its connections, and how they are opened.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::app_connections::AppConnections;
use super::idle_clients::IdleClients;
use super::serving_thread::ServingThread;
use super::worker_connection::WorkerConnection;
use crate::accounting::connections::{Admission, ToWorker};
use crate::accounting::worker::Worker;
use crate::exchange::app::App;
use crate::exchange::router::Router;

/// A new connection that is still open after this long shows that its worker lives: the kernel closes a dying process's sockets
/// one after another, the listening one not always first.
const STAYS_OPEN: Duration = Duration::from_millis(50);

/// Between two attempts to connect to a worker that refuses.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// The app, on the thread.
pub(crate) struct AppThread {
    pub(crate) connections: Rc<AppConnections>,
    pub(crate) serving: Rc<ServingThread>,
    /// The app's own clients, for its own limit.
    idle: RefCell<IdleClients>,
}

impl AppThread {
    pub(crate) fn new(serving: Rc<ServingThread>, app: Arc<App>) -> Self {
        let router = Rc::new(Router::new(app, Rc::clone(&serving.idle_order)));
        let connections = Rc::new(AppConnections::new(router, Arc::clone(serving.connections())));
        Self { connections, serving, idle: RefCell::default() }
    }

    pub(crate) fn app(&self) -> &App {
        &self.connections.router.app
    }

    /// One more client, for which one that is idle may have to go.
    pub(crate) fn admit(&self) -> Admission {
        let now = self.app().clock.monotonic();
        let of_app = self.app().client_came();
        let fits = of_app < self.app().settings.limits.connections;
        if !fits && !self.close_longest_idle() {
            self.app().client_went();
            self.serving.connections().log_busy(now);
            return Admission::Busy;
        }
        match self.serving.admit(of_app, now) {
            Admission::Room if !fits => Admission::MadeRoom,
            Admission::Busy => {
                self.connections.uncount_client(false);
                self.serving.connections().log_busy(now);
                Admission::Busy
            }
            admission => admission,
        }
    }

    /// Opens a connection to a worker.
    pub(crate) async fn open(&self, worker: Arc<Worker>) -> io::Result<Box<WorkerConnection>> {
        let (stream, counted) = self.connect(&worker).await?;
        WorkerConnection::start(stream, counted, worker, self.app().clock.monotonic()).await
    }

    /// Waits until the worker has shown that it lives. One that is known to be dead cannot, although a debugger may still hold
    /// it with its sockets open.
    pub(crate) async fn lives(&self, worker: &Worker) {
        loop {
            if let Ok((stream, _counted)) = self.connect(worker).await {
                tokio::time::sleep(STAYS_OPEN).await;
                let peeked = socket2::SockRef::from(&stream).peek(&mut [MaybeUninit::uninit()]);
                let open = peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
                if open && !worker.is_dead() {
                    return;
                }
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Connects to a worker. What is returned with the stream is to be kept as long as that.
    async fn connect(&self, worker: &Worker) -> io::Result<(TcpStream, ToWorker)> {
        let counted = self.serving.to_worker().ok_or(io::ErrorKind::QuotaExceeded)?;
        match TcpStream::connect(worker.address).await {
            Ok(stream) => Ok((stream, counted)),
            Err(error) => {
                self.serving.note_failure(&error, self.app().clock.monotonic());
                Err(error)
            }
        }
    }

    fn close_longest_idle(&self) -> bool {
        let latest = self.serving.idle_order.latest();
        self.idle.borrow_mut().close_one(latest, std::iter::once(&self.connections))
    }
}
