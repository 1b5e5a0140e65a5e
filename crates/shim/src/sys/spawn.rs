//! Starting a child: between fork and exec it waits until its parent has attached the debugger, so that no instruction of the
//! new program runs unwatched.
//!
//! `std::process::Command` cannot do it: its `spawn` returns only after the exec, and a child that waits before it would wait
//! for ever.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use super::descriptors::pipe;
use super::{Pid, check, process};
use crate::protocol::Identity;

/// What to start and how.
pub(crate) struct Child<'a> {
    /// The program's path.
    pub(crate) program: CString,
    /// Its arguments, the first being its name.
    pub(crate) arguments: Vec<CString>,
    /// Its whole environment, as `NAME=value`.
    pub(crate) environment: Vec<CString>,
    /// Where it runs.
    pub(crate) directory: CString,
    /// Its descriptors 0, 1, 2 and on, fewer than 10; nothing else stays open.
    pub(crate) descriptors: Vec<BorrowedFd<'a>>,
    /// How much it gives way to others: 0 to 19.
    pub(crate) niceness: i32,
    /// Who it is, where that is another user.
    pub(crate) identity: Option<&'a Identity>,
    /// Which permissions its new files do not have; this process's mask where not given.
    pub(crate) umask: Option<u32>,
    /// Its resource limits, soft and hard.
    pub(crate) limits: Vec<(Resource, u64, u64)>,
    /// The control group that it is made in; that of this process where not given.
    pub(crate) group: Option<&'a Entry>,
}

/// The way into a control group for a process that is being made.
pub(crate) enum Entry {
    /// Version 1: the group's file `tasks`. A process of one thread that writes 0 there moves itself at once.
    Tasks(OwnedFd),
    /// Version 2: the group's folder. The process is made in it.
    Folder(OwnedFd),
}

/// A resource of setrlimit(2).
pub(crate) type Resource = libc::__rlimit_resource_t;

