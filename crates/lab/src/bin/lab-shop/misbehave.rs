//! Every way to misbehave, each in functions of its own, so that its stack can be told from every other's.
//!
//! | how | ends by |
//! |---|---|
//! | `null` | SIGSEGV, in `cart::price_of`, inlined into `cart::total` |
//! | `panic`, `panic/{message}` | a panic on a thread of its own, then exit status 101 |
//! | `panic-in-request` | no end: the request's thread alone dies |
//! | `abort` | SIGABRT |
//! | `stack-overflow` | SIGABRT, by Rust's handler of the guard page's SIGSEGV |
//! | `double-free` | SIGABRT, by glibc |
//! | `fpe`, `bus`, `ill`, `trap` | SIGFPE, SIGBUS, SIGILL, SIGTRAP |
//! | `kill` | SIGKILL by its own hand |
//! | `exit/{n}` | exit status n |
//! | `oom` | SIGABRT, of an allocation that failed under a limit of its own |
//! | `leak/{mib}` | no end: so many MiB stay, 1 GiB in all at most |
//! | `hang` | no end: no request is answered any more |
//! | `handled-segv/{n}` | no end: n times SIGSEGV, each put right by a handler |
//! | `reraise` | SIGSEGV, raised again by a handler that ran first |
#![expect(unsafe_code, reason = "this module crashes on purpose")]

use std::hint::black_box;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use crate::checkout;

static HANG: RwLock<()> = RwLock::new(());
static LEAKED: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
const LEAK_LIMIT_MIB: usize = 1_024;

/// Does what is asked. Returns when that is survived, or when `how` is unknown.
pub(crate) fn crash(how: &str) {
    let (how, argument) = how.split_once('/').unwrap_or((how, ""));
    match how {
        "null" => _ = black_box(checkout::handle_request_for_missing_item(7)),
        "panic" => panic_and_exit(argument),
        "panic-in-request" => cancel_order(argument),
        "abort" => give_up(),
        "stack-overflow" => _ = black_box(count_down(u64::MAX)),
        "double-free" => double_free(),
        "fpe" => _ = black_box(average(black_box(7), black_box(0))),
        "bus" => read_truncated_file(),
        "ill" => illegal_instruction(),
        "trap" => breakpoint(),
        "kill" => raise(libc::SIGKILL),
        "exit" => std::process::exit(argument.parse().unwrap_or(1)),
        "oom" => allocate_without_end(),
        "leak" => leak(argument.parse().unwrap_or(16)),
        "hang" => hang(),
        "handled-segv" => handled_faults(argument.parse().unwrap_or(1)),
        "reraise" => fault_under_reraising_handler(),
        _ => eprintln!("lab-shop: no way to crash is called {how:?}"),
    }
}

/// Blocks for ever once `hang` was asked for.
pub(crate) fn wait_while_hung() {
    drop(HANG.read());
}

#[inline(never)]
fn panic_and_exit(message: &str) {
    let message = message.to_owned();
    let order = std::thread::Builder::new().name("order".to_owned()).spawn(move || cancel_order(&message));
    if order.is_ok_and(|thread| thread.join().is_err()) {
        std::process::exit(101);
    }
}

#[inline(never)]
fn cancel_order(message: &str) {
    let message = if message.is_empty() { "order 42 of jane@example.org not found" } else { message };
    panic!("{message}");
}

#[inline(never)]
fn give_up() {
    std::process::abort();
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "the stack is to overflow")]
fn count_down(n: u64) -> u64 {
    let block = black_box([n; 64]);
    count_down(n.wrapping_sub(1)) + block[usize::try_from(n % 64).unwrap_or(0)]
}

#[inline(never)]
fn double_free() {
    // SAFETY: none: the second free is the crash. glibc aborts with "double free detected in tcache 2".
    unsafe {
        let block = black_box(libc::malloc(64));
        libc::free(block);
        libc::free(black_box(block));
    }
}

/// Divides without Rust's check.
#[inline(never)]
fn average(sum: u64, count: u64) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        let mean: u64;
        // SAFETY: changes only the registers named; a count of 0 is the fault that was asked for.
        unsafe {
            std::arch::asm!("div {count}", count = in(reg) count, inout("rax") sum => mean, inout("rdx") 0_u64 => _);
        }
        mean
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        raise(libc::SIGFPE);
        sum.checked_div(count).unwrap_or(0)
    }
}

/// Writes behind the end of a mapped file.
#[inline(never)]
fn read_truncated_file() {
    // SAFETY: the mapping is two pages of a file of one; touching the second is the SIGBUS that was asked for.
    unsafe {
        let file = libc::memfd_create(c"catalogue".as_ptr(), 0);
        libc::ftruncate(file, 4096);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let map = libc::mmap(std::ptr::null_mut(), 8192, protection, libc::MAP_SHARED, file, 0);
        *map.cast::<u8>().wrapping_add(5000) = 1;
    }
}

