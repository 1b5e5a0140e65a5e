//! What Medic has in memory while nothing happens: of ten apps with an instance each, the server, its fork server and each shim.
//!
//! `cargo bench -p server --bench rest [-- --medic PROGRAM --apps N]`. A process's part is its proportional set size: what it
//! shares with others is divided among them. It is read when the server has come to rest after its start, and once more when it
//! has after every page was looked at. It fails when Medic starts with more than 12 MB and 1 MB an instance.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use medic::Medic;
use processes::Parts;

#[path = "../restarts/clock.rs"]
mod clock;
mod medic;
#[path = "../pages/process.rs"]
#[expect(dead_code, reason = "shared with another bench, which uses more of it")]
mod process;
mod processes;

/// What is allowed, and for each instance more.
const GOAL_BYTES: u64 = 12_000_000;
const GOAL_BYTES_PER_INSTANCE: u64 = 1_000_000;

/// What a person looks at; each of the first app.
const PAGES: [&str; 9] = [
    "/",
    "/apps/app-0",
    "/apps/app-0/categories/availability-and-performance/overview",
    "/apps/app-0/categories/availability-and-performance/detectors/application-crashes",
    "/apps/app-0/categories/availability-and-performance/detectors/memory-analysis",
    "/apps/app-0/categories/availability-and-performance/detectors/web-app-restarted",
    "/apps/app-0/categories/diagnostic-tools/tools/auto-heal?tab=history",
    "/apps/app-0/settings",
    "/apps/app-0/incidents",
];

struct Options {
    medic: PathBuf,
    apps: u16,
}

fn main() -> Result<ExitCode> {
    let options = options()?;
    let medic = Medic::start(&options.medic, options.apps)?;
    let [started, looked_at] = measure(&medic).with_context(|| medic.last_words())?;
    println!("\nMemory of {} apps with an instance each, in MB (PSS)", options.apps);
    println!("{:<28} {:>10} {:>16} {:>12}", "", "processes", "after the start", "pages shown");
    for ((what, count, before), (_, _, after)) in started.rows().into_iter().zip(looked_at.rows()) {
        println!("{what:<28} {count:>10} {:>16.2} {:>12.2}", mb(before), mb(after));
    }
    let allowed = GOAL_BYTES + GOAL_BYTES_PER_INSTANCE * u64::from(options.apps);
    println!("{:<28} {:>10} {:>16.2} {:>12.2}", "Medic in all", "", mb(started.all()), mb(looked_at.all()));
    println!("{:<28} {:>10} {:>16.2}", "allowed", "", mb(allowed));
    if started.all() > allowed {
        println!("SHORTFALL: Medic has {:.2} MB, allowed are {:.2}", mb(started.all()), mb(allowed));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(medic: &Medic) -> Result<[Parts; 2]> {
    medic.wait_for_rest()?;
    let started = medic.parts()?;
    for page in PAGES {
        medic.show(page)?;
    }
    medic.wait_for_rest()?;
    Ok([started, medic.parts()?])
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

fn options() -> Result<Options> {
    use lexopt::prelude::*;
    let mut options = Options { medic: env!("CARGO_BIN_EXE_medic").into(), apps: 10 };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            // What cargo adds.
            Long("bench") => {}
            Long("medic") => options.medic = arguments.value()?.into(),
            Long("apps") => options.apps = arguments.value()?.parse()?,
            other => bail!("{}; there are --medic and --apps", other.unexpected()),
        }
    }
    options.medic = options.medic.canonicalize().with_context(|| options.medic.display().to_string())?;
    ensure!(options.apps > 0, "--apps 0 has nothing to host");
    Ok(options)
}
