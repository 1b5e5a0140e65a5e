//! Names of Rust and C++ functions as they were written.

use std::fmt::Write;

use crate::text;

/// The most bytes of a name as it was written. Ours: far above what is kept of it.
const NAME_BYTES: usize = 64 << 10;

/// The most bytes of a mangled name that are tried. Ours: a name of this length says nothing any more, and demangling expands.
const MANGLED_BYTES: usize = 4_096;

/// A function's name for people: demangled, without Rust's hash, on one line and not endless.
pub(crate) fn function(symbol: &str) -> String {
    // The linker's versions and the compiler's clones are no part of the name.
    let bare = symbol
        .split_once("@GLIBC")
        .or_else(|| symbol.split_once("@@"))
        .map_or(symbol, |(bare, _)| bare.trim_end_matches('@'));
    let bare = if bare.is_empty() || symbol.starts_with('?') { symbol } else { bare };
    text::name(&demangled(bare).unwrap_or_else(|| bare.to_owned()), text::FUNCTION_CHARS)
}

fn demangled(symbol: &str) -> Option<String> {
    if symbol.len() > MANGLED_BYTES {
        return None;
    }
    if let Ok(name) = rustc_demangle::try_demangle(symbol) {
        return bounded(|text| write!(text, "{name:#}"));
    }
    if !(symbol.starts_with("_Z") || symbol.starts_with("__Z")) {
        return None;
    }
    let options = cpp_demangle::DemangleOptions::new().recursion_limit(96);
    let symbol = cpp_demangle::Symbol::new(symbol).ok()?;
    bounded(|text| symbol.structured_demangle(text, &options))
}

/// A name that is given up when it becomes too long. Mangled names repeat what they have said before, and a short one that
/// repeats its repetitions is written out as one of gigabytes.
fn bounded(write: impl FnOnce(&mut Bounded) -> std::fmt::Result) -> Option<String> {
    let mut text = Bounded(String::new());
    write(&mut text).ok().map(|()| text.0)
}

struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        if self.0.len() + part.len() > NAME_BYTES {
            return Err(std::fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

/// A type's name as `std::type_info::name()` has it (`PKc`, `N4shop5ErrorE`), or already readable.
pub(crate) fn type_name(name: &str) -> String {
    let looks_mangled = name.starts_with(|c: char| c.is_ascii_digit() || "NPSKR".contains(c))
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().any(|c| c.is_ascii_digit() || name.len() <= 3);
    if !looks_mangled {
        return name.to_owned();
    }
    // A type alone is mangled as the name of its type information is.
    demangled(&format!("_ZTS{name}"))
        .and_then(|name| name.strip_prefix("typeinfo name for ").map(str::to_owned))
        .unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_they_were_written() {
        let cases = [
            ("_ZN4shop6handle17h0123456789abcdefE", "shop::handle"),
            ("_ZN4shop6OrdersC1Ei", "shop::Orders::Orders(int)"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("raise@@GLIBC_2.2.5", "raise"),
            ("main", "main"),
        ];
        for (symbol, written) in cases {
            assert_eq!(function(symbol), written);
        }
    }

    /// Each `pair` has the one before it twice.
    #[test]
    fn a_name_that_repeats_its_repetitions_stays_as_it_is() {
        let mut symbol = "_Z1fSt4pairIiiE".to_owned();
        // `S_`, `S0_`, `S1_` … name what was said so far, in base 36
        for level in 0_u32..60 {
            let number = char::from_digit(level % 36, 36).unwrap().to_ascii_uppercase();
            let tens = if level >= 36 { "1" } else { "" };
            write!(symbol, "S_IS{tens}{number}_S{tens}{number}_E").unwrap();
        }
        assert!(symbol.len() < MANGLED_BYTES);
        assert!(function(&symbol).chars().count() <= text::FUNCTION_CHARS);
        let nested = format!("_Z1f{}i{}", "St4pairI".repeat(50), "iE".repeat(50));
        assert!(function(&nested).chars().count() <= text::FUNCTION_CHARS);
        assert_eq!(bounded(|text| write!(text, "{}", "x".repeat(NAME_BYTES + 1))), None);
    }

    #[test]
    fn type_names_are_too() {
        assert_eq!(type_name("PKc"), "char const*");
        assert_eq!(type_name("N4shop8NotFoundE"), "shop::NotFound");
        assert_eq!(type_name("std::runtime_error"), "std::runtime_error");
        assert_eq!(type_name("NotFound"), "NotFound");
    }
}
