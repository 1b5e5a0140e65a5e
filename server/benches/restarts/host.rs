//! What the three have in common: they run workers of an app, replace them when asked, and start others for those that die.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::clock::{Stopwatch, wait_closely, wait_for};
use crate::exchange::ask_once;
use crate::journal::{Journal, is_alive, signal};

/// Something that hosts an app; it stops with all that it started when it goes out of scope.
pub(crate) trait Host {
    /// Its name and how it replaces workers, for the tables.
    fn name(&self) -> &'static str;
    /// Where the app's clients connect.
    fn address(&self) -> SocketAddr;
    /// The workers that listen, in an order in which those that are killed from the front take turns.
    fn workers(&self) -> Result<Vec<u32>>;
    /// What the workers wrote down.
    fn journal(&self) -> &Journal;
    /// How long to wait, before another worker is killed, for the requests that the last one had. pm2 hands some connections to
    /// a worker that is dead: nothing comes of them until the client gives up, and waiting for each would only take long.
    fn settles_within(&self) -> Duration {
        Duration::from_millis(100)
    }

    /// Replaces workers as one does it by hand, and waits until it is done; how many were replaced.
    fn replace(&mut self) -> Result<usize>;
}

/// `kill -9` of one worker; waits until another is ready.
pub(crate) fn kill_one(host: &dyn Host) -> Result<()> {
    let before = host.workers()?;
    let victim = *before.first().ok_or_else(|| anyhow::anyhow!("no worker runs"))?;
    signal(victim, "KILL")?;
    wait_for("a worker for the one that was killed", || {
        let workers = host.workers()?;
        Ok((workers.len() == before.len() && !workers.contains(&victim)).then_some(()))
    })
}

/// Waits until as many workers as before are ready and none of those before is left.
pub(crate) fn wait_until_replaced(host: &dyn Host, before: &[u32]) -> Result<()> {
    wait_for("the old workers' end", || {
        let workers = host.workers()?;
        let gone = before.iter().all(|pid| !is_alive(*pid));
        Ok((gone && workers.len() == before.len()).then_some(()))
    })
}

/// From SIGKILL of the only worker to the first 200 of its successor.
pub(crate) fn kill_to_answer(host: &dyn Host) -> Result<Duration> {
    let workers = host.workers()?;
    ensure!(workers.len() == 1, "{} workers run instead of 1", workers.len());
    let victim = i32::try_from(workers[0]).ok().and_then(Pid::from_raw).context("a process")?;
    let started = Stopwatch::start();
    kill_process(victim, Signal::KILL)?;
    first_answer(host.address(), Some(workers[0]))?;
    let took = started.elapsed();
    wait_for("the successor's readiness", || Ok((host.workers()?.len() == 1).then_some(())))?;
    Ok(took)
}

/// Asks until a worker other than `not` answers 200.
pub(crate) fn first_answer(address: SocketAddr, not: Option<u32>) -> Result<()> {
    wait_closely("a first 200", Duration::from_micros(200), || {
        Ok(worker_that_answers(address).filter(|pid| Some(*pid) != not).map(|_| ()))
    })
}

fn worker_that_answers(address: SocketAddr) -> Option<u32> {
    let answer = ask_once(address, "GET", "/env").ok().filter(|answer| answer.status == 200)?;
    let env: Value = serde_json::from_str(&answer.body).ok()?;
    env["pid"].as_u64()?.try_into().ok()
}

pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A file of this bench's folder `apps`.
pub(crate) fn app_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/restarts/apps").join(name)
}
