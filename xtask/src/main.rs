//! `cargo xtask`: everything that is done to Medic's sources. Each command does its own set-up, so that a machine with rustup
//! and a C compiler needs nothing else.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

mod bench;
mod deb;
mod demo;
#[cfg(test)]
mod directions;
mod http;
mod machine;
mod medic;
mod postgres;
mod process;
mod release;
mod release_flags;
mod setup;
mod site;
mod stopwatch;
mod stress;
mod test;
mod torture;
mod versions;
mod workspace;

const USAGE: &str = "usage: cargo xtask <command>

  site [--release]        build the site into target/site
  build                   build the release binary target/release/medic, the site in it
  deb                     build the release and pack it as a Debian package
  demo [--once] [--screenshots FOLDER]
                          host two apps, crash one until the debugger has caught it, and explain it; until Ctrl-C, or
                          with --once until the incident is there
  test                    install what tests need, then run every check and test
  test --stress N         run every Rust test N times beside a busy machine
  torture [CASE]          break a running Medic in every way for minutes, and print what it lost
  machine [PACKAGE]       install, use, upgrade and purge the Debian package on machines of its own; builds it if none is named
  bench                   run every bench beside its anchor
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["site"] => site::build(site::Profile::Dev)?,
        ["site", "--release"] => site::build(site::Profile::Release)?,
        ["build"] => release::build()?,
        ["deb"] => drop(deb::build()?),
        ["demo", options @ ..] => demo::run_demo(&demo_options(options)?)?,
        ["test"] => return test::run_tests(),
        ["test", "--stress", rounds] => {
            let rounds = rounds.parse().with_context(|| format!("`{rounds}` is no number of rounds"))?;
            return stress::run_stressed(rounds);
        }
        ["torture", case @ ..] if case.len() <= 1 => torture::run_torture(case.first().copied())?,
        ["machine", package @ ..] if package.len() <= 1 => {
            machine::try_package(package.first().map(Path::new))?;
        }
        ["bench"] => bench::run_benches()?,
        [] | ["help" | "--help" | "-h"] => print!("{USAGE}"),
        _ => bail!("no such command: {}\n\n{USAGE}", words.join(" ")),
    }
    Ok(ExitCode::SUCCESS)
}

fn demo_options(mut words: &[&str]) -> Result<demo::Options> {
    let mut options = demo::Options::default();
    loop {
        words = match words {
            [] => return Ok(options),
            ["--once", rest @ ..] => {
                options.once = true;
                rest
            }
            ["--screenshots", folder, rest @ ..] => {
                options.screenshots = Some(folder.into());
                rest
            }
            [word, ..] => bail!("`demo` does not know `{word}`\n\n{USAGE}"),
        }
    }
}
