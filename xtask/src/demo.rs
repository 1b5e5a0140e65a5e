//! `cargo xtask demo`: Medic hosts two apps of the lab; one crashes for real until the debugger has caught it, then leaks until
//! auto-heal has replaced it.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::http;
use crate::medic::Medic;
use crate::process::{cargo, interruption, on_path, run};
use crate::setup;
use crate::site;
use crate::stopwatch::text;
use crate::test::npm_ci;
use crate::workspace::{root, target};

/// More crashes than this are not provoked: four arm the debugger, the fifth is caught, and a few may be lost.
const CRASHES_LIMIT: usize = 12;
const PATIENCE: Duration = Duration::from_mins(1);
/// Requests for a path, with others beside it.
const PATHS_ARE_KNOWN_AFTER: usize = 100;
/// A file that says that no worker of the demo is left.
const ENDED: &str = "ended";

/// The shop's limit, and a leak that takes a worker above 90 % of it.
const LIMIT_MIB: u32 = 128;
const LEAK_MIB: u32 = 122;
/// Rules of a user's own, so that the page of auto-heal has some to show. The demo's traffic breaks none of them.
const RULES: &str = r#"{"autoHealEnabled": true, "autoHealRules": {"triggers": {
    "statusCodesRange": [{"statusCodes": "500-530", "count": 50, "timeInterval": "00:05:00", "path": "/orders/*"}],
    "slowRequests": {"timeTaken": "00:00:30", "count": 20, "timeInterval": "00:02:00"}},
    "actions": {"actionType": "Recycle", "minProcessExecutionTime": "00:10:00"}}}"#;

/// What was asked for on the command line.
#[derive(Default)]
pub(crate) struct Options {
    /// End as soon as the incident is there.
    pub(crate) once: bool,
    /// Take a picture of every page into this folder.
    pub(crate) screenshots: Option<PathBuf>,
}

struct Setting {
    config: PathBuf,
    dashboard: String,
    shop: String,
    second: String,
    second_crash: &'static str,
}

/// Builds, runs and explains.
pub(crate) fn run_demo(options: &Options) -> Result<()> {
    if options.screenshots.is_some() {
        // before the minutes that come first
        setup::for_screenshots()?;
    }
    site::build(site::Profile::Dev)?;
    run(cargo().args(["build", "--locked", "--package", "server"]))?;
    // Its frames name files as the repository does, wherever that lies.
    let remap = format!("--remap-path-prefix={}=", root().display());
    run(cargo().args(["rustc", "--locked", "--package", "lab", "--bin", "lab-shop", "--", &remap]))?;
    let interrupted = interruption()?;
    let folder = target().join("demo");
    let setting = prepare(&folder, &interrupted)?;
    let mut medic = Medic::start(&setting.config, &setting.dashboard, &interrupted)?;
    println!("\nMedic runs: http://{}/ (its log: {})", setting.dashboard, medic.log().display());
    let traffic = start_traffic(&setting, &interrupted);
    let outcome = explain(&mut medic, &setting, options);
    if outcome.is_ok() && !options.once {
        println!("\nCtrl-C stops everything.");
        while !interrupted.load(Ordering::SeqCst) && medic.api("/api/v1/apps").is_ok() {
            sleep(Duration::from_millis(200));
        }
    }
    println!("\nStopping the apps …");
    interrupted.store(true, Ordering::SeqCst);
    medic.stop()?;
    fs::write(folder.join(ENDED), "")?;
    let _ = traffic.join();
    outcome
}

fn explain(medic: &mut Medic, setting: &Setting, options: &Options) -> Result<()> {
    for app in ["shop", "second"] {
        medic.wait_until(PATIENCE, "all instances run", |medic| all_run(medic, app))?;
    }
    make_known(setting)?;
    // One crash of another kind: a runtime's own last words, without the debugger.
    let _ = http::get(&setting.second, setting.second_crash, None);
    let incident = crash_until_caught(medic, setting)?;
    let id = incident["id"].as_str().context("the incident has no id")?;
    let dashboard = &setting.dashboard;
    println!("\nThe debugger caught it {} after the server's start:", text(medic.running_for()));
    println!("  {}", incident["signature"].as_str().unwrap_or("?"));
    println!("\n  the explained incident  http://{dashboard}/incidents/{id}");
    println!("  the dashboard           http://{dashboard}/");
    println!("  the apps                http://{}/  http://{}/", setting.shop, setting.second);
    heal_a_leak(medic, setting)?;
    if let Some(folder) = &options.screenshots {
        take_screenshots(dashboard, id, folder)?;
    }
    Ok(())
}

/// Asks for what the shop has until Medic takes it for the app's own words: a crash names no other.
fn make_known(setting: &Setting) -> Result<()> {
    for _ in 0..PATHS_ARE_KNOWN_AFTER {
        for path in ["/slow?ms=0", "/cart/checkout", "/crash/nothing"] {
            http::get(&setting.shop, path, None)?;
        }
    }
    Ok(())
}

