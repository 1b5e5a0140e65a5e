//! The threads that serve all apps: as many as there are cores, however many apps there are.
//!
//! Each has a runtime of its own. A front door opens a listening socket on each of them, and what a connection does stays on
//! the thread that took it in. An app that is flooded does not keep others waiting: the runtime gives each task its turn.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use slab::Slab;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::settings::StartError;
use crate::thread::{self, Command, Shared, Thread};

const THREADS_AT_MOST: usize = 64;

/// The threads that all front doors share. Clones are the same threads; they end with the last clone and the last front door.
#[derive(Clone)]
pub struct ServingThreads {
    threads: Arc<[Handles]>,
    /// The thread that the next front door begins with, so that those with few sockets are spread.
    next: Arc<AtomicUsize>,
}

/// What is known of a thread outside of it.
struct Handles {
    runtime: Handle,
    openings: mpsc::UnboundedSender<Opening>,
}

/// A front door's listening socket and its commands, for one thread.
struct Opening {
    shared: Arc<Shared>,
    listener: TcpListener,
    commands: mpsc::UnboundedReceiver<Command>,
}

impl ServingThreads {
    /// Starts `count` threads; 0 means one per core. At most 64.
    pub fn start(count: usize) -> Result<Self, StartError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if count == 0 { cores() } else { count }.min(THREADS_AT_MOST);
        let threads =
            (0..count).map(|_| start()).collect::<io::Result<_>>().map_err(|source| StartError { source })?;
        Ok(Self { threads, next: Arc::default() })
    }

    pub(crate) fn count(&self) -> usize {
        self.threads.len()
    }

    /// Has each of the `listeners` served by another thread; they are told what to do by what is returned.
    pub(crate) fn open(
        &self,
        shared: &Arc<Shared>,
        listeners: Vec<std::net::TcpListener>,
    ) -> io::Result<Vec<mpsc::UnboundedSender<Command>>> {
        let first = self.next.fetch_add(listeners.len(), Ordering::Relaxed);
        let open = |(number, listener)| {
            let thread = &self.threads[first.wrapping_add(number) % self.threads.len()];
            let listener = {
                let _of_that_thread = thread.runtime.enter();
                TcpListener::from_std(listener)?
            };
            let (commands, obeyed) = mpsc::unbounded_channel();
            let opening = Opening { shared: Arc::clone(shared), listener, commands: obeyed };
            thread.openings.send(opening).map_err(|_| io::Error::other("the thread has ended"))?;
            Ok(commands)
        };
        listeners.into_iter().enumerate().map(open).collect()
    }
}

/// Starts a thread and waits until its runtime is there.
fn start() -> io::Result<Handles> {
    let (openings, opened) = mpsc::unbounded_channel();
    let (report, ready) = blocking::channel();
    std::thread::Builder::new().name("serving".to_owned()).spawn(
        move || match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => {
                report.send(Ok(runtime.handle().clone())).ok();
                runtime.block_on(run(opened));
            }
            Err(error) => drop(report.send(Err(error))),
        },
    )?;
    let runtime = ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended as it began")))?;
    Ok(Handles { runtime, openings })
}

async fn run(mut openings: mpsc::UnboundedReceiver<Opening>) {
    let serving = Rc::new(Serving::default());
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            opening = openings.recv() => match opening {
                Some(Opening { shared, listener, commands }) => {
                    tokio::task::spawn_local(thread::run(Rc::clone(&serving), shared, listener, commands));
                }
                None => return,
            },
            _ = seconds.tick() => serving.second(),
        }
    }
}

/// One serving thread, as what runs on it sees it.
#[derive(Default)]
pub(crate) struct Serving {
    apps: RefCell<Slab<Rc<Thread>>>,
}

impl Serving {
    /// Puts an app on the list of those that are served; it is taken off when the answer is dropped.
    pub(crate) fn list(self: &Rc<Self>, thread: &Rc<Thread>) -> Listed {
        Listed { number: self.apps.borrow_mut().insert(Rc::clone(thread)), serving: Rc::clone(self) }
    }

    fn second(&self) {
        self.apps.borrow().iter().for_each(|(_, thread)| thread.second());
    }
}

/// An app's place on the list.
pub(crate) struct Listed {
    serving: Rc<Serving>,
    number: usize,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.serving.apps.borrow_mut().remove(self.number);
    }
}
