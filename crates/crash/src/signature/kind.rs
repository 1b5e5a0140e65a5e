//! What a call means for a signature, by the tables.

use model::crash::{Frame, Runtime};

use super::tables;

/// What a call means for the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Says nothing about the fault.
    Irrelevant,
    /// Says something, but not whose fault it is.
    Prefix,
    /// The program's own.
    Own,
}

pub(super) fn is_sentinel(frame: &Frame) -> bool {
    frame.function.as_deref().is_some_and(|function| tables::SENTINELS.contains(&function))
}

/// Is it in a file of the runtime's or of a package?
pub(super) fn is_library(frame: &Frame) -> bool {
    frame.file.as_deref().is_some_and(|file| {
        tables::LIBRARY_FILES.iter().any(|begin| file.starts_with(begin))
            || tables::LIBRARY_PATHS.iter().any(|part| file.contains(part))
            || is_rust_library(file)
    })
}

/// The standard library is compiled from `/rustc/<commit>/library`.
fn is_rust_library(file: &str) -> bool {
    (file.starts_with("/rustc/") && file.contains("/library/"))
        || file.contains("/lib/rustlib/src/rust/library/")
}

/// `name` is the frame's name after normalising.
pub(super) fn of(frame: &Frame, name: &str, runtime: Runtime) -> Kind {
    let begins = |table: &[&str]| table.iter().any(|begin| name.starts_with(begin));
    let module = frame.module.as_deref().unwrap_or_default();
    let is_of = |table: &[&str]| table.iter().any(|begin| module.starts_with(begin));
    let is_nameless_system = frame.function.is_none() && is_of(tables::SYSTEM_MODULES);
    let in_rust_library = frame.file.as_deref().is_some_and(is_rust_library);
    if is_nameless_system
        || is_of(tables::FOREIGN_CALLS)
        || in_rust_library
        || tables::IRRELEVANT.contains(&name)
        || begins(tables::IRRELEVANT_BEGINNINGS)
    {
        return Kind::Irrelevant;
    }
    let is_go_package = runtime == Runtime::Go
        && name.split(['/', '.']).next().is_some_and(|package| tables::GO_PACKAGES.contains(&package))
        && !name.split('/').next().is_some_and(|first| first.contains('.') && name.contains('/'));
    if is_go_package
        || is_library(frame)
        || tables::PREFIXES.contains(&name)
        || begins(tables::PREFIX_BEGINNINGS)
    {
        return Kind::Prefix;
    }
    Kind::Own
}
