//! Text that came from a process, made fit to be shown.
//!
//! A name that a process chose may hold what a terminal obeys or what reorders and hides the text around it. Such characters
//! become `�`: nothing that they could do happens, nothing is pieced together by taking them out, and one can see that there was
//! something. This is done where a name enters Medic (the types of [`crate::crash`] do so as they are read), so what is stored,
//! shown, sent or logged has none. Markup is another matter: it depends on where a name stands, so it is escaped there.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::{Deserialize, Deserializer};

/// Control characters, and those that reorder text or take no room in it.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// One line in which everything can be seen: ends of lines and tabs become blanks, what [`is_unseen`] becomes `�`.
pub fn seen(text: &str) -> Cow<'_, str> {
    let replace = |c| match c {
        '\n' | '\t' => ' ',
        c if is_unseen(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    if text.chars().any(is_unseen) { text.chars().map(replace).collect() } else { Cow::Borrowed(text) }
}

/// Writes a value for a line of a log: what [`is_unseen`] is written as `\u{202e}`, so that no value begins a line of its own or
/// colours the terminal.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<T>(pub T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unseen(*c)) {
            self.0.write_str(rest.get(..at).unwrap_or_default())?;
            match c {
                '\n' | '\t' | '\r' => write!(self.0, "{}", c.escape_default())?,
                c => write!(self.0, "{}", c.escape_unicode())?,
            }
            rest = rest.get(at + c.len_utf8()..).unwrap_or_default();
        }
        self.0.write_str(rest)
    }
}

/// For serde: a text from a process.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(owned(String::deserialize(deserializer)?))
}

/// For serde: one that may be absent. With a default where its field may be absent.
pub(crate) fn maybe<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(owned))
}

/// For serde: several.
pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Vec::<String>::deserialize(deserializer)?.into_iter().map(owned).collect())
}

fn owned(text: String) -> String {
    match seen(&text) {
        Cow::Owned(seen) => seen,
        Cow::Borrowed(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_replaced_one_for_one() {
        for (raw, expected) in [
            ("a\u{202e}b\u{2066}c", "a\u{fffd}b\u{fffd}c"),
            ("\u{1b}[31mred\u{9b}0m\u{7f}", "\u{fffd}[31mred\u{fffd}0m\u{fffd}"),
            ("two\nlines\tand\r\nmore", "two lines and\u{fffd} more"),
            ("Key\u{200b}Error\u{feff}\u{e0041}\u{2028}", "Key\u{fffd}Error\u{fffd}\u{fffd}\u{fffd}"),
            ("größe 日本語 ❤", "größe 日本語 ❤"),
        ] {
            assert_eq!(seen(raw), expected);
            assert!(!seen(raw).chars().any(is_unseen));
        }
        assert!(matches!(seen("TypeError"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_value_in_a_log_stays_on_its_line() {
        let raw = "a\n2026-01-31 INFO forged\u{1b}[2J\u{202e}\r\u{85}é";
        assert_eq!(Escaped(raw).to_string(), r"a\n2026-01-31 INFO forged\u{1b}[2J\u{202e}\r\u{85}é");
        assert_eq!(Escaped(format_args!("{:?}", "x\u{7}")).to_string(), r#""x\u{7}""#);
    }
}
