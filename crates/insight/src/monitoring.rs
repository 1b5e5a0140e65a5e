//! What the crash monitoring of an instance does, in words.

use std::time::Duration;

use model::Timestamp;
use model::crash_monitor::Numbers;
use model::status::{AppStatus, Monitoring};
use model::time::humanise;

use crate::report::{Cell, Column, Note, Severity, Table, Target};
use crate::words::counted;

/// A state in a word, and explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub severity: Severity,
    /// One or two words.
    pub word: &'static str,
    /// One sentence or two.
    pub sentence: String,
}

/// Explains what the monitoring of one instance does.
pub fn explain(monitoring: &Monitoring, numbers: Numbers, now: Timestamp) -> Explained {
    let window = hours(numbers.window);
    let (word, sentence) = match monitoring {
        Monitoring::Counting { crashes, limit } => (
            "Not armed",
            format!(
                "{} in {window}. Capture is armed after {}.",
                if *crashes == 0 { "No crashes".to_owned() } else { crashes_text(*crashes) },
                crashes_text(limit.saturating_add(1))
            ),
        ),
        Monitoring::Arming { refused: None } => {
            ("Arming", "Arming capture: attaching the debugger to the worker.".to_owned())
        }
        Monitoring::Arming { refused: Some(why) } => {
            ("Arming", format!("Capture is not armed: attaching the debugger failed. Medic retries. {why}"))
        }
        Monitoring::Armed => {
            ("Armed", "Capture armed: the next fatal signal is recorded with a stack trace.".to_owned())
        }
        Monitoring::Analysing => (
            "Analyzing",
            "Crash captured. Medic is analyzing the memory dump and deletes it afterwards.".to_owned(),
        ),
        Monitoring::Paused { until } => (
            "Paused",
            format!(
                "Crash captured. Next capture possible in {} ({} UTC).",
                humanise(until.since(now)),
                until.to_utc().format("%Y-%m-%d %H:%M")
            ),
        ),
        Monitoring::OptedOut => (
            "Opted out",
            "Off in the app's settings: crashes are listed, the debugger is not attached.".to_owned(),
        ),
    };
    Explained { severity: Severity::of_monitoring(monitoring), word, sentence }
}

/// When capture is armed, in one sentence.
pub fn rule(numbers: Numbers) -> String {
    let pause = hours(numbers.pause);
    match numbers.crashes {
        0 => format!("Capture is always armed, and paused for {pause} after a capture."),
        crashes => format!(
            "Capture is armed after {} within {} on one instance, then paused for {pause} after a capture.",
            crashes_text(crashes.saturating_add(1)),
            hours(numbers.window)
        ),
    }
}

/// The monitoring of every instance of an app.
pub fn table(status: &AppStatus, numbers: Numbers, now: Timestamp) -> Table {
    let columns = vec![
        Column::short("instance", "Instance"),
        Column::short("status", "Status"),
        Column::long("details", "Details"),
    ];
    let mut table = Table::new("Crash monitoring", columns, "No instances");
    for instance in &status.instances {
        let Explained { severity, word, sentence } = explain(&instance.monitoring, numbers, now);
        table.rows.push(vec![
            Cell::Count(instance.index.into()),
            Cell::Status { severity, word: word.to_owned(), details: None },
            Cell::Text(sentence),
        ]);
    }
    table.notes.push(Note::at(rule(numbers), Target::Settings));
    table
}

fn crashes_text(count: u32) -> String {
    counted(count, "crash", "crashes")
}

/// `24 h`, as limits are spoken of; what is no whole number of hours, or many days, in its two largest units.
fn hours(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 3_600..=172_800 if seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        _ => humanise(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);

    #[test]
    fn every_state_is_explained_with_its_numbers() {
        let until = NOW + Duration::from_mins(432);
        let cases = [
            (
                Monitoring::Counting { crashes: 2, limit: 3 },
                "Not armed",
                "2 crashes in 24 h. Capture is armed after 4 crashes.",
            ),
            (Monitoring::Counting { crashes: 1, limit: 3 }, "Not armed", "1 crash in 24 h"),
            (Monitoring::Counting { crashes: 0, limit: 3 }, "Not armed", "No crashes in 24 h"),
            (Monitoring::Arming { refused: None }, "Arming", "attaching the debugger"),
            (Monitoring::Arming { refused: Some("EPERM".to_owned()) }, "Arming", "EPERM"),
            (Monitoring::Armed, "Armed", "recorded with a stack trace"),
            (Monitoring::Analysing, "Analyzing", "deletes it"),
            (Monitoring::Paused { until }, "Paused", "in 7 h 12 min (2026-01-31 15:27 UTC)"),
            (Monitoring::OptedOut, "Opted out", "Off in the app"),
        ];
        for (monitoring, word, part) in cases {
            let explained = explain(&monitoring, Numbers::default(), NOW);
            assert_eq!(explained.word, word);
            assert!(explained.sentence.contains(part), "{part} in {}", explained.sentence);
        }
    }

    #[test]
    fn more_than_three_means_four() {
        assert_eq!(
            rule(Numbers::default()),
            "Capture is armed after 4 crashes within 24 h on one instance, then paused for 8 h after a capture."
        );
        let always = rule(Numbers { crashes: 0, ..Numbers::default() });
        assert_eq!(always, "Capture is always armed, and paused for 8 h after a capture.");
    }
}
