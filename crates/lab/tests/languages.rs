//! Each language's shop serves, and crashes as its first lines say. A language whose runtime is not installed is skipped with
//! a word on standard error, unless `MEDIC_TEST_ALL` is set, as `cargo xtask test` does where it could install everything.
#![expect(clippy::unwrap_used, reason = "a test that fails says where by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use lab::{LabError, Language};

const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Signal(i32),
    Status(i32),
}

use End::{Signal, Status};

/// How to crash, how that ends, and what standard error has.
type Case = (&'static str, End, &'static str);

fn command(language: Language) -> Option<Command> {
    match language.command() {
        Ok(mut command) => {
            command.env("PORT", "0").env("WEBSITE_INSTANCE_ID", "lab-0").env_remove("LAB_CRASH");
            Some(command)
        }
        Err(LabError::Missing(program)) if std::env::var_os("MEDIC_TEST_ALL").is_none() => {
            eprintln!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("{language:?}: {error}"),
    }
}

fn check(language: Language, cases: &[Case]) {
    let Some(mut serving) = command(language) else { return };
    serves(language, &mut serving);
    for (how, end, words) in cases {
        let mut crashing = command(language).unwrap();
        crashing.env("LAB_CRASH", how).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = crashing.spawn().unwrap();
        let (sender, receiver) = channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let output = receiver.recv_timeout(PATIENCE).expect("it ends").unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let code = || Status(output.status.code().unwrap_or(-1));
        let got = output.status.signal().map_or_else(code, Signal);
        assert_eq!(got, *end, "{language:?} {how}: {stderr}");
        assert!(stderr.contains(words), "{language:?} {how}: {stderr}");
    }
}

fn serves(language: Language, command: &mut Command) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit(' ').next().unwrap().trim_start_matches('/').to_owned();
    let answers = ["/", "/orders/7", "/slow?ms=1", "/env", "/nowhere"].map(|path| get(&address, path));
    child.kill().unwrap();
    child.wait().unwrap();
    let [page, order, slow, environment, nowhere] = answers.map(|answer| answer.unwrap());
    assert!(page.contains("crashes on request"), "{language:?}: {page}");
    assert!(order.contains("total"), "{language:?}: {order}");
    assert!(slow.contains(" 200 "), "{language:?}: {slow}");
    assert!(environment.contains("lab-0"), "{language:?}: {environment}");
    assert!(nowhere.contains(" 404 "), "{language:?}: {nowhere}");
}

fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn c() {
    check(
        Language::C,
        &[
            ("null", Signal(11), ""),
            ("abort", Signal(6), ""),
            ("stack-overflow", Signal(11), ""),
            ("double-free", Signal(6), "double free"),
            ("fpe", Signal(8), ""),
            ("bus", Signal(7), ""),
            ("ill", Signal(4), ""),
            ("trap", Signal(5), ""),
            ("call", Signal(11), ""),
            ("heap", Signal(6), "malloc(): corrupted top size"),
            ("kill", Signal(9), ""),
            ("reraise", Signal(11), "cleaning up"),
            ("reraise-alt", Signal(11), "cleaning up"),
            ("exit/4", Status(4), ""),
        ],
    );
}

#[test]
fn cpp() {
    check(
        Language::Cpp,
        &[
            ("throw", Signal(6), "instance of 'shop::OrderNotFound'"),
            ("throw-int", Signal(6), "instance of 'int'"),
            ("terminate", Signal(6), "without an active exception"),
            ("noexcept", Signal(6), "instance of 'shop::OrderNotFound'"),
            ("pure-virtual", Signal(6), "pure virtual method called"),
            ("out-of-range", Signal(6), "std::out_of_range"),
            ("bad-alloc", Signal(6), "std::bad_alloc"),
            ("null", Signal(11), ""),
            ("double-free", Signal(6), "double free"),
            ("stack-overflow", Signal(11), ""),
            ("abort", Signal(6), ""),
            ("exit/4", Status(4), ""),
        ],
    );
}

