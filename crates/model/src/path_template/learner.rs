//! Which words of its paths are an app's own, learnt from its traffic.
//!
//! The paths make a tree. Each place of it (what stands before) counts the words that come there and learns those that are seen
//! often; what is not learnt counts as `*`, and what comes behind all of those is learnt together:
//!
//! ```text
//!  /          cart: learnt        users: learnt           favicon.ico: 3 times
//!               │                   │                       │
//!             checkout: learnt    (many, few times each)    … behind *
//!                                   │
//!                                 behind *: orders: learnt         ▶ /cart/checkout, /users/*/orders, /*
//!
//!                 20 of about the last 500 at its place, most of which were words seen before
//!  UNKNOWN ── seen ──▶ COUNTED ───────────────────────────────────────────────▶ LEARNT
//!     ▲                   │                                                        │
//!     └─── seldomer than  ┘                   one of more than 32 at its place ────┘──▶ the place is a COLLECTION:
//!          32 others                                                                    all its words are * for good
//! ```
//! - Counting is by the space-saving algorithm (Metwally, Agrawal, El Abbadi 2005): the word that was seen least gives its place
//!   to a new one, which takes over its count as possible error. So a flood of words that are seen once learns nothing, and
//!   forgets nothing: what is learnt stays.
//! - A place where more than a third of the words are new to it is one of names; nothing is learnt there. Numbers and ids,
//!   which are hidden anyway, do not count: `/orders/search` can be learnt beside `/orders/4711`.
//! - A place with more than 32 words that are seen often is one of names, too.
//! - Each level begins to learn when the one above has learnt: a path of five segments is known after a hundred requests.

use crate::path_template::PathCandidate;

/// Words that are learnt at one place.
pub const WORDS_LIMIT: usize = 32;
/// Words that are counted at one place.
const CANDIDATES_LIMIT: usize = 32;
/// Levels of one learner. With words of at most 32 bytes it takes less than 2 MiB, whatever is asked for.
pub const PLACES_LIMIT: usize = 256;
/// A word seen so many times is seen often.
const OFTEN: u16 = 20;
/// All counts of a place are halved after so many words, so that only what is frequent now is learnt: a fiftieth or more.
const RECENT: u16 = 512;
/// A place learns while at most one word in so many is new to it.
const NEW_ONES: u16 = 3;

/// Learns which segments of an app's paths are its own words.
#[derive(Default)]
pub struct PathLearner {
    root: Level,
    /// How many places there are.
    places: usize,
}

/// What stands before a segment.
#[derive(Default)]
struct Level {
    learnt: Vec<Word>,
    candidates: Vec<Candidate>,
    /// Words seen lately, and those of them that were new.
    seen: u16,
    new: u16,
    is_collection: bool,
    /// Behind all words that are not learnt.
    behind_others: Option<Box<Level>>,
}

struct Word {
    name: Box<str>,
    behind: Option<Box<Level>>,
}

struct Candidate {
    name: Box<str>,
    count: u16,
    /// Of which at most so many were other words.
    error: u16,
}

impl PathLearner {
    /// A request for this path came.
    pub fn learn(&mut self, path: &PathCandidate) {
        let mut place = &mut self.root;
        let mut lost = 0;
        for segment in path.segments().filter(|segment| !segment.is_empty()) {
            if segment != "*" {
                lost += place.see(segment);
            }
            let next = match place.learnt.iter_mut().find(|word| *word.name == *segment) {
                Some(word) => &mut word.behind,
                None => &mut place.behind_others,
            };
            if next.is_none() {
                if self.places >= PLACES_LIMIT {
                    break;
                }
                self.places += 1;
            }
            place = next.get_or_insert_default();
        }
        self.places -= lost;
    }

    /// The path with what was not learnt as `*`.
    pub fn template(&self, path: &PathCandidate) -> String {
        let mut place = Some(&self.root);
        let mut template = String::new();
        for segment in path.segments() {
            template.push('/');
            if segment.is_empty() {
                continue;
            }
            let word = place.and_then(|place| place.learnt.iter().find(|word| *word.name == *segment));
            template.push_str(if word.is_some() { segment } else { "*" });
            place = match word {
                Some(word) => word.behind.as_deref(),
                None => place.and_then(|place| place.behind_others.as_deref()),
            };
        }
        if template.is_empty() { "/".to_owned() } else { template }
    }
}

impl Level {
    /// A word came. Says how many places were given up for it.
    fn see(&mut self, word: &str) -> usize {
        if self.is_collection {
            return 0;
        }
        self.seen += 1;
        let lost = if self.learnt.iter().any(|learnt| *learnt.name == *word) { 0 } else { self.count(word) };
        if self.seen >= RECENT {
            self.age();
        }
        lost
    }

    fn count(&mut self, word: &str) -> usize {
        let Some(at) = self.candidates.iter().position(|candidate| *candidate.name == *word) else {
            self.new += 1;
            self.begin_to_count(word);
            return 0;
        };
        let candidate = &mut self.candidates[at];
        candidate.count += 1;
        if candidate.count - candidate.error < OFTEN || self.new > self.seen / NEW_ONES {
            return 0;
        }
        let name = self.candidates.swap_remove(at).name;
        if self.learnt.len() < WORDS_LIMIT {
            self.learnt.push(Word { name, behind: None });
            return 0;
        }
        self.is_collection = true;
        self.candidates = Vec::new();
        let given_up = std::mem::take(&mut self.learnt);
        given_up.iter().filter_map(|word| word.behind.as_deref()).map(Self::places).sum()
    }

    fn begin_to_count(&mut self, word: &str) {
        let name = word.into();
        if self.candidates.len() < CANDIDATES_LIMIT {
            self.candidates.push(Candidate { name, count: 1, error: 0 });
        } else if let Some(least) = self.candidates.iter_mut().min_by_key(|candidate| candidate.count) {
            *least = Candidate { name, count: least.count + 1, error: least.count };
        }
    }

    fn age(&mut self) {
        self.seen /= 2;
        self.new /= 2;
        for candidate in &mut self.candidates {
            candidate.count /= 2;
            candidate.error /= 2;
        }
        self.candidates.retain(|candidate| candidate.count > 0);
    }

    /// Itself and all behind it.
    fn places(&self) -> usize {
        let learnt = self.learnt.iter().filter_map(|word| word.behind.as_deref());
        1 + learnt.chain(self.behind_others.as_deref()).map(Self::places).sum::<usize>()
    }
}

#[cfg(test)]
impl PathLearner {
    /// Levels, and names that are kept at all of them.
    pub(super) fn size(&self) -> (usize, usize) {
        fn names(place: &Level) -> usize {
            let learnt = place.learnt.iter().filter_map(|word| word.behind.as_deref());
            let behind = learnt.chain(place.behind_others.as_deref()).map(names).sum::<usize>();
            place.learnt.len() + place.candidates.len() + behind
        }
        assert_eq!(self.root.places(), self.places + 1, "the count is kept");
        (self.places, names(&self.root))
    }
}
