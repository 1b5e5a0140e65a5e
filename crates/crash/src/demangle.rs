//! Names of Rust and C++ functions as they were written.

use crate::text;

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
        return Some(format!("{name:#}"));
    }
    if !(symbol.starts_with("_Z") || symbol.starts_with("__Z")) {
        return None;
    }
    let options = cpp_demangle::DemangleOptions::new().recursion_limit(96);
    cpp_demangle::Symbol::new(symbol).ok()?.demangle_with_options(&options).ok()
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

    #[test]
    fn type_names_are_too() {
        assert_eq!(type_name("PKc"), "char const*");
        assert_eq!(type_name("N4shop8NotFoundE"), "shop::NotFound");
        assert_eq!(type_name("std::runtime_error"), "std::runtime_error");
        assert_eq!(type_name("NotFound"), "NotFound");
    }
}
