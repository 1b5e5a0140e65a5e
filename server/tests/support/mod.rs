//! A real `medic serve` with real apps, for the tests beside this folder.
#![expect(dead_code, reason = "each test file uses its own part of it")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod http;
pub(crate) mod people;
pub(crate) mod programs;
pub(crate) mod servers;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::Value;

pub(crate) use http::{Answer, free_address, request};

/// Nothing that is waited for takes longer on a busy machine of two cores; whoever waits so long has found a defect.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A folder with a configuration, its data, and the server that works there.
pub(crate) struct Medic {
    folder: tempfile::TempDir,
    program: PathBuf,
    server: Option<Child>,
    /// What it has said on standard error.
    log: Arc<Mutex<String>>,
    environment: Vec<(String, String)>,
    /// The dashboard's address.
    pub(crate) address: SocketAddr,
    /// The first app's front door.
    pub(crate) front_door: SocketAddr,
    /// How many files it may have open, as prlimit(1) writes it: `soft:hard`.
    open_files: Option<String>,
}

impl Medic {
    /// Starts a server with one app, `shop`, of the lab; `app` is added to its table, `head` before it.
    pub(crate) fn with_shop(head: &str, app: &str) -> Self {
        Self::with_command(&[lab::shop()], head, app)
    }

    /// The lab's shop, run by a copy of Medic's own program.
    pub(crate) fn with_program(program: &Path, head: &str, app: &str) -> Self {
        let mut medic = Self::prepared(tempfile::tempdir().unwrap(), &[lab::shop()], head, app);
        program.clone_into(&mut medic.program);
        medic.start();
        medic
    }

    /// The lab's shop, with more in Medic's environment.
    pub(crate) fn with_shop_in(environment: &[(&str, String)], head: &str, app: &str) -> Self {
        let mut medic = Self::prepared(tempfile::tempdir().unwrap(), &[lab::shop()], head, app);
        medic.environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        medic.start();
        medic
    }

    /// The lab's shop with its data in another folder, run by another program with more in its environment.
    pub(crate) fn with_shop_at(
        data_dir: &Path,
        program: &Path,
        environment: &[(&str, String)],
        head: &str,
        app: &str,
    ) -> Self {
        let mut medic = Self::prepared(tempfile::tempdir().unwrap(), &[lab::shop()], head, app);
        medic.edit(|config| config.replacen("\"data\"", &format!("\"{}\"", data_dir.display()), 1));
        program.clone_into(&mut medic.program);
        medic.environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        medic.start();
        medic
    }

    /// The same with another program.
    pub(crate) fn with_command(command: &[PathBuf], head: &str, app: &str) -> Self {
        let mut medic = Self::prepared(tempfile::tempdir().unwrap(), command, head, app);
        medic.start();
        medic
    }

    /// The same in a folder that something has been done with.
    pub(crate) fn in_folder(folder: tempfile::TempDir, command: &[PathBuf], head: &str, app: &str) -> Self {
        let mut medic = Self::prepared(folder, command, head, app);
        medic.start();
        medic
    }

    fn prepared(folder: tempfile::TempDir, command: &[PathBuf], head: &str, app: &str) -> Self {
        let (address, front_door) = (free_address(), free_address());
        let command: Vec<String> = command.iter().map(|part| serde_json::to_string(part).unwrap()).collect();
        let config = format!(
            "[server]\nlisten = \"{address}\"\ndata_dir = \"data\"\n{head}\n[[app]]\nname = \"shop\"\ncommand = [{}]\nlisten = \"{front_door}\"\n{app}\n",
            command.join(", ")
        );
        std::fs::write(folder.path().join("medic.toml"), config).unwrap();
        Self::on(folder)
    }

    /// Starts a server on the configuration in `folder`.
    pub(crate) fn at(folder: tempfile::TempDir) -> Self {
        Self::at_with(folder, &[])
    }

    /// The same with limits of open files.
    pub(crate) fn with_open_files(folder: tempfile::TempDir, open_files: &str) -> Self {
        let mut medic = Self::on(folder);
        medic.open_files = Some(open_files.to_owned());
        medic.start();
        medic
    }

    /// The same with more in its environment.
    pub(crate) fn at_with(folder: tempfile::TempDir, environment: &[(&str, &str)]) -> Self {
        let mut medic = Self::on(folder);
        medic.environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        medic.start();
        medic
    }

