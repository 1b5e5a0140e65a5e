//! Real processes that share, leak, work and end.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use model::Clock;
use shim::SystemClock;

use super::*;

const MIB: u64 = 1 << 20;
const FAR: u64 = 1 << 40;
const LIMIT: Duration = Duration::from_mins(1);

/// The lab's program that forks, in a process group of its own, since it ends its group.
struct Prefork {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Prefork {
    fn start(shared_mib: u32, children: u32, own_mib: u32) -> Self {
        let mut process = Command::new(lab::compile_c("prefork.c", &["-O1"]))
            .args([shared_mib, children, own_mib].map(|number| number.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let mut started = Self { process, said };
        started.hear("ready\n");
        started
    }

    fn hear(&mut self, expected: &str) {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        assert_eq!(line, expected);
    }

    fn leak(&mut self, mib: u32) {
        writeln!(self.process.stdin.as_ref().unwrap(), "{mib}").unwrap();
        self.hear("kept\n");
    }

    fn meter(&self) -> Meter {
        Meter::new(self.process.id())
    }
}

impl Drop for Prefork {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn private_mib(meter: &mut Meter, s: u64) -> u64 {
    meter.read(Duration::from_secs(s), FAR).private_bytes.unwrap() / MIB
}

#[test]
fn pages_that_children_share_count_once() {
    let mut app = Prefork::start(100, 4, 5);
    let mut meter = app.meter();
    let private = private_mib(&mut meter, 0);
    // 100 shared, 4 × 5 of the children's own, and a little for each program
    assert!((120..130).contains(&private), "{private} MiB");
    app.leak(50);
    let private = private_mib(&mut meter, 1);
    assert!((170..180).contains(&private), "a leak shows without looking at pages again: {private} MiB");
    let private = private_mib(&mut meter, 61);
    assert!((170..180).contains(&private), "confirmed again: {private} MiB");
}

#[test]
fn a_worker_without_children_is_read_as_it_is() {
    let mut app = Prefork::start(10, 0, 0);
    let mut meter = app.meter();
    let before = private_mib(&mut meter, 0);
    assert!((10..15).contains(&before), "{before} MiB");
    app.leak(20);
    assert_eq!(private_mib(&mut meter, 1), before + 20);
}

#[test]
fn children_that_end_meanwhile_are_left_out() {
    let app = Prefork::start(1, 3, 20);
    let mut meter = app.meter();
    let before = private_mib(&mut meter, 0);
    assert!((60..70).contains(&before), "{before} MiB");
    let child = read(&format!("/proc/{0}/task/{0}/children", app.process.id())).unwrap();
    let child = child.split_ascii_whitespace().next().unwrap().to_owned();
    assert!(Command::new("kill").args(["-KILL", &child]).status().unwrap().success());
    until("without it", || (40..50).contains(&private_mib(&mut meter, 61)));
}

#[test]
fn a_worker_that_is_gone_has_no_values() {
    let app = Prefork::start(1, 1, 1);
    let mut meter = app.meter();
    assert!(meter.read(Duration::ZERO, FAR).private_bytes.is_some());
    drop(app);
    assert_eq!(meter.read(Duration::from_secs(1), FAR), Reading::default());
    assert_eq!(Meter::new(u32::MAX).read(Duration::ZERO, FAR), Reading::default());
}

/// A worker in a group of its own, as its shim starts it: where the machine has no such groups, there is nothing to try.
#[test]
fn a_group_of_its_own_says_the_same() {
    use shim::cgroup::Home;
    let home = match Home::open() {
        Ok(home) => home,
        Err(error) => {
            eprintln!("skipped: {error}");
            return;
        }
    };
    let worker = shim::LocalWorker {
        app: "vitals".parse().unwrap(),
        instance: 60_000,
        started_at: model::Timestamp::from_ms(std::process::id().into()),
    };
    let folder = home.group_of(&worker);
    fs::create_dir(&folder).unwrap();
    let mut app = {
        // the shell enters the group and becomes the program
        let program = lab::compile_c("prefork.c", &["-O1"]);
        let script =
            format!("echo $$ > {}/cgroup.procs && exec {} 100 4 5", folder.display(), program.display());
        let mut process = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let mut app = Prefork { process, said };
        app.hear("ready\n");
        app
    };
    let mut meter = app.meter();
    assert!(meter.group.is_some());
    let mut settles = |range: std::ops::Range<u64>| {
        let mut clock = 0;
        // version 2 adds its processors' accounts up every 2 s only
        until("as much", || {
            clock += 1;
            range.contains(&private_mib(&mut meter, clock))
        });
    };
    settles(120..130);
    app.leak(50);
    settles(170..180);
    drop(app);
    until("removed", || fs::remove_dir(&folder).is_ok());
}

#[test]
fn work_and_idleness_are_told_apart() {
    let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let mut idle = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let (mut working, mut waiting) = (Meter::new(busy.id()), Meter::new(idle.id()));
    let now = || SystemClock.monotonic();
    assert_eq!(working.read(now(), FAR).cpu_percent, None, "there is nothing before the first reading");
    // on a loaded machine it may have to wait for its share
    until("at work", || working.read(now(), FAR).cpu_percent.is_some_and(|percent| percent > 0));
    until("idle", || waiting.read(now(), FAR).cpu_percent == Some(0));
    busy.kill().unwrap();
    busy.wait().unwrap();
    drop(idle.stdin.take());
    idle.wait().unwrap();
}

#[test]
fn this_program_is_what_it_is() {
    let own = std::process::id();
    let expected = if cfg!(target_pointer_width = "64") { Bitness::Bits64 } else { Bitness::Bits32 };
    assert_eq!(bitness(own), Some(expected));
    assert_eq!(bitness(u32::MAX), None);
    assert!(Processors::of(own, None) != Processors::default());
    assert!(cgroup_limit(own).is_none_or(|limit| limit > 0));
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = SystemClock.monotonic() + LIMIT;
    while !is_so() {
        assert!(SystemClock.monotonic() < deadline, "never {what}");
        std::thread::yield_now();
    }
}

/// What a reading costs: `cargo test -p server vitals::tests::cost -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn cost() {
    let busy = Command::new("python3")
        .args(["-c", "import threading,sys\nfor _ in range(200): threading.Thread(target=threading.Event().wait,daemon=True).start()\nprint(flush=True);sys.stdin.read()"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let apps = [("alone", Prefork::start(100, 0, 0)), ("4 children", Prefork::start(100, 4, 5))];
    let measure = |name: &str, mut meter: Meter| {
        // this thread's, which other programs do not lengthen
        let processor_time = || {
            let schedule = read("/proc/thread-self/schedstat").unwrap();
            Duration::from_nanos(schedule.split_ascii_whitespace().next().unwrap().parse().unwrap())
        };
        let time = |meter: &mut Meter, times: u32, step: u64| {
            let start = processor_time();
            for turn in 1..=times {
                meter.read(Duration::from_millis(u64::from(turn) * step), FAR);
            }
            processor_time().saturating_sub(start) / times
        };
        // a millisecond a step: nothing but the two files; 5 s: also who the children are; a minute: also what they share
        let (plain, look, confirm) =
            (time(&mut meter, 1_000, 1), time(&mut meter, 100, 5_000), time(&mut meter, 50, 60_000));
        println!("{name}: {plain:?}, looking for children {look:?}, confirming {confirm:?}");
    };
    for (name, app) in &apps {
        measure(name, app.meter());
    }
    if let Ok(mut process) = busy {
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        measure("200 threads", Meter::new(process.id()));
        drop(process.stdin.take());
        process.wait().unwrap();
    }
}

#[test]
fn a_workers_processes_are_listed_with_who_started_them_and_what_they_use() {
    let app = Prefork::start(1, 3, 20);
    let worker = app.process.id();
    let look = || process_list::ProcessList::at(worker);
    let processes = look().then(&look(), Duration::from_secs(1));
    assert_eq!(processes.len(), 4, "{processes:?}");
    assert_eq!((processes[0].pid, processes[0].parent), (worker, std::process::id()));
    for process in &processes {
        assert!(process.name.starts_with("prefork"), "{process:?}");
        assert_eq!((process.threads, process.cpu_percent.is_some()), (Some(1), true), "{process:?}");
        assert!(process.open_files.unwrap() >= 3 && process.open_files_limit.unwrap() > 3, "{process:?}");
        let age = SystemClock.wall().since(process.started_at);
        assert!(age < LIMIT, "started {age:?} ago: {process:?}");
    }
    for child in &processes[1..] {
        assert_eq!(child.parent, worker);
        assert!(child.private_bytes.unwrap() >= 20 * MIB, "{child:?}");
    }
    assert!(
        process_list::ProcessList::at(u32::MAX)
            .then(&look(), LIMIT)
            .iter()
            .all(|new| new.cpu_percent.is_none())
    );
    drop(app);
    assert_eq!(look().then(&look(), LIMIT), []);
}

#[test]
fn a_process_that_was_not_found_is_told_from_one_that_was() {
    assert!(!Meter::new(std::process::id()).is_blind());
    assert!(Meter::new(u32::MAX).is_blind());
}
