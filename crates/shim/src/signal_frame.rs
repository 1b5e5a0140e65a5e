//! The code that a signal handler interrupted.
//!
//! A handler that resets and re-raises, or calls abort, dies with its own stack, which says nothing of the fault. The kernel
//! left the interrupted registers on the stack below the handler (`rt_sigframe`: return address, `ucontext`, `siginfo`), and the
//! return address is the sigreturn trampoline, which has a known look.

use std::collections::BTreeMap;

use model::Signal;

use crate::memory_map::{Area, MemoryMap};
use crate::sys::Pid;
use crate::sys::memory::read_process;
use crate::sys::ptrace::SignalInfo;

/// How far above the stack pointer the frame is looked for.
const SEARCH_LIMIT_BYTES: u64 = 256 << 10;

/// Words from the return address to the general registers (`uc_flags`, `uc_link`, `uc_stack`).
const REGISTERS_AT_WORD: usize = 1 + 5;

/// Bytes from the return address to `siginfo`: the kernel's `ucontext` has 304.
const INFO_AT_BYTE: usize = 8 + 304;

/// `mov rax, 15; syscall` as glibc, Go and Rust's libc have it, and as musl has it.
const TRAMPOLINES: [&[u8]; 2] =
    [&[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05], &[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05]];

/// The place that a handler interrupted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted {
    /// Its registers.
    pub(crate) registers: libc::user_regs_struct,
    /// Why it was interrupted.
    pub(crate) info: SignalInfo,
}

/// Looks for the innermost frame of a core signal above the stack pointer. `registers` are those of the dying thread, of which
/// the rest (segments) is kept; `fatal` is what it dies of.
pub(crate) fn find(
    pid: Pid,
    map: &MemoryMap,
    registers: &libc::user_regs_struct,
    fatal: Signal,
) -> Option<Interrupted> {
    let memory = Memory { pid, map };
    let start = registers.rsp & !7;
    let end = memory.area_of(start)?.end.min(start + SEARCH_LIMIT_BYTES);
    let mut stack = vec![0; usize::try_from(end - start).ok()?];
    let length = read_process(pid, start, &mut stack).ok()?;
    stack.truncate(length);
    let words: Vec<u64> =
        stack.chunks_exact(8).filter_map(|word| word.try_into().ok().map(u64::from_le_bytes)).collect();
    let mut trampolines = BTreeMap::new();
    (0..words.len()).filter(|at| memory.is_trampoline(words[*at], &mut trampolines)).find_map(|at| {
        let gregs = words.get(at + REGISTERS_AT_WORD..at + REGISTERS_AT_WORD + GREGS)?;
        let info = stack.get(at * 8 + INFO_AT_BYTE..).and_then(SignalInfo::from_bytes)?;
        let frame_at = start + 8 * at as u64;
        read_frame(&memory, registers, frame_at, gregs, info, fatal)
    })
}

/// How many general registers a `ucontext` has, and where some of them are (`REG_…` of ucontext.h).
const GREGS: usize = 23;
const RSP: usize = 15;
const RIP: usize = 16;
const EFLAGS: usize = 17;
const SEGMENTS: usize = 18;
const ERROR: usize = 19;
const TRAP: usize = 20;
const FAULT_ADDRESS: usize = 22;

/// `cs` of 64-bit user code.
const USER_CODE_SEGMENT: u64 = 0x33;

fn read_frame(
    memory: &Memory<'_>,
    current: &libc::user_regs_struct,
    frame_at: u64,
    gregs: &[u64],
    info: SignalInfo,
    fatal: Signal,
) -> Option<Interrupted> {
    // a jump through a null pointer leaves a small instruction pointer
    let code_fits = gregs[RIP] <= 4_096 || memory.area_of(gregs[RIP]).is_some();
    // an overflowed stack points below its area
    let stack_fits = memory.is_stack(gregs[RSP]) || memory.is_just_below_a_stack(gregs[RSP]);
    // on the same stack the frame lies below what it interrupted; else it is on an alternate stack
    let same_area = memory.area_of(frame_at).is_some_and(|area| (area.start..area.end).contains(&gregs[RSP]));
    let order_fits = !same_area || gregs[RSP] > frame_at;
    let flags_fit = gregs[EFLAGS] & !0x003f_ffff == 0;
    if gregs[SEGMENTS] & 0xffff != USER_CODE_SEGMENT || !code_fits || !stack_fits || !order_fits || !flags_fit
    {
        return None;
    }
    let info = info_of(info, info_of_trap(gregs[TRAP], gregs[ERROR], gregs[FAULT_ADDRESS], fatal), fatal)?;
    Some(Interrupted { registers: registers_of(gregs, current), info })
}

