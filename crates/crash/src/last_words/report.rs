//! What a reader is given and what it gives back.

use std::ops::Deref;

use model::crash::{Frame, Runtime};

use super::{Ends, LastWords};
use crate::text;

/// One line of output without what a logger, a container or a terminal put before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// What is left, without blanks at its end.
    pub(super) text: &'t str,
    /// A level stood before it, so it is a record of a log.
    pub(super) level: bool,
    /// A time or a level stood before it.
    pub(super) stamped: bool,
    /// Which line of the output it is.
    pub(super) number: usize,
}

impl<'t> Line<'t> {
    /// A line that had nothing before it.
    pub(super) fn bare(text: &'t str, number: usize) -> Self {
        Self { text: text.trim_end(), level: false, stamped: false, number }
    }
}

impl Deref for Line<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.text
    }
}

/// A place in an output where a report may begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'l, 't> {
    pub(super) lines: &'l [Line<'t>],
    /// The line at which it may begin.
    pub(super) start: usize,
    /// That line from where it may begin: a label may stand before it.
    pub(super) head: &'t str,
}

impl<'l, 't> At<'l, 't> {
    /// The lines below, at most `max` of them.
    pub(super) fn below(self, max: usize) -> &'l [Line<'t>] {
        ahead(self.lines, self.start + 1, max)
    }

    /// The last line above that is not empty.
    pub(super) fn above(self) -> Option<Line<'t>> {
        self.lines[..self.start].iter().rev().take(4).find(|line| !line.is_empty()).copied()
    }

    /// What stands before the head on its line.
    pub(super) fn label(self) -> &'t str {
        let line = self.lines[self.start].text;
        &line[..line.len() - self.head.len()]
    }
}

/// The lines from `at` on, at most `max` of them.
pub(super) fn ahead<'l, 't>(lines: &'l [Line<'t>], at: usize, max: usize) -> &'l [Line<'t>] {
    let end = lines.len().min(at.saturating_add(max));
    lines.get(at..end).unwrap_or_default()
}

/// One report and where the reading goes on.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) words: LastWords,
    /// The first line after the report; always after the line where it began.
    pub(super) end: usize,
    /// The number in the output of the line at which it begins.
    pub(super) number: usize,
}

impl Report {
    pub(super) fn new(words: LastWords, end: usize) -> Self {
        Self { words, end, number: 0 }
    }

    /// Of a report that goes on after as many lines as `below` the heading at `at`.
    pub(super) fn of(words: LastWords, at: At<'_, '_>, below: usize) -> Self {
        Self::new(words, at.start + 1 + below)
    }
}

impl LastWords {
    pub(super) fn new(runtime: Runtime, exception_type: &str) -> Self {
        Self {
            runtime,
            exception_type: text::name(exception_type, text::TYPE_CHARS),
            message: None,
            thread: None,
            frames: Vec::new(),
            cause: None,
            ends: Ends::Either,
            certain: true,
            lines_after: 0,
        }
    }

    pub(super) fn with_message(mut self, message: &str) -> Self {
        let message = message.trim();
        self.message = (!message.is_empty()).then(|| message.to_owned());
        self
    }

    pub(super) fn with_thread(mut self, thread: Option<&str>) -> Self {
        self.thread = thread.and_then(|thread| text::name_of(thread, text::THREAD_CHARS));
        self
    }

    pub(super) fn with_frames(mut self, frames: Vec<Frame>) -> Self {
        self.frames = frames;
        self
    }

    pub(super) fn with_cause(mut self, cause: Option<&str>) -> Self {
        self.cause = cause.and_then(|cause| text::name_of(cause, text::TYPE_CHARS));
        self
    }

    pub(super) fn ending(mut self, ends: Ends) -> Self {
        self.ends = ends;
        self
    }

    pub(super) fn perhaps(mut self) -> Self {
        self.certain = false;
        self
    }
}

/// How many lines of a message are kept. Ours: the tail has hundreds at most.
pub(super) const MESSAGE_LINES: usize = 50;

/// A message's first line and those of `more` up to the first that `ends` it.
pub(super) fn message(first: &str, more: &[Line<'_>], ends: impl Fn(&str) -> bool) -> String {
    let mut whole = first.to_owned();
    for line in more.iter().take(MESSAGE_LINES).take_while(|line| !ends(line)) {
        whole.push('\n');
        whole.push_str(line);
    }
    whole.trim_end().to_owned()
}

/// How many blanks and tabs begin a line.
pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}
