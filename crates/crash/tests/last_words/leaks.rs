//! A message may hold what is personal, and it may look like any part of a report. It never becomes a type, a frame, a file, a
//! thread, a cause or a part of the signature: a name is planted wherever a message may stand.

use crash::{Limits, analyse};
use model::{Exit, Signal};
use proptest::prelude::*;

use crate::{death, every_sample, posted};

/// What is told to everybody, in small letters.
fn told(tail: &str, exit: Exit) -> String {
    let analysis = analyse(&death(tail.as_bytes(), exit), &Limits::default());
    serde_json::to_string(&analysis.findings).unwrap().to_lowercase()
}

fn kind(tail: &str) -> String {
    analyse(&death(tail.as_bytes(), Exit::Code(1)), &Limits::default()).findings.exception_type
}

const GOROUTINE: &str = "\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/main.go:3 +0x1\n";

#[test]
fn words_of_messages_are_no_types() {
    let call = "    at f (/a.js:1:1)\n";
    let python = |foreign: &str| {
        format!(
            "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in load\n    x\n{foreign}\n  File \"/srv/b.py\", line 4, in get\n    y\nKeyError: 'x'\n"
        )
    };
    for (tail, expected) in [
        (format!("alice: Error: x\n{call}"), "Error"),
        (format!("alice\n{call}"), "exit status 1"),
        (format!("Error: x\n\ny\n{call}"), "Error"),
        (format!("panic: alice.smith(admin) is locked{GOROUTINE}"), "panic"),
        (format!("panic: alice.smith(admin){GOROUTINE}"), "panic"),
        (format!("panic: alice.smith{{admin}} is locked{GOROUTINE}"), "panic"),
        (python("alice: hello"), "KeyError"),
        (python("Alice: hello"), "KeyError"),
        (python("127.0.0.1 - - [01/Jan/2026 10:00:00] \"GET /alice HTTP/1.1\" 200 -"), "KeyError"),
        (python("INFO:     127.0.0.1:55772 - \"GET /alice HTTP/1.1\" 200 OK"), "KeyError"),
        (format!("/a.js:1\nthrow x\n^\n\nalice: Error: x\n{call}"), "Error"),
        (format!("/a.js:1\nthrow x\n^\n\nalice\n{call}"), "Thrown value"),
        ("/a.js:1\nthrow 'alice: x'\n^\n\nalice: x\n(Use `node --trace-uncaught ...` to show where the exception was thrown)\n".to_owned(), "Thrown value"),
        ("/a.js:1\nthrow x\n^\n\nAlice: x\n\nNode.js v22.1.0\n".to_owned(), "Thrown value"),
        ("error: Uncaught \"alice\"\n".to_owned(), "Thrown value"),
        ("Error: Alice (admin)\n".to_owned(), "exit status 1"),
        ("Error: Alice(admin)\n".to_owned(), "exit status 1"),
        ("Alice: gone\n\tat shop.A.b(A.java:3)\n".to_owned(), "exit status 1"),
        ("{\"type\":\"Alice\",\"name\":\"alice\",\"message\":\"x\",\"stack\":[\"/a.php:3\"]}\n".to_owned(), "Logged error"),
    ] {
        assert_eq!(kind(&tail), expected, "{tail}");
        assert!(!told(&tail, Exit::Code(1)).contains("alice"), "{tail}");
    }
}

#[test]
fn lines_of_messages_are_no_calls() {
    for tail in [
        "Error: x\n    at alice's request\n    at f (/a.js:1:1)\n",
        "/a.js:1\nthrow x\n^\n\nError: x\n    at alice's request\n    at alice (home)\n    at f (/a.js:1:1)\n\nNode.js v22.1.0\n",
        "Unhandled exception. System.Exception: x\n   at alice's request\n   at alice.smith(home)\n   at P.Main(String[] a)\n",
        "Exception in thread \"main\" java.lang.Error: x\n\tat alice.smith(home)\n\tat shop.A.b(A.java:3)\n",
        "PHP Fatal error:  Uncaught Error: x\n#0 alice@example.org in /a.php:3\nStack trace:\n#0 alice@example.org\n#1 {main}\n  thrown in /a.php on line 3\n",
        "thread 'main' panicked at src/main.rs:3:5:\nx\n   0: alice@example.org\nstack backtrace:\n   0: alice@example.org\n   1: shop::main\n",
        "thread 'main' panicked at 'alice\nsays x', src/main.rs:3:5\n",
        "thread 'main' panicked at 'alice:3:5\n",
        "Error: \n   0: alice went home\n   1: alice::smith is gone\n\nLocation:\n   src/main.rs:12\n",
        "user=alice@example.org failed /a.rb:4:in 'f': x (RuntimeError)\n\tfrom alice\n\tfrom /a.rb:9:in '<main>'\n",
        "panic: x\nalice(1)\n\ngoroutine 1 [running]:\nalice went home(1)\n\t/srv/main.go:3 +0x1\nmain.main()\n\t/srv/main.go:3 +0x1\n",
        "Fatal Python error: alice\n\nCurrent thread 0x1 (most recent call first):\n  File \"/a.py\", line 3 in alice's code\n  File \"/a.py\", line 4 in f\n",
        "shop: alice: 3: x: Assertion `alice' failed.\n",
        "/srv/a.c:3:5: runtime error: alice said so\n",
        "alice said: runtime error: 3:5\n",
        "terminate called after throwing an instance of 'std::runtime_error'\n  what():  alice\n",
    ] {
        assert!(!told(tail, Exit::Code(1)).contains("alice"), "{tail}\n{}", told(tail, Exit::Code(1)));
    }
    assert!(
        told("user=alice@example.org failed /a.rb:4:in 'f': x (RuntimeError)\n", Exit::Code(1))
            .contains("/a.rb")
    );
}

