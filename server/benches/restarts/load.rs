//! The clients: 32 that ask, wait for the answer, pause and ask again, until they are told to stop.
//!
//! Each request has a name of its own, which a full answer repeats. A client whose request failed pauses for as long as an answer
//! takes, too: otherwise a server that refuses quickly would be asked more often than one that answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};

use crate::clock::Stopwatch;
use crate::exchange::{Answer, Connection, Failure};

pub(crate) const CLIENTS: u32 = 32;
/// How long the apps take for an answer.
const WORK: Duration = Duration::from_millis(20);
/// The least and the most: clients that all waited for the same worker fall out of step again.
const PAUSE_MS: (u64, u64) = (5, 15);
/// Nothing is measured that takes longer.
const LONGEST: Duration = Duration::from_mins(3);

/// How the clients use connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    /// One for each client; another when the server has closed it.
    Kept,
    /// One for each request.
    New,
}

impl Connections {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Kept => "keep-alive",
            Self::New => "new",
        }
    }
}

/// What the clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// GETs that apps/app.js and app.py answer with the request's name.
    Get,
    /// POSTs that they note in the journal, too.
    Post,
    /// GETs that the lab's shop answers, which repeats no name.
    Shop,
}

impl Traffic {
    fn request(self, address: SocketAddr, name: &str, connections: Connections) -> String {
        let line = match self {
            Self::Get => format!("GET /work?id={name}"),
            Self::Post => format!("POST /work?id={name}"),
            Self::Shop => format!("GET /slow?ms={}&id={name}", WORK.as_millis()),
        };
        let connection = if connections == Connections::New { "Connection: close\r\n" } else { "" };
        let body = if self == Self::Post { name } else { "" };
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        format!("{line} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n{connection}{length}\r\n{body}")
    }

    fn check(self, answer: &Answer, name: &str) -> Result<(), Failure> {
        let right = self == Self::Shop || answer.body.lines().next() == Some(name);
        match answer.status {
            200 if right => Ok(()),
            200 => Err(Failure::Wrong),
            status => Err(Failure::Status(status)),
        }
    }
}

/// What became of the requests.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) failures: BTreeMap<Failure, u64>,
    /// The names of those that failed.
    pub(crate) failed_names: Vec<String>,
    /// The longest time from a request to its end, well or not.
    pub(crate) longest: Duration,
}

impl Tally {
    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// How often it failed for that.
    pub(crate) fn count(&self, failure: Failure) -> u64 {
        self.failures.get(&failure).copied().unwrap_or(0)
    }

    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.longest = self.longest.max(other.longest);
        self.failed_names.extend(other.failed_names);
        for (failure, count) in other.failures {
            *self.failures.entry(failure).or_default() += count;
        }
    }
}

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    /// Requests of each client that have ended, well or not.
    ended: Arc<[AtomicU64]>,
    clients: Vec<JoinHandle<Tally>>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr, traffic: Traffic, connections: Connections) -> Self {
        static LOADS: AtomicU32 = AtomicU32::new(0);
        let load = LOADS.fetch_add(1, Ordering::Relaxed);
        let stop = Arc::new(AtomicBool::new(false));
        let ended: Arc<[AtomicU64]> = (0..CLIENTS).map(|_| AtomicU64::new(0)).collect();
        let start = |number| {
            let (stop, ended) = (Arc::clone(&stop), Arc::clone(&ended));
            let (dice, tally) = (u64::from(number) + 1, Tally::default());
            let client = Client { address, traffic, connections, connection: None, dice, tally };
            spawn(move || client.work(&format!("{load}-{number}"), &stop, &ended[number as usize]))
        };
        Self { clients: (0..CLIENTS).map(start).collect(), stop, ended }
    }

    /// Waits until the requests that are under way have ended, but not longer than `limit`.
    pub(crate) fn settle(&self, limit: Duration) {
        let waiting = Stopwatch::start();
        let count = || self.ended.iter().map(|ended| ended.load(Ordering::Relaxed));
        let before: Vec<u64> = count().collect();
        while waiting.elapsed() < limit && count().zip(&before).any(|(now, before)| now == *before) {
            sleep(WORK);
        }
    }

    /// Lets every client finish its request.
    pub(crate) fn stop(self) -> Result<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for client in self.clients {
            all.add(client.join().map_err(|_| anyhow!("a client panicked"))?);
        }
        ensure!(all.count(Failure::NoPort) == 0, "the clients ran out of ports: nothing was measured");
        Ok(all)
    }
}

struct Client {
    address: SocketAddr,
    traffic: Traffic,
    connections: Connections,
    connection: Option<Connection>,
    dice: u64,
    tally: Tally,
}

impl Client {
    fn work(mut self, name: &str, stop: &AtomicBool, ended: &AtomicU64) -> Tally {
        let working = Stopwatch::start();
        let mut number = 0_u64;
        while !stop.load(Ordering::Relaxed) && working.elapsed() < LONGEST {
            let name = format!("{name}-{number}");
            let asked = Stopwatch::start();
            let outcome = self.ask(&name);
            self.tally.requests += 1;
            ended.fetch_add(1, Ordering::Relaxed);
            self.tally.longest = self.tally.longest.max(asked.elapsed());
            if let Err(failure) = outcome {
                *self.tally.failures.entry(failure).or_default() += 1;
                self.tally.failed_names.push(name);
                sleep(WORK);
            }
            sleep(self.pause());
            number += 1;
        }
        self.tally
    }

    /// By a multiplicative congruential generator: even enough, and the same in every run.
    fn pause(&mut self) -> Duration {
        self.dice = self.dice.wrapping_mul(48_271) % 0x7fff_ffff;
        let (least, most) = PAUSE_MS;
        Duration::from_millis(least + self.dice % (most - least + 1))
    }

    fn ask(&mut self, name: &str) -> Result<(), Failure> {
        let request = self.traffic.request(self.address, name, self.connections);
        let kept = self.connection.take().filter(|connection| !connection.was_closed());
        let mut connection = kept.map_or_else(|| Connection::open(self.address), Ok)?;
        let answer = connection.ask(&request)?;
        if answer.kept && self.connections == Connections::Kept {
            self.connection = Some(connection);
        }
        self.traffic.check(&answer, name)
    }
}
