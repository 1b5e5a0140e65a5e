use model::crash::{Frame, Runtime, Trust};

use super::{MAX_CHARS, Subject, of};

fn call(function: &str) -> Frame {
    Frame {
        module: None,
        function: Some(function.to_owned()),
        file: None,
        line: Some(7),
        offset: None,
        trust: Trust::CallFrameInfo,
        inline: false,
    }
}

fn in_file(function: &str, file: &str) -> Frame {
    Frame { file: Some(file.to_owned()), ..call(function) }
}

fn nameless(module: &str, offset: u64) -> Frame {
    Frame { module: Some(module.to_owned()), function: None, offset: Some(offset), ..call("") }
}

fn signature(runtime: Runtime, exception_type: &str, frames: &[Frame]) -> String {
    of(&Subject { exception_type, runtime, frames, program: "shop" })
}

#[test]
fn a_signature_names_the_fault() {
    let cases: &[(Runtime, &str, Vec<Frame>, &str)] = &[
        (
            Runtime::Native,
            "SIGSEGV / SEGV_MAPERR",
            vec![call("shop::load(int)"), call("main")],
            "SIGSEGV | shop::load",
        ),
        (
            Runtime::Native,
            "SIGSEGV / SEGV_ACCERR",
            vec![call("__memmove_avx_unaligned_erms"), call("memcpy"), call("copy_order"), call("main")],
            "SIGSEGV | memcpy | copy_order",
        ),
        (
            Runtime::Python,
            "SIGSEGV / SEGV_MAPERR",
            vec![
                call("__strlen_evex"),
                Frame {
                    module: Some("_ctypes.cpython-311-x86_64-linux-gnu.so".to_owned()),
                    ..call("_ctypes_callproc")
                },
                nameless("libffi.so.8", 0x7052),
                nameless("_ctypes.cpython-311-x86_64-linux-gnu.so", 0xe196),
                in_file("string_at", "/opt/py/lib/python3.11/ctypes/__init__.py"),
                in_file("Till.charge", "/srv/app.py"),
            ],
            "SIGSEGV | string_at | Till.charge",
        ),
        (
            Runtime::Cpp,
            "std::runtime_error",
            vec![
                nameless("libc.so.6", 0x8aeec),
                call("raise"),
                call("abort"),
                nameless("libstdc++.so.6", 0x1234),
                call("__cxa_throw"),
                call("load_order"),
            ],
            "std::runtime_error | load_order",
        ),
        (
            Runtime::Glibc,
            "free(): double free detected in tcache 2",
            vec![call("abort"), call("malloc_printerr"), call("_int_free"), call("free"), call("drop_order")],
            "free(): double free detected in tcache 2 | free | drop_order",
        ),
        (Runtime::Native, "SIGABRT", vec![call("raise"), call("abort"), call("check")], "abort | check"),
        (Runtime::Native, "SIGFPE / FPE_INTDIV", vec![call("shop::load(int)")], "SIGFPE | shop::load"),
        (Runtime::Native, "SIGKILL", vec![], "SIGKILL | shop"),
        (Runtime::Native, "Out of memory", vec![], "OOM | shop"),
        (Runtime::Native, "exit status 3", vec![], "exit status 3 | shop"),
        (
            Runtime::Java,
            "java.lang.OutOfMemoryError",
            vec![call("java.util.Arrays.copyOf"), call("Crash.main")],
            "OOM | java.lang.OutOfMemoryError | java.util.Arrays.copyOf | Crash.main",
        ),
        (
            Runtime::Python,
            "json.decoder.JSONDecodeError",
            vec![
                in_file("raw_decode", "/usr/lib/python3.11/json/decoder.py"),
                in_file("handle", "/srv/app.py"),
            ],
            "json.decoder.JSONDecodeError | raw_decode | handle",
        ),
        (
            Runtime::Rust,
            "panic",
            vec![
                call("core::panicking::panic_fmt"),
                in_file("index<u32>", "/rustc/abc/library/core/src/slice/index.rs"),
                call("rs::item_at::h0123456789abcdef"),
            ],
            "panic | rs::item_at",
        ),
        (
            Runtime::Go,
            "panic",
            vec![
                call("encoding/json.(*decodeState).value"),
                call("github.com/x/shop.Load"),
                call("main.main"),
            ],
            "panic | encoding/json.(*decodeState).value | github.com/x/shop.Load",
        ),
        (Runtime::Native, "SIGSEGV / SEGV_MAPERR", vec![nameless("shop", 0x1f2)], "SIGSEGV | shop+0x1f2"),
    ];
    for (runtime, kind, frames, expected) in cases {
        assert_eq!(signature(*runtime, kind, frames), *expected);
    }
}

