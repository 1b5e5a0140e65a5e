//! Sizes and counts as people read them, in whole numbers throughout: what a sentence says is what was compared.

use std::fmt::Display;
use std::time::Duration;

use model::Timestamp;
use model::auto_heal::limit::{Bitness, LimitSource, MemoryLimit};
use model::crash::Trust;
use model::crash_monitor::LastEnd;
use model::status::InstanceState;
use model::streams::{OpenCount, OpenStreams};
use model::time::humanise;

use crate::start;

const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];

/// `1.75 GiB`, cut to two decimals.
pub fn bytes(count: u64) -> String {
    let Some((size, unit)) = UNITS.iter().find(|(size, _)| count >= *size) else {
        return format!("{count} bytes");
    };
    let hundredths = u128::from(count) * 100 / u128::from(*size);
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, part) if part % 10 == 0 => format!("{whole}.{} {unit}", part / 10),
        (whole, part) => format!("{whole}.{part:02} {unit}"),
    }
}

/// `2026-01-31 08:15 UTC`.
pub fn minute(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// As a sentence or a cell begins.
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `1 crash`, `2 crashes`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, one: &str, many: &str) -> String {
    let noun = if number == N::from(1) { one } else { many };
    format!("{number} {noun}")
}

/// `1 request`, `5 requests`.
pub fn requests(count: u64) -> String {
    counted(count, "request", "requests")
}

/// `6 streams and 2 tunnels`; nothing where there are none.
pub fn streams(streams: u64, tunnels: u64) -> Option<String> {
    let streams = (streams > 0).then(|| counted(streams, "stream", "streams"));
    let tunnels = (tunnels > 0).then(|| counted(tunnels, "tunnel", "tunnels"));
    let all: Vec<String> = streams.into_iter().chain(tunnels).collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

/// What is open: `6 streams (oldest 12 min), 2 tunnels (oldest 3 s)`.
pub fn open_streams(open: &OpenStreams) -> Option<String> {
    let told = |OpenCount { count, oldest_ms }: OpenCount, one, many| {
        let age = humanise(Duration::from_secs(oldest_ms / 1_000));
        (count > 0).then(|| format!("{} (oldest {age})", counted(count, one, many)))
    };
    let streams = told(open.streams, "stream", "streams");
    let all: Vec<String> = streams.into_iter().chain(told(open.tunnels, "tunnel", "tunnels")).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// `5 requests within 2 min`.
pub fn within(count: u64, interval: Duration) -> String {
    format!("{} within {}", requests(count), humanise(interval))
}

/// `200 s`, for limits that are known by their number of seconds.
pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

/// `1.75 GiB (worker size Small, 64 bit)`.
pub fn memory_limit(limit: MemoryLimit) -> String {
    let source = match limit.source {
        LimitSource::WorkerSize { size, bitness } => {
            let bits = if bitness == Bitness::Bits32 { 32 } else { 64 };
            format!("worker size {size:?}, {bits} bit")
        }
        LimitSource::MemoryLimit => "memory_limit".to_owned(),
        LimitSource::Cgroup => "its cgroup, the lowest".to_owned(),
    };
    format!("{} ({source})", bytes(limit.bytes))
}

/// What an instance is doing.
pub const fn instance_state(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Starting => "Starting",
        InstanceState::Running => "Running",
        InstanceState::Waiting => "Waiting",
        InstanceState::Stopping => "Stopping",
        InstanceState::Stopped => "Stopped",
    }
}

/// How a frame of a stack was found.
pub const fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Context => "registers",
        Trust::CallFrameInfo => "unwind table",
        Trust::FramePointer => "frame pointer",
        Trust::Scan => "stack scan",
        Trust::Runtime => "runtime",
    }
}

/// How a worker ended, in a few words.
pub fn last_end(end: &LastEnd) -> String {
    match end {
        LastEnd::ExitCode { code, fault: Some(fault) } => {
            format!("Exit code {code}: {}", start::fault(*fault))
        }
        LastEnd::ExitCode { code: 0, .. } => {
            "Exit code 0: a worker must keep running; set a command that does not exit".to_owned()
        }
        LastEnd::ExitCode { code, .. } => format!("Exit code {code}"),
        LastEnd::Signal { signal } => format!("Terminated by {signal}"),
        LastEnd::OutOfMemory => "Out of memory".to_owned(),
        LastEnd::NotReady { limit_ms, readiness, fault } => {
            start::not_ready(*limit_ms, readiness.as_ref(), *fault)
        }
        LastEnd::StartFailed { reason } => format!("Failed to start: {}", reason.trim_end_matches('.')),
        LastEnd::ShimKilled => "The shim process was killed, and the worker with it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::auto_heal::limit::{Bounds, WorkerSize};

    #[test]
    fn a_sentence_begins_with_a_capital_letter() {
        for (text, begun) in
            [("", ""), ("private bytes", "Private bytes"), ("10 requests", "10 requests"), ("é", "É")]
        {
            assert_eq!(capitalized(text), begun);
        }
    }

    #[test]
    fn sizes_read_as_they_are_compared() {
        let cases = [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (1_024, "1 KiB"),
            (104_857_600, "100 MiB"),
            (1_879_048_192, "1.75 GiB"),
            (1_691_143_372, "1.57 GiB"),
            (1_610_612_736, "1.5 GiB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(within(1, Duration::from_mins(2)), "1 request within 2 min");
        assert_eq!(seconds(Duration::from_secs(200)), "200 s");
        assert_eq!(
            (counted(1_u64, "crash", "crashes"), counted(0_usize, "crash", "crashes")),
            ("1 crash".to_owned(), "0 crashes".to_owned())
        );
    }

    #[test]
    fn a_limit_says_whose_it_is() {
        use {Bitness::*, WorkerSize::*};
        let cases = [
            (Small, Bits32, "1.75 GiB (worker size Small, 32 bit)"),
            (Small, Bits64, "1.75 GiB (worker size Small, 64 bit)"),
            (Medium, Bits32, "3.5 GiB (worker size Medium, 32 bit)"),
            (Medium, Bits64, "3.5 GiB (worker size Medium, 64 bit)"),
            (Large, Bits32, "4 GiB (worker size Large, 32 bit)"),
            (Large, Bits64, "7 GiB (worker size Large, 64 bit)"),
        ];
        for (worker_size, bitness, text) in cases {
            assert_eq!(memory_limit(Bounds { worker_size, bitness, ..Bounds::default() }.limit()), text);
        }
        let of = |source| memory_limit(MemoryLimit { bytes: 1 << 30, source });
        assert_eq!(of(LimitSource::MemoryLimit), "1 GiB (memory_limit)");
        assert_eq!(of(LimitSource::Cgroup), "1 GiB (its cgroup, the lowest)");
    }
}
