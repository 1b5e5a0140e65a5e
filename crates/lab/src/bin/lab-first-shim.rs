//! A shim as the first release had it, for a newer Medic to take over: it reads `spec.json`, runs a real worker, and says over
//! `shim.sock` what that release's shim said, word for word: version 0 of the protocol. As that one, it hears the latest client
//! alone, drops whoever asks what it does not know, answers no signal, and ends when its worker's end is acknowledged. It has no
//! debugger and no analyser: an analysis says the signal's number.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

struct Shim {
    run_dir: PathBuf,
    pid: u32,
    state: Value,
    asked: bool,
    past: Vec<Value>,
    client: Option<UnixStream>,
}

fn main() -> std::io::Result<()> {
    let run_dir = PathBuf::from(std::env::args_os().nth(2).unwrap_or_default());
    let spec: Value = serde_json::from_slice(&std::fs::read(run_dir.join("spec.json"))?)?;
    std::env::set_current_dir(&run_dir)?;
    let listener = UnixListener::bind("shim.sock")?;
    let mut worker = worker(&spec).spawn()?;
    let state = json!({
        "type": "state", "worker": spec["worker"], "pid": worker.id(), "started_at": spec["started_at"],
        "port": spec["port"], "spec_hash": spec["spec_hash"], "armed": false, "version": "0.1.0",
    });
    let (pid, past) = (worker.id(), Vec::new());
    let shim = Arc::new(Mutex::new(Shim { run_dir, pid, state, asked: false, past, client: None }));
    let ending = Arc::clone(&shim);
    std::thread::spawn(move || {
        if let Ok(status) = worker.wait() {
            lock(&ending).ended(status);
        }
    });
    for stream in listener.incoming() {
        let stream = stream?;
        let mut this = lock(&shim);
        if let Some(last) = this.client.take() {
            last.shutdown(std::net::Shutdown::Both)?;
        }
        this.client = Some(stream.try_clone()?);
        for message in std::iter::once(this.state.clone()).chain(this.past.clone()) {
            this.say(&message);
        }
        let hearing = Arc::clone(&shim);
        std::thread::spawn(move || {
            for line in BufReader::new(&stream).lines() {
                if !line.is_ok_and(|line| lock(&hearing).hear(&line)) {
                    break;
                }
            }
            stream.shutdown(std::net::Shutdown::Both)
        });
    }
    Ok(())
}

fn lock(shim: &Mutex<Shim>) -> std::sync::MutexGuard<'_, Shim> {
    shim.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(unsafe_code, reason = "a worker does not outlive its shim; prctl takes integers alone")]
fn worker(spec: &Value) -> Command {
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let command: Vec<String> = spec["command"].as_array().into_iter().flatten().map(words).collect();
    let mut worker = Command::new(command.first().map_or("", String::as_str));
    worker
        .args(command.iter().skip(1))
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    worker.envs(
        spec["environment"].as_object().into_iter().flatten().map(|(name, value)| (name, words(value))),
    );
    worker.current_dir(Path::new(&words(&spec["directory"])));
    // SAFETY: between fork and exec only a system call is made.
    unsafe {
        worker.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        })
    };
    worker
}

impl Shim {
    fn say(&mut self, message: &Value) {
        if let Some(client) = &mut self.client {
            let _hung_up = writeln!(client, "{message}");
        }
    }

    /// `false`: the client is dropped.
    fn hear(&mut self, line: &str) -> bool {
        let request: Value = serde_json::from_str(line).unwrap_or_default();
        match request["type"].as_str() {
            Some("signal") => {
                self.asked |= request["signal"] == libc::SIGTERM || request["signal"] == libc::SIGKILL;
                let signal = format!("-{}", request["signal"]);
                let _gone = Command::new("kill").args([signal, self.pid.to_string()]).status();
            }
            Some("tail") => self.say(&json!({"type": "tail", "lines": []})),
            Some("arm") => self.say(&json!({"type": "arm_refused", "reason": "this one has no debugger"})),
            Some("disarm") => self.say(&json!({"type": "disarmed"})),
            Some("acknowledge") if !self.past.is_empty() => {
                let _gone = std::fs::remove_dir_all(&self.run_dir);
                std::process::exit(0);
            }
            Some("acknowledge") => {}
            _ => return false,
        }
        true
    }

    fn ended(&mut self, status: ExitStatus) {
        let clock = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S.000Z"]).output();
        let at =
            clock.map(|clock| String::from_utf8_lossy(&clock.stdout).trim().to_owned()).unwrap_or_default();
        let exit = status.signal().map_or_else(
            || json!({"code": status.code().unwrap_or_default()}),
            |signal| json!({"signal": signal}),
        );
        let crash = !self.asked && !status.success();
        self.past.push(json!({
            "type": "ended", "exit": exit, "asked": self.asked, "oom_killed": false, "at": at, "uptime_ms": 1_000,
            "crash": crash,
        }));
        if crash {
            let what = status.to_string();
            self.past.push(json!({"type": "analysed", "audit": null, "findings": {
                "exception_type": what, "runtime": "native", "signature": what, "modules": [], "notes": [],
                "crashing_thread": {"name": null, "frames": [], "truncated": false, "telling": null},
            }}));
        }
        for message in self.past.clone() {
            self.say(&message);
        }
    }
}
