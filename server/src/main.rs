//! The `medic` program: the server, and, called by it, a worker's shim and the analyser of one crash.

// A page's type nests as deep as its elements; an optimised build lays all of it out.
#![recursion_limit = "256"]
#![expect(unreachable_pub, reason = "within a program, `pub` says what a module offers to its neighbours")]

mod access;
mod apps;
mod check;
mod config;
mod console;
mod custom_action;
mod descriptors;
mod doors;
mod health;
mod housekeeping;
mod http;
mod http_server;
mod install;
mod log;
mod panics;
mod serve;
mod service_manager;
mod stopping;
mod supervision;
mod vitals;
mod worker_output;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use config::Config;

const HELP: &str = "\
Medic keeps web apps running, catches their crashes and explains them.

  medic serve [--config FILE]          run the apps and the dashboard
  medic check-config [--config FILE]   check the configuration
  medic default-config                 print all settings with their defaults
  medic install [--config FILE]        show the systemd unit, then write it (--yes: without a question; --unit: where)
  medic --version

The default FILE is medic.toml. MEDIC_LOG=debug logs more. NO_COLOR=1 logs without colors.";

enum Command {
    Serve(PathBuf),
    CheckConfig(PathBuf),
    DefaultConfig,
    Install(install::Install),
    ForkServer,
    Shim(PathBuf),
    Analyse,
    Help,
    Version,
}

fn main() -> ExitCode {
    shim::reset_signals();
    let command = match command() {
        Ok(command) => command,
        Err(None) => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
        Err(Some(error)) => {
            eprintln!("medic: {error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let done = match command {
        // Before any runtime or thread exists: these fork.
        Command::ForkServer => return shim::fork_server_main(),
        Command::Shim(run_dir) => return shim::shim_main(&run_dir),
        Command::Analyse => return shim::analyser_main(),
        Command::Serve(path) => serve(&path),
        Command::CheckConfig(path) => check_config(&path),
        Command::Install(install) => install::install(&install).map_err(Into::into),
        Command::DefaultConfig => print(config::DEFAULT.trim_end()),
        Command::Help => print(HELP),
        Command::Version => print(concat!("medic ", env!("CARGO_PKG_VERSION"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("medic: {error}");
            for cause in error.chain().skip(1).filter(|cause| !error.to_string().contains(&cause.to_string()))
            {
                eprintln!("  because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

/// What the arguments ask for. No error text where nothing was asked for.
fn command() -> Result<Command, Option<lexopt::Error>> {
    use lexopt::prelude::{Long, Short, Value, ValueExt};
    let mut parser = lexopt::Parser::from_env();
    let mut word = None;
    let mut path = PathBuf::from("medic.toml");
    let mut of_shim = None;
    let (mut unit, mut yes) = (None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("config") | Short('c') => path = parser.value()?.into(),
            Long("unit") if word.as_deref() == Some("install") => unit = Some(parser.value()?.into()),
            Long("yes") if word.as_deref() == Some("install") => yes = true,
            Long("help") | Short('h') => return Ok(Command::Help),
            Long("version") | Short('V') => return Ok(Command::Version),
            Value(value) if word.is_none() => word = Some(value.string()?),
            Value(value) if matches!(word.as_deref(), Some("shim" | "fork-server")) && of_shim.is_none() => {
                of_shim = Some(PathBuf::from(value));
            }
            other => return Err(Some(other.unexpected())),
        }
    }
    match (word.as_deref(), of_shim) {
        (Some("serve"), _) => Ok(Command::Serve(path)),
        (Some("check-config"), _) => Ok(Command::CheckConfig(path)),
        (Some("default-config"), _) => Ok(Command::DefaultConfig),
        (Some("install"), _) => Ok(Command::Install(install::Install { config: path, unit, yes })),
        (Some("fork-server"), Some(_room)) => Ok(Command::ForkServer),
        (Some("shim"), Some(run_dir)) => Ok(Command::Shim(run_dir)),
        (Some("analyse"), _) => Ok(Command::Analyse),
        (Some("help"), _) => Ok(Command::Help),
        (Some(other), _) => Err(Some(format!("unknown command \"{other}\"").into())),
        (None, _) => Err(None),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}").context("writing to standard output")
}

fn load(path: &std::path::Path) -> anyhow::Result<Config> {
    Ok(Config::load(path, &serve::environment())?)
}

fn check_config(path: &std::path::Path) -> anyhow::Result<()> {
    let config = load(path)?;
    let found = check::look(&config, std::env::var("PATH").ok().as_deref());
    for doubt in config.doubts.iter().chain(&found.doubts) {
        eprintln!("medic: {doubt}");
    }
    if !found.problems.is_empty() {
        return Err(config::ConfigError::Wrong(found.problems).into());
    }
    print(&format!(
        "{}: OK. Apps: {}. Dashboard: http://{}",
        path.display(),
        config.apps.len(),
        config.listen
    ))
}

fn serve(path: &std::path::Path) -> anyhow::Result<()> {
    let config = load(path)?;
    log::start();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let served = runtime.block_on(serve::serve(path, config, Arc::new(shim::SystemClock)));
    // what still reads or writes a file beside the runtime keeps nobody waiting
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(served?)
}
