//! Real shims with real workers: compiled once, started in folders that nothing is left of.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use model::crash::{Audit, Findings};
use model::{Clock, Exit};
use shim::protocol::{FromShim, ToShim, Watched, WorkerSpec};
use shim::{ForkServer, SystemClock};

/// How long anything may take. Not a measurement: a test that reaches it has failed.
const LIMIT: Duration = Duration::from_mins(1);

/// The folder of the compiled programs.
pub(crate) fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
        std::fs::create_dir_all(&folder).unwrap();
        compile("g++", &["-std=c++17", "-fno-omit-frame-pointer"], "crash.cpp", &folder);
        for source in [
            "signals.c",
            "churn.c",
            "clones.c",
            "stuck.c",
            "threads.c",
            "traceme.c",
            "inherit.c",
            "hostile_python.c",
        ] {
            compile("cc", &[], source, &folder);
        }
        folder
    })
}

fn compile(compiler: &str, flags: &[&str], source: &str, folder: &Path) {
    let name = source.split('.').next().unwrap();
    // another name first: a shim of an earlier run may still execute the old file
    let (program, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    let status = Command::new(compiler)
        .args(["-g", "-O1", "-pthread"])
        .args(flags)
        .arg("-o")
        .arg(&fresh)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source))
        .status()
        .unwrap();
    assert!(status.success(), "{source} does not compile");
    std::fs::rename(fresh, program).unwrap();
}

/// A compiled program with its arguments.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Vec<String> {
    let program = programs().join(name).to_str().unwrap().to_owned();
    std::iter::once(program).chain(arguments.iter().map(|argument| (*argument).to_owned())).collect()
}

