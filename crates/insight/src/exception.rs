//! Exceptions and signatures as people read them. The recorded names never change, since incidents' addresses are made of them (see
//! [`model::Exit::type_name`]); here they get the words that everything else is said in.

use std::borrow::Cow;

use model::Exit;
use model::crash::Incident;

use crate::notes::causes;
use crate::report::Detail;

/// An exception's type: `Exit code 3` for `exit status 3`.
pub fn type_name(recorded: &str) -> Cow<'_, str> {
    match recorded.strip_prefix(Exit::STATUS) {
        Some(code) => Cow::Owned(format!("Exit code {code}")),
        // as an older release has recorded what could not be analysed
        None if recorded == "OutOfMemory" => Cow::Borrowed("Out of memory"),
        None => Cow::Borrowed(recorded),
    }
}

/// A signature: `exit code 3 | shop` for `exit status 3 | shop`.
pub fn signature(recorded: &str) -> Cow<'_, str> {
    match recorded.strip_prefix(Exit::STATUS) {
        Some(rest) => Cow::Owned(format!("exit code {rest}")),
        None => Cow::Borrowed(recorded),
    }
}

/// The incident's exception and what led to it.
pub fn exception(incident: &Incident) -> Vec<Detail> {
    let type_name = Detail::code("Exception", type_name(&incident.exception_type));
    let causes = causes(&incident.notes).into_iter().map(|cause| Detail::code("Caused by", cause));
    std::iter::once(type_name).chain(causes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_name_gets_the_words_of_everything_else() {
        for (recorded, type_read, signature_read) in [
            (Exit::Code(3).type_name(), "Exit code 3", "exit code 3"),
            ("SIGSEGV / SEGV_MAPERR".to_owned(), "SIGSEGV / SEGV_MAPERR", "SIGSEGV / SEGV_MAPERR"),
            ("OutOfMemory".to_owned(), "Out of memory", "OutOfMemory"),
        ] {
            assert_eq!((&*type_name(&recorded), &*signature(&recorded)), (type_read, signature_read));
        }
        assert_eq!(signature("exit status 3 | shop"), "exit code 3 | shop");
    }
}
