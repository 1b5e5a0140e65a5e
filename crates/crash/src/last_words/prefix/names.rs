//! Names of containers, processes and packages before lines.
//!
//! Where only a bar, a number or a process's id tells that a name stands there (`app-1  | `, `app[4711]: `), it is believed where
//! it stands before several lines. Any other word could as well be the beginning of a text. So names are learned from an output: a
//! name stands also before lines that are empty, indented or drawn, as no word of a sentence does, and one without a sign at its
//! end stands before nearly all lines.

use std::collections::BTreeMap;

use super::{NAME_CHARS, Split, form};

/// A name is a source's where it stands before as many lines.
const LINES_OF_SOURCE: usize = 2;
/// How many words a name has at most: `web-5f6d8 app `, `/ecs/shop ecs/app/0f9de17a `, `apps/web dev: `.
const WORDS: usize = 3;
/// What ends a name that need not stand before nearly all lines.
const SIGNS: [char; 2] = [':', ']'];
/// What begins a line that no sentence is.
const MARGINS: [char; 6] = [' ', '\t', '+', '╭', '╰', '├'];
/// Words that stand before texts and before indented lines alike, and are part of a report.
const NO_NAMES: [&str; 5] = ["PHP", "at", "from", "File", "note:"];

/// Before which lines a name stands.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    lines: usize,
    /// Those that have something behind it.
    full: usize,
    /// Empty lines, indented ones, and the margins of boxes and trees; but none with a bar, which may be the sign of a name.
    unlike_sentences: usize,
}

/// The names that stand before an output's lines.
#[derive(Debug, Default)]
pub(in crate::last_words) struct Sources<'t> {
    /// Those that a sign tells.
    told: BTreeMap<&'t str, usize>,
    learned: BTreeMap<&'t str, Uses>,
    lines: usize,
    any: bool,
}

impl<'t> Sources<'t> {
    /// Takes every name that a sign tells.
    pub(super) fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    pub(in crate::last_words) fn of(lines: &[&'t str]) -> Self {
        let (any, none) = (Self::any(), Self::default());
        let mut sources = Self::default();
        for line in lines.iter().filter(|line| !line.is_empty()) {
            sources.lines += 1;
            let split = super::split(line, &any);
            if let Some(source) = split.source {
                *sources.told.entry(source).or_default() += 1;
            }
            // what looks like a name and a bar may be a name that is to be learned and a margin
            let unnamed = super::split(line, &none).rest;
            let behind = names(split.rest).take(if unnamed == split.rest { 0 } else { WORDS });
            for (name, rest) in names(unnamed).chain(behind) {
                let uses = sources.learned.entry(name).or_default();
                uses.lines += 1;
                uses.full += usize::from(!rest.is_empty());
                let is_barred = rest.trim_start().starts_with(['|', '│']);
                uses.unlike_sentences +=
                    usize::from(!is_barred && (rest.is_empty() || rest.starts_with(MARGINS)));
            }
        }
        let lines = sources.lines;
        sources.learned.retain(|name, uses| {
            let is_before_all_kinds = uses.full > 0 && uses.unlike_sentences > 0;
            let is_often = uses.lines >= LINES_OF_SOURCE;
            is_before_all_kinds && is_often && (name.ends_with(SIGNS) || uses.lines * 10 >= lines * 9)
        });
        sources
    }

    /// Is what a sign tells to be a name one?
    pub(super) fn know(&self, source: &str) -> bool {
        let needed = LINES_OF_SOURCE.min(self.lines);
        self.any || self.told.get(source).is_some_and(|lines| *lines >= needed)
    }

    /// The learned name that the line begins with.
    pub(super) fn named<'l>(&self, line: &'l str) -> Option<Split<'l>> {
        if self.learned.is_empty() {
            return None;
        }
        names(line)
            .find(|(name, _)| self.learned.contains_key(name))
            .map(|(name, rest)| super::of(name, rest))
    }
}

/// What could be a name at the line's beginning, each with what stands behind it and one blank.
fn names(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_name = |c: char| c.is_alphanumeric() || "_.-/@:[]".contains(c);
    let ends = line.match_indices([' ', '\t']).map(|(at, _)| at).chain(std::iter::once(line.len()));
    let named = ends.take(WORDS).map(|end| line.split_at(end)).take_while(move |(name, _)| {
        let word = name.rsplit(' ').next().unwrap_or(name);
        !word.is_empty() && name.len() <= NAME_CHARS && word.chars().all(is_name)
    });
    named.filter(|(name, _)| is_possible(name)).map(|(name, rest)| (name, rest.get(1..).unwrap_or_default()))
}

fn is_possible(name: &str) -> bool {
    let bare = name.trim_matches(|c: char| !c.is_alphanumeric());
    bare.contains(char::is_alphabetic)
        && !form::is_level(bare)
        && !form::is_error(bare)
        && !NO_NAMES.contains(&name)
        && !name.starts_with("Caused by")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rests(lines: &[&str]) -> Vec<String> {
        let sources = Sources::of(lines);
        lines.iter().map(|line| super::super::split(line, &sources).rest.to_owned()).collect()
    }

    #[test]
    fn a_name_before_texts_and_indented_lines_is_taken_off() {
        for name in ["[web]", "apps/web dev:", "web-5f6d8 app", "2026-01-08T11:23:05Z host1 shop:", "web :"] {
            let lines = ["Error: x", "    at f", "", "end"].map(|line| format!("{name} {line}"));
            let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
            assert_eq!(rests(&lines), ["Error: x", "    at f", "", "end"], "{name}");
        }
    }

    #[test]
    fn a_words_that_only_begin_lines_stay() {
        for lines in [
            &["[ioredis] Unhandled error", "[ioredis] Error: x", "[ioredis] y", "    at f"][..],
            &["Error: x", "Error:   y", "Error:"],
            &["alice went home", "alice  went", "alice", "x", "y"],
            &["Description:", "", "Description:", "", "Description:"],
        ] {
            assert_eq!(rests(lines), lines);
        }
    }
}
