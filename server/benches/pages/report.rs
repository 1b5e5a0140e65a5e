//! The table, and what of it must not be.

use std::time::Duration;

use crate::page::Page;

const GOAL_MS: f64 = 20.0;
const GOAL_BYTES: u64 = 8 << 20;

/// One page on one database.
pub(crate) struct Row {
    pub(crate) page: &'static Page,
    pub(crate) database: &'static str,
    /// Of a server that was not asked for it before.
    pub(crate) first: Duration,
    /// The fastest first.
    pub(crate) times: Vec<Duration>,
    /// What the server's process used for each.
    pub(crate) processor: Duration,
    pub(crate) grown_bytes: u64,
    /// As sent.
    pub(crate) answer_bytes: usize,
}

impl Row {
    pub(crate) fn line(&self) -> String {
        format!(
            "{:<28} {:<10} {:>8.1} {:>8.1} {:>8.1} {:>9.1} {:>9.1} {:>9.1}",
            self.page.name,
            self.database,
            self.ms(self.first),
            self.median_ms(),
            self.ms(self.at_rank(95)),
            self.processor.as_secs_f64() * 1_000.0,
            of_bytes(self.grown_bytes) / 1_048_576.0,
            of_bytes(self.answer_bytes as u64) / 1_024.0,
        )
    }

    /// One sentence for each goal that was missed.
    pub(crate) fn shortfalls(&self) -> Vec<String> {
        let what = format!("{} on {}", self.page.name, self.database);
        let mut found = Vec::new();
        if self.page.has_goal && self.median_ms() > GOAL_MS {
            found.push(format!("{what} takes {:.1} ms, allowed are {GOAL_MS:.0}", self.median_ms()));
        }
        if self.page.has_goal && self.grown_bytes > GOAL_BYTES {
            let grown = of_bytes(self.grown_bytes) / 1_048_576.0;
            found.push(format!("{what} takes {grown:.1} MiB, allowed are {}", GOAL_BYTES >> 20));
        }
        found
    }

    fn median_ms(&self) -> f64 {
        self.ms(self.at_rank(50))
    }

    fn at_rank(&self, percent: usize) -> Duration {
        let rank = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
        self.times.get(rank).copied().unwrap_or_default()
    }

    /// Without what it waits for on purpose.
    fn ms(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1_000.0 - f64::from(self.page.waits_ms)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn of_bytes(bytes: u64) -> f64 {
    bytes as f64
}

pub(crate) fn print(rows: &[Row], rounds: usize) {
    println!("\nA page of a busy day, after the first in {rounds} rounds; times in ms");
    println!(
        "{:<28} {:<10} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}",
        "", "", "first", "median", "p95", "processor", "MiB more", "KiB sent"
    );
    for row in rows {
        println!("{}", row.line());
    }
    println!();
}
