//! How far a start is, in words.

use std::time::Duration;

use model::start::{Readiness, StartSeen, Starting};
use model::time::humanise;

/// What the readiness check finds, within a sentence.
pub fn readiness(found: &Readiness) -> String {
    match found {
        Readiness::NotListening => "not listening on $PORT".to_owned(),
        Readiness::Elsewhere { ports } => {
            let list: Vec<String> = ports.iter().map(u16::to_string).collect();
            let noun = if ports.len() == 1 { "port" } else { "ports" };
            format!("listening on {noun} {} instead of $PORT", list.join(", "))
        }
        Readiness::UnixSocket => "listening on a Unix socket instead of $PORT".to_owned(),
        Readiness::NoResponse => "listening on $PORT, no response".to_owned(),
        Readiness::NotHttp => "the response on $PORT is not HTTP".to_owned(),
        Readiness::Status { status } => format!("HTTP status {status} in the readiness check"),
    }
}

/// What a worker that is starting does; a sentence.
pub fn activity(start: &Starting) -> String {
    let Some(StartSeen { readiness: found, is_busy }) = &start.seen else { return "Starting.".to_owned() };
    let processor = if *is_busy { "uses the processor" } else { "processor idle" };
    format!("Starting: {}, {processor}.", readiness(found))
}

/// How long it may go on; a sentence.
pub fn limit(start: &Starting) -> String {
    format!(
        "Medic stops the worker if it is not ready within {}.",
        humanise(Duration::from_millis(start.limit_ms))
    )
}

/// Why a worker was given up.
pub(crate) fn not_ready(limit_ms: u64, found: Option<&Readiness>) -> String {
    let limit = humanise(Duration::from_millis(limit_ms));
    let found = found.map_or_else(|| "no valid response on $PORT".to_owned(), readiness);
    format!("Not ready within {limit}: {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_says_what_the_worker_does_and_how_long_it_may() {
        let seen = |readiness, is_busy| Some(StartSeen { readiness, is_busy });
        for (seen, words) in [
            (None, "Starting."),
            (seen(Readiness::NotListening, true), "Starting: not listening on $PORT, uses the processor."),
            (
                seen(Readiness::NoResponse, false),
                "Starting: listening on $PORT, no response, processor idle.",
            ),
            (
                seen(Readiness::Status { status: 503 }, false),
                "Starting: HTTP status 503 in the readiness check, processor idle.",
            ),
        ] {
            assert_eq!(activity(&Starting { limit_ms: 230_000, seen }), words);
        }
        let start = Starting { limit_ms: 230_000, seen: None };
        assert_eq!(limit(&start), "Medic stops the worker if it is not ready within 3 min 50 s.");
    }

    #[test]
    fn one_that_was_given_up_says_what_was_found_last() {
        for (found, words) in [
            (None, "Not ready within 30 s: no valid response on $PORT"),
            (Some(Readiness::NotListening), "Not ready within 30 s: not listening on $PORT"),
            (
                Some(Readiness::Elsewhere { ports: vec![3_000] }),
                "Not ready within 30 s: listening on port 3000 instead of $PORT",
            ),
            (
                Some(Readiness::Elsewhere { ports: vec![3_000, 9_229] }),
                "Not ready within 30 s: listening on ports 3000, 9229 instead of $PORT",
            ),
            (
                Some(Readiness::UnixSocket),
                "Not ready within 30 s: listening on a Unix socket instead of $PORT",
            ),
            (Some(Readiness::NotHttp), "Not ready within 30 s: the response on $PORT is not HTTP"),
        ] {
            assert_eq!(not_ready(30_000, found.as_ref()), words);
        }
    }
}
