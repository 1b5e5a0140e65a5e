//! The `medic` program: the server, and, called by it, a worker's shim and the analyser of one crash.

// A page's type nests as deep as its elements; an optimised build lays all of it out.
#![recursion_limit = "256"]
#![expect(unreachable_pub, reason = "within a program, `pub` says what a module offers to its neighbours")]

mod access;
mod accounts;
mod apps;
mod ask;
mod backup;
mod check;
mod command_line;
mod config;
mod configured;
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
mod running;
mod serve;
mod service_manager;
mod stopping;
mod supervision;
mod user;
mod vitals;
mod worker_output;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use command_line::{Command, HELP};
use config::Config;
use serve::Purpose;
use service_manager::ServiceManager;

fn main() -> ExitCode {
    shim::reset_signals();
    let (command, path) = match command_line::command() {
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
        Command::Serve => serve(&path, Purpose::Serve),
        Command::Reload => reload(&path),
        Command::Stop { keep_apps } => stop(&path, keep_apps),
        Command::Backup(file) => back_up(&path, &file),
        Command::Restore(file) => restore(&path, &file),
        Command::User(command) => change_users(&path, command),
        Command::CheckConfig => check_config(&path),
        Command::Install { unit, yes } => {
            install::install(&install::Install { config: path, unit, yes }).map_err(Into::into)
        }
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

fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}").context("writing to standard output")
}

fn load(path: &std::path::Path) -> anyhow::Result<Config> {
    Ok(Config::load(path, &serve::environment())?)
}

fn check_config(path: &std::path::Path) -> anyhow::Result<()> {
    let config = load(path)?;
    let found = check::look(path, &config, std::env::var("PATH").ok().as_deref());
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

fn back_up(path: &std::path::Path, file: &std::path::Path) -> anyhow::Result<()> {
    let config = load(path)?;
    for removed in runtime()?.block_on(backup::back_up(&config, file))? {
        eprintln!("medic: deleted {}, which an interrupted backup left", removed.display());
    }
    print(&format!("backed up to {}", file.display()))
}

fn restore(path: &std::path::Path, file: &std::path::Path) -> anyhow::Result<()> {
    let config = load(path)?;
    let kept = runtime()?.block_on(backup::restore(&config, file))?;
    let kept = kept.map_or_else(String::new, |kept| format!("; what was there is in {}", kept.display()));
    print(&format!("restored {}{kept}", file.display()))
}

fn change_users(path: &std::path::Path, command: command_line::UserCommand) -> anyhow::Result<()> {
    let config = load(path)?;
    print(runtime()?.block_on(user::run(path, &config, command))?.trim_end())
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")
}

/// A file that is wrong is said here, to whoever asks for it, and not only in the server's log.
fn reload(path: &std::path::Path) -> anyhow::Result<()> {
    let config = load(path)?;
    for config::Waiting { key, remedy, .. } in ask::reload(path, &config)? {
        eprintln!("medic: {key} changed: {remedy}");
    }
    print("the server reads the configuration again; its log says how that went")
}

/// Where no server runs, what the last one left is taken over to be ended. A file that is wrong keeps nobody from stopping.
fn stop(path: &std::path::Path, keep_apps: bool) -> anyhow::Result<()> {
    let config = load(path);
    let data_dir = config.as_ref().ok().map(|config| config.data_dir.as_path());
    match ask::stop(path, data_dir, keep_apps)? {
        ask::Stopped::Server { with_apps: false } => print("stopped; the apps keep running"),
        ask::Stopped::Server { with_apps: true } if keep_apps => {
            print("stopped, and the apps too, because server.data_dir changed")
        }
        ask::Stopped::Server { .. } => print("stopped"),
        ask::Stopped::NoServer if keep_apps || !supervision::are_workers_left(&config?.data_dir) => {
            print("no server is running")
        }
        ask::Stopped::NoServer => serve(path, Purpose::EndWorkers),
    }
}

fn serve(path: &std::path::Path, purpose: Purpose) -> anyhow::Result<()> {
    let config = load(path)?;
    log::start();
    shim::limit_heaps();
    let service_manager = ServiceManager::of_environment(|name| std::env::var(name).ok());
    let runtime = runtime()?;
    let served =
        runtime.block_on(serve::serve(path, config, Arc::new(shim::SystemClock), service_manager, purpose));
    // what still reads or writes a file beside the runtime keeps nobody waiting
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(served?)
}