/// A shell command.
pub(crate) fn sh(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

/// What a crash came to.
pub(crate) struct Crashed {
    pub(crate) exit: Exit,
    pub(crate) findings: Findings,
    pub(crate) audit: Option<Audit>,
}

impl Crashed {
    /// The innermost function of the program itself.
    pub(crate) fn top_function(&self, module: &str) -> &str {
        let frames = &self.findings.crashing_thread.frames;
        let own = frames.iter().find(|frame| frame.module.as_deref() == Some(module));
        own.and_then(|frame| frame.function.as_deref()).unwrap_or("")
    }
}

/// One shim and its worker.
pub(crate) struct Run {
    folder: tempfile::TempDir,
    pub(crate) spec: WorkerSpec,
    reader: BufReader<UnixStream>,
    pub(crate) pid: u32,
    pub(crate) shim_pid: u32,
    pub(crate) armed: bool,
}

impl Run {
    pub(crate) fn start(command: Vec<String>, arm: bool) -> Self {
        Self::start_with(command, arm, |_| {})
    }

    pub(crate) fn start_with(command: Vec<String>, arm: bool, change: impl FnOnce(&mut WorkerSpec)) -> Self {
        Self::start_by(exe(), command, arm, change)
    }

    pub(crate) fn start_by(
        exe: &Path,
        command: Vec<String>,
        arm: bool,
        change: impl FnOnce(&mut WorkerSpec),
    ) -> Self {
        Self::start_from(&ForkServer::new(exe), command, arm, change)
    }

    pub(crate) fn start_from(
        fork_server: &ForkServer,
        command: Vec<String>,
        arm: bool,
        change: impl FnOnce(&mut WorkerSpec),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = spec(folder.path(), command, arm);
        change(&mut spec);
        if let Err(error) = shim::launch(fork_server, &folder.path().join("run"), &spec) {
            panic!("{error}");
        }
        let (reader, state) = Self::open(&folder.path().join("run"));
        let FromShim::State { pid, armed, .. } = state else { panic!("{state:?}") };
        let shim_pid = process_with(&folder.path().join("run")).unwrap();
        Self { folder, spec, reader, pid, shim_pid, armed }
    }

    fn open(run_dir: &Path) -> (BufReader<UnixStream>, FromShim) {
        let stream = shim::connect(run_dir).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut reader = BufReader::new(stream);
        let state = read(&mut reader);
        (reader, state)
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Connects again, as a new server would; the state that it is told.
    pub(crate) fn reconnect(&mut self) -> FromShim {
        // as long as it lives, no other is heard
        self.hang_up();
        let (reader, state) = Self::open(&self.run_dir());
        self.reader = reader;
        state
    }

    pub(crate) fn send(&self, request: &ToShim) {
        let mut line = serde_json::to_vec(request).unwrap();
        line.push(b'\n');
        self.reader.get_ref().write_all(&line).unwrap();
    }

    /// The connection once more.
    pub(crate) fn writer(&self) -> UnixStream {
        self.reader.get_ref().try_clone().unwrap()
    }

    pub(crate) fn hang_up(&self) {
        self.reader.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// Sends a line as it stands.
    pub(crate) fn send_line(&self, line: &[u8]) {
        self.reader.get_ref().write_all(line).unwrap();
        self.reader.get_ref().write_all(b"\n").unwrap();
    }

    /// The next line as it stands.
    pub(crate) fn next_line(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) fn next(&mut self) -> FromShim {
        read(&mut self.reader)
    }

    /// The connection was closed from the other side.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut line = String::new();
        matches!(self.reader.read_line(&mut line), Ok(0))
    }

    /// The next message that fits.
    pub(crate) fn wait_for(&mut self, fits: impl Fn(&FromShim) -> bool) -> FromShim {
        loop {
            let message = self.next();
            if fits(&message) {
                return message;
            }
        }
    }

    pub(crate) fn wait_for_end(&mut self) -> FromShim {
        self.wait_for(|message| matches!(message, FromShim::Ended { .. }))
    }

    /// The end, which must be a crash, and what was found.
    pub(crate) fn wait_for_crash(&mut self) -> Crashed {
        let FromShim::Ended { exit, crash, asked, .. } = self.wait_for_end() else { unreachable!() };
        assert!(crash && !asked, "{exit} is no crash");
        let analysed = self.wait_for(|message| matches!(message, FromShim::Analysed { .. }));
        let FromShim::Analysed { findings, audit } = analysed else { unreachable!() };
        Crashed { exit, findings, audit }
    }

    /// Waits until the worker has printed this line.
    pub(crate) fn wait_for_line(&mut self, line: &str) {
        let deadline = SystemClock.monotonic() + LIMIT;
        while !self.tail(200).iter().any(|printed| printed == line) {
            assert!(SystemClock.monotonic() < deadline, "no line `{line}`");
            std::thread::yield_now();
        }
    }

    pub(crate) fn tail(&mut self, lines: usize) -> Vec<String> {
        self.send(&ToShim::Tail { lines });
        match self.wait_for(|message| matches!(message, FromShim::Tail { .. })) {
            FromShim::Tail { lines } => lines,
            _ => unreachable!(),
        }
    }

    pub(crate) fn arm(&mut self) {
        self.send(&ToShim::Arm);
        let answer =
            self.wait_for(|message| matches!(message, FromShim::Armed | FromShim::ArmRefused { .. }));
        assert_eq!(answer, FromShim::Armed);
    }

    /// The content of every output file, oldest first.
    pub(crate) fn output(&self) -> String {
        let mut files: Vec<_> = std::fs::read_dir(&self.spec.application_log_dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files.iter().map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned()).collect()
    }

    /// Kills the shim as it stands.
    pub(crate) fn kill_shim(&self) {
        kill("KILL", self.shim_pid);
    }

    /// Lets the shim go, and waits until nothing is left.
    pub(crate) fn acknowledge(&mut self) {
        self.send(&ToShim::Acknowledge);
        assert!(self.is_closed());
        assert!(!self.run_dir().exists());
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // its worker ends with it; the id is checked, since both may be long gone, and may be so a moment later
        if status_field(self.shim_pid, "Name") == "shim" {
            let pid = self.shim_pid.to_string();
            let _just_gone = Command::new("kill").args(["-KILL", &pid]).stderr(Stdio::null()).status();
        }
    }
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = SystemClock.monotonic() + LIMIT;
    while !is_so() {
        assert!(SystemClock.monotonic() < deadline, "never {what}");
        std::thread::yield_now();
    }
}

/// Copies a program that is to be run. Not by this process: what it forks at that moment for another test would hold the copy open
/// for writing, and the kernel runs no such file (ETXTBSY).
pub(crate) fn copy_program(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// Writes a script that is to be run, for the same reason in a process of its own.
pub(crate) fn write_script(path: &Path, text: &str) {
    let write = "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"";
    let mut writer = Command::new("sh");
    assert!(writer.args(["-c", write, "sh"]).arg(path).arg(text).status().unwrap().success());
}

pub(crate) fn exe() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_shim"))
}

pub(crate) fn spec(folder: &Path, command: Vec<String>, arm: bool) -> WorkerSpec {
    WorkerSpec {
        worker: "shop/0/1769847300000".parse().unwrap(),
        command,
        directory: Some(folder.to_owned()),
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]),
        port: 0,
        application_log_dir: folder.join("application"),
        crash_log_dir: folder.join("crashdumps"),
        log_file_limit_bytes: 1 << 20,
        log_files_kept: 3,
        log_file_age_ms: None,
        arm,
        watch: Watched::Serving,
        analyser: vec![exe().to_str().unwrap().to_owned(), "analyse".to_owned()],
        core_dumps: false,
        cgroup: None,
        open_files: None,
        identity: None,
        umask: None,
        limits: shim::protocol::ResourceLimits::default(),
        spec_hash: "hash".to_owned(),
    }
}

fn read(reader: &mut BufReader<UnixStream>) -> FromShim {
    let mut line = String::new();
    let length = reader.read_line(&mut line).unwrap();
    assert!(length > 0, "the shim closed the connection");
    serde_json::from_str(&line).unwrap()
}

/// The shim's process, by the run directory in its command line.
fn process_with(argument: &Path) -> Option<u32> {
    let pids = std::fs::read_dir("/proc").unwrap();
    pids.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).find(|pid: &u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).any(|word| word == argument.as_os_str().as_encoded_bytes())
    })
}

/// Sends a signal by its name.
pub(crate) fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().unwrap();
    assert!(status.success());
}

/// Is it gone, but for what its parent has not asked for yet?
pub(crate) fn has_ended(pid: u32) -> bool {
    matches!(status_field(pid, "State").chars().next(), None | Some('Z' | 'X'))
}

/// One field of `/proc/PID/status`; empty when the process is gone.
pub(crate) fn status_field(pid: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or("").trim().to_owned()
}
