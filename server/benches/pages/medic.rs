//! `medic serve` on a database that is full already.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use store::Database;
use tempfile::TempDir;

use crate::clock::{Stopwatch, wait_for};
use crate::page::{APP, Page};
use crate::process;

/// It has come to rest when it uses less than this in [`STRETCH`]: the database was looked through, all workers run.
const REST: Duration = Duration::from_millis(40);
const STRETCH: Duration = Duration::from_millis(800);

pub(crate) struct Medic {
    folder: TempDir,
    server: Child,
    dashboard: SocketAddr,
}

impl Medic {
    /// Waits until it has come to rest.
    pub(crate) fn start(exe: &Path, database: &Database, instances: u16) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [dashboard, front_door] = [free_address()?, free_address()?];
        let data_dir = match database {
            Database::Sqlite(path) => path.parent().context("a file is in a folder")?,
            Database::Postgres(_) => &folder.path().join("data"),
        };
        let url = match database {
            Database::Sqlite(_) => String::new(),
            Database::Postgres(url) => format!("[database]\nurl = \"{url}\"\n"),
        };
        let config = folder.path().join("medic.toml");
        fs::write(
            &config,
            format!(
                "[server]\nlisten = \"{dashboard}\"\ndata_dir = \"{data_dir}\"\n{url}[[app]]\nname = \"{APP}\"\n\
                 command = [\"{shop}\"]\nlisten = \"{front_door}\"\ninstances = {instances}\n",
                data_dir = data_dir.display(),
                shop = lab::shop().display(),
            ),
        )?;
        let log = File::create(folder.path().join("log"))?;
        let server = Command::new(exe)
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", exe.display()))?;
        let medic = Self { folder, server, dashboard };
        wait_for("medic's workers", || Ok(medic.runs(usize::from(instances)).then_some(())))
            .and_then(|()| medic.wait_for_rest())
            .with_context(|| medic.last_words())?;
        Ok(medic)
    }

    /// A page as a browser gets it, and how long that took.
    pub(crate) fn ask(&self, page: &Page) -> Result<(Duration, Vec<u8>)> {
        let asking = Stopwatch::start();
        let answer = self.send(page, "Accept-Encoding: gzip\r\n")?;
        Ok((asking.elapsed(), answer))
    }

    /// Does it say what it should?
    pub(crate) fn check(&self, page: &Page) -> Result<()> {
        let answer = self.send(page, "")?;
        let is_there = String::from_utf8_lossy(&answer).contains(page.expected);
        ensure!(is_there, "{}: no \"{}\" in {}", page.path, page.expected, begin(&answer));
        Ok(())
    }

    /// What the server has in memory now; [`Self::most_memory`] begins here.
    pub(crate) fn memory_from_now_on(&self) -> Result<u64> {
        process::forget_most(self.server.id())?;
        process::memory_bytes(self.server.id())
    }

    pub(crate) fn most_memory(&self) -> Result<u64> {
        process::most_bytes(self.server.id())
    }

    pub(crate) fn processor_time(&self) -> Result<Duration> {
        process::processor_time(self.server.id())
    }

    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("medic's last words:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    fn runs(&self, instances: usize) -> bool {
        let Ok(answer) = exchange(self.dashboard, "GET", "/api/v1/apps/shop", "", "") else { return false };
        let body = answer.split(|byte| *byte == b'\n').next_back().unwrap_or_default();
        let app: Value = serde_json::from_slice(body).unwrap_or_default();
        let states = app["instances"].as_array().into_iter().flatten();
        states.filter(|instance| instance["state"] == "running").count() == instances
    }

    fn wait_for_rest(&self) -> Result<()> {
        wait_for("medic's rest", || {
            let before = self.processor_time()?;
            sleep(STRETCH);
            let used = self.processor_time()?.saturating_sub(before);
            Ok((used < REST).then_some(()))
        })
    }

    fn send(&self, page: &Page, headers: &str) -> Result<Vec<u8>> {
        let (method, body) = page.body.map_or(("GET", ""), |body| ("POST", body));
        let answer = exchange(self.dashboard, method, page.path, headers, body)?;
        ensure!(answer.starts_with(b"HTTP/1.1 200 "), "{}: {}", page.path, begin(&answer));
        Ok(answer)
    }
}

impl Drop for Medic {
    fn drop(&mut self) {
        let server = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        let _gone_already = server.map(|server| kill_process(server, Signal::TERM));
        let _killed_below = wait_for("medic's end", || Ok(self.server.try_wait()?.is_some().then_some(())));
        let _gone_already = self.server.kill();
        let _gone_already = self.server.wait();
    }
}

fn begin(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer.get(..1_000).unwrap_or(answer)).into_owned()
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Over a connection of its own; the answer whole, as it came.
fn exchange(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (kind, length) = ("application/json", body.len());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
