//! What is read of a worker while it stands still, and nothing else: it is put in order when the worker runs on to its end.

use std::fs::File;
use std::io::Read;

use super::modules::{Identity, identities};
use super::{CaptureError, CrashedThread};
use crate::memory_map::{Area, MemoryMap};
use crate::sys::memory::read_ranges;
use crate::sys::{Pid, ptrace};

/// How much of the crashing thread's stack is kept: the whole of what unwinding needs, but not the 8 MiB of an overflow.
const CRASHED_STACK_BYTES: u64 = 512 << 10;

/// How much of each other thread's stack is kept. Go's lie in its heap, where a stack has no end that could be seen.
const OTHER_STACK_BYTES: u64 = 64 << 10;

/// How many threads' stacks are kept; threads beyond have their registers alone.
const STACKS_KEPT: usize = 1_024;

/// How much is kept on each side of the instruction that crashed.
const CODE_BYTES: u64 = 128;

/// How far above a stack pointer its stack may begin: an overflow leaves it in the guard pages.
const GUARD_BYTES: u64 = 1 << 20;

const PAGE: u64 = 4_096;

/// A piece of the worker's memory.
pub(super) struct Memory {
    pub(super) start: u64,
    pub(super) bytes: Vec<u8>,
}

/// The registers of a thread, which its debugger alone is told.
pub(super) struct ThreadRegisters {
    tid: Pid,
    registers: libc::user_regs_struct,
    float_registers: libc::user_fpregs_struct,
}

impl ThreadRegisters {
    /// `None` where the thread has ended.
    pub(super) fn of(tid: Pid) -> Option<Self> {
        let registers = ptrace::registers(tid).ok()?;
        Some(Self { tid, registers, float_registers: ptrace::float_registers(tid).ok()? })
    }
}

/// One thread.
pub(super) struct ThreadState {
    pub(super) tid: Pid,
    pub(super) name: Option<String>,
    pub(super) registers: libc::user_regs_struct,
    pub(super) float_registers: libc::user_fpregs_struct,
    /// From the page of the stack pointer on; empty where none could be read.
    pub(super) stack: Memory,
}

impl ThreadState {
    /// Without a name, and with nothing of its stack yet.
    fn new(thread: &ThreadRegisters) -> Self {
        let ThreadRegisters { tid, registers, float_registers } = *thread;
        let stack = Memory { start: registers.rsp, bytes: Vec::new() };
        Self { tid, name: None, registers, float_registers, stack }
    }
}

/// Files of `/proc/PID`; empty where they could not be read.
pub(super) struct Files {
    pub(super) status: Vec<u8>,
    pub(super) auxv: Vec<u8>,
    pub(super) limits: Vec<u8>,
}

/// All of it.
pub(super) struct Snapshot {
    /// The crashing thread among them.
    pub(super) threads: Vec<ThreadState>,
    /// Around the instruction that crashed.
    pub(super) code: Memory,
    /// What the memory says of the files that are mapped from their beginning.
    pub(super) identities: Vec<Identity>,
    pub(super) files: Files,
}

impl Snapshot {
    /// Reads the process, whose threads are stopped.
    pub(super) fn take(
        pid: Pid,
        map: &MemoryMap,
        crashed: &CrashedThread,
        others: &[ThreadRegisters],
    ) -> Result<Self, CaptureError> {
        let crashing = ThreadRegisters {
            tid: crashed.tid,
            registers: crashed.registers,
            float_registers: crashed.float_registers,
        };
        let mut threads = vec![ThreadState::new(&crashing)];
        threads.extend(others.iter().map(ThreadState::new));
        let mut ranges = vec![around(map, crashed.registers.rip)];
        ranges.extend(threads.iter().take(STACKS_KEPT).enumerate().map(|(index, thread)| {
            let limit = if index == 0 { CRASHED_STACK_BYTES } else { OTHER_STACK_BYTES };
            stack(map, thread.registers.rsp, limit)
        }));
        let mut memory = read_ranges(pid, &ranges)
            .into_iter()
            .zip(&ranges)
            .map(|(bytes, (start, _))| Memory { start: *start, bytes });
        let code = memory.next().ok_or(CaptureError::Panicked)?;
        for (thread, stack) in threads.iter_mut().zip(memory) {
            if !stack.bytes.is_empty() {
                thread.stack = stack;
            }
        }
        let mut path = format!("/proc/{pid}/task/");
        let folder = path.len();
        for thread in &mut threads {
            path.truncate(folder);
            path.extend([&thread.tid.to_string(), "/comm"]);
            thread.name = name(&path);
        }
        let file = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let files = Files { status: file("status"), auxv: file("auxv"), limits: file("limits") };
        Ok(Self { threads, code, identities: identities(pid, map), files })
    }
}

fn name(path: &str) -> Option<String> {
    let mut name = [0; 64];
    let length = File::open(path).ok()?.read(&mut name).ok()?;
    Some(String::from_utf8_lossy(&name[..length]).trim_end().to_owned())
}

/// The part of a stack that is kept.
fn stack(map: &MemoryMap, pointer: u64, limit: u64) -> (u64, usize) {
    // below the pointer there may still be something to see
    let page = pointer & !(PAGE - 1);
    let can_be_one = |area: &&Area| area.readable || area.writable;
    let own = map.area_of(page).filter(can_be_one);
    let above = || {
        map.above(page).iter().find(can_be_one).filter(|area| area.start.saturating_sub(page) <= GUARD_BYTES)
    };
    own.or_else(above).map_or((pointer, 0), |area| {
        let start = area.start.max(page);
        range(start, area.end.min(start.saturating_add(limit)))
    })
}

/// What is around an instruction, as far as its area goes.
fn around(map: &MemoryMap, pointer: u64) -> (u64, usize) {
    map.area_of(pointer).map_or((pointer, 0), |area| {
        let start = area.start.max(pointer.saturating_sub(CODE_BYTES));
        range(start, area.end.min(pointer.saturating_add(CODE_BYTES)))
    })
}

fn range(start: u64, end: u64) -> (u64, usize) {
    (start, usize::try_from(end.saturating_sub(start)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_kept_from_its_page_on_and_no_more_than_that_of_it() {
        let map = MemoryMap::parse(
            b"10000-11000 ---p 00000000 00:00 0 \n\
            11000-19000 rw-p 00000000 00:00 0 \n\
            40000-41000 r-xp 00000000 00:00 0 /bin/x\n",
        );
        for (pointer, limit, expected) in [
            (0x13008, 1 << 20, (0x13000, 0x6000)),
            (0x13008, 0x1000, (0x13000, 0x1000)),
            // an overflow: in the guard page, and in nothing below it
            (0x10ff8, 0x1000, (0x11000, 0x1000)),
            (0x0f000, 0x1000, (0x11000, 0x1000)),
            (0x50000, 0x1000, (0x50000, 0)),
            (0, 0x1000, (0x11000, 0x1000)),
            (u64::MAX, 0x1000, (u64::MAX, 0)),
        ] {
            assert_eq!(stack(&map, pointer, limit), expected, "{pointer:#x}");
        }
        let far = MemoryMap::parse(b"90000000-90001000 rw-p 00000000 00:00 0 \n");
        assert_eq!(stack(&far, 0x1000, 0x1000), (0x1000, 0));
        assert_eq!(around(&map, 0x40010), (0x40000, 0x90));
        assert_eq!(around(&map, 0x40800), (0x40780, 0x100));
        assert_eq!(around(&map, 0), (0, 0));
    }
}
