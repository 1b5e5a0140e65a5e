//! The calls of a Python program beside the machine's.
//!
//! The native stack of a Python program shows its interpreter: a call of `_PyEval_EvalFrameDefault` for one call of the program
//! (up to CPython 3.10), or for all up to the next that some other code made. Which ones they are was read from the interpreter's
//! own memory. They take the place of the interpreter's calls, so that the stack reads as one:
//!
//! ```text
//!  native, innermost first                  joined
//!  strlen           libc                    strlen           libc
//!  ffi_call         libffi                  ffi_call         libffi
//!  …_callproc       _ctypes                 …_callproc       _ctypes
//!  _PyEval_…        libpython   ──calls──▶  charge           /srv/app.py:12
//!  _PyObject_…      libpython               pay              /srv/app.py:30
//!  _PyEval_…        libpython               main             /srv/app.py:41
//! ```
//!
//! What the interpreter itself called on the way to the fault stays: the fault may be its own.

use model::crash::Frame;
use serde::{Deserialize, Serialize};

use crate::text;

/// How the interpreter's one function that runs a program begins.
const EVALUATES: &str = "_PyEval_EvalFrameDefault";

/// How files of the interpreter begin.
const INTERPRETER: [&str; 2] = ["libpython3", "python3"];

/// One call of a Python program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonCall {
    /// Its name, with its class where known.
    pub function: String,
    /// Where it is, as Python names it.
    pub file: String,
    /// Which line was run.
    pub line: Option<u32>,
    /// The interpreter was entered for it: what called it is in another native call.
    pub enters: bool,
}

/// The calls of the crashing thread, innermost first, or in one sentence why they are not known.
pub type PythonCalls = Result<Vec<PythonCall>, String>;

/// Puts the program's calls in the place of the interpreter's.
pub(crate) fn join(native: Vec<Frame>, calls: &[PythonCall]) -> Vec<Frame> {
    if calls.is_empty() {
        return native;
    }
    let mut left = calls.iter();
    let mut joined = Vec::with_capacity(native.len() + calls.len());
    let is_stripped = !native.iter().any(evaluates);
    let mut is_inside = false;
    for frame in native {
        if evaluates(&frame) || (is_stripped && !is_inside && is_interpreters(&frame)) {
            is_inside = true;
            // where nothing tells the interpreter's calls apart, all of the program's stand together
            let group = left.clone().position(|call| call.enters && !is_stripped);
            joined.extend(left.by_ref().take(group.map_or(usize::MAX, |last| last + 1)).map(frame_of));
        } else if !(is_inside && is_interpreters(&frame)) {
            joined.push(frame);
        }
    }
    // the native stack could not be walked to its end
    joined.extend(left.map(frame_of));
    joined
}

fn frame_of(call: &PythonCall) -> Frame {
    text::printed(&call.function, &call.file, call.line)
}

fn evaluates(frame: &Frame) -> bool {
    frame.function.as_deref().is_some_and(|function| function.starts_with(EVALUATES))
}

fn is_interpreters(frame: &Frame) -> bool {
    let module = frame.module.as_deref().unwrap_or_default();
    INTERPRETER.iter().any(|begin| module.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use model::crash::Trust;

    use super::*;

    fn native(module: &str, function: &str) -> Frame {
        Frame {
            module: Some(module.to_owned()),
            function: Some(function.to_owned()).filter(|name| !name.is_empty()),
            file: None,
            line: None,
            offset: Some(16),
            trust: Trust::CallFrameInfo,
            inline: false,
        }
    }

    fn call(function: &str, enters: bool) -> PythonCall {
        PythonCall { function: function.to_owned(), file: "/srv/app.py".to_owned(), line: Some(7), enters }
    }

    fn places(native: &[Frame], calls: &[PythonCall]) -> Vec<String> {
        join(native.to_vec(), calls).iter().map(Frame::place).collect()
    }

    const EVAL: &str = "_PyEval_EvalFrameDefault";

    #[test]
    fn calls_stand_where_the_interpreter_ran_them() {
        let stack = [
            native("libc.so.6", "strlen"),
            native("_ctypes.so", "_ctypes_callproc"),
            native("libpython3.11.so.1.0", "_PyObject_MakeTpCall"),
            native("libpython3.11.so.1.0", EVAL),
            native("libpython3.11.so.1.0", "_PyEval_Vector"),
            native("_sort.so", "sort_by"),
            native("libpython3.11.so.1.0", "_PyEval_EvalFrameDefault.cold"),
            native("libpython3.11.so.1.0", "Py_RunMain"),
            native("libc.so.6", "__libc_start_main"),
        ];
        let calls = [call("charge", false), call("pay", true), call("main", false), call("<module>", true)];
        let inner = ["strlen", "_ctypes_callproc", "_PyObject_MakeTpCall"];
        let outer = ["charge", "pay", "sort_by", "main", "<module>", "__libc_start_main"];
        assert_eq!(places(&stack, &calls), [&inner[..], &outer[..]].concat());
        // up to CPython 3.10 each has its own
        let stack = [native("python3.9", EVAL), native("python3.9", EVAL), native("a.so", "loop")];
        assert_eq!(places(&stack, &[call("pay", true), call("main", true)]), ["pay", "main", "loop"]);
    }

    #[test]
    fn without_the_interpreters_names_they_stand_together() {
        let stack = [native("libc.so.6", "strlen"), native("python3.11", ""), native("python3.11", "")];
        let calls = [call("pay", true), call("main", true)];
        assert_eq!(places(&stack, &calls), ["strlen", "pay", "main"]);
        // a stack that ends before the interpreter, and none at all
        assert_eq!(places(&stack[..1], &calls), ["strlen", "pay", "main"]);
        assert_eq!(places(&[], &calls), ["pay", "main"]);
        assert_eq!(places(&stack, &[]), ["strlen", "python3.11+0x10", "python3.11+0x10"]);
    }

    #[test]
    fn what_a_program_is_called_is_cleaned() {
        let hostile = PythonCall {
            function: format!("a\u{1b}[31m\nb{}", "x".repeat(5_000)),
            file: "\u{202e}/srv".to_owned(),
            line: Some(0),
            enters: true,
        };
        let frame = &join(Vec::new(), &[hostile])[0];
        let function = frame.function.as_deref().unwrap();
        assert!(!function.contains(['\u{1b}', '\n']) && function.chars().count() <= text::FUNCTION_CHARS);
        assert_eq!((frame.file.as_deref(), frame.line), (Some("/srv"), None));
    }
}