    fn on(folder: tempfile::TempDir) -> Self {
        let config = std::fs::read_to_string(folder.path().join("medic.toml")).unwrap();
        let mut addresses = config
            .lines()
            .filter_map(|line| line.strip_prefix("listen = \"")?.strip_suffix('"')?.parse().ok());
        let (address, front_door) = (addresses.next().unwrap(), addresses.next().unwrap());
        let program = env!("CARGO_BIN_EXE_medic").into();
        let (log, environment, open_files) = (Arc::default(), Vec::new(), None);
        Self { folder, program, server: None, log, environment, address, front_door, open_files }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = match &self.open_files {
            Some(limits) => {
                let mut limited = Command::new("prlimit");
                limited.arg(format!("--nofile={limits}")).arg(&self.program);
                limited
            }
            None => Command::new(&self.program),
        };
        command.arg("serve").arg("--config").arg(self.folder.path().join("medic.toml"));
        command.env_remove("MEDIC_LOG").stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and waits until it says where the dashboard is.
    pub(crate) fn start(&mut self) {
        let mut server = self.command().stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let (ready, wait) = mpsc::channel();
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                eprintln!("{line}");
                log.lock().unwrap().extend([&line, "\n"]);
                if line.contains("the dashboard is at") {
                    let _nobody_waits = ready.send(());
                }
            }
        });
        wait.recv_timeout(PATIENCE).expect("medic did not start");
        self.server = Some(server);
        // pages are there before the database is
        let address = self.address;
        wait_until("the database opened or known not to be there", move || {
            let answer = request(address, "GET", "/api/v1/apps/shop/crashes", &[], "");
            !answer.body.contains("the database is being opened")
        });
    }

    /// Waits until the server has written this to its standard error.
    pub(crate) fn until_said(&self, text: &str) {
        let (log, wanted) = (Arc::clone(&self.log), text.to_owned());
        wait_until(text, move || log.lock().unwrap().contains(&wanted));
    }

    /// Changes how many files the running server may have open: `soft:hard`.
    pub(crate) fn limit_open_files(&self, limits: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={limits}")]).status();
        assert!(status.unwrap().success());
    }

    /// Changes the configuration's file.
    pub(crate) fn edit(&self, change: impl FnOnce(String) -> String) {
        let path = self.folder.path().join("medic.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, change(config)).unwrap();
    }

    /// What the server has said on standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        let config = std::fs::read_to_string(self.folder.path().join("medic.toml")).unwrap();
        let data_dir = config.lines().find_map(|line| line.strip_prefix("data_dir = \"")?.strip_suffix('"'));
        self.folder.path().join(data_dir.unwrap_or("data"))
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    /// Sends the server a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// Ends it without a chance to clean up.
    pub(crate) fn kill(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Ends it in order; tells whether it said that it ended well.
    pub(crate) fn stop(&mut self) -> bool {
        self.signal("TERM");
        self.server.take().unwrap().wait().unwrap().success()
    }

    /// Ends it and leaves the workers running; tells whether it said that it ended well.
    pub(crate) fn hand_over(&mut self) -> bool {
        self.signal("USR1");
        self.server.take().unwrap().wait().unwrap().success()
    }

    /// Where its configuration is.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Waits for the end that somebody else has asked for.
    pub(crate) fn has_ended_well(&mut self) -> bool {
        self.server.take().unwrap().wait().unwrap().success()
    }

    /// Starts the server by another program.
    pub(crate) fn start_by(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
        self.start();
    }

    /// Signals until it has ended: of signals that come close together the kernel delivers one.
    pub(crate) fn hasten(&mut self) -> bool {
        loop {
            self.signal("TERM");
            if let Some(status) = self.server.as_mut().unwrap().try_wait().unwrap() {
                self.server = None;
                return status.success();
            }
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        request(self.address, "GET", path, &[], "")
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    pub(crate) fn instances(&self) -> Vec<Value> {
        self.json("/api/v1/apps/shop")["instances"].as_array().unwrap().clone()
    }

    /// A request through the app's front door.
    pub(crate) fn shop(&self, path: &str) -> Answer {
        request(self.front_door, "GET", path, &[], "")
    }

    /// Waits until `look` finds something, looking again whenever the server says that something changed.
    pub(crate) fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        self.until_within(PATIENCE, what, look)
    }

    /// The same, for what takes long.
    pub(crate) fn until_within<T>(
        &self,
        patience: Duration,
        what: &str,
        mut look: impl FnMut() -> Option<T>,
    ) -> T {
        let mut events = TcpStream::connect(self.address).unwrap();
        // Events that say nothing come as long as the server lives.
        let (_found, waiting) = mpsc::channel::<()>();
        let watched = events.try_clone().unwrap();
        std::thread::spawn(move || {
            if waiting.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _already_closed = watched.shutdown(std::net::Shutdown::Both);
            }
        });
        write!(events, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut lines = BufReader::new(events).lines();
        loop {
            if let Some(found) = look() {
                return found;
            }
            loop {
                let line =
                    lines.next().and_then(Result::ok).unwrap_or_else(|| panic!("waited in vain for: {what}"));
                if line.starts_with("event: changed") {
                    break;
                }
            }
        }
    }

    pub(crate) fn until_running(&self) {
        self.until("every instance running", || {
            self.instances().iter().all(|i| i["state"] == "running").then_some(())
        });
    }

    /// Crashes one worker through the front door and waits until the incident list says so; the number of crashes recorded.
    pub(crate) fn crash(&self, how: &str) -> u64 {
        let before = self.crashes();
        self.until_running();
        let _cut_off = self.shop(&format!("/crash/{how}"));
        self.until("the crash recorded", || (self.crashes() > before).then(|| self.crashes()))
    }

    pub(crate) fn crashes(&self) -> u64 {
        u64::try_from(self.json("/api/v1/apps/shop/crashes").as_array().unwrap().len()).unwrap()
    }
}

impl Drop for Medic {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _already_gone = Command::new("kill").arg(server.id().to_string()).status();
            let _ended = server.wait();
        }
        kill_left_over(&self.data_dir());
    }
}

/// Workers that a killed server left running.
fn kill_left_over(data_dir: &Path) {
    for pid in processes_below(data_dir) {
        let _already_gone =
            Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
    }
}

/// Sends a signal; `false` when there is no such process any more.
pub(crate) fn kill(pid: u64, signal: &str) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-s", signal, &pid.to_string()]).stderr(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}

/// The shims that live in this data folder, by their command lines.
pub(crate) fn processes_below(data_dir: &Path) -> Vec<u32> {
    let data_dir = data_dir.to_string_lossy();
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&*data_dir))
    })
    .collect()
}

pub(crate) fn is_alive(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

/// Waits for what the kernel does in its own time, such as the end of a process that was killed.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool + Send + 'static) {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        while !condition() {
            std::thread::yield_now();
        }
        let _nobody_waits = done.send(());
    });
    wait.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("waited in vain for: {what}"));
}
