//! `cargo xtask`: everything that is done to Medic's sources. Each command does its own set-up, so that a machine with rustup
//! and a C compiler needs nothing else.

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

mod process;
mod release;
mod site;
mod versions;
mod workspace;

const USAGE: &str = "usage: cargo xtask <command>

  site [--release]        build the site into target/site
  build                   build the release binary target/release/medic, the site in it
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["site"] => site::build(site::Profile::Dev),
        ["site", "--release"] => site::build(site::Profile::Release),
        ["build"] => release::build(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("no such command: {}\n\n{USAGE}", words.join(" ")),
    }
}
