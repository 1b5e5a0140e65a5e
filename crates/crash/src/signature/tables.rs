//! Which calls are irrelevant, which are prefixes. Data: a new runtime or a new C library adds lines here and nowhere else.

use engine::crash::{Frame, Runtime};

/// What a call means for the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Says nothing about the fault.
    Irrelevant,
    /// Says something, but not whose fault it is.
    Prefix,
    /// The program's own.
    Own,
}

/// Types that mean that memory ran out.
pub(super) const OUT_OF_MEMORY: &[&str] = &[
    "Out of memory",
    "JavaScript heap out of memory",
    "java.lang.OutOfMemoryError",
    "System.OutOfMemoryException",
    "MemoryError",
    "NoMemoryError",
    "std::bad_alloc",
];

/// Types that mean that a stack ran out.
pub(super) const STACK_OVERFLOW: &[&str] = &[
    "Stack overflow",
    "RecursionError",
    "java.lang.StackOverflowError",
    "System.StackOverflowException",
    "SystemStackError",
    "AddressSanitizer: stack-overflow",
    "EXCEPTION_STACK_OVERFLOW",
];

/// Above these is only how the throw became an end.
const SENTINELS: &[&str] = &["__cxa_throw", "__cxa_rethrow", "_CxxThrowException"];

/// Whole names, after normalising, of what reports a fault or starts a thread.
const IRRELEVANT: &[&str] = &[
    // glibc's way from abort() to the signal.
    "raise",
    "gsignal",
    "__GI_raise",
    "abort",
    "__GI_abort",
    "pthread_kill",
    "__pthread_kill",
    "__pthread_kill_implementation",
    "__pthread_kill_internal",
    "pthread_kill@@GLIBC_2.34",
    "__libc_message",
    "__libc_message_impl",
    "__libc_message_wrapper",
    "malloc_printerr",
    "__fortify_fail",
    "__fortify_fail_abort",
    "__stack_chk_fail",
    "__chk_fail",
    "__assert_fail",
    "__assert_fail_base",
    "__GI___assert_fail",
    "__restore_rt",
    "__libc_start_main",
    "__libc_start_call_main",
    "__libc_start_main_impl",
    "_start",
    "start_thread",
    "clone",
    "clone3",
    "__clone",
    "__clone3",
    "kill",
    "__kill",
    // What only machines with the C library's debug symbols can name: without them it is nameless, and the name of the crash
    // must not depend on that.
    "_int_malloc",
    "_int_free",
    "_int_free_merge_chunk",
    "_int_realloc",
    "_int_memalign",
    "unlink_chunk",
    "malloc_consolidate",
    "malloc_printerr_tail",
    "tcache_get",
    "tcache_put",
    "tcache_thread_shutdown",
    "sysmalloc",
    "__futex_abstimed_wait_common64",
    "do_futex_wait",
    "tgkill",
    "syscall",
    // libstdc++'s and libc++'s way from a throw to abort().
    "__cxa_throw",
    "__cxa_rethrow",
    "__gxx_personality_v0",
    "__cxxabiv1::__terminate",
    "__verbose_terminate_handler",
    "__gnu_cxx::__verbose_terminate_handler",
    "__cxa_call_terminate",
    "__cxa_pure_virtual",
    "__clang_call_terminate",
    "_Unwind_RaiseException",
    "_Unwind_Resume",
    "std::terminate",
    "std::__terminate",
    "std::__glibcxx_assert_fail",
    "std::__replacement_assert",
    "abort_message",
    // Windows.
    "RaiseException",
    "_CxxThrowException",
    "RtlRaiseException",
    "_invalid_parameter_noinfo",
    "_invalid_parameter",
    "_invoke_watson",
    "_purecall",
    // macOS.
    "__pthread_sigmask",
    "abort_report_np",
    // Go.
    "panic",
    // Node.js and V8 on their way to abort().
    "node::Abort",
    "node::OOMErrorHandler",
    "node::OnFatalError",
    "node::FatalError",
    "node::Assert",
    "V8_Fatal",
    "v8::Utils::ReportOOMFailure",
    "v8::internal::V8::FatalProcessOutOfMemory",
    "v8::internal::Heap::FatalProcessOutOfMemory",
    // .NET.
    "System.Environment.FailFast",
    // Java's native side.
    "os::abort",
    "VMError::report_and_die",
];

/// Beginnings of names of the same.
const IRRELEVANT_BEGINNINGS: &[&str] = &[
    "rust_begin_unwind",
    "__rustc::rust_begin_unwind",
    "__rustc::rust_panic",
    "__rustc::__rust_",
    "rust_panic",
    "__rust_start_panic",
    "__rust_begin_short_backtrace",
    "__rust_end_short_backtrace",
    "core::panicking::",
    "std::panicking::",
    "std::panic::",
    "std::rt::",
    "std::process::abort",
    "std::sys::backtrace::",
    "std::sys_common::backtrace::",
    "std::sys::pal::unix::abort_internal",
    "std::sys::pal::unix::thread::",
    "std::sys::thread::",
    "std::backtrace",
    "core::ops::function::FnOnce::call_once",
    "<alloc::boxed::Box",
    "core::result::unwrap_failed",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "panic_abort::",
    "panic_unwind::",
    "runtime.",
    "_L_lock_",
    "__mem",
    "__str",
    "__wcs",
    "__vfprintf",
    "__vsnprintf",
    "_IO_",
    "__IO_",
    "__interceptor_",
    "__asan",
    "__sanitizer",
    "__ubsan",
];