#[test]
fn the_outermost_code_of_two_files_is_not_one_fault() {
    let own = |function: &str, file: &str| signature(Runtime::Python, "KeyError", &[in_file(function, file)]);
    assert_eq!(own("<module>", "/srv/releases/7/orders.py"), "KeyError | <module> (orders.py)");
    assert_eq!(own("<module>", "/srv/releases/8/orders.py"), own("<module>", "/srv/releases/7/orders.py"));
    for function in ["<module>", "{main}", "<main>", "block in <main>", "Object.<anonymous>", "<anonymous>"] {
        assert_ne!(own(function, "/srv/a.x"), own(function, "/srv/b.x"));
    }
    let closure = |line: u32| own(&format!("{{closure:/srv/releases/{line}/a.php:{line}}}"), "/srv/a.php");
    assert_eq!(closure(7), "KeyError | {closure:a.php}");
    assert_eq!(closure(7), closure(8));
    let frames = [in_file("<module>", "/srv/a.py")];
    let subject =
        Subject { exception_type: "KeyError", runtime: Runtime::Python, frames: &frames, program: "shop" };
    assert_eq!(super::telling_frame(&subject), Some(0));
}

#[test]
fn instances_of_the_programs_own_templates_and_traits_are_different_faults() {
    let of = |kind: &str, function: &str| signature(Runtime::Cpp, kind, &[call(function), call("main")]);
    for (one, other) in [
        (("shop::E<A>", "f"), ("shop::E<B>", "f")),
        (("E", "shop::Repo<A>::load(int)"), ("E", "shop::Repo<B>::load(int)")),
        (("E", "<A as shop::Load>::load"), ("E", "<B as shop::Load>::load")),
        (("E", "<A as shop::Load<X>>::load"), ("E", "<A as shop::Load<Y>>::load")),
    ] {
        assert_ne!(of(one.0, one.1), of(other.0, other.1));
    }
    let library = |t: &str| of("E", &format!("std::vector<{t}>::at(unsigned long)"));
    assert_eq!(library("A"), "E | std::vector<…>::at | main");
    assert_eq!(library("A"), library("B"));
}

#[test]
fn where_an_endless_recursion_ends_is_chance() {
    let circle = |first: usize| -> Vec<Frame> {
        let names = ["walk", "visit", "enter"];
        (0..60).map(|at| call(names[(first + at) % 3])).chain([call("main")]).collect()
    };
    let mut with_leaf = circle(1);
    with_leaf.insert(0, call("memset"));
    for frames in [circle(0), circle(1), circle(2), with_leaf] {
        assert_eq!(signature(Runtime::Native, "Stack overflow", &frames), "stack overflow | enter");
    }
}

#[test]
fn the_last_call_stays_when_it_gets_long() {
    let long = "x".repeat(150);
    let frames = [call(&format!("std::{long}")), call(&format!("std::{long}y")), call("own")];
    let signature = signature(Runtime::Cpp, "std::runtime_error", &frames);
    assert!(signature.chars().count() <= MAX_CHARS && signature.ends_with(" | own"), "{signature}");
}

#[test]
fn the_telling_frame_is_the_one_that_the_signature_ends_with() {
    let frame = |function: &str| Frame {
        module: Some("shop".into()),
        function: Some(function.into()),
        file: None,
        line: None,
        offset: Some(1),
        trust: model::crash::Trust::CallFrameInfo,
        inline: false,
    };
    let frames =
        [frame("__GI_raise"), frame("abort"), frame("shop::Handler<Order>::handle(int)"), frame("main")];
    let subject = Subject {
        exception_type: "SIGABRT",
        runtime: model::crash::Runtime::Cpp,
        frames: &frames,
        program: "shop",
    };
    assert_eq!(super::telling_frame(&subject), Some(2), "{}", of(&subject));
}
