//! The tables, and what of them must not be.

use std::time::Duration;

use crate::exchange::Failure;
use crate::load::{Connections, Tally};

/// What happened to the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Workers were replaced under GETs.
    Restarts,
    /// Workers were killed under GETs.
    Kills,
    /// Workers were killed under POSTs.
    KillsOfPosts,
}

impl Question {
    const ALL: [Self; 3] = [Self::Restarts, Self::Kills, Self::KillsOfPosts];

    const fn title(self) -> &'static str {
        match self {
            Self::Restarts => "Workers replaced under GETs (Medic: by API; pm2: reload; gunicorn: HUP)",
            Self::Kills => "Workers killed with SIGKILL under GETs",
            Self::KillsOfPosts => "Workers killed with SIGKILL under POSTs",
        }
    }
}

/// One case.
pub(crate) struct Row {
    pub(crate) question: Question,
    pub(crate) host: &'static str,
    pub(crate) instances: usize,
    pub(crate) connections: Connections,
    /// Workers that were replaced or killed.
    pub(crate) events: usize,
    pub(crate) tally: Tally,
    /// POSTs that a worker saw more than once, and those that failed although a worker saw them.
    pub(crate) posts: Option<(usize, usize)>,
}

impl Row {
    fn is_medic(&self) -> bool {
        self.host.starts_with("Medic")
    }

    /// One line of the table.
    pub(crate) fn line(&self) -> String {
        let tally = &self.tally;
        let events = f64::from(u32::try_from(self.events.max(1)).unwrap_or(u32::MAX));
        let failed = f64::from(u32::try_from(tally.failed()).unwrap_or(u32::MAX));
        let mut line = format!(
            "{:<16} {:>9} {:<11} {:>8} {:>7} {:>6} {:>10.2} {:>8} {:>10}",
            self.host,
            self.instances,
            self.connections.words(),
            tally.requests,
            self.events,
            tally.failed(),
            failed / events,
            tally.count(Failure::EndedReused),
            tally.longest.as_millis(),
        );
        if let Some((twice, reached)) = self.posts {
            line.extend([
                "   seen twice ",
                &twice.to_string(),
                ", failed though seen ",
                &reached.to_string(),
            ]);
        }
        let kinds = tally.failures.iter().map(|(failure, count)| format!("{failure} {count}"));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        if kinds.is_empty() { line } else { format!("{line}   {kinds}") }
    }
}

/// Prints a table a question.
pub(crate) fn print(rows: &[Row]) {
    for question in Question::ALL {
        println!("\n{}", question.title());
        println!(
            "{:<16} {:>9} {:<11} {:>8} {:>7} {:>6} {:>10} {:>8} {:>10}",
            "",
            "instances",
            "connections",
            "requests",
            "workers",
            "failed",
            "per worker",
            "on reuse",
            "longest ms"
        );
        for row in rows.iter().filter(|row| row.question == question) {
            println!("{}", row.line());
        }
    }
    println!(
        "\nfailed: anything but a whole 200 with the request's own name. on reuse: those of them whose kept connection ended before \
        a byte of the answer."
    );
}

/// One sentence for each thing that must not be.
pub(crate) fn shortfalls(rows: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    if rows.is_empty() {
        return found;
    }
    for row in rows.iter().filter(|row| row.is_medic()) {
        let case = format!("{} × {}, {} connections", row.instances, row.host, row.connections.words());
        if row.question != Question::KillsOfPosts && row.tally.failed() > 0 {
            found.push(format!("{} requests failed ({case}): {}", row.tally.failed(), row.question.title()));
        }
        if let Some((twice @ 1.., _)) = row.posts {
            found.push(format!("{twice} POSTs reached a worker more than once ({case})"));
        }
    }
    let reloads = |row: &&Row| row.host.starts_with("pm2") && row.question == Question::Restarts;
    if rows.iter().filter(reloads).map(|row| row.tally.failed()).sum::<u64>() == 0 {
        found.push("THIS RUN PROVES NOTHING: pm2 reload failed no request, or was not run".to_owned());
    }
    found
}

/// How long clients of an app wait for its next worker.
pub(crate) struct FirstAnswer {
    pub(crate) program: &'static str,
    /// The debugger is attached to every worker from its start.
    pub(crate) armed: bool,
    /// From SIGKILL of the only worker to the first 200 of the next.
    pub(crate) after_kill: Vec<Duration>,
    /// From the start of the same program to its first 200, without Medic.
    pub(crate) bare: Vec<Duration>,
}

impl FirstAnswer {
    fn name(&self) -> String {
        format!("{}{}", self.program, if self.armed { ", armed" } else { "" })
    }

    /// What is allowed: 1.2 × the bare start and 3 ms.
    fn limit_ms(&self) -> f64 {
        1.2 * median_ms(&self.bare) + 3.0
    }

    pub(crate) fn shortfall(&self) -> Option<String> {
        let (took, limit) = (median_ms(&self.after_kill), self.limit_ms());
        (took > limit).then(|| {
            format!("{}: the first 200 came {took:.1} ms after SIGKILL, allowed are {limit:.1}", self.name())
        })
    }
}

/// Prints one line a program.
pub(crate) fn print_first_answers(times: &[FirstAnswer], rounds: usize) {
    println!(
        "\nFrom SIGKILL of the only worker to the first 200, and from a bare start, in ms: median (least to most) of {rounds}"
    );
    println!("{:<16} {:>24} {:>24} {:>8}", "", "after SIGKILL", "bare", "allowed");
    for time in times {
        let (after_kill, bare) = (spread(&time.after_kill), spread(&time.bare));
        println!("{:<16} {after_kill:>24} {bare:>24} {:>8.1}", time.name(), time.limit_ms());
    }
}

fn median_ms(times: &[Duration]) -> f64 {
    at_rank_ms(times, times.len() / 2)
}

fn at_rank_ms(times: &[Duration], rank: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(rank).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}

/// `72.1 (61.0 to 105.3)`: the median, the least and the most.
fn spread(times: &[Duration]) -> String {
    let most = times.len().saturating_sub(1);
    format!("{:.1} ({:.1} to {:.1})", median_ms(times), at_rank_ms(times, 0), at_rank_ms(times, most))
}