fn registers_of(gregs: &[u64], current: &libc::user_regs_struct) -> libc::user_regs_struct {
    libc::user_regs_struct {
        r8: gregs[0],
        r9: gregs[1],
        r10: gregs[2],
        r11: gregs[3],
        r12: gregs[4],
        r13: gregs[5],
        r14: gregs[6],
        r15: gregs[7],
        rdi: gregs[8],
        rsi: gregs[9],
        rbp: gregs[10],
        rbx: gregs[11],
        rdx: gregs[12],
        rax: gregs[13],
        rcx: gregs[14],
        rsp: gregs[RSP],
        rip: gregs[RIP],
        eflags: gregs[EFLAGS],
        ..*current
    }
}

/// What the handler was called for. Without `SA_SIGINFO` the kernel leaves siginfo unwritten, so what stands there is believed
/// only when it names the signal that the process dies of, or the one that the trap in the `ucontext` stands for.
fn info_of(written: SignalInfo, trap: Option<SignalInfo>, fatal: Signal) -> Option<SignalInfo> {
    let is_believed = Signal(written.signal).dumps_core()
        && written.errno == 0
        && (written.signal == fatal.0 || trap.is_some_and(|trap| trap.signal == written.signal));
    if is_believed { Some(written) } else { trap }
}

/// The signal that a processor exception becomes (arch/x86/kernel/traps.c).
fn info_of_trap(trap: u64, error: u64, fault_address: u64, fatal: Signal) -> Option<SignalInfo> {
    const PAGE_FAULT: u64 = 14;
    let signal = match trap {
        // no exception at all: a signal that was sent. A handler of one that calls abort is itself the place to look at.
        0 if error == 0 && fault_address == 0 && fatal.0 == libc::SIGABRT => return None,
        0 if error == 0 && fault_address == 0 => fatal.0,
        0 | 16 | 19 => libc::SIGFPE,
        1 | 3 => libc::SIGTRAP,
        6 => libc::SIGILL,
        12..=14 => libc::SIGSEGV,
        17 => libc::SIGBUS,
        2..=32 => fatal.0,
        _ => return None,
    };
    let (code, address) = match trap {
        // SEGV_ACCERR where the page was there, SEGV_MAPERR where not
        PAGE_FAULT => (if error & 1 == 0 { 1 } else { 2 }, fault_address),
        // SI_KERNEL
        _ => (128, 0),
    };
    Some(SignalInfo { signal, code, errno: 0, address })
}

struct Memory<'m> {
    pid: Pid,
    map: &'m MemoryMap,
}

impl Memory<'_> {
    fn area_of(&self, address: u64) -> Option<&Area> {
        self.map.area_of(address)
    }

    fn is_stack(&self, address: u64) -> bool {
        self.area_of(address).is_some_and(|area| area.readable && area.writable)
    }

    fn is_just_below_a_stack(&self, address: u64) -> bool {
        // what lies between is at most the guard pages
        self.map
            .above(address)
            .iter()
            .take(2)
            .any(|area| area.readable && area.writable && area.start - address <= 1 << 20)
    }

    fn is_trampoline(&self, address: u64, known: &mut BTreeMap<u64, bool>) -> bool {
        if !self.area_of(address).is_some_and(|area| area.executable) {
            return false;
        }
        *known.entry(address).or_insert_with(|| {
            let mut code = [0; 9];
            let length = read_process(self.pid, address, &mut code).unwrap_or(0);
            TRAMPOLINES.iter().any(|trampoline| code[..length].starts_with(trampoline))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGV: Signal = Signal(libc::SIGSEGV);
    const ABRT: Signal = Signal(libc::SIGABRT);

    fn written(signal: i32) -> SignalInfo {
        SignalInfo { signal, code: 2, errno: 0, address: 99 }
    }

    #[test]
    fn what_no_kernel_wrote_is_not_believed() {
        let fault = info_of_trap(14, 4, 16, SEGV);
        assert_eq!(fault, Some(SignalInfo { signal: libc::SIGSEGV, code: 1, errno: 0, address: 16 }));
        assert_eq!(info_of(written(libc::SIGTRAP), fault, SEGV), fault, "left over from another call");
        assert_eq!(info_of(written(libc::SIGSEGV), fault, SEGV), Some(written(libc::SIGSEGV)));
        assert_eq!(info_of(written(libc::SIGSEGV), fault, ABRT), Some(written(libc::SIGSEGV)));
    }

    #[test]
    fn an_abort_in_the_handler_of_a_sent_signal_is_its_own_place() {
        let sent = info_of_trap(0, 0, 0, ABRT);
        assert_eq!(info_of(written(libc::SIGUSR1), sent, ABRT), None);
        let again = info_of_trap(0, 0, 0, SEGV).unwrap();
        assert_eq!((again.signal, again.code), (libc::SIGSEGV, 128));
    }

    #[test]
    fn a_stack_and_what_is_just_below_one_are_told_apart() {
        let maps = b"5000-6000 ---p 00000000 00:00 0 \n6000-9000 rw-p 00000000 00:00 0 [stack]\n";
        let memory = Memory { pid: 0, map: &MemoryMap::parse(maps) };
        assert!(memory.is_stack(0x6000) && !memory.is_stack(0x5fff));
        assert!(memory.is_just_below_a_stack(0x5fff) && !memory.is_just_below_a_stack(0x9000));
    }
}
