//! What an app's requests ask for, on its way to what is learnt of its paths ([`PathLearner`]).
//!
//! Each thread keeps the first paths of each second, reduced to what could be the app's own words, and once a second teaches
//! them to the app's learner, or when a worker has died: so a path is known as soon as it was asked for often enough. A request
//! costs a look at a number beside that; no thread waits for another but when a worker has died.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use hyper::{Method, StatusCode};
use model::path_template::{PathCandidate, PathLearner};

/// Paths that one thread keeps in a second. What comes more often is seen all the same.
const SAMPLES_PER_S: usize = 256;

/// One thread's latest paths.
#[derive(Default)]
pub(crate) struct Samples(RefCell<Vec<PathCandidate>>);

impl Samples {
    /// A worker was asked for `path` and answered so. What is not there is no path of the app's: scanners ask for thousands.
    pub(crate) fn see(&self, path: &str, status: u16) {
        let mut samples = self.0.borrow_mut();
        if samples.len() < SAMPLES_PER_S && status != StatusCode::NOT_FOUND.as_u16() {
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

/// A method by its name where it is one that apps have, else `*`: a client can write anything there.
pub(crate) fn method_name(method: &Method) -> &'static str {
    const WEB_DAV: [&str; 12] = [
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "REPORT",
        "SEARCH",
        "MKCALENDAR",
        "PURGE",
        "QUERY",
    ];
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => WEB_DAV.into_iter().find(|name| *name == method.as_str()).unwrap_or("*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_of_the_clients_own_is_not_told() {
        for (method, told) in
            [("GET", "GET"), ("PATCH", "PATCH"), ("REPORT", "REPORT"), ("hunter2", "*"), ("`x|$", "*")]
        {
            assert_eq!(method_name(&Method::from_bytes(method.as_bytes()).unwrap()), told);
        }
    }
}
