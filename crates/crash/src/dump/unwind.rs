//! One step up the stack on x86-64, by the module's unwind tables or over a signal's frame.

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder};
use minidump_unwind::FrameWalker;

use super::elf::Elf;

/// Code without unwind tables is brought into memory to look at its instructions, if it is not larger than this.
const MAX_TEXT_BYTES: u64 = 32 << 20;

/// The kernel stores the interrupted registers 40 bytes above the stack pointer of a signal's frame, in this order.
const SAVED: [&str; 15] =
    ["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx"];
const SAVED_AT: u64 = 40;

/// `mov $15, %rax; syscall` in its two encodings: what a signal's handler returns to.
const RETURN_FROM_SIGNAL: [&[u8]; 2] =
    [&[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05], &[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05]];

#[derive(Default)]
pub(super) struct Stepper {
    unwinder: UnwinderX86_64<Vec<u8>>,
    cache: CacheX86_64,
}

impl Stepper {
    /// Makes a module's tables known. `range` is where it was loaded.
    pub(super) fn add(&mut self, name: &str, range: std::ops::Range<u64>, elf: &Elf) {
        let base = range.start;
        let eh_frame = elf.section(".eh_frame");
        let header = elf.section(".eh_frame_hdr");
        let text_range = elf.section_range(".text");
        let is_small = text_range.as_ref().is_some_and(|text| text.end - text.start <= MAX_TEXT_BYTES);
        let text =
            if eh_frame.is_none() && is_small { elf.section(".text").map(|(_, bytes)| bytes) } else { None };
        let sections = ExplicitModuleSectionInfo {
            base_svma: elf.lowest_address(),
            text_svma: text_range,
            text,
            got_svma: elf.section_range(".got"),
            eh_frame_svma: eh_frame.as_ref().map(|(range, _)| range.clone()),
            eh_frame: eh_frame.map(|(_, bytes)| bytes),
            eh_frame_hdr_svma: header.as_ref().map(|(range, _)| range.clone()),
            eh_frame_hdr: header.map(|(_, bytes)| bytes),
            debug_frame: elf.section(".debug_frame").map(|(_, bytes)| bytes),
            ..Default::default()
        };
        self.unwinder.add_module(Module::new(name.to_owned(), range, base, sections));
    }

    /// Sets the caller's registers. `None` where the tables do not know.
    pub(super) fn step(&mut self, walker: &mut (dyn FrameWalker + Send)) -> Option<()> {
        let instruction = walker.get_instruction();
        let stack_pointer = walker.get_callee_register("rsp")?;
        let frame_pointer = walker.get_callee_register("rbp").unwrap_or(0);
        let (address, exact) = if walker.has_grand_callee() {
            let return_address = instruction.checked_add(1)?;
            (FrameAddress::from_return_address(return_address)?, return_address)
        } else {
            (FrameAddress::from_instruction_pointer(instruction), instruction)
        };
        let mut registers = UnwindRegsX86_64::new(exact, stack_pointer, frame_pointer);
        let mut read = |address: u64| walker.get_register_at_address(address).ok_or(());
        match self.unwinder.unwind_frame(address, &mut registers, &mut self.cache, &mut read).ok()? {
            Some(return_address) => {
                walker.set_ra(return_address)?;
                walker.set_cfa(registers.sp())?;
                walker.set_caller_register("rbp", registers.bp())
            }
            None => end(walker),
        }
    }
}

/// Tells the walker that this was the outermost call: an address in the first page ends the walk.
pub(super) fn end(walker: &mut (dyn FrameWalker + Send)) -> Option<()> {
    walker.set_cfa(walker.get_callee_register("rsp")?)?;
    walker.set_ra(0)
}

pub(super) fn returns_from_signal(code: &[u8]) -> bool {
    RETURN_FROM_SIGNAL.iter().any(|instructions| code.starts_with(instructions))
}

/// The caller is the code that the signal interrupted, with the registers that the kernel saved.
pub(super) fn step_over_signal(walker: &mut (dyn FrameWalker + Send)) -> Option<()> {
    let saved_at = walker.get_callee_register("rsp")?.checked_add(SAVED_AT)?;
    let saved = |walker: &(dyn FrameWalker + Send), index: u64| {
        walker.get_register_at_address(saved_at.checked_add(8 * index)?)
    };
    let stack_pointer = saved(walker, 15)?;
    let instruction = saved(walker, 16)?;
    for (index, register) in (0..).zip(SAVED) {
        if let Some(value) = saved(walker, index) {
            walker.set_caller_register(register, value)?;
        }
    }
    walker.set_cfa(stack_pointer)?;
    // The walker takes one from every caller's address, for it takes it to be where a call returns to; here it is exact.
    walker.set_ra(instruction.checked_add(1)?)
}
