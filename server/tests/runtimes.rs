//! Each runtime that is watched, crashing in its own ways: the right type, the right function, and never the message.
//!
//! A runtime that is not installed is skipped, and said, unless `MEDIC_TEST_ALL` says that all are there; `cargo xtask test`
//! installs them where it may, and then says so.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use lab::{LabError, Language};
use serde_json::Value;
use support::Medic;

/// Every crash by a signal is captured, and the next worker starts at once.
const ALWAYS: &str = "[crash_monitoring]\ncrashes = 0\npause = \"0s\"\n";
/// Stands in every message of the lab's programs and may stand nowhere else.
const PERSONAL: &str = "jane@example.org";

/// How to crash, the exception's type, and the function that tells this crash from others.
type Case = (&'static str, &'static str, &'static str);

/// Medic with the lab's program in this language; none where that is not installed.
fn with_program_in(language: Language) -> Option<Medic> {
    match language.command_line() {
        Ok(command) => Some(Medic::with_command(&command, ALWAYS, "back_off = \"0s\"")),
        Err(LabError::Missing(program)) => {
            assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "{program} is not installed");
            eprintln!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn check(language: Language, cases: &[Case]) {
    let Some(medic) = with_program_in(language) else { return };
    for (how, exception_type, function) in cases {
        // A replacement that is started while its predecessor is analysed gets the debugger a moment later.
        medic.until("the debugger attached", || {
            (medic.instances()[0]["monitoring"]["state"] == "armed").then_some(())
        });
        medic.crash(how);
        let crash = medic.json("/api/v1/apps/shop/crashes")[0].clone();
        assert_eq!(crash["exception_type"], *exception_type, "{language:?} {how}: {crash:#}");
        assert!(telling_function(&crash).contains(function), "{language:?} {how}: {crash:#}");
        assert!(!crash.to_string().contains(PERSONAL), "{language:?} {how}: {crash:#}");
        let by_signal = crash["signal"].is_string() && crash["signal"] != "SIGKILL";
        assert_eq!(crash["audit"].is_object(), by_signal, "{language:?} {how}: {crash:#}");
    }
    let signatures: std::collections::BTreeSet<String> = medic
        .json("/api/v1/incidents")
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["signature"].to_string())
        .collect();
    let faults: std::collections::BTreeSet<_> =
        cases.iter().map(|(_, kind, function)| (kind, function)).collect();
    assert_eq!(signatures.len(), faults.len(), "{language:?}: one incident a fault: {signatures:?}");
    assert!(
        !medic
            .get("/apps/shop/categories/availability-and-performance/detectors/application-crashes")
            .body
            .contains(PERSONAL)
    );
}

/// Empty where no frame is known.
fn telling_function(crash: &Value) -> String {
    let thread = &crash["crashing_thread"];
    let at = usize::try_from(thread["telling"].as_u64().unwrap_or(0)).unwrap();
    thread["frames"][at]["function"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn python() {
    check(
        Language::Python,
        &[
            ("exception", "KeyError", "total"),
            ("chained", "OrderNotFound", "load_order"),
            ("recursion", "RecursionError", "count_down"),
            ("sysexit", "Exit code 1", ""),
            ("exit/7", "Exit code 7", ""),
            ("kill", "SIGKILL", ""),
        ],
    );
}

#[test]
fn what_led_to_an_exception_is_told_with_it_and_not_among_the_notes() {
    let Some(medic) = with_program_in(Language::Python) else { return };
    medic.crash("chained");
    let crash = &medic.json("/api/v1/apps/shop/crashes")[0];
    let incident = &medic.json("/api/v1/incidents")[0];
    for told in [crash, incident] {
        assert_eq!(
            (&told["exception_type"], &told["causes"][0]),
            (&"OrderNotFound".into(), &"KeyError".into())
        );
        assert!(!told["notes"].to_string().contains("KeyError"), "{told:#}");
    }
    let page = format!("/incidents/{}", incident["id"].as_str().unwrap());
    assert!(medic.get(&page).body.contains("<dt>Caused by</dt><dd><code>KeyError</code></dd>"));
    let markdown = medic.get(&format!("{page}/markdown")).body;
    assert!(markdown.contains("- Exception: `OrderNotFound`\n- Caused by: `KeyError`\n"), "{markdown}");
    let detector =
        medic.get("/apps/shop/categories/availability-and-performance/detectors/application-crashes");
    assert!(detector.body.contains("<dt>Caused by</dt><dd><code>KeyError</code></dd>"));
}

#[test]
fn node() {
    check(
        Language::Node,
        &[
            ("exception", "OrderNotFound", "loadOrder"),
            ("type-error", "TypeError", "priceOf"),
            ("stack-overflow", "RangeError", "countDown"),
            ("abort", "SIGABRT", ""),
        ],
    );
}

#[test]
fn java() {
    check(
        Language::Java,
        &[
            ("exception", "java.lang.IllegalStateException", "crash"),
            ("null", "java.lang.NullPointerException", "priceOf"),
        ],
    );
}

#[test]
fn go() {
    check(
        Language::Go,
        &[
            ("panic", "panic", "main.crash"),
            ("error", "panic", "main.loadOrder"),
            ("nil", "runtime.Error", "main.priceOf"),
            ("index", "runtime.Error", "main.itemAt"),
        ],
    );
}

#[test]
fn ruby() {
    check(Language::Ruby, &[("exception", "ArgumentError", ""), ("chained", "OrderNotFound", "load_order")]);
}

#[test]
fn php() {
    check(Language::Php, &[("exception", "LogicException", "crash"), ("type-error", "TypeError", "")]);
}

#[test]
fn dotnet() {
    check(
        Language::Dotnet,
        &[
            ("exception", "System.InvalidOperationException", "Crash"),
            ("null", "System.NullReferenceException", "Total"),
        ],
    );
}

#[test]
fn cpp() {
    check(
        Language::Cpp,
        &[
            ("throw", "shop::OrderNotFound", "shop::"),
            ("null", "SIGSEGV / SEGV_MAPERR", "shop::"),
            ("double-free", "free(): double free detected in tcache 2", "shop::delete_twice"),
            ("stack-overflow", "Stack overflow", "shop::count_down"),
            ("abort", "SIGABRT", "crash"),
        ],
    );
}

#[test]
fn c() {
    check(
        Language::C,
        &[
            ("null", "SIGSEGV / SEGV_MAPERR", "price_of"),
            ("fpe", "SIGFPE / FPE_INTDIV", "average"),
            ("bus", "SIGBUS / BUS_ADRERR", "read_truncated_file"),
            ("ill", "SIGILL / ILL_ILLOPN", "illegal_instruction"),
            ("trap", "SIGTRAP", "breakpoint"),
            ("reraise", "SIGSEGV / SEGV_MAPERR", "price_of"),
            ("reraise-alt", "SIGSEGV / SEGV_MAPERR", "price_of"),
        ],
    );
}