/// Why a child was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// No process could be made.
    #[error("no process could be made: {0}; look at the limits of processes and memory")]
    Process(#[source] io::Error),
    /// It could not be made in its control group.
    #[error("the process could not be made in its control group: {0}")]
    Group(#[source] io::Error),
    /// It could not enter its directory.
    #[error("{0}")]
    Directory(#[source] io::Error),
    /// It could not become its user.
    #[error("the process could not change to its user: {0}")]
    User(#[source] io::Error),
    /// It could not be set up.
    #[error("the process could not be set up: {0}")]
    SetUp(#[source] io::Error),
    /// The program could not be run.
    #[error("{0}")]
    Program(#[source] io::Error),
}

/// Which step of the child failed, as it tells its parent.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Step {
    SetUp = 1,
    Directory = 2,
    Program = 3,
    Group = 4,
    User = 5,
}

/// Starts a child and calls `before_exec` with its id when the process exists but the program does not run yet.
pub(crate) fn spawn(child: &Child<'_>, before_exec: impl FnOnce(Pid)) -> Result<Pid, SpawnError> {
    let (failure_read, failure_write) = high_pipe()?;
    let (go_read, go_write) = high_pipe()?;
    let descriptors: Vec<OwnedFd> =
        child.descriptors.iter().map(|fd| out_of_the_way(*fd)).collect::<Result<_, _>>()?;
    // everything that allocates happens before the fork
    let arguments = pointers(&child.arguments);
    let environment = pointers(&child.environment);
    let parent = process::process_id();
    let prepared = Prepared {
        child,
        descriptors: &descriptors,
        arguments: &arguments,
        environment: &environment,
        go: &go_read,
        go_write: &go_write,
        failure: &failure_write,
        parent,
    };
    let pid = match &child.group {
        Some(Entry::Folder(folder)) => clone_into(folder.as_fd()).map_err(SpawnError::Group)?,
        // SAFETY: see below.
        _ => check(unsafe { libc::fork() }).map_err(SpawnError::Process)?,
    };
    if pid == 0 {
        // SAFETY: this child only makes async-signal-safe system calls and never returns, so locks that another thread held at
        // the fork do no harm.
        unsafe { become_program(&prepared) }
    }
    drop((failure_write, go_read));
    before_exec(pid);
    drop(go_write);
    let mut report = [0; 5];
    if std::fs::File::from(failure_read).read_exact(&mut report).is_err() {
        // the pipe was closed by the exec
        return Ok(pid);
    }
    process::reap(pid);
    let [step, number @ ..] = report;
    let error = io::Error::from_raw_os_error(i32::from_ne_bytes(number));
    Err(match step {
        step if step == Step::Group as u8 => SpawnError::Group(error),
        step if step == Step::Directory as u8 => SpawnError::Directory(error),
        step if step == Step::Program as u8 => SpawnError::Program(error),
        step if step == Step::User as u8 => SpawnError::User(error),
        _ => SpawnError::SetUp(error),
    })
}

/// A fork whose child is in a control group of version 2 from its beginning (Linux 5.7).
fn clone_into(group: BorrowedFd<'_>) -> io::Result<Pid> {
    /// `struct clone_args` of the kernel, as long as it was when it got the last field.
    #[derive(Default)]
    #[repr(C)]
    struct Arguments {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    /// `CLONE_INTO_CGROUP`; the C library's bindings cut it off at 32 bits.
    const INTO_GROUP: u64 = 1 << 33;
    let arguments = Arguments {
        flags: INTO_GROUP,
        exit_signal: u64::from(libc::SIGCHLD.unsigned_abs()),
        cgroup: u64::from(group.as_raw_fd().unsigned_abs()),
        ..Arguments::default()
    };
    // SAFETY: without CLONE_VM and with no stack given this is a fork: the child goes on with a copy of this stack. The structure
    // lives through the call. What the C library's fork does beside (handlers, its own note of the thread's id) the callers' child
    // does not need.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<Arguments>()) };
    check(Pid::try_from(pid).unwrap_or(-1))
}

/// Reading end and writing end.
fn high_pipe() -> Result<(OwnedFd, OwnedFd), SpawnError> {
    let (read, write) = pipe().map_err(SpawnError::Process)?;
    Ok((out_of_the_way(read.as_fd())?, out_of_the_way(write.as_fd())?))
}

/// A copy with a number that no descriptor of the child will take.
fn out_of_the_way(fd: BorrowedFd<'_>) -> Result<OwnedFd, SpawnError> {
    // SAFETY: fcntl with F_DUPFD_CLOEXEC takes integers; what it returns belongs to nobody else.
    unsafe {
        check(libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 10))
            .map(|copy| OwnedFd::from_raw_fd(copy))
            .map_err(SpawnError::Process)
    }
}

/// The array of pointers that execve takes. It borrows from `texts`.
fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

struct Prepared<'a> {
    child: &'a Child<'a>,
    descriptors: &'a [OwnedFd],
    arguments: &'a [*const libc::c_char],
    environment: &'a [*const libc::c_char],
    go: &'a OwnedFd,
    go_write: &'a OwnedFd,
    failure: &'a OwnedFd,
    parent: Pid,
}

/// The child's way from fork to exec.
///
/// # Safety
/// Only in a fresh fork. Allocates nothing and takes no lock.
unsafe fn become_program(prepared: &Prepared<'_>) -> ! {
    // SAFETY: this is a fresh fork, and only system calls are made.
    let (step, error) = unsafe {
        match enter_group(prepared)
            .map_err(|error| (Step::Group, error))
            .and_then(|()| set_up(prepared).map_err(|error| (Step::SetUp, error)))
            .and_then(|()| become_user(prepared).map_err(|error| (Step::User, error)))
        {
            Err(failed) => failed,
            Ok(()) => match check(libc::chdir(prepared.child.directory.as_ptr())) {
                Err(error) => (Step::Directory, error),
                Ok(_) => (Step::Program, execute(prepared)),
            },
        }
    };
    let mut report = [step as u8, 0, 0, 0, 0];
    let (_, number) = report.split_at_mut(1);
    number.copy_from_slice(&error.raw_os_error().unwrap_or(libc::EIO).to_ne_bytes());
    // SAFETY: the buffer lives through the call; _exit does not return.
    unsafe {
        libc::write(prepared.failure.as_raw_fd(), report.as_ptr().cast(), report.len());
        libc::_exit(127)
    }
}

/// # Safety
/// As [`become_program`].
unsafe fn enter_group(prepared: &Prepared<'_>) -> io::Result<()> {
    let Some(Entry::Tasks(tasks)) = prepared.child.group else { return Ok(()) };
    // SAFETY: the byte lives through the call.
    check(unsafe { libc::write(tasks.as_raw_fd(), c"0".as_ptr().cast(), 1) }).map(drop)
}

/// # Safety
/// As [`become_program`].
unsafe fn set_up(prepared: &Prepared<'_>) -> io::Result<()> {
    // SAFETY: system calls with integers and with structures that live through the calls.
    unsafe {
        check(libc::setpgid(0, 0))?;
        end_with_parent(prepared.parent)?;
        // says who may trace it where Yama restricts that; elsewhere the kernel refuses, which does no harm
        libc::prctl(libc::PR_SET_PTRACER, libc::c_long::from(prepared.parent));
        // by the system call: the C library keeps two signals to itself, which a parent may have left ignored. All zero is the
        // default action without flags or mask (struct sigaction of the kernel: handler, flags, restorer, mask).
        let default_action = [0_u64; 4];
        for signal in 1..=64_i32 {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default_action.as_ptr(),
                ptr::null_mut::<u64>(),
                size_of::<u64>(),
            );
        }
        let mut none = MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(none.as_mut_ptr());
        check(libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()))?;
        // only ever gives way: taking more than the parent has would need a privilege
        if prepared.child.niceness > 0 {
            libc::setpriority(libc::PRIO_PROCESS, 0, prepared.child.niceness);
        }
        for (resource, soft, hard) in &prepared.child.limits {
            let limit = libc::rlimit { rlim_cur: *soft, rlim_max: *hard };
            check(libc::setrlimit(*resource, &raw const limit))?;
        }
        place_descriptors(prepared.descriptors)
    }
}

/// A child without its parent must not linger.
///
/// # Safety
/// As [`become_program`].
unsafe fn end_with_parent(parent: Pid) -> io::Result<()> {
    // SAFETY: system calls with integers.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong))?;
        if libc::getppid() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
    }
    Ok(())
}

