//! The exception's type as a dump has it.

use minidump_processor::ProcessState;
use minidump_unwind::CallStack;
use model::crash::Frame;

use crate::{kinds, text};

/// How far below the stack pointer an address may be that a call or a large frame touches first.
const BELOW_STACK_BYTES: u64 = 64 << 10;
/// The same where the stack shows a recursion.
const BELOW_RECURSION_BYTES: u64 = 8 << 20;
/// How far above it: a store to a local of a frame that was just made.
const ABOVE_BYTES: u64 = 64 << 10;
/// How often one function is on a stack that recursion filled.
const RECURSION: usize = 16;

/// `SIGSEGV / SEGV_MAPERR`, `EXCEPTION_ACCESS_VIOLATION_WRITE`, `Stack overflow`; empty where the dump has no exception.
pub(super) fn exception_type(state: &ProcessState, stack: Option<&CallStack>, frames: &[Frame]) -> String {
    let Some(exception) = &state.exception_info else { return String::new() };
    let reason = exception.reason.to_string();
    let stack_pointer =
        stack.and_then(|stack| stack.frames.first()).map(|frame| frame.context.get_stack_pointer());
    if stack_pointer.is_some_and(|pointer| is_stack_overflow(&reason, exception.address.0, pointer, frames)) {
        return kinds::STACK_OVERFLOW.to_owned();
    }
    if reason.starts_with("unknown ") {
        // Crashpad writes such a record when a program asks for a dump without having crashed.
        return "Unknown exception".to_owned();
    }
    text::name(without_sender(&reason), text::TYPE_CHARS)
}

/// Who sent a signal that is no fault (`SIGABRT / SI_TKILL`, or a number that has no name) says nothing of the crash.
fn without_sender(reason: &str) -> &str {
    match reason.split_once(" / ") {
        Some((signal, code)) if signal.starts_with("SIG") => {
            let is_number = code.starts_with("0x") || code.chars().all(|c| c.is_ascii_digit());
            let is_fault = matches!(signal, "SIGSEGV" | "SIGBUS");
            let is_sender = code.starts_with("SI_") && !(is_fault && matches!(code, "SI_KERNEL" | "SI_USER"));
            if is_number || is_sender { signal } else { reason }
        }
        _ => reason,
    }
}

/// A fault right below the stack pointer is one of the stack itself. Further below, or above where the new frame's locals are, it
/// is one only if one function fills the stack.
fn is_stack_overflow(reason: &str, address: u64, stack_pointer: u64, frames: &[Frame]) -> bool {
    let is_access = ["SIGSEGV", "SIGBUS", "EXC_BAD_ACCESS", "EXCEPTION_ACCESS_VIOLATION"]
        .iter()
        .any(|kind| reason.starts_with(kind));
    if reason.starts_with("EXCEPTION_STACK_OVERFLOW") {
        return true;
    }
    if !is_access || stack_pointer == 0 {
        return false;
    }
    let recursive = is_recursive(frames);
    match stack_pointer.checked_sub(address) {
        Some(below) if recursive => below <= BELOW_RECURSION_BYTES,
        Some(below) => below <= BELOW_STACK_BYTES,
        None => recursive && address - stack_pointer <= ABOVE_BYTES,
    }
}

fn is_recursive(frames: &[Frame]) -> bool {
    let mut places: Vec<String> = frames.iter().map(Frame::place).collect();
    places.sort_unstable();
    places.chunk_by(|a, b| a == b).any(|same| same.len() >= RECURSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_of_a_signal_is_no_type() {
        assert_eq!(without_sender("SIGABRT / SI_TKILL"), "SIGABRT");
        assert_eq!(without_sender("SIGTRAP / SI_KERNEL"), "SIGTRAP");
        assert_eq!(without_sender("SIGABRT / 0x00000000"), "SIGABRT");
        assert_eq!(without_sender("SIGSEGV / SI_USER"), "SIGSEGV / SI_USER");
        assert_eq!(without_sender("SIGSEGV / SEGV_MAPERR"), "SIGSEGV / SEGV_MAPERR");
        assert_eq!(
            without_sender("EXC_BAD_ACCESS / KERN_INVALID_ADDRESS"),
            "EXC_BAD_ACCESS / KERN_INVALID_ADDRESS"
        );
    }

    #[test]
    fn a_fault_at_the_stacks_end_is_an_overflow() {
        let stack_pointer = 0x7fff_0000_1000;
        assert!(is_stack_overflow("SIGSEGV / SEGV_MAPERR", stack_pointer - 8, stack_pointer, &[]));
        assert!(!is_stack_overflow("SIGSEGV / SEGV_MAPERR", 8, stack_pointer, &[]));
        assert!(!is_stack_overflow("SIGSEGV / SEGV_MAPERR", stack_pointer + 0x20, stack_pointer, &[]));
        assert!(!is_stack_overflow("SIGFPE / FPE_INTDIV", stack_pointer - 8, stack_pointer, &[]));
    }
}
