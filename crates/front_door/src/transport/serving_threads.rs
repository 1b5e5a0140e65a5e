//! The threads that serve all apps: as many as there are cores, however many apps there are.
//!
//! Each has a runtime of its own. A front door opens a listening socket on each of them, and what a connection does stays on
//! the thread that took it in. An app that is flooded does not keep others waiting: the runtime gives each task its turn.

use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::app_task::{self, Command};
use super::connection_limit::ConnectionLimit;
use super::serving_thread::ServingThread;
use crate::accounting::connections::{ConnectionCounts, CountedApp};
use crate::exchange::app::App;
use crate::settings::StartError;

const THREADS_AT_MOST: usize = 64;

/// The threads that all front doors share. Clones are the same threads; they end with the last clone and the last front door.
#[derive(Clone)]
pub struct ServingThreads {
    threads: Arc<[Handles]>,
    /// The thread that the next front door begins with, so that those with few sockets are spread.
    next: Arc<AtomicUsize>,
    limit: Arc<ConnectionLimit>,
}

/// What is known of a thread outside of it.
struct Handles {
    runtime: Handle,
    openings: mpsc::UnboundedSender<Opening>,
}

/// Where a front door is served on one thread.
pub(crate) struct Served {
    thread: usize,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
}

/// A front door's listening socket and its commands, for one thread.
struct Opening {
    app: Arc<App>,
    listener: TcpListener,
    commands: mpsc::UnboundedReceiver<Command>,
}

impl ServingThreads {
    /// Starts `count` threads; 0 means one per core. At most 64.
    pub fn start(count: usize) -> Result<Self, StartError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if count == 0 { cores() } else { count }.min(THREADS_AT_MOST);
        let limit = Arc::new(ConnectionLimit::new(count));
        let threads = (0..count)
            .map(|number| start(number, Arc::clone(&limit)))
            .collect::<io::Result<_>>()
            .map_err(|source| StartError { source })?;
        Ok(Self { threads, next: Arc::default(), limit })
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// How many listening sockets a front door has whose settings ask for so many (see [`crate::FrontDoorSettings::sockets`]).
    pub fn sockets(&self, asked: usize) -> usize {
        if asked == 0 { self.count() } else { asked.min(self.count()) }
    }

    /// All apps together may have so many connections open from now on, half of them to clients; there is no limit before.
    /// Where there are more, idle ones are closed, those that have been idle the longest first.
    pub fn limit_connections(&self, connections: usize) {
        self.limit.set(connections);
    }

    /// Has each thread close some idle connections, because something else needs file descriptors at once.
    pub fn give_back(&self) {
        self.limit.close_some();
    }

    /// How many connections there are and may be.
    pub fn connections(&self) -> ConnectionCounts {
        self.limit.counts.counts()
    }

    /// An app that is served, as it counts.
    pub(crate) fn count_app(&self) -> CountedApp {
        self.limit.counts.app()
    }

    /// Has each of the `listeners` served by another thread; they are told what to do by what is returned.
    pub(crate) fn open(
        &self,
        app: &Arc<App>,
        listeners: Vec<std::net::TcpListener>,
    ) -> io::Result<Vec<Served>> {
        let first = self.next.fetch_add(listeners.len(), Ordering::Relaxed);
        let open = |(number, listener)| {
            let thread = first.wrapping_add(number) % self.threads.len();
            let listener = self.attach(thread, listener)?;
            let (commands, received) = mpsc::unbounded_channel();
            let opening = Opening { app: Arc::clone(app), listener, commands: received };
            let sent = self.threads[thread].openings.send(opening);
            sent.map_err(|_| io::Error::other("the thread has ended"))?;
            Ok(Served { thread, commands })
        };
        listeners.into_iter().enumerate().map(open).collect()
    }

    /// The socket as one of the thread that serves the front door.
    pub(crate) fn listener(
        &self,
        served: &Served,
        listener: std::net::TcpListener,
    ) -> io::Result<TcpListener> {
        self.attach(served.thread, listener)
    }

    fn attach(&self, thread: usize, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let _of_that_thread = self.threads[thread].runtime.enter();
        TcpListener::from_std(listener)
    }
}

/// Starts a thread and waits until its runtime is there.
fn start(number: usize, limit: Arc<ConnectionLimit>) -> io::Result<Handles> {
    let (openings, opened) = mpsc::unbounded_channel();
    let (report, ready) = blocking::channel();
    std::thread::Builder::new().name("serving".to_owned()).spawn(
        move || match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => {
                report.send(Ok(runtime.handle().clone())).ok();
                runtime.block_on(run(Rc::new(ServingThread::new(number, limit)), opened));
            }
            Err(error) => drop(report.send(Err(error))),
        },
    )?;
    let runtime = ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended as it began")))?;
    Ok(Handles { runtime, openings })
}

async fn run(serving: Rc<ServingThread>, mut openings: mpsc::UnboundedReceiver<Opening>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            opening = openings.recv() => match opening {
                Some(Opening { app, listener, commands }) => {
                    tokio::task::spawn_local(app_task::run(Rc::clone(&serving), app, listener, commands));
                }
                None => return serving.emptied().await,
            },
            clients = serving.asked() => serving.close_wanted(clients),
            _ = seconds.tick() => serving.second(),
        }
    }
}
