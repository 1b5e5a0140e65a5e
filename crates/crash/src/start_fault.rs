//! Why a program that ended soon could not start, as far as its output has the words that every system and runtime has for it.
//!
//! Only which of a few known phrases stands last is told, and nothing of the text around it.

use model::Exit;
use model::start::StartFault;

/// How much of the end of each output is looked at: an early warning is not why a program ended.
const TEXT_BYTES: usize = 8 << 10;

/// A shell's exit codes, and those of `env`, which many scripts name their interpreter by.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// In lower case.
const PHRASES: [(&str, StartFault); 38] = [
    ("address already in use", StartFault::AddressInUse),
    ("eaddrinuse", StartFault::AddressInUse),
    ("failed to bind to address", StartFault::AddressInUse),
    ("was already in use", StartFault::AddressInUse),
    ("port is already allocated", StartFault::AddressInUse),
    ("permission denied", StartFault::PermissionDenied),
    ("eacces", StartFault::PermissionDenied),
    ("eperm", StartFault::PermissionDenied),
    ("operation not permitted", StartFault::PermissionDenied),
    ("unauthorizedaccessexception", StartFault::PermissionDenied),
    ("accessdeniedexception", StartFault::PermissionDenied),
    ("no such file or directory", StartFault::FileNotFound),
    ("enoent", StartFault::FileNotFound),
    ("filenotfounderror", StartFault::FileNotFound),
    ("filenotfoundexception", StartFault::FileNotFound),
    ("nosuchfileexception", StartFault::FileNotFound),
    ("could not find file", StartFault::FileNotFound),
    ("unable to access jarfile", StartFault::FileNotFound),
    ("could not open input file", StartFault::FileNotFound),
    ("cannot find module", StartFault::ModuleNotFound),
    ("err_module_not_found", StartFault::ModuleNotFound),
    ("modulenotfounderror", StartFault::ModuleNotFound),
    ("no module named", StartFault::ModuleNotFound),
    ("cannot load such file", StartFault::ModuleNotFound),
    ("could not find or load main class", StartFault::ModuleNotFound),
    ("noclassdeffounderror", StartFault::ModuleNotFound),
    ("could not load file or assembly", StartFault::ModuleNotFound),
    ("error while loading shared libraries", StartFault::ModuleNotFound),
    ("failed opening required", StartFault::ModuleNotFound),
    ("bundler::gemnotfound", StartFault::ModuleNotFound),
    ("connection refused", StartFault::ConnectionRefused),
    ("econnrefused", StartFault::ConnectionRefused),
    ("enotfound", StartFault::HostNotFound),
    ("eai_again", StartFault::HostNotFound),
    ("name or service not known", StartFault::HostNotFound),
    ("temporary failure in name resolution", StartFault::HostNotFound),
    ("no such host", StartFault::HostNotFound),
    ("unknownhostexception", StartFault::HostNotFound),
];

/// The fault that the end of the output names, standard error first.
pub fn start_fault(exit: Exit, standard_error: &[u8], standard_output: &[u8]) -> Option<StartFault> {
    let texts = [standard_error, standard_output].map(end_in_lower_case);
    let of_shell = match exit {
        Exit::Code(NOT_FOUND)
            if ["not found", "env: "]
                .iter()
                .any(|words| texts.iter().any(|text| position(text, words).is_some())) =>
        {
            Some(StartFault::CommandNotFound)
        }
        Exit::Code(NOT_EXECUTABLE) => Some(StartFault::PermissionDenied),
        _ => None,
    };
    of_shell.or_else(|| texts.iter().find_map(|text| last_phrase(text)))
}

fn end_in_lower_case(text: &[u8]) -> Vec<u8> {
    text[text.len().saturating_sub(TEXT_BYTES)..].to_ascii_lowercase()
}

fn last_phrase(text: &[u8]) -> Option<StartFault> {
    let found = PHRASES.iter().filter_map(|(phrase, fault)| Some((position(text, phrase)?, *fault)));
    found.max_by_key(|(at, _)| *at).map(|(_, fault)| fault)
}

/// Where the phrase stands last.
fn position(text: &[u8], phrase: &str) -> Option<usize> {
    text.windows(phrase.len()).rposition(|window| window == phrase.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Signal;

    #[test]
    fn what_real_programs_say_is_known() {
        use StartFault::*;
        for (text, code, fault) in [
            ("Error: listen EADDRINUSE: address already in use 127.0.0.1:8080", 1, AddressInUse),
            ("OSError: [Errno 98] Address already in use", 1, AddressInUse),
            (
                "[ERROR] Connection in use: ('127.0.0.1', 8000)\n[Errno 98] Address already in use",
                1,
                AddressInUse,
            ),
            ("panic: listen tcp 127.0.0.1:80: bind: address already in use", 2, AddressInUse),
            ("Web server failed to start. Port 8080 was already in use.", 1, AddressInUse),
            ("IOException: Failed to bind to address http://127.0.0.1:5000", 134, AddressInUse),
            ("Error: listen EACCES: permission denied 0.0.0.0:80", 1, PermissionDenied),
            ("PermissionError: [Errno 13] Permission denied: '/srv/x'", 1, PermissionDenied),
            ("sh: 1: /srv/x: Permission denied", 126, PermissionDenied),
            ("python3: can't open file '/srv/x.py': [Errno 2] No such file or directory", 2, FileNotFound),
            ("Error: Unable to access jarfile shop.jar", 1, FileNotFound),
            ("Could not open input file: shop.php", 1, FileNotFound),
            ("Error: Cannot find module '/srv/shop/server.js'", 1, ModuleNotFound),
            ("ModuleNotFoundError: No module named 'flask'", 1, ModuleNotFound),
            ("cannot load such file -- rack (LoadError)", 1, ModuleNotFound),
            ("Error: Could not find or load main class Shop", 1, ModuleNotFound),
            (
                "shop: error while loading shared libraries: libpq.so.5: cannot open shared object file",
                127,
                ModuleNotFound,
            ),
            ("sh: 1: nod: not found", 127, CommandNotFound),
            ("bash: line 1: nod: command not found", 127, CommandNotFound),
            ("/usr/bin/env: ‘nod’: No such file or directory", 127, CommandNotFound),
            ("Error: connect ECONNREFUSED 127.0.0.1:5432", 1, ConnectionRefused),
            ("Error: getaddrinfo ENOTFOUND db.internal", 1, HostNotFound),
            ("dial tcp: lookup db.internal: no such host", 1, HostNotFound),
        ] {
            assert_eq!(start_fault(Exit::Code(code), text.as_bytes(), b""), Some(fault), "{text}");
            assert_eq!(start_fault(Exit::Code(code), b"", text.as_bytes()), Some(fault), "{text}");
        }
    }

    #[test]
    fn the_last_words_count_and_an_old_warning_does_not() {
        let warned = b"warning: .env: ENOENT\nconnecting\nError: connect ECONNREFUSED 127.0.0.1:5432\n";
        assert_eq!(start_fault(Exit::Code(1), warned, b""), Some(StartFault::ConnectionRefused));
        let mut long = b"ENOENT".to_vec();
        long.extend(vec![b'.'; TEXT_BYTES]);
        assert_eq!(start_fault(Exit::Code(1), &long, b""), None);
        assert_eq!(start_fault(Exit::Code(127), b"quit", b""), None, "a code that means something else here");
        assert_eq!(start_fault(Exit::Signal(Signal(11)), b"", b""), None);
        assert_eq!(start_fault(Exit::Code(1), b"\xff\xfe", &[0; 3]), None);
    }
}