#[test]
fn python() {
    check(
        Language::Python,
        &[
            ("exception", Status(1), "KeyError: 'cents'"),
            ("chained", Status(1), "OrderNotFound: order 42"),
            ("recursion", Status(1), "RecursionError"),
            ("group", Status(1), "ExceptionGroup: 2 orders failed"),
            ("syntax", Status(1), "SyntaxError"),
            ("sysexit", Status(1), "cannot open the database"),
            ("async", Status(1), "OrderNotFound: order 42"),
            ("oom", Status(1), "MemoryError"),
            ("segv", Signal(11), ""),
            ("abort", Signal(6), ""),
            ("kill", Signal(9), ""),
            ("exit/4", Status(4), ""),
        ],
    );
}

#[test]
fn node() {
    check(
        Language::Node,
        &[
            ("exception", Status(1), "OrderNotFound: order 42"),
            ("type-error", Status(1), "TypeError: Cannot read properties of undefined"),
            ("rejection", Status(1), "OrderNotFound: order 42"),
            ("rejection-value", Status(1), "ERR_UNHANDLED_REJECTION"),
            ("string", Status(1), "order 42 of"),
            ("cause", Status(1), "[cause]: OrderNotFound"),
            ("stack-overflow", Status(1), "RangeError"),
            ("system", Status(1), "ENOENT"),
            ("abort", Signal(6), ""),
            ("oom", Signal(6), "JavaScript heap out of memory"),
            ("segv", Signal(11), ""),
            ("exit/4", Status(4), ""),
        ],
    );
}

#[test]
fn java() {
    check(
        Language::Java,
        &[
            ("exception", Status(1), "java.lang.IllegalStateException: the cart"),
            ("null", Status(1), "java.lang.NullPointerException"),
            ("chained", Status(1), "Shop$OrderNotFound: order 42"),
            ("stack-overflow", Status(1), "java.lang.StackOverflowError"),
            ("oom", Status(1), "java.lang.OutOfMemoryError"),
            ("segv", Signal(6), ""),
            ("exit/4", Status(4), ""),
        ],
    );
}

#[test]
fn go() {
    check(
        Language::Go,
        &[
            ("panic", Status(2), "panic: order 42"),
            ("error", Status(2), "order 42 of jane@example.org not found"),
            ("nil", Status(2), "nil pointer dereference"),
            ("index", Status(2), "index out of range [7]"),
            ("map", Status(2), "concurrent map writes"),
            ("stack-overflow", Status(2), "fatal error: stack overflow"),
            ("bad-pointer", Status(2), "fatal error: fault"),
            ("abort", Status(2), "SIGABRT: abort"),
            ("exit/4", Status(4), ""),
        ],
    );
}

#[test]
fn ruby() {
    check(
        Language::Ruby,
        &[
            ("exception", Status(1), "(ArgumentError)"),
            ("nil", Status(1), "(NoMethodError)"),
            ("chained", Status(1), "(OrderNotFound)"),
            ("stack-overflow", Status(1), "(SystemStackError)"),
            ("system", Status(1), "(Errno::ENOENT)"),
            ("segv", Signal(6), "[BUG] Segmentation fault"),
            ("abort", Status(1), "cannot open the database"),
            ("exit/4", Status(4), ""),
        ],
    );
}

#[test]
fn php() {
    check(
        Language::Php,
        &[
            ("exception", Status(255), "Uncaught LogicException"),
            ("type-error", Status(255), "Uncaught TypeError"),
            ("chained", Status(255), "Next OrderNotFound"),
            ("oom", Status(255), "Allowed memory size"),
            ("exit/4", Status(4), ""),
        ],
    );
}

#[test]
fn dotnet() {
    check(
        Language::Dotnet,
        &[
            ("exception", Signal(6), "Unhandled exception. System.InvalidOperationException"),
            ("null", Signal(6), "System.NullReferenceException"),
            ("chained", Signal(6), "Unhandled exception. OrderNotFound"),
            ("thread-exception", Signal(6), "Unhandled exception. OrderNotFound"),
            ("stack-overflow", Signal(6), "Stack overflow."),
            ("fail-fast", Signal(6), "Process terminated."),
            ("segv", Signal(6), "System.AccessViolationException"),
            ("exit/4", Status(4), ""),
        ],
    );
}
