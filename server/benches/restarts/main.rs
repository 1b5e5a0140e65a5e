//! What replacing and losing a worker costs an app's clients: Medic beside `pm2 reload` and gunicorn's HUP, in one run.
//!
//! `cargo bench -p server --bench restarts [-- --medic PROGRAM --only NAME --rounds N]`, where NAME is `medic`, `pm2`, `gunicorn`
//! or `first-answer`. 32 clients ask an app that takes 20 ms
//! for an answer, over kept connections and over new ones, while its workers are replaced, and killed by SIGKILL. POSTs are
//! counted by the app itself. Then, without load, the time from SIGKILL to the first 200 beside a bare start of the same program,
//! which is `first-answer`: while capture is not armed, and while it is. It fails when Medic fails a request that it must not or answers late, and when pm2 fails no request,
//! since then the clients do not see what they should.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use gunicorn::Gunicorn;
use host::Host;
use load::{Connections, Load, Tally, Traffic};
use medic::{Medic, Program, Setup};
use pm2::Pm2;
use report::{FirstAnswer, Question, Row};

mod clock;
mod exchange;
mod gunicorn;
mod host;
mod journal;
mod load;
mod medic;
mod pm2;
mod report;

/// Under load before the first restart, between two, and after the last.
const UNDISTURBED: Duration = Duration::from_millis(100);
/// The same for kills. Medic tries again at most a fifth of an app's requests: with a kill more often than this, each of which
/// costs up to one request a client, that limit would be all that is measured.
const BETWEEN_KILLS: Duration = Duration::from_millis(250);
/// After how many crashes capture is armed as it comes, and never in a run.
const CRASHES: u32 = 3;
const CRASHES_UNARMED: u32 = 1_000;
/// The shop's threads as it comes, and more than there are connections: one that is kept has one to itself.
const THREADS: u16 = 32;
const THREADS_UNDER_LOAD: u16 = 128;

struct Options {
    medic: PathBuf,
    /// Runs only the host of that name.
    only: Option<String>,
    /// How many workers are replaced or killed in each case.
    rounds: usize,
}