/// Crashes one instance of the shop until an incident has the proof of a dump.
fn crash_until_caught(medic: &mut Medic, setting: &Setting) -> Result<Value> {
    let first = http::get(&setting.shop, "/env", None)?;
    let cookie = first.cookie("ARRAffinity");
    for crash in 1..=CRASHES_LIMIT {
        let pid = worker(&setting.shop, cookie.as_deref())?;
        println!("Crash {crash}: worker {pid} of the shop reads a null pointer, with requests in flight");
        let waiting = start_slow_requests(&setting.shop, cookie.as_deref());
        let _ = http::get(&setting.shop, "/crash/null?card=4111111111111111", cookie.as_deref());
        for request in waiting {
            let _ = request.join();
        }
        medic.wait_until(PATIENCE, "the crashed worker is gone", |medic| is_gone(medic, pid))?;
        medic.wait_until(PATIENCE, "nothing is being armed or analysed", settled)?;
        if let Some(incident) = caught(medic)? {
            return Ok(incident);
        }
        medic.wait_until(PATIENCE, "the crashed worker is replaced", |medic| all_run(medic, "shop"))?;
        medic.wait_until(PATIENCE, "nothing is being armed or analysed", settled)?;
    }
    bail!("{CRASHES_LIMIT} crashes, and the debugger caught none; the log is {}", medic.log().display())
}

/// Is no debugger being attached and no dump being analysed?
fn settled(medic: &Medic) -> Option<()> {
    let app = medic.api("/api/v1/apps/shop").ok()?;
    let busy =
        |instance: &Value| matches!(instance["monitoring"]["state"].as_str(), Some("arming" | "analysing"));
    (!app["instances"].as_array()?.iter().any(busy)).then_some(())
}

/// The incident with a dump's proof, if there is one.
fn caught(medic: &Medic) -> Result<Option<Value>> {
    let answer = medic.api("/api/v1/incidents?app=shop")?;
    let incidents = answer.as_array().or_else(|| answer["incidents"].as_array());
    let incidents = incidents.context("GET /api/v1/incidents answered no list")?;
    Ok(incidents.iter().find(|incident| incident["audit"].is_object()).cloned())
}

/// Lets a worker of the shop leak until auto-heal has replaced it.
fn heal_a_leak(medic: &mut Medic, setting: &Setting) -> Result<()> {
    medic.wait_until(PATIENCE, "all instances run", |medic| all_run(medic, "shop"))?;
    let answer = http::put(&setting.dashboard, "/api/v1/apps/second/auto-heal", RULES)?;
    if answer.status != 200 {
        bail!("the rules of the second app were refused: {}", answer.body);
    }
    println!(
        "\nA worker of the shop leaks; auto-heal acts when it is above 90 % of its limit for more than 30 s."
    );
    http::get(&setting.shop, &format!("/crash/leak/{LEAK_MIB}"), None)?;
    let restart = medic.wait_until(PATIENCE, "the worker that leaks is replaced", |medic| {
        medic.api("/api/v1/apps/shop/restarts").ok()?.as_array()?.first().cloned()
    })?;
    let (failed, drained) = (&restart["failed"], &restart["drained"]);
    let (streams, tunnels) = (&restart["streams_ended"], &restart["tunnels_ended"]);
    println!(
        "It was replaced: {failed} requests failed, {drained} were drained, {streams} streams and {tunnels} tunnels ended."
    );
    let page = "categories/diagnostic-tools/tools/auto-heal?tab=history";
    println!("\n  why it was restarted    http://{}/apps/shop/{page}", setting.dashboard);
    Ok(())
}

/// Has no instance of the shop this worker any more?
fn is_gone(medic: &Medic, pid: u64) -> Option<()> {
    let app = medic.api("/api/v1/apps/shop").ok()?;
    app["instances"].as_array()?.iter().all(|instance| instance["pid"].as_u64() != Some(pid)).then_some(())
}

/// Do all instances of the app run?
fn all_run(medic: &Medic, app: &str) -> Option<()> {
    let app = medic.api(&format!("/api/v1/apps/{app}")).ok()?;
    let instances = app["instances"].as_array()?;
    let runs = |instance: &Value| instance["state"] == "running";
    (!instances.is_empty() && instances.iter().all(runs)).then_some(())
}

fn worker(shop: &str, cookie: Option<&str>) -> Result<u64> {
    let answer = http::get(shop, "/env", cookie)?;
    let environment: Value = serde_json::from_str(&answer.body)
        .with_context(|| format!("the shop answered {}: {}", answer.status, answer.body))?;
    environment["pid"].as_u64().context("the shop has no process id")
}

