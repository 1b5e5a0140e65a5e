//! A worker below a shim, for the benches beside this folder.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use shim::protocol::{FromShim, ToShim, Watched, WorkerSpec};

/// It and the connection to its shim.
pub(crate) struct Worker {
    _folder: tempfile::TempDir,
    messages: BufReader<UnixStream>,
}

impl Worker {
    /// Starts one; `change` says what is not as usual.
    pub(crate) fn start(command: Vec<String>, arm: bool, change: impl FnOnce(&mut WorkerSpec)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run_dir = folder.path().join("run");
        let exe = Path::new(env!("CARGO_BIN_EXE_shim"));
        let mut spec = WorkerSpec {
            worker: "bench/0/0".parse().expect("a worker's name"),
            command,
            directory: None,
            environment: BTreeMap::new(),
            port: 0,
            application_log_dir: folder.path().join("application"),
            crash_log_dir: folder.path().join("crashdumps"),
            log_file_limit_bytes: 1 << 20,
            log_files_kept: 2,
            log_file_age_ms: None,
            arm,
            analyser: vec![exe.to_string_lossy().into_owned(), "analyse".to_owned()],
            core_dumps: false,
            cgroup: None,
            open_files: None,
            identity: None,
            umask: None,
            limits: shim::protocol::ResourceLimits::default(),
            watch: Watched::Serving,
            spec_hash: String::new(),
        };
        change(&mut spec);
        shim::launch(&shim::ForkServer::new(exe), &run_dir, &spec).expect("the target starts");
        let stream = shim::connect(&run_dir).expect("its shim answers");
        Self { _folder: folder, messages: BufReader::new(stream) }
    }

    /// What its shim says next.
    pub(crate) fn next(&mut self) -> FromShim {
        let mut line = String::new();
        let length = self.messages.read_line(&mut line).expect("a line");
        assert!(length > 0, "the shim ended without a word of it");
        serde_json::from_str(&line).expect("a message")
    }

    /// Asks its shim.
    pub(crate) fn send(&self, request: &ToShim) {
        let mut line = serde_json::to_vec(request).expect("a line");
        line.push(b'\n');
        self.messages.get_ref().write_all(&line).expect("the shim listens");
    }
}