fn main() -> Result<ExitCode> {
    let options = options()?;
    let mut rows = Vec::new();
    let mut times = Vec::new();
    for program in [Program::Node, Program::Shop] {
        if options.wants("medic") {
            measure_medic(&options, program, &mut rows)?;
        }
        if options.wants("first-answer") {
            for armed in [false, true] {
                times.push(first_answer(&options, program, armed)?);
            }
        }
    }
    measure_anchors(&options, &mut rows)?;
    if !rows.is_empty() {
        report::print(&rows);
    }
    report::print_first_answers(&times, options.rounds);
    let mut shortfalls = report::shortfalls(&rows);
    shortfalls.extend(times.iter().filter_map(FirstAnswer::shortfall));
    for sentence in &shortfalls {
        println!("\nSHORTFALL: {sentence}");
    }
    Ok(if shortfalls.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure_medic(options: &Options, program: Program, rows: &mut Vec<Row>) -> Result<()> {
    let traffic = if program == Program::Node { Traffic::Get } else { Traffic::Shop };
    for instances in [1, 2] {
        let setup = Setup { program, instances, crashes: CRASHES, threads: THREADS_UNDER_LOAD };
        let mut medic = Medic::start(&options.medic, setup)?;
        let before = rows.len();
        restarts(&mut medic, traffic, instances, options.rounds, rows)?;
        let (restarts, drained, failed) = medic.recorded_restarts()?;
        let seen: u64 = rows[before..].iter().map(|row| row.tally.failed()).sum();
        println!(
            "    recorded: {restarts} restarts, {drained} requests drained, {failed} failed (seen here: {seen})"
        );
        if program == Program::Node {
            kills(&medic, instances, options.rounds, rows)?;
        }
    }
    Ok(())
}

fn measure_anchors(options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    let mut run = |name: &str, start: &dyn Fn(usize) -> Result<Box<dyn Host>>| -> Result<()> {
        for instances in [1, 2].into_iter().filter(|_| options.wants(name)) {
            let mut host = start(instances)?;
            restarts(&mut *host, Traffic::Get, instances, options.rounds, rows)?;
            kills(&*host, instances, options.rounds, rows)?;
        }
        Ok(())
    };
    run("pm2", &|workers| Ok(Box::new(Pm2::start(&pm2::install(&tools)?, workers)?)))?;
    run("gunicorn", &|workers| Ok(Box::new(Gunicorn::start(&gunicorn::install(&tools)?, workers)?)))
}

/// Replaces workers under GETs, in both kinds of connections.
fn restarts(
    host: &mut dyn Host,
    traffic: Traffic,
    instances: usize,
    rounds: usize,
    rows: &mut Vec<Row>,
) -> Result<()> {
    for connections in [Connections::Kept, Connections::New] {
        let load = Load::start(host.address(), traffic, connections);
        let mut events = 0;
        sleep(UNDISTURBED);
        while events < rounds {
            events += host.replace()?;
            sleep(UNDISTURBED);
        }
        let (tally, question) = (load.stop()?, Question::Restarts);
        add(rows, Row { question, host: host.name(), instances, connections, events, tally, posts: None });
    }
    Ok(())
}

/// Kills workers under GETs in both kinds of connections, then under POSTs.
fn kills(host: &dyn Host, instances: usize, rounds: usize, rows: &mut Vec<Row>) -> Result<()> {
    let cases = [
        (Question::Kills, Traffic::Get, Connections::Kept),
        (Question::Kills, Traffic::Get, Connections::New),
        (Question::KillsOfPosts, Traffic::Post, Connections::Kept),
    ];
    for (question, traffic, connections) in cases {
        let load = Load::start(host.address(), traffic, connections);
        sleep(BETWEEN_KILLS);
        for _ in 0..rounds {
            host::kill_one(host)?;
            load.settle(host.settles_within());
            sleep(BETWEEN_KILLS);
        }
        let tally = load.stop()?;
        let posts = (traffic == Traffic::Post).then(|| posts_seen(host, &tally)).transpose()?;
        let row = Row { question, host: host.name(), instances, connections, events: rounds, tally, posts };
        add(rows, row);
    }
    Ok(())
}

/// How many POSTs workers saw more than once, and how many failed although one saw them.
fn posts_seen(host: &dyn Host, tally: &Tally) -> Result<(usize, usize)> {
    let seen = host.journal().posts()?;
    let reached = tally.failed_names.iter().filter(|name| seen.contains_key(*name)).count();
    let (answered, noted) = (tally.requests - tally.failed(), seen.len() - reached);
    ensure!(u64::try_from(noted)? == answered, "{answered} POSTs were answered, but the app noted {noted}");
    Ok((seen.values().filter(|times| **times > 1).count(), reached))
}

fn add(rows: &mut Vec<Row>, row: Row) {
    println!("{:<14} {}", format!("{:?}", row.question), row.line());
    rows.push(row);
}

/// Both in turns, so that what else the machine does meets both.
fn first_answer(options: &Options, program: Program, armed: bool) -> Result<FirstAnswer> {
    let crashes = if armed { 0 } else { CRASHES_UNARMED };
    let setup = Setup { program, instances: 1, crashes, threads: THREADS };
    let medic = Medic::start(&options.medic, setup)?;
    let (mut after_kill, mut bare) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        after_kill.push(host::kill_to_answer(&medic)?);
        medic.wait_for_crashes(round)?;
        bare.push(medic::bare_start(setup)?);
    }
    Ok(FirstAnswer { program: program.name(), armed, after_kill, bare })
}

fn options() -> Result<Options> {
    use lexopt::prelude::*;
    let mut options = Options { medic: env!("CARGO_BIN_EXE_medic").into(), only: None, rounds: 20 };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            // What cargo adds.
            Long("bench") => {}
            Long("medic") => options.medic = arguments.value()?.into(),
            Long("only") => options.only = Some(arguments.value()?.string()?),
            Long("rounds") => options.rounds = arguments.value()?.parse()?,
            other => bail!("{}; there are --medic, --only and --rounds", other.unexpected()),
        }
    }
    options.medic = options.medic.canonicalize().with_context(|| options.medic.display().to_string())?;
    ensure!(options.rounds > 0, "--rounds 0 measures nothing");
    Ok(options)
}

impl Options {
    fn wants(&self, host: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == host)
    }
}
