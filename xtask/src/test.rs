//! `cargo xtask test`: every check there is, on a machine that may have nothing but Rust and a C compiler.

use std::fs;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::postgres::Postgres;
use crate::process::{cargo, interruption, on_path, run};
use crate::setup;
use crate::site;
use crate::stopwatch::{Stopwatch, text};
use crate::workspace::root;

enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

struct Step {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// What was done so far. A step that fails does not keep the next from running: one run says all that is wrong.
struct Run {
    steps: Vec<Step>,
    missing: Vec<String>,
    interrupted: Arc<AtomicBool>,
}

/// Sets up, checks everything, and says what it found.
pub(crate) fn run_tests() -> Result<ExitCode> {
    let whole = Stopwatch::start();
    let mut tests = Run { steps: Vec::new(), missing: Vec::new(), interrupted: interruption()? };
    let mut missing = Vec::new();
    tests.step("set up", || {
        setup::add_components()?;
        site::add_wasm_target()?;
        missing = setup::for_tests()?;
        Ok(())
    });
    tests.missing = missing;
    tests.step("format", || run(cargo().args(["fmt", "--all", "--check"])));
    // As it is released: the page specs weigh it.
    let site = tests.step("build the site", || site::build(site::Profile::Release));
    // The programs are built along with the tests that run them: once, with one set of features.
    let programs = tests.step("build everything", || run(cargo_test().arg("--no-run")));
    tests.step("lints", || {
        run(cargo()
            .args(["clippy", "--locked", "--workspace", "--exclude", "frontend", "--all-targets"])
            .args(DENY))
    });
    tests.step("lints of the front end, for WASM", || {
        run(site::cargo_for_wasm("clippy").args(["--package", "frontend"]).args(DENY))
    });
    tests.step("the pure crates, for WASM", || run(site::cargo_for_wasm("check").args(PURE)));
    let everything_is_there = tests.missing.is_empty();
    tests.step("Rust tests", || rust_tests(everything_is_there));
    tests.pages(site && programs);
    Ok(tests.summary(whole.elapsed()))
}

/// What has no I/O, async, clock or randomness.
const PURE: [&str; 8] =
    ["--package", "model", "--package", "engine", "--package", "insight", "--package", "app_service"];

const DENY: [&str; 3] = ["--", "-D", "warnings"];

/// Every package but the front end. Whoever runs a part of the tests takes it from here, so that nothing is built twice.
pub(crate) fn cargo_test() -> Command {
    let mut cargo = cargo();
    // With the front end in, the pages would be compiled for server and browser at once.
    cargo.args(["test", "--locked", "--workspace", "--exclude", "frontend"]);
    cargo
}

fn rust_tests(everything_is_there: bool) -> Result<()> {
    let mut cargo = cargo_test();
    cargo.args(["--no-fail-fast", "--", "--include-ignored"]);
    let postgres = crate::postgres::programs().map(|_| Postgres::start()).transpose()?;
    environment(&mut cargo, everything_is_there, postgres.as_ref());
    run(&mut cargo)
}

/// What the tests find in their environment: whether a missing program is a failure, and where PostgreSQL is.
pub(crate) fn environment(tests: &mut Command, everything_is_there: bool, postgres: Option<&Postgres>) {
    if everything_is_there {
        tests.env("MEDIC_TEST_ALL", "1");
    }
    if let Some(postgres) = postgres {
        tests.env("MEDIC_TEST_POSTGRES", postgres.url());
    }
}

impl Run {
    /// Answers whether it passed.
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> bool {
        let watch = Stopwatch::start();
        if self.interrupted.load(Ordering::SeqCst) {
            self.record(name, watch, Outcome::Failed("interrupted".to_owned()));
            return false;
        }
        println!("\n── {name}");
        let outcome = match work() {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        let passed = matches!(outcome, Outcome::Passed);
        self.record(name, watch, outcome);
        passed
    }

    fn record(&mut self, name: &'static str, watch: Stopwatch, outcome: Outcome) {
        if let Outcome::Failed(why) = &outcome {
            eprintln!("xtask: {name}: {why}");
        }
        self.steps.push(Step { name, took: watch.elapsed(), outcome });
    }

    fn all_passed(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step.outcome, Outcome::Failed(_)))
    }

    fn pages(&mut self, built: bool) {
        const NAME: &str = "pages in Chromium";
        let skip = |why: &str| Outcome::Skipped(why.to_owned());
        match setup::chromium() {
            _ if !built => self.record(NAME, Stopwatch::start(), skip("something of it could not be built")),
            Some(chromium) if on_path("npm").is_some() => {
                self.step(NAME, || {
                    npm_ci()?;
                    let mut npx = Command::new("npx");
                    npx.current_dir(root().join("end2end")).env("CHROMIUM", chromium);
                    run(npx.args(["--no-install", "playwright", "test"]))
                });
            }
            _ => self.record(NAME, Stopwatch::start(), skip("Chromium or npm is missing")),
        }
    }

    fn summary(&self, whole: Duration) -> ExitCode {
        println!("\n── summary");
        for Step { name, took, outcome } in &self.steps {
            let (word, why) = match outcome {
                Outcome::Passed => ("passed ", String::new()),
                Outcome::Failed(why) => ("FAILED ", format!("  {}", why.lines().next().unwrap_or(""))),
                Outcome::Skipped(why) => ("skipped", format!("  {why}")),
            };
            println!("{word}  {:>12}  {name}{why}", text(*took));
        }
        for sentence in &self.missing {
            println!("skipped  {sentence}");
        }
        println!("in all  {:>13}", text(whole));
        if self.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Installs the packages of `end2end` exactly as its lock file says, if that was not done for this very lock file.
pub(crate) fn npm_ci() -> Result<()> {
    let folder = root().join("end2end");
    let installed = folder.join("node_modules/.medic-lock");
    let lock = fs::read_to_string(folder.join("package-lock.json"))?;
    if fs::read_to_string(&installed).is_ok_and(|old| old == lock) {
        return Ok(());
    }
    if on_path("npm").is_none() {
        bail!("npm is not installed");
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
    run(npm.current_dir(&folder))?;
    fs::write(installed, lock)?;
    Ok(())
}
