//! Takes from the analyser what it does not need, before it looks at anything that came from a worker.
//!
//! What reads a dump may be made to run whatever the dump's maker wants. So it keeps no more than its job takes: memory, its own
//! descriptors, and reading the files that the crashed process had mapped as code and what was stripped from them.
//! - `no_new_privs`: no program that it could run has more rights than it.
//! - Not dumpable: nobody without privileges looks into its memory, which holds the dump, and no core of it is written.
//! - Landlock: no other file is opened, nothing is written, made or listed, no port and no other process is reached.
//! - seccomp: a list of allowed system calls; any other one ends the process. There is no way to another process, to a socket or
//!   to another program among them.
//!
//! What the kernel lacks is said in the answer. What it has and refuses ends the analysis.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crash::Files;
use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::sys::process::{be_undumpable, process_id};

/// The newest of Landlock's rights that are asked for; a kernel that knows fewer enforces those.
const LANDLOCK: ABI = ABI::V6;

/// Why the analyser cannot be confined though the kernel knows how.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    /// Its memory could be looked into.
    #[error("the process cannot be made undumpable: {0}")]
    Dumpable(#[source] std::io::Error),
    /// Landlock refused.
    #[error("Landlock cannot be used: {0}")]
    Landlock(#[from] RulesetError),
    /// The list of system calls could not be put into the kernel's form.
    #[error("the list of system calls cannot be compiled: {0}")]
    Filter(#[from] seccompiler::BackendError),
    /// seccomp refused.
    #[error("seccomp cannot be used: {0}")]
    Seccomp(#[source] seccompiler::Error),
}

/// Confines this thread, which must be the process's only one. `readable` are files and folders; `None` where it is not known
/// which are needed. Returns what this kernel could not do, for people.
pub(super) fn confine(files: &Files, readable: Option<&[PathBuf]>) -> Result<Vec<String>, ConfineError> {
    be_undumpable().map_err(ConfineError::Dumpable)?;
    let mut lacking = Vec::new();
    let has_landlock = restrict_files(files, readable)?;
    if !has_landlock {
        lacking.push("Landlock".to_owned());
    }
    match restrict_calls(has_landlock) {
        Err(ConfineError::Seccomp(error)) if is_unknown(&error) => lacking.push("seccomp".to_owned()),
        result => result?,
    }
    Ok(lacking)
}

/// What a kernel without seccomp's filters answers.
fn is_unknown(error: &seccompiler::Error) -> bool {
    let (seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error)) = error else { return false };
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS))
}

/// `false` where the kernel has no Landlock.
fn restrict_files(files: &Files, readable: Option<&[PathBuf]>) -> Result<bool, RulesetError> {
    let everything = [PathBuf::from("/")];
    let found = readable.unwrap_or(&everything).iter().filter_map(|path| files.find(path));
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?;
    for found in found {
        rules = rules.add_rule(PathBeneath::new(found, AccessFs::ReadFile))?;
    }
    Ok(rules.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}

/// The files and folders that explain a crash in code of these files: they themselves, and where what was stripped from them is.
pub(super) fn explaining(mapped: &[PathBuf]) -> Vec<PathBuf> {
    let beside = |file: &PathBuf| {
        let mut stripped = file.clone().into_os_string();
        stripped.push(".debug");
        let folder = file.parent().map(|folder| folder.join(".debug"));
        [Some(file.clone()), Some(stripped.into()), folder].into_iter().flatten().collect::<Vec<_>>()
    };
    let mut paths: Vec<PathBuf> = mapped.iter().flat_map(beside).collect();
    paths.push(Path::new(crash::dump::DEBUG_FILES).to_owned());
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// What opens a file for anything but reading.
const NOT_READING: u64 = (libc::O_ACCMODE
    | libc::O_CREAT
    | libc::O_TRUNC
    | libc::O_APPEND
    | (libc::O_TMPFILE & !libc::O_DIRECTORY))
    .cast_unsigned() as u64;

/// What memory, files that are read and an orderly or sudden end take, in the C libraries of Debian 12 and 13.
const ALLOWED: [libc::c_long; 29] = [
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_newfstatat,
    libc::SYS_openat2,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Confines a process that reads another one's memory by [`crate::sys::foreign_memory`], in the one thread that it has: no other
/// process's memory, nothing written, no program run, no socket. It may open files for reading and look into `/proc`, which
/// Landlock would keep from it.
pub(crate) fn confine_memory_reader() -> Result<(), ConfineError> {
    be_undumpable().map_err(ConfineError::Dumpable)?;
    let mut rules = allowed()?;
    for call in [libc::SYS_readlink, libc::SYS_readlinkat, libc::SYS_getdents64, libc::SYS_getcwd] {
        rules.insert(call, Vec::new());
    }
    // its flags are in memory, where no filter sees them
    rules.remove(&libc::SYS_openat2);
    rules.insert(libc::SYS_process_vm_readv, Vec::new());
    // the narrow filter first: the wide one allows no further
    let trapped = BTreeMap::from([(libc::SYS_process_vm_readv, Vec::new())]);
    apply(trapped, SeccompAction::Allow, SeccompAction::Trap)?;
    // a library may try what it can do without
    apply(rules, SeccompAction::Errno(libc::EPERM.unsigned_abs()), SeccompAction::Allow)
}

fn restrict_calls(has_landlock: bool) -> Result<(), ConfineError> {
    if !has_landlock {
        // its flags are in memory, where no filter sees them: without Landlock files are opened by the older call alone. First,
        // since the other filter allows no further
        let rules = BTreeMap::from([(libc::SYS_openat2, Vec::new())]);
        apply(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS.unsigned_abs()))?;
    }
    apply(allowed()?, SeccompAction::KillProcess, SeccompAction::Allow)
}

fn allowed() -> Result<BTreeMap<i64, Vec<SeccompRule>>, ConfineError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    let own = u64::from(process_id().unsigned_abs());
    let executable = u64::from(libc::PROT_EXEC.cast_unsigned());
    let conditions = [
        (libc::SYS_open, 1, SeccompCmpOp::MaskedEq(NOT_READING), 0),
        (libc::SYS_openat, 2, SeccompCmpOp::MaskedEq(NOT_READING), 0),
        // memory is never code
        (libc::SYS_mmap, 2, SeccompCmpOp::MaskedEq(executable), 0),
        (libc::SYS_mprotect, 2, SeccompCmpOp::MaskedEq(executable), 0),
        // how abort() ends this process, and no other
        (libc::SYS_tgkill, 0, SeccompCmpOp::Eq, own),
    ];
    for (call, argument, operator, value) in conditions {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        rules.insert(call, vec![SeccompRule::new(vec![condition])?]);
    }
    Ok(rules)
}

fn apply(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    others: SeccompAction,
    these: SeccompAction,
) -> Result<(), ConfineError> {
    let filter: BpfProgram = SeccompFilter::new(rules, others, these, TargetArch::x86_64)?.try_into()?;
    seccompiler::apply_filter(&filter).map_err(ConfineError::Seccomp)
}

#[cfg(test)]
mod tests;
