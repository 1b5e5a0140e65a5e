//! Which of an output's reports tells the end.
//!
//! The last report that only a dying process prints wins. A report that also stands in logs (a caught exception that was printed)
//! is taken only where there is nothing better: many programs print what they caught and then exit by themselves.

use model::crash::Runtime;

use super::report::{At, Report};
use super::{Ends, LastWords, rust};

/// How many lines above a report are searched for what announces an end, and how many below for what confirms it.
const ABOVE: usize = 4;
const BELOW: usize = 40;

/// Frameworks that catch what ends the program say so first.
const ANNOUNCES: [&str; 13] = [
    "Application run failed",          // Spring Boot's SpringApplication.handleRunFailure
    "Failed to start application",     // Quarkus
    "Error starting Micronaut server", // Micronaut
    "Hosting failed to start",         // Microsoft.Extensions.Hosting, before 8 without the exception
    "Application startup exception",   // ASP.NET Core's WebHost
    "Host terminated unexpectedly",    // Serilog's templates for ASP.NET Core
    "Application terminated unexpectedly",
    "Application start-up failed",
    "uncaughtException: ", // winston's exception handler
    "[ExceptionHandler]",  // Nest, when the application cannot be made
    "rake aborted!",
    "rails aborted!",
    "bundler: failed to load command:",
];

/// What is printed when the program has ended, or because of it.
const CONFIRMS: [&str; 9] = [
    "Node.js v", // node 17 and later, below an uncaught exception
    // Microsoft.Extensions.Hosting from 6 on
    "A BackgroundService has thrown an unhandled exception, and the IHost instance is stopping",
    "ELIFECYCLE", // npm, pnpm
    "Command failed with exit code",
    "[nodemon] app crashed",
    "Application startup failed. Exiting", // uvicorn
    "Worker failed to boot",               // gunicorn
    "Reason: App failed to load",
    "BUILD FAILURE", // Maven
];

/// Does a sentence say that what follows it ends the program?
pub(super) fn announces(sentence: &str) -> bool {
    ANNOUNCES.iter().any(|text| sentence.contains(text))
}

/// Is the report from `at` to the line `end` one of a program's end, whoever printed it?
pub(super) fn is_end(at: At<'_, '_>, end: usize) -> bool {
    let At { lines, start, .. } = at;
    let above = lines[..start].iter().rev().filter(|line| !line.is_empty()).take(ABOVE);
    let below = lines.iter().skip(end).take(BELOW);
    announces(at.label())
        || above.into_iter().any(|line| announces(line))
        || below.into_iter().any(|line| CONFIRMS.iter().any(|text| line.contains(text)))
}

/// The last certain report, else the last; `reports` are in the order in which they were printed.
pub(super) fn choose(mut reports: Vec<Report>) -> Option<LastWords> {
    let index = reports.iter().rposition(|report| report.words.certain).or(reports.len().checked_sub(1))?;
    let before = reports.get(..index).unwrap_or_default();
    let mut words = reports[index].words.clone();
    if let Some(told) = before.last() {
        join(&mut words, &told.words);
    }
    if is_halt(&words)
        && let Some(boot) = before.iter().rposition(|report| is_reason(&report.words))
    {
        let lines_after = words.lines_after;
        words = LastWords { lines_after, certain: true, ..reports.swap_remove(boot).words };
    }
    Some(words)
}

/// Some deaths are told in two reports: glibc or C++ says what, then a runtime's signal handler or a second panic says where.
fn join(last: &mut LastWords, before: &LastWords) {
    let names_the_signal = last.exception_type == "SIGABRT" && last.runtime != before.runtime;
    let told_first = matches!(before.runtime, Runtime::Glibc | Runtime::Cpp);
    if names_the_signal && told_first && before.certain {
        last.exception_type.clone_from(&before.exception_type);
        last.message.clone_from(&before.message);
    }
    // A handler of C++ follows the failed check, or the exception that nobody caught. It alone may know the calls.
    let is_handler = (last.exception_type.as_str(), last.runtime) == ("SIGABRT", Runtime::Cpp);
    let is_fatal = before.certain && matches!(before.ends, Ends::BySignal | Ends::ByAbort);
    let is_told = is_handler && before.runtime == Runtime::Cpp && is_fatal;
    if is_told || (rust::is_second_panic(last) && before.runtime == Runtime::Rust) {
        let (lines_after, mut calls) = (last.lines_after, std::mem::take(&mut last.frames));
        *last = LastWords { lines_after, ..before.clone() };
        if is_told && calls.len() > last.frames.len() {
            // what the check knows of its own place
            calls.retain(|call| call.function.is_some());
            last.frames = calls;
        }
    }
}

/// Gunicorn's master gives up because its workers could not boot: why is in the report of the worker.
fn is_halt(words: &LastWords) -> bool {
    words.exception_type == "gunicorn.errors.HaltServer"
}

fn is_reason(words: &LastWords) -> bool {
    words.runtime == Runtime::Python && !is_halt(words)
}