fn start_slow_requests(shop: &str, cookie: Option<&str>) -> Vec<thread::JoinHandle<()>> {
    let requests = ["/slow?ms=8000", "/slow?ms=9000&customer=jane@example.org"].map(|path| {
        let (shop, cookie) = (shop.to_owned(), cookie.map(ToOwned::to_owned));
        // A GET would be tried again on another worker, and take its time there.
        thread::spawn(move || drop(http::post(&shop, path, cookie.as_deref())))
    });
    // They should have an age by the time of the crash.
    sleep(Duration::from_millis(300));
    requests.into()
}

/// A few requests a second through both front doors, until told to stop.
fn start_traffic(setting: &Setting, stop: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let doors = [setting.shop.clone(), setting.second.clone()];
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        for turn in 0_u32.. {
            for door in &doors {
                let path = if turn % 3 == 0 { "/".to_owned() } else { format!("/orders/{turn}") };
                // A request that is answered with 502, or not at all, is part of the show.
                let _ = http::get(door, &path, None);
            }
            if stop.load(Ordering::SeqCst) {
                return;
            }
            sleep(Duration::from_millis(200));
        }
    })
}

fn take_screenshots(dashboard: &str, incident: &str, folder: &Path) -> Result<()> {
    npm_ci()?;
    let mut node = Command::new("node");
    node.current_dir(root().join("end2end")).arg("screenshots.mjs").arg(format!("http://{dashboard}"));
    run(node.arg(incident).arg(std::path::absolute(folder)?))
}

/// Writes the configuration into a folder of the demo's own.
fn prepare(folder: &Path, interrupted: &Arc<AtomicBool>) -> Result<Setting> {
    stop_leftover(folder, interrupted)?;
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder)?;
    let mut taken = Vec::new();
    let [dashboard, shop, second] = [3000, 8080, 8081].map(|port| free_address(port, &mut taken));
    let (second_command, second_crash) = second_app();
    let setting = Setting { config: folder.join("medic.toml"), dashboard, shop, second, second_crash };
    fs::write(&setting.config, configuration(&setting, folder, &second_command))?;
    Ok(setting)
}

/// The workers outlive a server that was killed: a demo that did not end in order is taken over and ended now.
fn stop_leftover(folder: &Path, interrupted: &Arc<AtomicBool>) -> Result<()> {
    let config = folder.join("medic.toml");
    let Ok(old) = fs::read_to_string(&config) else { return Ok(()) };
    if !folder.join("data").exists() || folder.join(ENDED).exists() {
        return Ok(());
    }
    let address = old.lines().find_map(|line| line.strip_prefix("listen = \"")?.split('"').next());
    let Some(address) = address else { return Ok(()) };
    if TcpListener::bind(address).is_err() {
        bail!("another demo seems to run at http://{address}/: end it first");
    }
    println!("The demo before this one was killed: its apps are stopped first.");
    Medic::start(&config, address, interrupted)?.stop()
}

/// Python, Node.js or, where neither is installed, a second shop: what serves, and the address that crashes it.
fn second_app() -> (Vec<String>, &'static str) {
    let program = |name: &str| root().join("crates/lab/programs").join(name).display().to_string();
    let runtime = |name: &str| on_path(name).map(|path| path.display().to_string());
    if let Some(node) = runtime("node") {
        (vec![node, program("shop.js")], "/crash/type-error")
    } else if let Some(python) = runtime("python3") {
        (vec![python, program("shop.py")], "/crash/exception")
    } else {
        (vec![target().join("debug/lab-shop").display().to_string()], "/crash/panic")
    }
}

fn configuration(setting: &Setting, folder: &Path, second: &[String]) -> String {
    let [shop, data, folder] = [target().join("debug/lab-shop"), folder.join("data"), folder.to_owned()]
        .map(|path| path.display().to_string());
    let apps = [("shop", vec![shop], &setting.shop, 2), ("second", second.to_vec(), &setting.second, 1)];
    let mut text = format!(
        "# Written by `cargo xtask demo`.\n[server]\nlisten = \"{}\"\ndata_dir = {data:?}\n",
        setting.dashboard
    );
    for (name, command, door, instances) in apps {
        let _ = write!(
            text,
            "\n[[app]]\nname = \"{name}\"\ncommand = {command:?}\ndirectory = {folder:?}\nlisten = \"{door}\"\n\
             instances = {instances}\nwarm_up = \"30s\"\nstop_grace = \"5s\"\nmemory_limit = \"{LIMIT_MIB}MiB\"\n"
        );
    }
    text
}

/// The usual port where it is free, else any; never one twice.
fn free_address(usual: u16, taken: &mut Vec<TcpListener>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", usual)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)));
    let port =
        listener.as_ref().map_or(usual, |listener| listener.local_addr().map_or(usual, |own| own.port()));
    taken.extend(listener);
    format!("127.0.0.1:{port}")
}