/// What a message, or another thread, could put between any two lines.
const PLANTED: [&str; 34] = [
    "alice: hello",
    "alice.smith: hello",
    "alice",
    "    at alice's request",
    "    at alice",
    "\tat alice.smith(home)",
    "   at alice.smith(home)",
    "#0 alice@example.org",
    "#1 /home of alice(3): x",
    "   0: alice@example.org",
    "   1: alice and bob",
    "user=alice@example.org failed",
    "user alice failed /x.rb:4:in 'f'",
    "panic: alice.smith(admin) is locked",
    "Caused by: alice.smith",
    " ---> alice: x",
    "  [cause]: alice",
    "  cause: alice: x",
    "\tfrom alice",
    "  File alice, line 3, in alice",
    "thread alice panicked",
    "    alice said so",
    "  | alice",
    "│ alice:3 in alice",
    "    @     0x7fda  alice and bob",
    "127.0.0.1 - alice [01/Jan/2026 10:00:00] \"GET /alice HTTP/1.1\" 200 -",
    "{\"user\":\"alice\",\"type\":\"Alice\",\"msg\":\"alice\\nalice\"}",
    "2026-01-01 10:00:00 INFO alice: hello",
    "[alice] hello",
    "alice:   hello",
    "[alice]",
    "  stack: 'alice\\n' +",
    "Next alice: x",
    "{\"log\":\"alice: x\"}",
];

#[test]
fn a_name_between_any_two_lines_reaches_nothing() {
    for (name, tail) in every_sample() {
        let text = String::from_utf8_lossy(&tail).into_owned();
        let lines: Vec<&str> = text.lines().take(40).collect();
        for at in 0..=lines.len() {
            let planted: Vec<&str> =
                (0..4).map(|more| PLANTED[(at * 5 + more * 7) % PLANTED.len()]).collect();
            for insert in [&planted[..1], &planted] {
                let mixed: Vec<&str> =
                    lines[..at].iter().chain(insert).chain(&lines[at..]).copied().collect();
                for exit in [Exit::Code(1), Exit::Signal(Signal(6))] {
                    let told = told(&mixed.join("\n"), exit);
                    assert!(!told.contains("alice"), "{name}: {}\n{told}", mixed.join("\n"));
                }
            }
        }
    }
}

/// Where the samples have a message, any other could stand.
#[test]
fn another_message_in_the_same_place_reaches_nothing() {
    let samples = ["posted", "typed"].iter().flat_map(|folder| posted::samples(folder));
    let mut with_message = 0;
    for (name, tail, expected) in samples {
        let Some(message) = &expected.message else { continue };
        let text = String::from_utf8_lossy(&tail).into_owned();
        with_message += usize::from(text.contains(message));
        for planted in PLANTED {
            let mixed = text.replace(message, planted);
            let told = told(&mixed, expected.exit());
            assert!(!told.contains("alice"), "{name}: {mixed}\n{told}");
        }
    }
    assert!(with_message > 30, "{with_message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lines_of_all_reports_and_a_name_between_them_reach_nothing(
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..60),
        planted in proptest::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let lines: Vec<String> = every_sample()
            .iter()
            .flat_map(|(_, tail)| String::from_utf8_lossy(tail).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let text: Vec<&str> = picks
            .iter()
            .zip(planted.iter().cycle())
            .flat_map(|(pick, name)| [pick.get(&lines).as_str(), *name.get(&PLANTED)])
            .collect();
        for exit in [Exit::Code(1), Exit::Signal(Signal(6))] {
            let told = told(&text.join("\n"), exit);
            prop_assert!(!told.contains("alice"), "{}", told);
        }
    }
}
