//! Reads of another process's memory that a library makes by its number, served from a descriptor that was handed over.
//!
//! `process_vm_readv` needs the right to debug the process, which the kernel may give to that process's ancestors and its debugger
//! alone (Yama). A confined child has no such right, and should have none: it gets the memory of one process, opened by the
//! debugger. Its filter of system calls lets the kernel answer that one call with SIGSYS, and the handler here makes it a read
//! of the descriptor.
#![expect(unsafe_code, reason = "system calls and a signal handler; see the SAFETY comments")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use super::check;

/// The descriptor that serves; open for the rest of the process's life.
static MEMORY: AtomicI32 = AtomicI32::new(-1);

/// `si_code` of a system call that a filter trapped.
const SYS_SECCOMP: i32 = 1;

/// From now on `memory` (`/proc/PID/mem`) is what a trapped `process_vm_readv` of any process reads.
pub(crate) fn serve_trapped_reads(memory: OwnedFd) -> io::Result<()> {
    MEMORY.store(memory.into_raw_fd(), Ordering::SeqCst);
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a zeroed sigaction is one with an empty mask and no flags; the handler has the form that SA_SIGINFO asks for, is
    // async-signal-safe (one system call, no lock, no allocation) and lives as long as the program.
    unsafe {
        let action = action.assume_init_mut();
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_trap;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        check(libc::sigaction(libc::SIGSYS, action, ptr::null_mut()))?;
    }
    Ok(())
}

extern "C" fn on_trap(_signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands a handler of this form pointers to both structures, which live until it returns.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<libc::ucontext_t>()) };
    let registers = &mut context.uc_mcontext.gregs;
    let register = |name: i32| usize::try_from(name).unwrap_or(0);
    if info.si_code != SYS_SECCOMP || registers[register(libc::REG_RAX)] != libc::SYS_process_vm_readv {
        return;
    }
    let argument = |name| registers[register(name)].cast_unsigned();
    let vectors = (argument(libc::REG_RSI), argument(libc::REG_R10));
    let result = if (argument(libc::REG_RDX), argument(libc::REG_R8)) == (1, 1) {
        // SAFETY: the caller of process_vm_readv vouches for its vectors as for the kernel's own reading of them.
        unsafe { read(vectors) }
    } else {
        -i64::from(libc::EINVAL)
    };
    registers[register(libc::REG_RAX)] = result;
}

/// # Safety
/// Both numbers are addresses of one `iovec` each, and the first one's range may be written.
unsafe fn read((local, remote): (u64, u64)) -> i64 {
    let vector =
        |address: u64| ptr::with_exposed_provenance::<libc::iovec>(usize::try_from(address).unwrap_or(0));
    // SAFETY: see above.
    let (local, remote) = unsafe { (vector(local).read(), vector(remote).read()) };
    let length = local.iov_len.min(remote.iov_len);
    let address = libc::off64_t::try_from(remote.iov_base.addr()).unwrap_or(-1);
    // SAFETY: the kernel writes at most `length` bytes into the caller's range.
    let read = unsafe { libc::pread64(MEMORY.load(Ordering::SeqCst), local.iov_base, length, address) };
    match i64::try_from(read) {
        Ok(read @ 0..) => read,
        // what is not there, as the call itself says it
        _ => -i64::from(libc::EFAULT),
    }
}
