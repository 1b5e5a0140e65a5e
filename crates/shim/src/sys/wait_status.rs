//! The one number in which the kernel tells how a process ended, whoever is told: its parent, its tracer, its descriptor.

use model::{Exit, Signal};

/// What a wait status says of a process that has ended.
pub(crate) fn exit_of_status(status: i32) -> Option<Exit> {
    if libc::WIFEXITED(status) {
        Some(Exit::Code(libc::WEXITSTATUS(status)))
    } else {
        libc::WIFSIGNALED(status).then(|| Exit::Signal(Signal(libc::WTERMSIG(status))))
    }
}
