//! The exception's type as a dump has it.

use engine::crash::Frame;
use minidump_processor::ProcessState;
use minidump_unwind::CallStack;

use crate::text;

/// How far below the stack pointer an address may be that a call or a large frame touches first.
const BELOW_STACK_BYTES: u64 = 64 << 10;
/// The same where the stack shows a recursion.
const BELOW_RECURSION_BYTES: u64 = 8 << 20;
/// How often one function is on a stack that recursion filled.
const RECURSION: usize = 16;

/// `SIGSEGV / SEGV_MAPERR`, `EXCEPTION_ACCESS_VIOLATION_WRITE`, `Stack overflow`; empty where the dump has no exception.
pub(super) fn exception_type(state: &ProcessState, stack: Option<&CallStack>, frames: &[Frame]) -> String {
    let Some(exception) = &state.exception_info else { return String::new() };
    let reason = exception.reason.to_string();
    let stack_pointer =
        stack.and_then(|stack| stack.frames.first()).map(|frame| frame.context.get_stack_pointer());
    if stack_pointer.is_some_and(|pointer| is_stack_overflow(&reason, exception.address.0, pointer, frames)) {
        return "Stack overflow".to_owned();
    }
    text::name(without_sender(&reason), text::TYPE_CHARS)
}

/// Who sent a signal that is no fault (`SIGABRT / SI_TKILL`, or a number that has no name) says nothing of the crash.
fn without_sender(reason: &str) -> &str {
    match reason.split_once(" / ") {
        Some((signal, code)) if signal.starts_with("SIG") => {
            let is_number = code.starts_with("0x") || code.chars().all(|c| c.is_ascii_digit());
            let is_sender = signal == "SIGABRT" && code.starts_with("SI_");
            if is_number || is_sender { signal } else { reason }
        }
        _ => reason,
    }
}

/// A fault right below the stack pointer is one of the stack itself; further below it if one function fills the stack. Above it
/// is the stack that exists.
fn is_stack_overflow(reason: &str, address: u64, stack_pointer: u64, frames: &[Frame]) -> bool {
    let is_access = ["SIGSEGV", "SIGBUS", "EXC_BAD_ACCESS", "EXCEPTION_ACCESS_VIOLATION"]
        .iter()
        .any(|kind| reason.starts_with(kind));
    if reason.starts_with("EXCEPTION_STACK_OVERFLOW") {
        return true;
    }
    // A call pushes below the pointer; a store to a local of a frame that was just made is a little above.
    let distance = stack_pointer
        .saturating_add(4_096)
        .checked_sub(address)
        .map(|distance| distance.saturating_sub(4_096));
    let Some(distance) = distance.filter(|_| is_access && stack_pointer != 0) else { return false };
    let is_above = address > stack_pointer;
    let recursive = is_recursive(frames);
    if is_above {
        return recursive;
    }
    distance <= BELOW_STACK_BYTES && (recursive || distance <= 4_096)
        || (recursive && distance <= BELOW_RECURSION_BYTES)
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
        assert_eq!(without_sender("SIGTRAP / 0x80"), "SIGTRAP");
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
