//! Names without what differs between builds and runs: arguments, hashes, numbers of closures, addresses.
//!
//! The parameters of templates and traits are a matter of whose code it is. `Vec<Order>::push` and `Vec<User>::push` are one
//! function of a library; `Handler<Order>::handle` and `Handler<User>::handle` are two of the program's, and so are two types of
//! errors.

use sha2::{Digest, Sha256};

use crate::text;

/// The most characters of one call in a signature, and of a type.
const FUNCTION_CHARS: usize = 160;
const TYPE_CHARS: usize = 120;

/// A function's name for a signature, its parameters as `<…>`.
pub fn function(name: &str) -> String {
    text::name(&Parts::of_function(name).written(|_| "…"), FUNCTION_CHARS)
}

/// The same with its parameters.
pub(super) fn instance(name: &str) -> String {
    let parts = Parts::of_function(name);
    shortened(&parts.written(|number| parts.parameter(number)), FUNCTION_CHARS)
}

/// An exception's type for a signature, with its parameters.
pub(super) fn kind(name: &str) -> String {
    let parts = Parts::of(name);
    shortened(&parts.written(|number| parts.parameter(number)), TYPE_CHARS)
}

/// What does not fit is there as a digest: the end of a long name tells it from another as well as its beginning.
fn shortened(name: &str, max: usize) -> String {
    const DIGEST_CHARS: usize = 8;
    if name.chars().count() <= max {
        return text::name(name, max);
    }
    let digest = hex::encode(Sha256::digest(name));
    let begins: String = name.chars().take(max - DIGEST_CHARS - 1).collect();
    format!("{begins}…{}", &digest[..DIGEST_CHARS])
}

/// A name apart from what stands in its angle brackets.
struct Parts {
    /// With a [`place`] where parameters stood.
    name: String,
    parameters: Vec<String>,
}

/// The character that stands for the parameters of this number: Unicode leaves these to whoever wants to use them.
fn place(number: usize) -> char {
    u32::try_from(number).ok().and_then(|number| char::from_u32(0xe000 + number)).unwrap_or('\u{f8ff}')
}

fn number_of(place: char) -> Option<usize> {
    ('\u{e000}'..='\u{f8ff}').contains(&place).then(|| place as usize - 0xe000)
}

impl Parts {
    fn of_function(name: &str) -> Self {
        let name = without_compiler_marks(name.trim());
        let name = name
            .replace("(anonymous namespace)", "{anonymous}")
            .replace("`anonymous namespace'", "{anonymous}")
            .replace("{anonymous}::", "(anonymous)::");
        let parts = Self::of(&name);
        Self { name: without_arguments(&parts.name), ..parts }
    }

    /// `map<int, char>::at` has parameters. What stands in angle brackets by itself is a name (`<module>`, `Object.<anonymous>`) or
    /// a Rust type (`<Order as Drop>::drop`) and stays.
    fn of(name: &str) -> Self {
        let mut parts = Self { name: String::with_capacity(name.len()), parameters: Vec::new() };
        let (mut depth, mut kept, mut before) = (0_usize, 0_usize, ' ');
        for c in name.chars().filter(|c| number_of(*c).is_none()) {
            let is_arrow = matches!(before, '-' | '=') && c == '>';
            match c {
                '<' if depth == 0 && opens_parameters(&parts.name, before) => {
                    depth = 1;
                    parts.name.push(place(parts.parameters.len()));
                    parts.parameters.push(String::new());
                }
                '>' if depth == 1 && !is_arrow => depth = 0,
                _ if depth > 0 => {
                    depth = depth + usize::from(c == '<') - usize::from(c == '>' && !is_arrow);
                    parts.parameters.last_mut().into_iter().for_each(|parameter| parameter.push(c));
                }
                '<' => {
                    kept += 1;
                    parts.name.push(c);
                }
                '>' if !is_arrow => {
                    // one that closes nothing is dropped
                    parts.name.extend((kept > 0).then_some(c));
                    kept = kept.saturating_sub(1);
                }
                c => parts.name.push(c),
            }
            before = c;
        }
        parts
    }

    fn parameter(&self, number: usize) -> &str {
        self.parameters.get(number).map_or("…", |parameter| parameter.trim())
    }

    /// The name with something in each pair of brackets, and without numbers.
    fn written<'a>(&'a self, parameter: impl Fn(usize) -> &'a str) -> String {
        let mut whole = String::with_capacity(self.name.len());
        for c in self.name.chars() {
            match number_of(c) {
                Some(number) => whole.extend(["<", parameter(number), ">"]),
                None => whole.push(c),
            }
        }
        without_numbers(&whole)
    }
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
    // Template functions carry their return type: `void shop::load<int>`.
    let bare = match bare.rsplit_once(' ') {
        Some((kind, path))
            if path.chars().any(|c| number_of(c).is_some())
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
    without_place_of_closure(&short.replace("{{closure}}", "{closure}"))
}

/// `{closure:/srv/a.php:12}`, `{closure:App\\Orders::load():12}`: PHP names a closure from 8.4 on after where it is.
fn without_place_of_closure(name: &str) -> String {
    let Some((before, place)) = name.split_once("{closure:") else { return name.to_owned() };
    let Some((place, after)) = place.split_once('}') else { return name.to_owned() };
    let place = place.rsplit_once(':').map_or(place, |(place, _)| place);
    let place = if place.starts_with('/') { text::file_name(place) } else { place };
    format!("{before}{{closure:{place}}}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_of_templates_and_traits_are_told_apart() {
        for (written, whole) in [
            ("void shop::load<int>(int)", "shop::load<int>"),
            ("shop::Repo<shop::Order>::load(int)", "shop::Repo<shop::Order>::load"),
            (
                "<shop::Handler<Order> as shop::Serve<Json>>::call",
                "<shop::Handler<Order> as shop::Serve<Json>>::call",
            ),
            ("shop::map<int, shop::Box<char> >::at(int) const", "shop::map<int, shop::Box<char>>::at"),
            ("shop::Fn<fn(u32) -> u8>::call", "shop::Fn<fn(u32) -> u8>::call"),
            ("Orders#load", "Orders#load"),
        ] {
            assert_eq!(instance(written), whole);
        }
        let long = |end: &str| kind(&format!("boost::wrap<{}{end}>", "boost::detail::clone_impl".repeat(9)));
        assert_eq!(long("Order").chars().count(), TYPE_CHARS);
        assert_ne!(long("Order"), long("User"));
    }

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
