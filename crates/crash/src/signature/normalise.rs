//! Names without what differs between builds and runs: arguments, template parameters, hashes, numbers of closures, addresses.

use crate::text;

/// A function's name for a signature.
pub fn function(name: &str) -> String {
    let name = without_compiler_marks(name.trim());
    let name = name
        .replace("(anonymous namespace)", "{anonymous}")
        .replace("`anonymous namespace'", "{anonymous}")
        .replace("{anonymous}::", "(anonymous)::");
    let name = without_arguments(&collapse_parameters(&name));
    text::name(&without_numbers(&name), 160)
}

/// An exception's type for a signature.
pub(super) fn kind(name: &str) -> String {
    text::name(&without_numbers(&collapse_parameters(name)), 120)
}

const ALLOCATORS: [&str; 6] = ["malloc", "free", "calloc", "realloc", "memalign", "valloc"];

/// The hash of a Rust symbol, and what optimisers append: `.part.0`, `.cold`, `[clone .isra.1]`.
fn without_compiler_marks(name: &str) -> &str {
    let name = name.split(" [clone ").next().unwrap_or(name);
    // glibc's internal names of what it exports.
    let name = name.strip_prefix("__GI_").unwrap_or(name);
    let name = name.strip_prefix("__libc_").filter(|rest| ALLOCATORS.contains(rest)).unwrap_or(name);
    let name = match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => path,
        _ => name,
    };
    let marks = [".part.", ".isra.", ".constprop.", ".cold", ".llvm.", ".lto_priv."];
    let end = marks.iter().filter_map(|mark| name.find(mark)).filter(|at| *at > 0).min();
    end.map_or(name, |end| &name[..end])
}

/// `map<int, char>::at` becomes `map<…>::at`. What stands in angle brackets by itself is a name (`<module>`, `Object.<anonymous>`)
/// or a Rust type (`<Order as Drop>::drop`) and stays.
fn collapse_parameters(name: &str) -> String {
    let mut short = String::with_capacity(name.len());
    let mut depth = 0_usize;
    let mut kept = 0_usize;
    let mut before = ' ';
    for c in name.chars() {
        let is_arrow = matches!(before, '-' | '=') && c == '>';
        match c {
            '<' if depth > 0 => depth += 1,
            '<' if opens_parameters(&short, before) => {
                depth = 1;
                short.push_str("<…>");
            }
            '<' => {
                kept += 1;
                short.push(c);
            }
            '>' if depth > 0 && !is_arrow => depth -= 1,
            '>' if kept > 0 && !is_arrow => {
                kept -= 1;
                short.push(c);
            }
            _ if depth > 0 => {}
            _ => short.push(c),
        }
        before = c;
    }
    short
}

/// An angle bracket right behind a name opens parameters, unless the name is that of an operator.
fn opens_parameters(so_far: &str, before: char) -> bool {
    let is_operator = so_far.ends_with("operator") || so_far.ends_with("operator<");
    !is_operator && (before.is_alphanumeric() || before == '_' || so_far.ends_with("::"))
}

/// `load(int, char const*) const` becomes `load`; a return type before the name goes too. `operator()` stays, and so do
/// parentheses that belong to the name: Go's `(*T)`, Ruby's `block (2 levels) in`.
fn without_arguments(name: &str) -> String {
    let protected = name.replace("operator()", "operator\u{1}").replace("(anonymous)", "\u{2}");
    let is_cpp = protected.contains("::") || !protected.contains(". ");
    let at = protected.char_indices().find(|(at, c)| {
        *c == '(' && *at > 0 && !protected[at + 1..].starts_with('*') && !protected[..*at].ends_with(' ')
    });
    let bare = match at {
        Some((at, _)) if is_cpp => {
            let (head, rest) = protected.split_at(at);
            // A closure inside a function: `load(int)::{lambda(int)#1}::operator()`.
            let inner = rest.rfind(")::").map(|end| &rest[end + 1..]).unwrap_or_default();
            let inner = inner.split(['(', ')']).next().unwrap_or_default();
            format!("{head}{inner}")
        }
        _ => protected,
    };
    // Template functions carry their return type: `void shop::load<…>`.
    let bare = match bare.rsplit_once(' ') {
        Some((kind, path))
            if path.contains("<…>")
                && !kind.ends_with("operator")
                && !kind.contains(" as")
                && !kind.starts_with('<') =>
        {
            path.to_owned()
        }
        _ => bare,
    };
    bare.replace('\u{1}', "()").replace('\u{2}', "(anonymous)")
}

/// Numbers that a compiler gave (`{closure#1}`, `lambda$main$3`, `func2.1`, `b__0_1`, `Proxy12`) and addresses.
fn without_numbers(name: &str) -> String {
    let mut short = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let numbered = ["#", "$", "b__", "d__", "g__", ".func", "$_", "/0x", "0x", ".gowrap", ".deferwrap"]
            .iter()
            .filter(|mark| rest.starts_with(**mark))
            .max_by_key(|mark| mark.len());
        if let Some(mark) = numbered {
            let after = &rest[mark.len()..];
            let is_hex = mark.ends_with("0x");
            let is_number = |c: char| {
                if is_hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() || matches!(c, '_' | '.') }
            };
            let end = after.find(|c: char| !is_number(c)).unwrap_or(after.len());
            let starts_with_digit =
                after.starts_with(|c: char| if is_hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() });
            if starts_with_digit {
                short.push_str(if is_hex { "" } else { mark.trim_end_matches(['#', '$']) });
                // The dot that begins the next name is no part of the number.
                let end = if after[..end].ends_with('.') && end < after.len() { end - 1 } else { end };
                rest = &after[end..];
                continue;
            }
        }
        short.push(c);
        rest = &rest[c.len_utf8()..];
    }
    short.replace("{{closure}}", "{closure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_runs_is_taken_out() {
        let cases = [
            ("shop::handle::h0123456789abcdef", "shop::handle"),
            ("shop::handle::{{closure}}", "shop::handle::{closure}"),
            ("{closure#1}", "{closure}"),
            ("std::map<int, std::string>::at(int const&) const", "std::map<…>::at"),
            ("void shop::load<int>(int)", "shop::load<…>"),
            ("(anonymous namespace)::crash(int)", "(anonymous)::crash"),
            ("`anonymous namespace'::CrashFunction", "(anonymous)::CrashFunction"),
            ("load(int)::{lambda(int)#2}::operator()(int) const", "load::{lambda"),
            ("_int_free.part.0", "_int_free"),
            ("<shop::Order as core::ops::drop::Drop>::drop", "<shop::Order as core::ops::drop::Drop>::drop"),
            ("alloc::vec::Vec<T,A>::push", "alloc::vec::Vec<…>::push"),
            ("<module>", "<module>"),
            ("Object.<anonymous>", "Object.<anonymous>"),
            ("main.(*Shop).load", "main.(*Shop).load"),
            ("main.main.func2.1", "main.main.func"),
            ("Crash.lambda$main$1", "Crash.lambda$main"),
            ("Crash$$Lambda$14/0x0000000800c03000.run", "Crash$$Lambda.run"),
            ("P.<Main>b__0_1", "P.<Main>b__"),
            ("Orders#load", "Orders#load"),
            ("operator<<", "operator<<"),
            ("std::vector<int>::operator[](unsigned long)", "std::vector<…>::operator[]"),
        ];
        for (written, short) in cases {
            let got = function(written);
            assert!(
                got == short || (short.ends_with("{lambda") && got.starts_with(short)),
                "{written}: {got}"
            );
        }
    }
}
