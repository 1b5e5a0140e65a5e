//! Times and sizes as the pages write them: always UTC, and said so.

use std::time::Duration;

use leptos::prelude::*;
use model::time::humanise;
use model::{TimeRange, Timestamp};

/// `2026-01-31 08:15:00`, with what a program needs in `datetime`; the reader's local time is shown on hover.
#[component]
pub(crate) fn When(
    /// The moment.
    at: Timestamp,
    /// Leaves the word UTC away, where a heading says it.
    #[prop(optional)]
    bare: bool,
) -> impl IntoView {
    view! {
        <time datetime=at.to_string()>{seconds_text(at)}</time>
        {(!bare).then_some(" UTC")}
    }
}

/// `2026-01-31 08:15:00`.
pub(crate) fn seconds_text(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-01-31 08:15`.
pub(crate) fn minute_text(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%d %H:%M").to_string()
}

/// `08:15`.
pub(crate) fn clock_text(at: Timestamp) -> String {
    at.to_utc().format("%H:%M").to_string()
}

/// `08:15:00`.
pub(crate) fn clock_seconds_text(at: Timestamp) -> String {
    at.to_utc().format("%H:%M:%S").to_string()
}

/// `2026-01-31T08:15`, as `<input type=datetime-local>` takes it.
pub(crate) fn input_text(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%dT%H:%M").to_string()
}

/// `2026-01-31 08:15 – 09:15`, the second date only where it is another one.
pub(crate) fn range_text(range: TimeRange) -> String {
    let (start, end) = (minute_text(range.start), minute_text(range.end));
    match (start.get(..10), end.get(..10), end.get(11..)) {
        (Some(first), Some(last), Some(clock)) if first == last => format!("{start} – {clock}"),
        _ => format!("{start} – {end}"),
    }
}

/// `24 h`, as limits are spoken of; what is no whole number of hours, or many days, in its two largest units.
pub(crate) fn hours_text(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 3_600..=172_800 if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        _ => humanise(duration),
    }
}

/// `1.4 MiB`.
pub(crate) fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes.saturating_mul(10) / 1_024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `12.4 ms`, for what lasts microseconds.
pub(crate) fn micros_text(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => humanise(Duration::from_micros(us)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_in_the_fitting_unit() {
        let sizes = [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_536, "1.5 KiB"),
            (35_651_584, "34.0 MiB"),
            (u64::MAX, "1677721.5 TiB"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(bytes_text(bytes), text, "{bytes}");
        }
        let durations = [(999, "999 µs"), (1_000, "1.0 ms"), (12_470, "12.4 ms"), (2_300_000, "2.3 s")];
        for (us, text) in durations {
            assert_eq!(micros_text(us), text, "{us}");
        }
    }

    #[test]
    fn a_range_names_its_second_date_only_where_it_is_another() {
        let range =
            |start: &str, end: &str| TimeRange { start: start.parse().unwrap(), end: end.parse().unwrap() };
        assert_eq!(range_text(range("2026-01-31T08:15", "2026-01-31T09:15")), "2026-01-31 08:15 – 09:15");
        assert_eq!(
            range_text(range("2026-01-30T09:15", "2026-01-31T09:15")),
            "2026-01-30 09:15 – 2026-01-31 09:15"
        );
    }

    #[test]
    fn a_time_is_utc_in_the_markup() {
        let html = view! { <When at=Timestamp::from_ms(1_769_847_300_000) /> }.to_html();
        assert!(html.contains("datetime=\"2026-01-31T08:15:00.000Z\""), "{html}");
        assert!(html.contains("2026-01-31 08:15:00</time>") && html.contains("UTC"), "{html}");
    }
}
