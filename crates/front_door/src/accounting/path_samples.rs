//! What an app's requests ask for, on its way to what is learnt of its paths ([`PathLearner`]).
//!
//! Each thread keeps the first paths of each second, reduced to what could be the app's own words, and once a second teaches
//! them to the app's learner, or when a worker has died: so a path is known as soon as it was asked for often enough. A request
//! costs a look at a number beside that; no thread waits for another but when a worker has died.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use model::path_template::{PathCandidate, PathLearner};

/// Paths that one thread keeps in a second. What comes more often is seen all the same.
const SAMPLES_PER_S: usize = 256;

const NOT_FOUND: u16 = 404;

/// One thread's latest paths.
#[derive(Default)]
pub(crate) struct PathSamples(RefCell<Vec<PathCandidate>>);

impl PathSamples {
    /// A worker was asked for `path` and answered so. What is not there is no path of the app's: scanners ask for thousands.
    pub(crate) fn see(&self, path: &str, status: u16) {
        let mut samples = self.0.borrow_mut();
        if samples.len() < SAMPLES_PER_S && status != NOT_FOUND {
            samples.push(PathCandidate::of(path));
        }
    }

    /// Teaches what was seen, unless another thread is just doing so: then the next second does.
    pub(crate) fn teach(&self, paths: &Mutex<PathLearner>) {
        if !self.0.borrow().is_empty()
            && let Ok(mut paths) = paths.try_lock()
        {
            self.teach_to(&mut paths);
        }
    }

    /// Teaches what was seen.
    pub(crate) fn teach_now(&self, paths: &Mutex<PathLearner>) {
        self.teach_to(&mut paths.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn teach_to(&self, paths: &mut PathLearner) {
        for path in self.0.take() {
            paths.learn(&path);
        }
    }
}
