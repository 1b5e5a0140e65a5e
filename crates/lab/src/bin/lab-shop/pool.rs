//! A thread a connection, from a pool of named threads that grows when every one of them is busy: keep-alive connections of a
//! front door may not starve each other.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::http;
use crate::routes;

/// More connections than this at a time wait.
const THREADS_LIMIT: usize = 512;

struct Pool {
    connections: Mutex<Receiver<TcpStream>>,
    idle: AtomicUsize,
}

/// Serves until the process ends.
pub(crate) fn serve(listener: &TcpListener, threads: usize) -> io::Result<()> {
    let (sender, receiver) = channel();
    let pool = Arc::new(Pool { connections: Mutex::new(receiver), idle: AtomicUsize::new(0) });
    let mut started = 0;
    while started < threads.clamp(1, THREADS_LIMIT) {
        start(&pool, &mut started)?;
    }
    loop {
        let (connection, _) = listener.accept()?;
        if pool.idle.load(Ordering::SeqCst) == 0 && started < THREADS_LIMIT {
            start(&pool, &mut started)?;
        }
        hand_over(&pool, &sender, connection)?;
    }
}

fn hand_over(pool: &Pool, sender: &Sender<TcpStream>, connection: TcpStream) -> io::Result<()> {
    // Counted here and not by the thread that takes it: two quick connections must not both count on one idle thread.
    let _ = pool.idle.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |idle| Some(idle.saturating_sub(1)));
    sender.send(connection).map_err(io::Error::other)
}

fn start(pool: &Arc<Pool>, started: &mut usize) -> io::Result<()> {
    let pool = Arc::clone(pool);
    pool.idle.fetch_add(1, Ordering::SeqCst);
    std::thread::Builder::new().name(format!("shop-{started}")).spawn(move || answer_connections(&pool))?;
    *started += 1;
    Ok(())
}

fn answer_connections(pool: &Pool) {
    loop {
        let next = pool.connections.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(connection) = next else { return };
        // A client that went away is no business of the shop's.
        let _ = answer(connection);
        pool.idle.fetch_add(1, Ordering::SeqCst);
    }
}

fn answer(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = http::Connection::new(stream)?;
    while let Some(request) = connection.read_request()? {
        routes::answer(&request, &mut connection)?;
        if !connection.keeps_alive() {
            break;
        }
    }
    Ok(())
}
