//! What may be taken for a type's name. A message may hold anything, and a type is told to everybody: so a word is a type only
//! where it has a type's form, and which form is asked for depends on where it stands.

use crate::text::is_path;

/// What the last part of an exception's type ends with in every language that names them.
const ENDINGS: [&str; 5] = ["Error", "Exception", "ExceptionGroup", "Throwable", "PromiseRejection"];

/// Types that end otherwise: of Python, Node.js, Java, .NET and Ruby; and PHP's own ones that begin small.
const KNOWN: [&str; 10] = [
    "mysqli_sql_exception",
    "com_exception",
    "KeyboardInterrupt",
    "SystemExit",
    "StopIteration",
    "StopAsyncIteration",
    "GeneratorExit",
    "Interrupt",
    "SignalException",
    "java.lang.ThreadDeath",
];

/// Ruby's types of the system's errors: `Errno::ECONNREFUSED`.
const ERRNO: &str = "Errno::E";

/// Types without a capital, which only Python has: always with their module (`socket.timeout`).
const SMALL: [&str; 5] = ["error", "timeout", "gaierror", "herror", "exception"];

/// Words before a colon that begin a line of a log.
const LEVELS: [&str; 15] = [
    "TRACE",
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARN",
    "WARNING",
    "ERROR",
    "ERR",
    "SEVERE",
    "CRITICAL",
    "CRIT",
    "ALERT",
    "EMERGENCY",
    "FATAL",
    "PANIC",
];

/// The last part of `json.decoder.JSONDecodeError`, `Crash$Inner`, `App\Error`, `std::bad_alloc`, ``Fault`1``.
fn last_part(path: &str) -> &str {
    // of Python's `f.<locals>.Inner` the class
    let path = path.rsplit("<locals>.").next().unwrap_or(path);
    let path = path.split(['<', '`', '[']).next().unwrap_or(path);
    path.rsplit(['.', ':', '\\', '$', '+']).find(|part| !part.is_empty()).unwrap_or(path)
}

/// A type's name wherever it stands: `…Error`, `…Exception` or a known one.
pub(super) fn is_error(path: &str) -> bool {
    let last = last_part(path);
    is_path(path)
        && (KNOWN.contains(&path)
            || path.starts_with(ERRNO)
            || (last.starts_with(char::is_uppercase) && ENDINGS.iter().any(|ending| last.ends_with(ending))))
}

/// A type's name where a runtime's own report has one: `OrderNotFound`, `gunicorn.errors.HaltServer`, `socket.timeout`.
pub(super) fn is_own(path: &str) -> bool {
    let last = last_part(path);
    let is_small = last.len() < path.len() && SMALL.contains(&last);
    is_path(path)
        && !LEVELS.contains(&path)
        && (last.starts_with(char::is_uppercase) || is_small || KNOWN.contains(&path))
}

/// `ERROR`, `warning`.
pub(super) fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

/// Does a line of a log say its level? `Error` with a small end is a word of a sentence.
pub(super) fn names_level(line: &str) -> bool {
    line.split(|c: char| !c.is_alphabetic()).any(|word| LEVELS.contains(&word) || word == "EXCEPTION")
}

/// `Type: message` or `Type` where the type `is` one.
pub(super) fn typed(line: &str, is: fn(&str) -> bool) -> Option<(&str, &str)> {
    crate::text::type_and_message(line).filter(|(kind, _)| is(kind))
}

/// Is it a function's name as native programs have it? An error's list of causes is numbered too: a sentence has blanks, a name only inside of brackets.
pub(super) fn is_symbol(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_:<>{}$,&*[]()#'-=;.!~+/|^% ".contains(c);
    let name = text.split("@@GLIBC").next().unwrap_or(text).split("@GLIBC").next().unwrap_or(text);
    let name = name.strip_prefix("operator ").unwrap_or(name);
    !name.is_empty() && name.chars().all(is_part) && !has_bare_blank(name) && !text.ends_with(['.', ':'])
}

fn has_bare_blank(name: &str) -> bool {
    let mut depth = 0_i32;
    name.chars().any(|c| {
        depth += i32::from("<({[".contains(c)) - i32::from(">)}]".contains(c));
        depth <= 0 && c == ' '
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_message_is_no_type() {
        for kind in [
            "Error",
            "a.b.OrderError",
            "App\\NotFoundException",
            "std::FooError",
            "A.BException`1",
            "SystemExit",
        ] {
            assert!(is_error(kind) && is_own(kind), "{kind}");
        }
        for word in ["alice", "Alice", "error", "ERROR", "alice.smith", "an Error", "", "Alice Error"] {
            assert!(!is_error(word), "{word}");
        }
        for kind in ["OrderNotFound", "gunicorn.errors.HaltServer", "socket.timeout", "f.<locals>.Inner"] {
            assert!(is_own(kind), "{kind}");
        }
        for symbol in ["shop::load<a, b>", "<A as B>::c", "operator new(unsigned long)", "start_thread"] {
            assert!(is_symbol(symbol), "{symbol}");
        }
        for text in ["alice went home", "alice@example.org", "alice said:", ""] {
            assert!(!is_symbol(text), "{text}");
        }
        for word in ["alice", "alice.smith", "error", "INFO", "127.0.0.1", "Content-Type"] {
            assert!(!is_own(word), "{word}");
        }
    }
}
