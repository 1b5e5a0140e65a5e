//! The task of one app on one thread: accepts clients, and does what its handle asks for. What concerns all requests (a worker's
//! death, the minutes' totals) comes as a command and is done between two requests; nothing that a request does waits for
//! another thread.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use model::WorkerId;
use model::auto_heal::Watch;
use model::process_connections::ProcessConnections;
use model::requests::RequestMinute;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::app_thread::AppThread;
use super::client_connection;
use super::serving_thread::ServingThread;
use crate::accounting::affected_requests::InterruptedRequest;
use crate::accounting::connections::Admission;
use crate::accounting::decision::Decision;
use crate::accounting::tallies::WorkerTallies;
use crate::exchange::app::App;
use crate::exchange::client::SilentConnection;

/// A pause after a connection could not be accepted for want of something that others may give back.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a thread's answer to a command goes. What nobody waits for any more, the thread takes back.
pub(crate) type Reply<T> = mpsc::UnboundedSender<Vec<T>>;

/// What a thread is asked to do.
pub(crate) enum Command {
    /// Gives up a dead worker's requests and says which they were.
    Interrupt(WorkerId, Option<Arc<ProcessConnections>>, Reply<InterruptedRequest>),
    /// The same for one process of a worker that lives on; what becomes of them follows from what all threads say.
    InterruptProcess(WorkerId, Option<Arc<ProcessConnections>>, Arc<Decision>, Reply<InterruptedRequest>),
    /// Says which connections may have led to a process that had died.
    AskBack(WorkerId, Reply<SilentConnection>),
    /// The request over the one of them from this port is sent again; the others are left alone.
    TakenBack(WorkerId, Option<u16>),
    /// Hands over what was counted.
    TakeMinutes(Reply<RequestMinute>),
    /// Counts by another list.
    Watch(u64, Arc<[Watch]>),
    /// Hands over what was counted by the list.
    TakeTallies(Reply<WorkerTallies>),
    /// Accepts clients by this socket from now on, or nobody. Whoever is in the queue of the one before is served.
    Listen(Option<TcpListener>),
    /// Accepts nobody, and gives the socket back with whoever is in its queue.
    Release(Reply<std::net::TcpListener>),
    /// Stops accepting, lets requests finish for this long, and hands over what was counted.
    ShutDown(Duration, oneshot::Sender<Vec<RequestMinute>>),
}

/// Serves an app on this thread until its front door is closed.
pub(crate) async fn run(
    serving: Rc<ServingThread>,
    app: Arc<App>,
    listener: TcpListener,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let http = client_connection::http(&app.settings.limits);
    let app = Rc::new(AppThread::new(Rc::clone(&serving), app));
    let _listed = serving.list(&app.connections);
    let mut listener = Some(listener);
    let last = loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(Command::ShutDown(grace, done)) => break Some((grace, done)),
                Some(Command::Listen(next)) => {
                    if let Some(last) = std::mem::replace(&mut listener, next) {
                        accept_queued(&app, &http, last).await;
                    }
                }
                Some(Command::Release(reply)) => release(listener.take(), &reply),
                Some(command) => execute(&app, command),
                None => break None,
            },
            (socket, address) = next_client(&app, listener.as_ref()) => {
                if client_connection::accept(&app, &http, socket, address) != Admission::Room {
                    // whoever is to go, goes, and others have their turn
                    tokio::task::yield_now().await;
                }
            }
        }
    };
    match last {
        Some((grace, done)) => {
            if let Some(listener) = listener {
                accept_queued(&app, &http, listener).await;
            }
            app.connections.begin_closing();
            close(&app, &mut commands, grace, done).await;
        }
        None => app.connections.abort(),
    }
}

fn execute(app: &AppThread, command: Command) {
    let counts = &app.connections.router.counts;
    match command {
        Command::Interrupt(worker, connections, reply) => {
            let interrupted = app.connections.interrupt(&worker, connections.as_deref());
            if let Err(mpsc::error::SendError(interrupted)) = reply.send(interrupted) {
                counts.put_back_broken(&worker, app.app().clock.monotonic(), interrupted);
            }
        }
        Command::InterruptProcess(worker, connections, decision, reply) => {
            // what nobody waits for any more is decided about without it
            let _late =
                reply.send(app.connections.interrupt_of_process(&worker, connections.as_deref(), &decision));
        }
        Command::AskBack(worker, reply) => {
            if let Err(mpsc::error::SendError(_)) = reply.send(app.connections.ask_back(&worker)) {
                app.connections.taken_back(&worker, None);
            }
        }
        Command::TakenBack(worker, port) => app.connections.taken_back(&worker, port),
        Command::TakeMinutes(reply) => {
            if let Err(mpsc::error::SendError(rows)) = reply.send(counts.take_minutes()) {
                counts.put_back_minutes(rows);
            }
        }
        Command::Watch(generation, watches) => counts.watch(generation, watches),
        Command::TakeTallies(reply) => {
            if let Err(mpsc::error::SendError(tallies)) = reply.send(app.connections.take_tallies()) {
                counts.put_back_tallies(tallies);
            }
        }
        // what closes listens no more
        Command::Listen(_) | Command::Release(_) | Command::ShutDown(..) => {}
    }
}

/// Waits for the next client. One that went away before it was its turn is no error.
async fn next_client(app: &AppThread, listener: Option<&TcpListener>) -> (TcpStream, SocketAddr) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) => {}
            Err(error) => {
                app.serving.note_failure(&error, app.app().clock.monotonic());
                tracing::debug!(%error, app = %app.app().settings.app, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn release(listener: Option<TcpListener>, reply: &Reply<std::net::TcpListener>) {
    if let Some(Ok(listener)) = listener.map(TcpListener::into_std) {
        // where nobody waits for it, it is closed
        reply.send(vec![listener]).ok();
    }
}

/// Closes the socket; who is already in its queue is served.
async fn accept_queued(app: &Rc<AppThread>, http: &http1::Builder, listener: TcpListener) {
    let queued = std::future::poll_fn(|cx| {
        let mut queued = Vec::new();
        while let Poll::Ready(Ok(connection)) = listener.poll_accept(cx) {
            queued.push(connection);
        }
        Poll::Ready(queued)
    })
    .await;
    drop(listener);
    for (socket, address) in queued {
        client_connection::accept(app, http, socket, address);
    }
}

/// Lets requests finish until the latest call's grace is over, and cuts the rest.
async fn close(
    app: &AppThread,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    grace: Duration,
    done: oneshot::Sender<Vec<RequestMinute>>,
) {
    let connections = &app.connections;
    let mut callers = vec![done];
    let mut timeout = Box::pin(tokio::time::sleep(grace));
    loop {
        tokio::select! {
            biased;
            () = connections.emptied() => break,
            command = commands.recv() => match command {
                Some(Command::ShutDown(grace, done)) => {
                    timeout = Box::pin(tokio::time::sleep(grace));
                    callers.push(done);
                }
                Some(command) => execute(app, command),
                None => break,
            },
            () = &mut timeout => break,
        }
    }
    connections.abort();
    connections.emptied().await;
    for done in callers {
        done.send(connections.router.counts.take_minutes()).ok();
    }
}
