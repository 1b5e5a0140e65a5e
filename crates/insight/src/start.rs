//! How far a start is, in words.

use std::time::Duration;

use model::crash_monitor::LastEnd;
use model::start::{Readiness, StartFault, StartSeen, Starting};
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
pub(crate) fn not_ready(limit_ms: u64, found: Option<&Readiness>, named: Option<StartFault>) -> String {
    let limit = humanise(Duration::from_millis(limit_ms));
    let found = found.map_or_else(|| "no valid response on $PORT".to_owned(), readiness);
    let named = named.map_or_else(String::new, |named| format!("; {}", fault(named)));
    format!("Not ready within {limit}: {found}{named}")
}

/// What the output of a worker that could not start names, within a sentence.
pub(crate) fn fault(fault: StartFault) -> &'static str {
    match fault {
        StartFault::AddressInUse => "address already in use",
        StartFault::PermissionDenied => "permission denied",
        StartFault::FileNotFound => "file not found",
        StartFault::ModuleNotFound => "module or library not found",
        StartFault::CommandNotFound => "command not found",
        StartFault::ConnectionRefused => "connection refused by another service",
        StartFault::HostNotFound => "host name not found",
    }
}

/// What to look at after such an end; a sentence.
pub fn remedy(end: &LastEnd) -> Option<&'static str> {
    match end {
        LastEnd::ExitCode { fault, .. } => fault.map(remedy_of_fault),
        LastEnd::NotReady { fault: Some(fault), .. } => Some(remedy_of_fault(*fault)),
        LastEnd::NotReady { readiness, .. } => readiness.as_ref().map(remedy_of_readiness),
        _ => None,
    }
}

const fn remedy_of_fault(fault: StartFault) -> &'static str {
    match fault {
        StartFault::AddressInUse => {
            "Make the app listen on $PORT, which is another port for each worker, or end the process that has the \
             address."
        }
        StartFault::PermissionDenied => {
            "Check the owner and mode of the files that the app uses, and ports below 1024."
        }
        StartFault::FileNotFound => "Check command, directory and the paths in the app's own settings.",
        StartFault::ModuleNotFound => "Install the app's dependencies, and check directory.",
        StartFault::CommandNotFound => "Use the full path of the program, or set PATH in environment.",
        StartFault::ConnectionRefused => "Check that the services that the app connects to are running.",
        StartFault::HostNotFound => "Check the host names in the app's own settings, and DNS.",
    }
}

const fn remedy_of_readiness(found: &Readiness) -> &'static str {
    match found {
        Readiness::NotListening | Readiness::Elsewhere { .. } | Readiness::UnixSocket => {
            "Make the app listen on $PORT, or raise warm_up if it needs longer."
        }
        Readiness::NoResponse | Readiness::Status { .. } => {
            "Check health_path and the app's log, or raise warm_up if it needs longer."
        }
        Readiness::NotHttp => "The app must speak HTTP/1.1 on $PORT.",
    }
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
    fn an_end_names_what_its_output_names_and_what_to_look_at() {
        let exit = LastEnd::ExitCode { code: 1, fault: Some(StartFault::AddressInUse) };
        assert_eq!(crate::words::last_end(&exit), "Exit code 1: address already in use");
        assert!(remedy(&exit).is_some_and(|remedy| remedy.contains("listen on $PORT")));
        let readiness = Some(Readiness::NotListening);
        let fault = Some(StartFault::ConnectionRefused);
        let given_up = LastEnd::NotReady { limit_ms: 30_000, readiness: readiness.clone(), fault };
        assert_eq!(
            crate::words::last_end(&given_up),
            "Not ready within 30 s: not listening on $PORT; connection refused by another service"
        );
        assert!(remedy(&given_up).is_some_and(|remedy| remedy.contains("services")));
        let given_up = LastEnd::NotReady { limit_ms: 30_000, readiness, fault: None };
        assert!(remedy(&given_up).is_some_and(|remedy| remedy.contains("raise warm_up")));
        assert_eq!(remedy(&LastEnd::ExitCode { code: 1, fault: None }), None);
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
            assert_eq!(not_ready(30_000, found.as_ref(), None), words);
        }
    }
}
