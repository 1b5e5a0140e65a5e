//! How a server of the first release starts a shim: as `medic shim RUN_DIR`, with the specification in a file, and by the path of its
//! own program. So when that was replaced while it runs, it is this program that is started.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use crate::launch::{Claimed, claim};
use crate::protocol::SPEC_NAME;
use crate::start_request::StartRequest;
use crate::supervise::run_shim;
use crate::sys::descriptors::{close_all_but_standard, replace};
use crate::sys::process::{Fork, fork, make_files_private, name_as_called};
use crate::sys::signals::reset_inherited;

/// What `medic shim RUN_DIR` runs, before any runtime or thread exists. The report is the standard output.
pub fn shim_main(run_dir: &Path) -> ExitCode {
    reset_inherited();
    close_all_but_standard();
    make_files_private();
    name_as_called();
    match request(run_dir).and_then(|request| Ok((request, fork()?))) {
        Ok((_, Fork::Parent(_))) => ExitCode::SUCCESS,
        Ok((request, Fork::Child)) => run_shim(request),
        Err(error) => {
            println!("no shim can be started in {}: {error}", run_dir.display());
            ExitCode::FAILURE
        }
    }
}

fn request(run_dir: &Path) -> io::Result<StartRequest<OwnedFd>> {
    let run_dir = std::path::absolute(run_dir)?;
    let Claimed { lock, listener } = claim(&run_dir)?;
    let spec = File::open(run_dir.join(SPEC_NAME))?;
    // it holds secrets
    std::fs::remove_file(run_dir.join(SPEC_NAME))?;
    let report = io::stdout().as_fd().try_clone_to_owned()?;
    let log = io::stderr().as_fd().try_clone_to_owned()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    replace(null.as_fd(), 0)?;
    replace(null.as_fd(), 1)?;
    Ok(StartRequest { run_dir, spec: spec.into(), lock: lock.into(), listener: listener.into(), log, report })
}