#[inline(never)]
fn illegal_instruction() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction has no effect but the signal.
    unsafe {
        std::arch::asm!("ud2");
    }
    #[cfg(not(target_arch = "x86_64"))]
    raise(libc::SIGILL);
}

#[inline(never)]
fn breakpoint() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction has no effect but the signal.
    unsafe {
        std::arch::asm!("int3");
    }
    #[cfg(not(target_arch = "x86_64"))]
    raise(libc::SIGTRAP);
}

#[inline(never)]
fn raise(signal: libc::c_int) {
    // SAFETY: a plain system call.
    unsafe {
        libc::raise(signal);
    }
}

/// Limits the address space to what is in use and 64 MiB, and takes more.
#[inline(never)]
fn allocate_without_end() {
    const STEP_BYTES: usize = 1 << 20;
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = pages.split(' ').next().and_then(|size| size.parse().ok()).unwrap_or(0);
    let limit = pages * 4096 + (64 << 20);
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: a plain system call with a live argument.
    if unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) } != 0 {
        return eprintln!("lab-shop: no limit could be set, so no memory is eaten");
    }
    let mut hoard = Vec::new();
    loop {
        hoard.push(vec![1_u8; STEP_BYTES]);
        black_box(&hoard);
    }
}

#[inline(never)]
fn leak(mib: usize) {
    let mut leaked = LEAKED.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..mib.min(LEAK_LIMIT_MIB.saturating_sub(leaked.len())) {
        leaked.push(vec![1; 1 << 20]);
    }
}

#[inline(never)]
fn hang() {
    let _held = HANG.write();
    loop {
        std::thread::park();
    }
}

static GUARDED_PAGE: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());
static FAULTS: AtomicU64 = AtomicU64::new(0);
const PAGE_BYTES: usize = 4096;

/// Faults on a guarded page again and again; the handler opens the page, as garbage collectors do.
#[inline(never)]
fn handled_faults(times: u64) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = open_guarded_page;
    // SAFETY: an anonymous mapping of our own; the handler only calls mprotect and signal, which are async-signal-safe.
    unsafe {
        let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = libc::mmap(std::ptr::null_mut(), PAGE_BYTES, libc::PROT_NONE, private, -1, 0);
        GUARDED_PAGE.store(page, Ordering::SeqCst);
        let before = handle_segv(handler);
        for _ in 0..times.min(1_000_000) {
            *black_box(page.cast::<u8>()) = 1;
            libc::mprotect(page, PAGE_BYTES, libc::PROT_NONE);
        }
        libc::sigaction(libc::SIGSEGV, &raw const before, std::ptr::null_mut());
        GUARDED_PAGE.store(std::ptr::null_mut(), Ordering::SeqCst);
        libc::munmap(page, PAGE_BYTES);
    }
    eprintln!("lab-shop: {} faults handled", FAULTS.load(Ordering::SeqCst));
}

extern "C" fn open_guarded_page(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let page = GUARDED_PAGE.load(Ordering::SeqCst);
    // SAFETY: the kernel hands a live siginfo to a handler with SA_SIGINFO.
    unsafe {
        if page.is_null() || (*info).si_addr() != page {
            libc::signal(signal, libc::SIG_DFL);
            return;
        }
        libc::mprotect(page, PAGE_BYTES, libc::PROT_READ | libc::PROT_WRITE);
    }
    FAULTS.fetch_add(1, Ordering::SeqCst);
}

/// Faults under a handler that cleans up and raises the signal again: the stack at the end is the handler's.
#[inline(never)]
fn fault_under_reraising_handler() {
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
        clean_up_and_raise_again;
    // SAFETY: the handler only calls async-signal-safe functions.
    unsafe {
        handle_segv(handler);
    }
    black_box(checkout::handle_request_for_missing_item(8));
}

extern "C" fn clean_up_and_raise_again(signal: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    const WORDS: &[u8] = b"lab-shop: cleaning up before the end\n";
    // SAFETY: async-signal-safe calls with live arguments.
    unsafe {
        libc::write(2, WORDS.as_ptr().cast(), WORDS.len());
        libc::signal(signal, libc::SIG_DFL);
        let mut mask = std::mem::zeroed();
        libc::sigemptyset(&raw mut mask);
        libc::sigaddset(&raw mut mask, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const mask, std::ptr::null_mut());
        libc::raise(signal);
    }
}

/// Installs a handler of SIGSEGV and returns the one before it.
///
/// # Safety
/// The handler must be async-signal-safe.
unsafe fn handle_segv(
    handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void),
) -> libc::sigaction {
    // SAFETY: zeroed is a valid sigaction; both pointers are live.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        let mut before = std::mem::zeroed();
        libc::sigaction(libc::SIGSEGV, &raw const action, &raw mut before);
        before
    }
}
