//! What the front door costs, beside nginx and haproxy with an access log doing the same: one thread each, the same backend and
//! clients, in turns, the same forwarding headers, and each request counted or logged.
//!
//! `cargo bench -p front_door`, or `cargo bench -p front_door -- small` (`large`, `idle`) for some of its tables, of which the last
//! takes a minute for each proxy. Needs nginx and haproxy (`apt install nginx-light haproxy`); one that is missing is left out.
//! - processor time per small GET over kept connections; the backend's own when asked directly shows what the least is that a
//!   program needs which reads a request and writes an answer,
//! - processor time per GET of 1 MB,
//! - memory per idle connection: what 1,000 of them add to the resident memory, each after one request, where they come all at
//!   once, and where they come over a minute, as those do that a server has.
//!
//! Each round sends a fixed number of requests. The ratios are those of the medians and of the least, which other work on the
//! machine disturbs least.

mod backend;
mod load;
mod proxies;

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use load::{Download, load};
use proxies::Proxy;

const ROUNDS: usize = 9;
const IDLE_CONNECTIONS: usize = 1_000;
const IDLE_GROUPS: usize = 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    match &arguments[1..] {
        [role, ..] if role == proxies::AS_BACKEND => return backend::serve(),
        [role, port, ..] if role == proxies::AS_FRONT_DOOR => return proxies::be_front_door(port.parse()?),
        _ => {}
    }
    let words: Vec<&str> =
        arguments[1..].iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let wanted = |word: &str| words.is_empty() || words.contains(&word);
    let backend = Proxy::backend()?;
    {
        let folder = tempfile::tempdir()?;
        let proxies = proxies(&backend, folder.path())?;
        if wanted("small") {
            let with_backend: Vec<&Proxy> = proxies.iter().chain([&backend]).collect();
            compare("small GET", &with_backend, &Download::SMALL)?;
        }
        if wanted("large") {
            compare("GET of 1 MB", &proxies.iter().collect::<Vec<_>>(), &Download::MEGABYTE)?;
        }
    }
    if wanted("idle") {
        idle(&backend)?;
    }
    Ok(())
}

fn idle(backend: &Proxy) -> Result<()> {
    for (how, pause) in [("at once", Duration::ZERO), ("over a minute", Duration::from_secs(3))] {
        // new ones, since what the load has left behind would hide what a connection takes
        let folder = tempfile::tempdir()?;
        println!("\nresident memory per idle connection, {IDLE_CONNECTIONS} of them {how}; KiB");
        for proxy in &proxies(backend, folder.path())? {
            println!("{:<14} {:6.1}", proxy.name, idle_kib(proxy, pause)?);
        }
    }
    Ok(())
}

/// The front door and those anchors that can be started here.
fn proxies(backend: &Proxy, folder: &Path) -> Result<Vec<Proxy>> {
    let mut proxies = vec![Proxy::front_door(backend.address)?];
    for anchor in [Proxy::nginx(backend.address, folder), Proxy::haproxy(backend.address, folder)] {
        match anchor {
            Ok(anchor) => proxies.push(anchor),
            Err(error) => println!("left out: {error:#}"),
        }
    }
    Ok(proxies)
}

/// Loads the proxies in turns; the first is compared with the others.
fn compare(what: &str, proxies: &[&Proxy], download: &Download) -> Result<()> {
    let requests = download.connections * download.requests_each;
    println!(
        "\n{what}: {ROUNDS} rounds of {requests} over {} kept connections; µs of processor time per request",
        download.connections
    );
    for proxy in proxies {
        load(proxy.address, &download.quarter())?;
    }
    let mut figures = vec![Vec::new(); proxies.len()];
    for _ in 0..ROUNDS {
        for (proxy, figures) in proxies.iter().zip(&mut figures) {
            let before = proxy.processor_time_us()?;
            load(proxy.address, download)?;
            figures.push((proxy.processor_time_us()? - before) / f64::from(u32::try_from(requests)?));
        }
    }
    let mut summary = Vec::new();
    for (proxy, mut figures) in proxies.iter().zip(figures) {
        figures.sort_by(f64::total_cmp);
        let row: Vec<String> = figures.iter().map(|figure| format!("{figure:7.2}")).collect();
        println!("{:<14} {}   median {:7.2}", proxy.name, row.join(" "), figures[ROUNDS / 2]);
        summary.push((proxy.name, figures[ROUNDS / 2], figures[0]));
    }
    let (own, others) = summary.split_first().context("the front door itself")?;
    for (name, median, least) in others {
        let (by_medians, by_the_least) = (own.1 / median, own.2 / least);
        println!("front door / {name}: {by_medians:.2} by medians, {by_the_least:.2} by the least");
    }
    Ok(())
}

/// What connections add that come in groups, with a pause after each.
fn idle_kib(proxy: &Proxy, pause: Duration) -> Result<f64> {
    let first: Vec<TcpStream> = (0..10).map(|_| load::idle(proxy.address)).collect::<Result<_>>()?;
    let before = proxy.resident_kib()?;
    let mut idle = Vec::new();
    for _ in 0..IDLE_GROUPS {
        for _ in 0..IDLE_CONNECTIONS / IDLE_GROUPS {
            idle.push(load::idle(proxy.address)?);
        }
        std::thread::sleep(pause);
    }
    let after = proxy.resident_kib()?;
    drop(first);
    Ok((after - before) / f64::from(u32::try_from(idle.len())?))
}
