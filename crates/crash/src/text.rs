//! Text that came from a process is hostile: it may hold colour codes, control characters, right-to-left overrides, or be
//! endless. Everything that is kept goes through here.

use model::crash::{Frame, Trust};
use model::text::is_unseen;

/// The most characters of a function's name. Ours: C++ templates are longer, but nobody reads them.
pub(crate) const FUNCTION_CHARS: usize = 512;
/// The most characters of a source file's path.
pub(crate) const FILE_CHARS: usize = 512;
/// The most characters of an exception's type.
pub(crate) const TYPE_CHARS: usize = 200;
/// The most characters of a thread's name. Linux keeps 15, runtimes any number.
pub(crate) const THREAD_CHARS: usize = 64;
/// The most characters of a module's name.
pub(crate) const MODULE_CHARS: usize = 128;

/// What a process printed, as text: invalid UTF-8 replaced, escape sequences taken out, line ends made `\n`, other control characters
/// (but the tab) dropped. Only the last `limit` bytes are read.
pub(crate) fn plain(tail: &[u8], limit: usize) -> String {
    let from = tail.len().saturating_sub(limit);
    let text = String::from_utf8_lossy(tail.get(from..).unwrap_or_default());
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    plain.push('\n');
                }
            }
            '\n' | '\t' => plain.push(c),
            _ if is_unseen(c) => {}
            _ => plain.push(c),
        }
    }
    plain
}

/// Skips one ECMA-48 sequence whose ESC has been read.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
            chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
        // An operating system command ends with BEL or ESC \; it never spans lines.
        Some(']') => while chars.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}' | '\n')).is_some() {},
        Some(c) if !c.is_control() => {
            chars.next();
        }
        _ => {}
    }
}

/// A name on one line of at most `max` characters; longer ones end with `…`.
pub(crate) fn name(text: &str, max: usize) -> String {
    let flat = text.trim().chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c });
    let mut name = String::new();
    for (count, c) in flat.filter(|c| !is_unseen(*c)).enumerate() {
        if count + 1 == max {
            name.push('…');
            break;
        }
        name.push(c);
    }
    name
}

/// The same, `None` where nothing is left.
pub(crate) fn name_of(text: &str, max: usize) -> Option<String> {
    Some(name(text, max)).filter(|name| !name.is_empty())
}

/// A path's last part, on either kind of system.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// What follows the last dot of a file's name; nothing where there is none.
pub(crate) fn extension(path: &str) -> &str {
    file_name(path).rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// A frame as a runtime printed it.
pub(crate) fn printed(function: &str, file: &str, line: Option<u32>) -> Frame {
    Frame {
        module: None,
        function: name_of(function, FUNCTION_CHARS),
        file: name_of(file, FILE_CHARS),
        line: line.filter(|line| *line > 0),
        offset: None,
        trust: Trust::Runtime,
        inline: false,
    }
}

/// `file:12` or `file:12:5` apart; the whole as the file where no number ends it.
pub(crate) fn file_line(place: &str) -> (&str, Option<u32>) {
    let number = |text: &str| text.parse::<u32>().ok();
    let Some((rest, last)) = place.rsplit_once(':') else { return (place, None) };
    let Some(last) = number(last) else { return (place, None) };
    match rest.rsplit_once(':').map(|(file, line)| (file, number(line))) {
        Some((file, Some(line))) => (file, Some(line)),
        _ => (rest, Some(last)),
    }
}

/// Is it a name with its namespaces, as in `json.decoder.JSONDecodeError`, `Crash$Inner`, `App\Error` or `std::bad_alloc`?
pub(crate) fn is_path(text: &str) -> bool {
    let first = text.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '$' | '\\'))
        && text.chars().all(|c| c.is_alphanumeric() || "_.$:\\<>+`".contains(c))
        && !text.ends_with([':', '.'])
}

/// `Type: message` or `Type` apart.
pub(crate) fn type_and_message(line: &str) -> Option<(&str, &str)> {
    let (kind, message) = match line.split_once(": ") {
        Some((kind, message)) => (kind, message),
        None => (line.strip_suffix(':').unwrap_or(line), ""),
    };
    is_path(kind.trim_end()).then(|| (kind.trim_end(), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_overrides_are_taken_out() {
        let text = plain(b"\x1b[1;31mError\x1b[0m: a\r\nb\rc\x1b]0;title\x07d\xff\x00e", 1_000);
        assert_eq!(text, "Error: a\nb\ncd\u{fffd}e");
        assert_eq!(plain("x\u{202e}y".as_bytes(), 10), "xy");
        assert_eq!(plain(b"0123456789", 4), "6789");
    }

    #[test]
    fn a_name_is_one_short_line() {
        assert_eq!(name(" a\nb\u{2066}c ", 10), "a bc");
        assert_eq!(name("abcdef", 4), "abc…");
    }

    #[test]
    fn places_and_types_are_told_apart() {
        assert_eq!(file_line("/a/b.js:3:27"), ("/a/b.js", Some(3)));
        assert_eq!(file_line("C:\\a.js:3"), ("C:\\a.js", Some(3)));
        assert_eq!(file_line("node:fs"), ("node:fs", None));
        assert_eq!(type_and_message("a.b.C: x: y"), Some(("a.b.C", "x: y")));
        assert_eq!(type_and_message("KeyError"), Some(("KeyError", "")));
        assert_eq!(type_and_message("not a type: x"), None);
    }
}
