//! `cargo xtask test --stress N`: every Rust test, those that start processes among them, N times in a row beside a busy machine.
//! A test that fails here once in N is a defect of the test or of the code, and would stop a run of everything some day.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;

use crate::process::{interruption, run};
use crate::stopwatch::{Stopwatch, text};
use crate::{postgres, setup, site, test};

/// Runs them `rounds` times and says which rounds failed.
pub(crate) fn run_stressed(rounds: u32) -> Result<ExitCode> {
    let interrupted = interruption()?;
    let missing = setup::for_tests()?;
    site::add_wasm_target()?;
    site::build(site::Profile::Dev)?;
    run(test::cargo_test().arg("--no-run"))?;
    let database = postgres::programs().map(|_| postgres::Postgres::start()).transpose()?;
    let burning = Burning::start();
    let mut failed = Vec::new();
    let whole = Stopwatch::start();
    for round in 1..=rounds {
        if interrupted.load(Ordering::SeqCst) {
            failed.push(format!("{round}: interrupted"));
            break;
        }
        println!("\n── round {round} of {rounds}");
        let watch = Stopwatch::start();
        let mut tests = test::cargo_test();
        tests.args(["--no-fail-fast", "--", "--include-ignored"]);
        test::environment(&mut tests, missing.is_empty(), database.as_ref());
        match run(&mut tests) {
            Ok(()) => println!("── round {round} passed in {}", text(watch.elapsed())),
            Err(error) => {
                eprintln!("── round {round} FAILED in {}: {error:#}", text(watch.elapsed()));
                failed.push(round.to_string());
            }
        }
    }
    drop(burning);
    println!("\n── {rounds} rounds beside a busy machine in {}", text(whole.elapsed()));
    if failed.is_empty() {
        println!("all of them passed");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("FAILED: {}", failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

/// As many threads that do nothing but count as there are processors: every process of a test gets half of one.
struct Burning {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Burning {
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let burn = |over: Arc<AtomicBool>| {
            move || {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        };
        let threads = (0..count).map(|_| std::thread::spawn(burn(Arc::clone(&over)))).collect();
        Self { over, threads }
    }
}

impl Drop for Burning {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}
