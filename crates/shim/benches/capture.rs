//! How long a capture stops a worker, beside gcore in the same run, and what the debugger costs a worker that handles signals.
//!
//! `cargo bench -p shim --bench capture`. A worker with 34 and with 500 threads and 64 MiB of memory is captured by its shim as
//! it crashes, and an equal one that lives is written out by gdb's gcore. The capture's time is what its audit says. gcore has
//! no such word, so its target watches itself: one thread looks at the clock all the time and remembers the longest gap.

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use shim::protocol::{FromShim, ToShim};
use support::Worker;

const ROUNDS: usize = 7;
const MEMORY_MIB: u32 = 64;
const SIGNALS: u32 = 50_000;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let target = compile("threads.c", folder.path());
    let signals = compile("signals.c", folder.path());
    let has_gcore = Command::new("gcore").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    println!("stopped for, in ms: median (least to most) of {ROUNDS} runs; a worker with {MEMORY_MIB} MiB");
    println!("{:>8}  {:>24}  {:>10}  {:>28}", "threads", "capture", "dump", "gcore");
    for threads in [34, 500] {
        let captures: Vec<(f64, u64)> = (0..ROUNDS).map(|_| capture(&target, threads)).collect();
        let times = captures.iter().map(|(ms, _)| *ms).collect();
        let size_kib = captures.iter().map(|(_, bytes)| bytes / 1_024).max().unwrap_or(0);
        let anchor = if has_gcore {
            spread((0..ROUNDS).map(|_| gcore(&target, threads, folder.path())).collect())
        } else {
            "no gcore (apt install gdb)".to_owned()
        };
        println!("{threads:>8}  {:>24}  {:>6} KiB  {anchor:>28}", spread(times), size_kib);
    }
    println!("a handled signal, in µs: median (least to most) of {ROUNDS} runs of {SIGNALS}");
    for (arm, thread, what) in [
        (false, false, "without the debugger"),
        (true, false, "with it"),
        (true, true, "not on the main thread"),
    ] {
        let times = (0..ROUNDS).map(|_| handled_signal(&signals, arm, thread)).collect();
        println!("{what:>24}  {:>24}", spread(times));
    }
}

fn compile(source: &str, folder: &Path) -> PathBuf {
    let target = folder.join(source).with_extension("");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
    let compiled = Command::new("cc").args(["-g", "-O1", "-pthread", "-o"]).arg(&target).arg(source).status();
    assert!(compiled.is_ok_and(|status| status.success()), "the target needs a C compiler (apt install gcc)");
    target
}

fn spread(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    let (least, most) = (times.first().copied().unwrap_or(0.0), times.last().copied().unwrap_or(0.0));
    format!("{:.1} ({least:.1} to {most:.1})", times.get(times.len() / 2).copied().unwrap_or(0.0))
}

/// One crash under the debugger: how long it stood still, in ms, and the dump's size.
fn capture(target: &Path, threads: u32) -> (f64, u64) {
    let arguments = [threads.to_string(), MEMORY_MIB.to_string(), "crash".to_owned()];
    let message =
        run(target, &arguments, true, |message| matches!(message, FromShim::Analysed { audit: Some(_), .. }));
    let FromShim::Analysed { audit: Some(audit), .. } = message else { unreachable!() };
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a standstill are few")]
    (audit.stopped_us as f64 / 1_000.0, audit.size_bytes)
}

/// What one handled signal costs a worker, on its main thread or another one, in µs.
fn handled_signal(target: &Path, arm: bool, thread: bool) -> f64 {
    let mut arguments = vec![SIGNALS.to_string()];
    arguments.extend(thread.then(|| "thread".to_owned()));
    let message = run(target, &arguments, arm, |message| matches!(message, FromShim::Ended { .. }));
    let FromShim::Ended { uptime_ms, crash: false, .. } = message else { panic!("{message:?}") };
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are few")]
    (uptime_ms as f64 * 1_000.0 / f64::from(SIGNALS))
}

/// Runs a target to its end under a shim; the message that fits.
fn run(target: &Path, arguments: &[String], arm: bool, fits: impl Fn(&FromShim) -> bool) -> FromShim {
    let command = std::iter::once(target.to_string_lossy().into_owned()).chain(arguments.iter().cloned());
    let mut worker = Worker::start(command.collect(), arm, |_| {});
    loop {
        let message = worker.next();
        if fits(&message) {
            worker.send(&ToShim::Acknowledge);
            return message;
        }
    }
}

/// The longest gap that a living target saw while gcore wrote it out, in ms.
fn gcore(target: &Path, threads: u32, folder: &Path) -> f64 {
    let mut process = Command::new(target)
        .args([threads.to_string(), MEMORY_MIB.to_string(), "watch".to_owned()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the target starts");
    let mut output = BufReader::new(process.stdout.take().expect("its output"));
    let mut line = String::new();
    output.read_line(&mut line).expect("it says that it is ready");
    let core = folder.join("core");
    Command::new("gcore")
        .arg("-o")
        .arg(&core)
        .arg(process.id().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("gcore runs");
    drop(process.stdin.take());
    line.clear();
    output.read_line(&mut line).expect("it says how long the gap was");
    process.wait().expect("it ends");
    let written = folder.join(format!("core.{}", process.id()));
    assert!(written.exists(), "gcore wrote nothing: it needs the right to debug");
    std::fs::remove_file(written).expect("the core can be removed");
    line.trim().parse::<f64>().expect("a number") / 1_000.0
}