/// Whole names of allocators, memory and string functions.
const PREFIXES: &[&str] = &[
    "malloc",
    "free",
    "cfree",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "__libc_malloc",
    "__libc_free",
    "__libc_calloc",
    "__libc_realloc",
    "munmap_chunk",
    "operator new",
    "operator new[]",
    "operator delete",
    "operator delete[]",
    "qsort",
    "memcpy",
    "memmove",
    "memset",
    "memcmp",
    "memchr",
    "bcopy",
    "printf",
    "fprintf",
    "sprintf",
    "snprintf",
    "vsnprintf",
    "puts",
    "fputs",
    "fwrite",
    "fread",
    "fclose",
    "strlen",
    "strcmp",
    "strncmp",
    "strcpy",
    "strncpy",
    "strcat",
    "strdup",
    "strchr",
    "strstr",
    "strtol",
    "atoi",
    "pthread_mutex_lock",
    "___pthread_mutex_lock",
    "pthread_join",
    "sys_alloc",
];

/// Beginnings of names of libraries that every program has.
const PREFIX_BEGINNINGS: &[&str] = &[
    "je_",
    "mi_",
    "tc_",
    "std::",
    "__gnu_cxx::",
    "core::",
    "alloc::",
    "<core::",
    "<alloc::",
    "<std::",
    "__rust_alloc",
    "__rust_dealloc",
    "hashbrown::",
    "v8::",
    "Builtins_",
    "node::",
    "_PyEval_",
    "PyEval_",
    "_PyObject_",
    "PyObject_",
    "_PyRun_",
    "_PyFunction_",
    "method_vectorcall_",
    "ffi_",
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "scala.",
    "System.",
    "Microsoft.",
    "Unsafe_",
];

/// Go's standard packages: what stands before the first `/` or `.` of a function's name.
const GO_PACKAGES: &[&str] = &[
    "archive",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "vendor",
];

/// Parts of paths where libraries live that a package manager put there.
const LIBRARY_PATHS: &[&str] = &[
    "/site-packages/",
    "/dist-packages/",
    "/node_modules/",
    "/gems/",
    "/rubygems/",
    "/vendor/",
    "/usr/lib/python",
    "/usr/local/lib/python",
    "/lib/python3",
    "/usr/lib/ruby/",
    "/pkg/mod/",
    "/.cargo/registry/",
];

/// Beginnings of files that are part of the runtime.
const LIBRARY_FILES: &[&str] = &["node:", "internal/", "<internal:", "<frozen "];

/// Files of the C library and its like: a call in them without a name is nobody's fault.
const SYSTEM_MODULES: &[&str] = &[
    "libc.so",
    "libc-2",
    "ld-linux",
    "ld-2",
    "ld-musl",
    "libpthread",
    "libgcc_s",
    "libstdc++",
    "libc++abi",
    "libm.so",
    "linux-gate.so",
    "libffi.so",
    "linux-vdso.so",
    "[vdso]",
    "ntdll.",
    "kernel32.",
    "KERNELBASE.",
    "libsystem_",
    "dyld",
];

pub(super) fn is_sentinel(frame: &Frame) -> bool {
    frame.function.as_deref().is_some_and(|function| SENTINELS.contains(&function))
}

/// Is it in a file of the runtime's or of a package?
pub(super) fn is_library(frame: &Frame) -> bool {
    frame.file.as_deref().is_some_and(|file| {
        LIBRARY_FILES.iter().any(|begin| file.starts_with(begin))
            || LIBRARY_PATHS.iter().any(|part| file.contains(part))
            || is_rust_library(file)
    })
}

/// The standard library is compiled from `/rustc/<commit>/library`.
fn is_rust_library(file: &str) -> bool {
    (file.starts_with("/rustc/") && file.contains("/library/"))
        || file.contains("/lib/rustlib/src/rust/library/")
}

/// `name` is the frame's name after normalising.
pub(super) fn kind(frame: &Frame, name: &str, runtime: Runtime) -> Kind {
    let begins = |table: &[&str]| table.iter().any(|begin| name.starts_with(begin));
    let is_nameless_system = frame.function.is_none()
        && frame
            .module
            .as_deref()
            .is_some_and(|module| SYSTEM_MODULES.iter().any(|begin| module.starts_with(begin)));
    let in_rust_library = frame.file.as_deref().is_some_and(is_rust_library);
    if is_nameless_system || in_rust_library || IRRELEVANT.contains(&name) || begins(IRRELEVANT_BEGINNINGS) {
        return Kind::Irrelevant;
    }
    let is_go_package = runtime == Runtime::Go
        && name.split(['/', '.']).next().is_some_and(|package| GO_PACKAGES.contains(&package))
        && !name.split('/').next().is_some_and(|first| first.contains('.') && name.contains('/'));
    if is_go_package || is_library(frame) || PREFIXES.contains(&name) || begins(PREFIX_BEGINNINGS) {
        return Kind::Prefix;
    }
    Kind::Own
}
