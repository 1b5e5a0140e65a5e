//! The process itself.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use super::COMMAND;
use crate::start_request::{Report, StartRequest};
use crate::supervise::run_shim;
use crate::sys::descriptors::{close_all_but_standard, replace};
use crate::sys::process::{Fork, fork, make_files_private, name_as_called};
use crate::sys::signals::{self, reset_inherited};
use crate::title;

/// What `medic fork-server` runs, before any runtime or thread exists: forks a shim for each request that comes over its standard
/// input, until the server is gone.
pub fn fork_server_main() -> ExitCode {
    reset_inherited();
    close_all_but_standard();
    make_files_private();
    name_as_called();
    serve().unwrap_or_else(|error| {
        eprintln!("medic fork-server: {error}");
        ExitCode::FAILURE
    })
}

fn serve() -> io::Result<ExitCode> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    replace(File::open("/dev/null")?.as_fd(), 0)?;
    // it would keep the folder's file system busy that the server was started in
    let _elsewhere = std::env::set_current_dir("/");
    if let Err(error) = title::set(&[title::program().as_bytes(), COMMAND.as_bytes()]) {
        eprintln!("medic fork-server looks odd in lists of processes: {error}");
    }
    // nobody asks how its reapers end
    signals::ignore(libc::SIGCHLD);
    while let Some(request) = StartRequest::receive(socket.as_fd())? {
        match fork() {
            Ok(Fork::Parent(_)) => {}
            Ok(Fork::Child) => {
                // the server tells by its end that this process's parent is gone
                drop(socket);
                signals::give_default_action(libc::SIGCHLD);
                return Ok(run_shim(request));
            }
            Err(error) => Report::new(request.report).say(&format_args!("no shim can be forked: {error}")),
        }
    }
    Ok(ExitCode::SUCCESS)
}
