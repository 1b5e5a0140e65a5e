//! A path with `*` for any run of characters, as a user's rule names the requests that it counts.
//!
//! Compared in time linear in the path, whatever the pattern: each piece between two stars is looked for once, left to right,
//! by Knuth, Morris and Pratt's automaton. Small and capital ASCII letters are the same, as in App Service.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::violation::{Accepted, Counted};

/// The longest pattern, in bytes.
pub const LENGTH_LIMIT: usize = 256;

/// Why a text is no path pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathGlobError {
    /// Something else than the permitted characters.
    #[error(
        "invalid character `{0}` in a path. Use letters, digits, `/`, `-`, `_`, `.` and the wildcard `*`"
    )]
    Character(char),
    /// Too long.
    #[error("a path has at most {LENGTH_LIMIT} characters")]
    TooLong,
}

impl PathGlobError {
    /// What a path must be.
    pub const fn accepted(&self) -> Accepted {
        match self {
            Self::TooLong => Accepted::AtMost(LENGTH_LIMIT, Counted::Characters),
            Self::Character(_) => Accepted::PathPattern,
        }
    }
}

/// A pattern of paths, `^[\*/\w-_.]*$`. One that begins with neither `/` nor `*` is read with a `/` before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathGlob {
    text: String,
    pieces: Vec<Piece>,
}

impl FromStr for PathGlob {
    type Err = PathGlobError;

    fn from_str(text: &str) -> Result<Self, PathGlobError> {
        if text.len() > LENGTH_LIMIT {
            return Err(PathGlobError::TooLong);
        }
        let permitted = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | '-' | '_' | '.');
        if let Some(wrong) = text.chars().find(|c| !permitted(c)) {
            return Err(PathGlobError::Character(wrong));
        }
        let rooted = if text.starts_with(['/', '*']) { text.to_owned() } else { format!("/{text}") };
        Ok(Self { text: text.to_owned(), pieces: rooted.split('*').map(Piece::new).collect() })
    }
}

impl PathGlob {
    /// Is `path`, without what follows `?` or `#`, one of these?
    pub fn matches(&self, path: &str) -> bool {
        let end = path.find(['?', '#']).unwrap_or(path.len());
        let path = &path.as_bytes()[..end];
        let (Some((first, rest)), Some(last)) = (self.pieces.split_first(), self.pieces.last()) else {
            return false;
        };
        let Some((_, middle)) = rest.split_last() else {
            return path.eq_ignore_ascii_case(&first.bytes);
        };
        let (head, tail) = (first.bytes.len(), last.bytes.len());
        if head + tail > path.len() {
            return false;
        }
        let (inner, tail) = path[head..].split_at(path.len() - head - tail);
        path[..head].eq_ignore_ascii_case(&first.bytes)
            && tail.eq_ignore_ascii_case(&last.bytes)
            && middle.iter().try_fold(inner, |left, piece| piece.after(left)).is_some()
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for PathGlob {
    type Error = PathGlobError;

    fn try_from(text: String) -> Result<Self, PathGlobError> {
        text.parse()
    }
}

impl From<PathGlob> for String {
    fn from(glob: PathGlob) -> String {
        glob.text
    }
}

/// What stands between two stars, in small letters, with how far to fall back at each mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    bytes: Vec<u8>,
    fall_back: Vec<usize>,
}

impl Piece {
    fn new(text: &str) -> Self {
        let bytes = text.to_ascii_lowercase().into_bytes();
        let mut fall_back = vec![0; bytes.len()];
        let mut matched = 0;
        for at in 1..bytes.len() {
            while matched > 0 && bytes[at] != bytes[matched] {
                matched = fall_back[matched - 1];
            }
            if bytes[at] == bytes[matched] {
                matched += 1;
            }
            fall_back[at] = matched;
        }
        Self { bytes, fall_back }
    }

    /// What follows the piece's first place in `text`.
    fn after<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if self.bytes.is_empty() {
            return Some(text);
        }
        let mut matched = 0;
        for (at, byte) in text.iter().map(u8::to_ascii_lowercase).enumerate() {
            while matched > 0 && byte != self.bytes[matched] {
                matched = self.fall_back[matched - 1];
            }
            if byte == self.bytes[matched] {
                matched += 1;
            }
            if matched == self.bytes.len() {
                return Some(&text[at + 1..]);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_is_any_run_and_case_does_not_count() {
        let cases = [
            ("/api/*", "/api/", true),
            ("/api/*", "/API/orders/7?q=1", true),
            ("/api/*", "/api", false),
            ("/api", "/api?x=/api/y", true),
            ("/api", "/api/", false),
            ("api/*", "/api/x", true),
            ("*", "", true),
            ("*", "/anything", true),
            ("", "/", true),
            ("", "/x", false),
            ("*.php", "/a/b.PHP", true),
            ("*.php", "/a.php/b", false),
            ("/a*b*c", "/aXbYc", true),
            ("/a*b*c", "/acb", false),
            ("/ab*ba", "/aba", false),
            ("/a**b", "/ab", true),
            ("*abab*", "/aababb", true),
            ("*aab*aab*", "/aaaabaab", true),
            ("*aab*aab*", "/aaaab", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(pattern.parse::<PathGlob>().unwrap().matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn other_characters_are_refused() {
        for (bad, wrong) in
            [("/a b", ' '), ("/a?", '?'), ("/[a]", '['), ("/é", 'é'), ("/a\n", '\n'), ("/%2e", '%')]
        {
            assert_eq!(bad.parse::<PathGlob>(), Err(PathGlobError::Character(wrong)), "{bad}");
        }
        assert_eq!("x".repeat(257).parse::<PathGlob>(), Err(PathGlobError::TooLong));
        assert!("/a-b_c.D9/*".parse::<PathGlob>().is_ok());
    }

    /// The textbook definition, exponential as it is.
    fn plainly(pattern: &[u8], path: &[u8]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                plainly(rest, path) || path.split_first().is_some_and(|(_, tail)| plainly(pattern, tail))
            }
            (Some((p, rest)), Some((c, tail))) => p.eq_ignore_ascii_case(c) && plainly(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_means_what_the_definition_means(pattern in "[/*][ab*]{0,8}", path in "/[abA]{0,10}") {
            let glob: PathGlob = pattern.parse().unwrap();
            prop_assert_eq!(glob.matches(&path), plainly(pattern.as_bytes(), path.as_bytes()));
        }
    }
}
