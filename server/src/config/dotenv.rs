//! Files with one `NAME=value` a line, as `dotenv` and its relatives read them.
//!
//! ```text
//! # a comment
//! export NAME=value with spaces   # a comment after a space
//! QUOTED="a line\nanother one"    # \n, \r, \t, \", \\ and \$ mean what they say
//! LITERAL='$HOME stays as it is'
//! ```
//! A quoted value may go over several lines. Nothing is expanded in a value: where one tool reads `$NAME` and another one does
//! not, the same file would mean two things.

use std::collections::BTreeMap;

/// What is wrong, and in which line. Values are secrets, so nothing of the line is told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(super) struct DotenvError {
    line: usize,
    what: &'static str,
}

/// The variables; of a name that stands twice the last counts.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, DotenvError> {
    let mut rest = Rest { text: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut variables = BTreeMap::new();
    while !rest.text.is_empty() {
        let line = rest.line;
        let head = rest.text.lines().next().unwrap_or_default().trim_start();
        if head.is_empty() || head.starts_with('#') {
            rest.skip_line();
            continue;
        }
        let error = |what| DotenvError { line, what };
        let name_end = rest.text.find(['=', '\n']).filter(|at| rest.text.as_bytes().get(*at) == Some(&b'='));
        let name_end = name_end.ok_or_else(|| error("must be NAME=value"))?;
        let name = rest.text[..name_end].trim();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        if !is_name(name) {
            return Err(error("the name may have letters, digits and _, and begins with no digit"));
        }
        let name = name.to_owned();
        rest.take(name_end + 1);
        let value = rest.value().map_err(error)?;
        variables.insert(name, value);
    }
    Ok(variables)
}

fn is_name(name: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// What is not read yet.
struct Rest<'t> {
    text: &'t str,
    line: usize,
}

impl Rest<'_> {
    fn take(&mut self, bytes: usize) {
        let (taken, rest) = self.text.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.text = rest;
    }

    fn skip_line(&mut self) {
        self.take(self.text.find('\n').map_or(self.text.len(), |end| end + 1));
    }

    /// From behind the `=` to the end of the line.
    fn value(&mut self) -> Result<String, &'static str> {
        let blanks = self.text.len() - self.text.trim_start_matches([' ', '\t']).len();
        self.take(blanks);
        if let Some(quote @ ('"' | '\'')) = self.text.chars().next() {
            self.take(1);
            let value = self.quoted(quote)?;
            let after = self.text.lines().next().unwrap_or_default().trim();
            if !(after.is_empty() || after.starts_with('#')) {
                return Err("text follows the closing quotation mark");
            }
            self.skip_line();
            return Ok(value);
        }
        let line = self.text.lines().next().unwrap_or_default();
        let begins_comment = |at: &usize| line[..*at].is_empty() || line[..*at].ends_with([' ', '\t']);
        let comment = line.match_indices('#').map(|(at, _)| at).find(begins_comment);
        let value = line[..comment.unwrap_or(line.len())].trim_end().to_owned();
        self.skip_line();
        Ok(value)
    }

    fn quoted(&mut self, quote: char) -> Result<String, &'static str> {
        let mut value = String::new();
        let mut letters = self.text.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' if quote == '"' => match letters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, meant @ ('"' | '\\' | '$'))) => value.push(meant),
                    Some((_, other)) => value.extend(['\\', other]),
                    None => break,
                },
                letter if letter == quote => {
                    self.take(at + 1);
                    return Ok(value);
                }
                letter => value.push(letter),
            }
        }
        Err("the closing quotation mark is missing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_other_tools_read_them() {
        let text = "\u{feff}# first\n\nA=1\r\nexport B = two words  # not this\nC=\nD=a#b\nE='$HOME # \\n'\nF=\"x\\n\\\"y\\\" \\$z \\q\" # c\n  \
                    G=\"one\n two\"\nA=last\nURL=postgres://u:p@h/d?x=y\nH=#nothing\nI='don''t'";
        let error = parse(text).unwrap_err();
        assert_eq!(error, DotenvError { line: 14, what: "text follows the closing quotation mark" });
        let text = text.strip_suffix("'don''t'").unwrap().to_owned() + "ünï";
        let read = parse(&text).unwrap();
        let expected = [
            ("A", "last"),
            ("B", "two words"),
            ("C", ""),
            ("D", "a#b"),
            ("E", "$HOME # \\n"),
            ("F", "x\n\"y\" $z \\q"),
            ("G", "one\n two"),
            ("H", ""),
            ("I", "ünï"),
            ("URL", "postgres://u:p@h/d?x=y"),
        ];
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_without_its_text() {
        for (text, line, what) in [
            ("A=1\nhunter2\n", 2, "must be NAME=value"),
            ("A=1\nhunter2\nB=3\n", 2, "must be NAME=value"),
            ("1A=2", 1, "begins with no digit"),
            ("A B=2", 1, "letters, digits and _"),
            ("\n\nA=\"hunter2\nB=3\n", 3, "is missing"),
            ("A='x\\'", 1, ""),
        ] {
            match parse(text) {
                Err(error) => {
                    let said = error.to_string();
                    assert!(said.starts_with(&format!("line {line}: ")) && said.contains(what), "{said}");
                    assert!(!said.contains("hunter2"));
                }
                Ok(read) => assert_eq!(read["A"], "x\\", "single quotes have no escapes"),
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-Z=\"'#\\\\ \n$a-zü]{0,60}") {
            let _read = parse(&text);
        }

        #[test]
        fn what_is_written_in_double_quotes_is_read_back(value in "[ -~\n\t]{0,40}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let read = parse(&format!("NAME=\"{escaped}\"\n")).unwrap();
            proptest::prop_assert_eq!(&read["NAME"], &value);
        }
    }
}
