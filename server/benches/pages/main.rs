//! What a page costs the server when much has happened: every detector, the overview, the history and what else reads a day, of
//! an app with 1,000,000 crashes and 10,000,000 requests in 24 hours, on SQLite and on PostgreSQL in one run.
//!
//! `cargo bench -p server --bench pages [-- --medic PROGRAM --database NAME --only NAME --rounds N --crashes N]`, where the names
//! are parts of a database's and a page's. PostgreSQL is the server that `MEDIC_TEST_POSTGRES` names; `cargo xtask bench` starts one. Each page is asked of a `medic
//! serve` that was just started, as a browser asks (compressed, each time over a new connection), first once and then in rounds.
//! Memory is the most that the server had meanwhile, less what it had before the first request. It fails when a page that shows a
//! day takes longer than 20 ms at the median or 8 MiB.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use model::{Clock, NodeName};
use shim::SystemClock;
use store::Database;

use busy_day::BusyDay;
use medic::Medic;
use page::{APP, PAGES, Page};
use report::Row;

#[path = "../../../crates/store/benches/busy_day/mod.rs"]
#[expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
mod busy_day;
#[path = "../restarts/clock.rs"]
mod clock;
mod databases;
mod medic;
mod page;
mod process;
mod report;

/// 10,000,000 requests are 695 a minute of ten instances.
const DAY: BusyDay = BusyDay {
    instances: 10,
    crashes: 1_000_000,
    incidents: 2_000,
    requests_per_minute: 695,
    restarts: 1_000,
};

struct Options {
    medic: PathBuf,
    /// Measures only on databases with this in their name.
    database: Option<String>,
    /// Asks only for pages with this in their name.
    only: Option<String>,
    rounds: usize,
    crashes: i64,
}

fn main() -> Result<ExitCode> {
    let options = options()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    if options.wants("SQLite") {
        let folder = tempfile::tempdir()?;
        let database = Database::Sqlite(folder.path().join("medic.db"));
        rows.extend(measure(&options, &runtime, "SQLite", &database)?);
    }
    match std::env::var("MEDIC_TEST_POSTGRES") {
        Ok(server) if options.wants("PostgreSQL") => {
            let made = runtime.block_on(databases::create(&server))?;
            let measured = measure(&options, &runtime, "PostgreSQL", &made.database);
            runtime.block_on(made.drop())?;
            rows.extend(measured?);
        }
        Ok(_) => {}
        Err(_) => println!("MEDIC_TEST_POSTGRES names no server: PostgreSQL is not measured"),
    }
    report::print(&rows, options.rounds);
    let shortfalls: Vec<String> = rows.iter().flat_map(Row::shortfalls).collect();
    for sentence in &shortfalls {
        println!("SHORTFALL: {sentence}");
    }
    Ok(if shortfalls.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Fills a database and asks for each page.
fn measure(
    options: &Options,
    runtime: &tokio::runtime::Runtime,
    name: &'static str,
    database: &Database,
) -> Result<Vec<Row>> {
    let (day, app) = (BusyDay { crashes: options.crashes, ..DAY }, APP.parse()?);
    let filling = clock::Stopwatch::start();
    runtime.block_on(day.write(database, &node(), &app, SystemClock.wall()));
    println!("{name}: filled within {:.0?}", filling.elapsed());
    let wanted = |page: &&Page| options.only.as_deref().is_none_or(|only| page.name.contains(only));
    let mut rows = Vec::new();
    for page in PAGES.iter().filter(wanted) {
        let medic = Medic::start(&options.medic, database, DAY.instances)?;
        let row = measure_page(&medic, page, name, options.rounds).with_context(|| medic.last_words())?;
        println!("{}", row.line());
        rows.push(row);
    }
    Ok(rows)
}

fn measure_page(medic: &Medic, page: &'static Page, database: &'static str, rounds: usize) -> Result<Row> {
    let before = medic.memory_from_now_on()?;
    let (first, answer) = medic.ask(page)?;
    let processor_before = medic.processor_time()?;
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        times.push(medic.ask(page)?.0);
    }
    let processor = medic.processor_time()?.saturating_sub(processor_before) / u32::try_from(rounds)?;
    times.sort();
    let grown_bytes = medic.most_memory()?.saturating_sub(before);
    medic.check(page)?;
    Ok(Row { page, database, first, times, processor, grown_bytes, answer_bytes: answer.len() })
}

/// As Medic calls this machine: the instances that run are those that are recorded.
fn node() -> NodeName {
    NodeName::of_hostname(&std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default())
}

impl Options {
    fn wants(&self, database: &str) -> bool {
        self.database.as_deref().is_none_or(|name| database.contains(name))
    }
}

fn options() -> Result<Options> {
    use lexopt::prelude::*;
    let medic = env!("CARGO_BIN_EXE_medic").into();
    let mut options = Options { medic, database: None, only: None, rounds: 40, crashes: DAY.crashes };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            // What cargo adds.
            Long("bench") => {}
            Long("medic") => options.medic = arguments.value()?.into(),
            Long("database") => options.database = Some(arguments.value()?.string()?),
            Long("only") => options.only = Some(arguments.value()?.string()?),
            Long("rounds") => options.rounds = arguments.value()?.parse()?,
            Long("crashes") => options.crashes = arguments.value()?.parse()?,
            other => {
                bail!("{}; there are --medic, --database, --only, --rounds and --crashes", other.unexpected())
            }
        }
    }
    options.medic = options.medic.canonicalize().with_context(|| options.medic.display().to_string())?;
    ensure!(options.rounds > 0, "--rounds 0 measures nothing");
    Ok(options)
}
