//! A request's path without what may be personal or unbounded in it: its template, such as `/users/*/orders`.
//!
//! Paths go into incidents, pages and the API, so nothing of them is said that is not known to be the app's own word. No list of
//! words can know that: `/users/jane-doe` looks like `/cart/check-out`. It is learnt from the app's own traffic, in two steps:
//!
//! ```text
//!  path ── PathCandidate::of ──────────────▶ candidate ── PathLearner::template ──▶ template
//!          query, ids, numbers, addresses,               what was not seen often, as
//!          tokens are * whatever their count             one of few at its place, is *
//! ```
//! When in doubt a segment is hidden: a template that says too little can be looked up by its time in the app's own log; one that
//! says too much cannot be taken back. What the learner takes for the app's own is said in [`PathLearner`], and where it can
//! err: a name that is asked for all the time at a place where hardly any other is looks like a page.

mod learner;
mod segment;

pub use learner::{PLACES_LIMIT, PathLearner, WORDS_LIMIT};

/// The longest template, in bytes.
pub const LENGTH_LIMIT: usize = 200;

/// Segments beyond this many are cut off and stand as one `*`.
pub const SEGMENT_LIMIT: usize = 12;

/// No more of a path is looked at, so that a long one costs no more.
const LOOKED_AT: usize = 512;

/// What of a path could be the app's own word, the rest as `*`. It may still be somebody's name, so it can be neither shown nor
/// stored: [`PathLearner::template`] makes it what may be.
#[derive(Clone, PartialEq, Eq)]
pub struct PathCandidate(String);

impl PathCandidate {
    /// `/orders/4711/items?key=secret` becomes `/orders/*/items`.
    pub fn of(path: &str) -> Self {
        let looked_at = path.get(..path.floor_char_boundary(LOOKED_AT)).unwrap_or(path);
        let is_whole = looked_at.len() == path.len();
        let ended = looked_at.split(['?', '#', ';']).next().unwrap_or("");
        let is_whole = is_whole || ended.len() < looked_at.len();
        let mut kept = String::new();
        let mut before = "";
        let mut segments = ended.split('/').skip(1).enumerate().peekable();
        while let Some((index, segment)) = segments.next() {
            if index == SEGMENT_LIMIT || kept.len() + segment.len() >= LENGTH_LIMIT {
                kept.push_str("/*");
                break;
            }
            let is_cut = !is_whole && segments.peek().is_none();
            let may_be_said = segment.is_empty()
                || (!is_cut && !segment::is_followed_by_a_name(before) && segment::may_be_a_word(segment));
            kept.push('/');
            kept.push_str(if may_be_said { segment } else { "*" });
            before = segment;
        }
        Self(kept)
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }
}

impl std::fmt::Debug for PathCandidate {
    /// Says nothing: debug output goes into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PathCandidate")
    }
}

#[cfg(test)]
mod tests;