/// # Safety
/// As [`become_program`].
unsafe fn become_user(prepared: &Prepared<'_>) -> io::Result<()> {
    // SAFETY: system calls with integers; the identity was made before the fork.
    unsafe {
        if let Some(umask) = prepared.child.umask {
            libc::umask(umask);
        }
        let Some(identity) = prepared.child.identity else { return Ok(()) };
        change_identity(identity)?;
        // with the user the kernel takes the request away
        end_with_parent(prepared.parent)
    }
}

/// Changes user and groups of this thread, for good. By the system calls themselves: the C library's would look for this
/// process's other threads, which a forked child does not have, however many it knows.
///
/// # Safety
/// Only between fork and exec: other threads stay who they are.
pub(crate) unsafe fn change_identity(identity: &Identity) -> io::Result<()> {
    let Identity { user, group, groups } = identity;
    let call = |result: libc::c_long| check(result).map(drop);
    // SAFETY: system calls with integers, and with an array that lives through the call.
    unsafe {
        call(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()))?;
        call(libc::syscall(libc::SYS_setresgid, *group, *group, *group))?;
        // rights that a service was given for itself are not the app's; a kernel without them has none to take
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0, 0, 0);
        call(libc::syscall(libc::SYS_setresuid, *user, *user, *user))
    }
}

/// # Safety
/// As [`become_program`].
unsafe fn place_descriptors(descriptors: &[OwnedFd]) -> io::Result<()> {
    for (target, fd) in (0..).zip(descriptors) {
        // SAFETY: dup2 takes integers. The descriptors' owners are in the parent; this copy of the table is the child's own.
        unsafe { check(libc::dup2(fd.as_raw_fd(), target))? };
    }
    Ok(())
}

/// Waits for the parent's go and runs the program; returns only an error.
///
/// # Safety
/// As [`become_program`].
unsafe fn execute(prepared: &Prepared<'_>) -> io::Error {
    let first_unused = libc::c_uint::try_from(prepared.descriptors.len()).unwrap_or(3);
    // SAFETY: system calls with integers, a one-byte buffer that lives through the call, and pointer arrays that end with null
    // and whose texts `prepared` borrows.
    unsafe {
        libc::close(prepared.go_write.as_raw_fd());
        let mut byte = 0_u8;
        while libc::read(prepared.go.as_raw_fd(), (&raw mut byte).cast(), 1) < 0
            && io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
        {}
        // what others opened without close-on-exec; kernels before 5.11 refuse, and everything of ours has the flag
        libc::syscall(libc::SYS_close_range, first_unused, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        let program: &CStr = &prepared.child.program;
        libc::execve(program.as_ptr(), prepared.arguments.as_ptr(), prepared.environment.as_ptr());
    }
    io::Error::last_os_error()
}
