//! Apps that need long until they listen: as long as a large Spring or Rails program, and as long as the start limit nearly
//! allows. They are waited for under the limit that every app has by default, and a stop leaves nothing of them.

use std::path::PathBuf;
use std::time::Duration;

use crate::ground::{MARK, marked, new_mark};
use crate::support::{Medic, kill, processes_below};
use crate::times;

const OVERVIEW: &str = "/apps/shop/categories/availability-and-performance/overview";
const ACTIVITY: &str = "Starting: not listening on $PORT, processor idle.";
/// The start limit where none is configured: App Service's.
const LIMIT_MS: u64 = 230_000;

/// An app that sleeps before it listens.
struct SlowApp {
    medic: Medic,
    mark: String,
    seconds: u32,
}

impl SlowApp {
    fn start(command: &[PathBuf], seconds: u32) -> Self {
        let mark = new_mark();
        let app = format!("back_off = \"0s\"\nenvironment = {{ {MARK} = \"{mark}\" }}");
        Self { medic: Medic::with_command(command, "", &app), mark, seconds }
    }

    fn python(way: &str, seconds: u32) -> Option<Self> {
        let command = installed(lab::start(&[way, &seconds.to_string()]))?;
        Some(Self::start(&command, seconds))
    }

    fn node(seconds: u32) -> Option<Self> {
        let server = format!(
            "setTimeout(() => require('http').createServer((_, answer) => answer.end(`${{process.pid}}`))\
             .listen(process.env.PORT), {seconds}000)"
        );
        let node = installed(lab::Language::Node.command_line())?.swap_remove(0);
        Some(Self::start(&[node, "-e".into(), server.into()], seconds))
    }

    /// What it does meanwhile is said wherever somebody looks.
    fn says_what_it_does(&self) {
        let activity = &|| self.medic.instances()[0]["starting"]["activity"] == ACTIVITY;
        self.medic.until(ACTIVITY, || activity().then_some(()));
        assert_eq!(self.medic.json("/api/v1/apps/shop")["verdict"]["reason"], ACTIVITY);
        let page = self.medic.get(OVERVIEW).body;
        assert!(page.contains(ACTIVITY), "{page}");
        assert_eq!(self.limit_ms(), Some(LIMIT_MS));
    }

    /// Of the start that is under way.
    fn limit_ms(&self) -> Option<u64> {
        self.medic.instances()[0]["starting"]["limit_ms"].as_u64()
    }

    /// Waits for the end of the start; the process that answers.
    fn is_reached(&self) -> u64 {
        let patience = Duration::from_secs(u64::from(self.seconds)) + crate::support::PATIENCE;
        self.medic.until_within(patience, "the worker, ready", || {
            (self.medic.instances()[0]["state"] == "running").then_some(())
        });
        let answered: u64 = self.medic.shop("/").body.trim().parse().expect("a process");
        let pid = || self.medic.instances()[0]["pid"].as_u64();
        self.medic.until("the process that answers", || pid().filter(|pid| *pid == answered));
        assert_eq!(self.medic.crashes(), 0, "the first start was good");
        answered
    }

    fn stop_leaves_nothing(mut self) {
        assert!(self.medic.stop());
        assert!(marked(&self.mark).is_empty() && processes_below(&self.medic.data_dir()).is_empty());
    }
}

/// `None` where what it needs is not installed, which is said.
fn installed(command: Result<Vec<PathBuf>, lab::LabError>) -> Option<Vec<PathBuf>> {
    match command {
        Err(lab::LabError::Missing(program)) if std::env::var_os("MEDIC_TEST_ALL").is_none() => {
            eprintln!("skipped: {program} is not installed");
            None
        }
        command => Some(command.expect("the command line of an installed program")),
    }
}

/// The next start may take twice as long, and is stopped in its middle.
fn a_slow_start(app: SlowApp) {
    app.says_what_it_does();
    assert!(kill(app.is_reached(), "KILL"));
    app.medic.until("its crash", || (app.medic.crashes() == 1).then_some(()));
    let limit = app.medic.until("the next start", || app.limit_ms());
    println!("starts: {} s, the next within {} s", app.seconds, limit / 1_000);
    assert!(limit >= LIMIT_MS.max(2_000 * u64::from(app.seconds)), "{limit}");
    app.stop_leaves_nothing();
}

fn a_slow_daemon(app: SlowApp) {
    app.says_what_it_does();
    app.is_reached();
    app.stop_leaves_nothing();
}

#[test]
fn a_start_of_minutes_is_waited_for_and_leaves_nothing_behind() {
    // what a worker does is looked at every two seconds
    let (long, very_long) = (times(8, 45), times(8, 200));
    std::thread::scope(|scope| {
        scope.spawn(|| SlowApp::python("slow", long).map(a_slow_start));
        scope.spawn(|| SlowApp::node(very_long).map(a_slow_start));
        scope.spawn(|| SlowApp::python("slow-daemon", long).map(a_slow_daemon));
        scope.spawn(|| SlowApp::python("daemon-slow", very_long).map(a_slow_daemon));
    });
}
