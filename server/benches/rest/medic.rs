//! `medic serve` with many small apps.

use std::fmt::Write as _;
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
use tempfile::TempDir;

use crate::clock::wait_for;
use crate::process::processor_time;
use crate::processes::Parts;

/// It has come to rest when it uses less than this in [`STRETCH`]. Threads that wait for more to do have given up by then, too.
const REST: Duration = Duration::from_millis(200);
const STRETCH: Duration = Duration::from_secs(12);

pub(crate) struct Medic {
    folder: TempDir,
    server: Child,
    dashboard: SocketAddr,
}

impl Medic {
    /// Waits until every app's instance runs.
    pub(crate) fn start(exe: &Path, apps: u16) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let dashboard = free_address()?;
        let mut config = format!("[server]\nlisten = \"{dashboard}\"\ndata_dir = \"data\"\n");
        for app in 0..apps {
            let (shop, address) = (lab::shop(), free_address()?);
            let shop = shop.display();
            write!(
                config,
                "[[app]]\nname = \"app-{app}\"\ncommand = [\"{shop}\"]\nlisten = \"{address}\"\n"
            )?;
        }
        let path = folder.path().join("medic.toml");
        fs::write(&path, config)?;
        let log = File::create(folder.path().join("log"))?;
        let server = Command::new(exe)
            .args(["serve", "--config"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", exe.display()))?;
        let medic = Self { folder, server, dashboard };
        wait_for("medic's workers", || Ok((medic.running() == usize::from(apps)).then_some(())))
            .with_context(|| medic.last_words())?;
        Ok(medic)
    }

    pub(crate) fn wait_for_rest(&self) -> Result<()> {
        wait_for("medic's rest", || {
            let before = processor_time(self.server.id())?;
            sleep(STRETCH);
            let used = processor_time(self.server.id())?.saturating_sub(before);
            Ok((used < REST).then_some(()))
        })
    }

    pub(crate) fn parts(&self) -> Result<Parts> {
        Parts::of(self.server.id())
    }

    /// Asks for a page as a browser does.
    pub(crate) fn show(&self, path: &str) -> Result<()> {
        let answer = self.ask(path)?;
        ensure!(
            answer.starts_with(b"HTTP/1.1 200 "),
            "{path}: {}",
            String::from_utf8_lossy(answer.get(..500).unwrap_or(&answer))
        );
        Ok(())
    }

    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("medic's last words:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }

    fn running(&self) -> usize {
        let answer = self.ask("/api/v1/apps").unwrap_or_default();
        let body = answer.split(|byte| *byte == b'\n').next_back().unwrap_or_default();
        let apps: Value = serde_json::from_slice(body).unwrap_or_default();
        let apps = apps.as_array().into_iter().flatten();
        let instances = apps.filter_map(|app| app["instances"].as_array()).flatten();
        instances.filter(|instance| instance["state"] == "running").count()
    }

    fn ask(&self, path: &str) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.dashboard)?;
        let host = self.dashboard;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
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

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
