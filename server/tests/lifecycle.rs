//! What the server does with workers when it is killed, started again, stopped and hastened.

mod support;

use std::process::Stdio;

use model::requests::RequestMinute;
use model::{TimeRange, Timestamp};
use store::{Database, Store};
use support::programs::{copy_program, write_script};
use support::{Medic, is_alive, processes_below, wait_until};

#[test]
fn workers_outlive_a_killed_server_and_are_taken_over() {
    let mut medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    let pids: Vec<u64> = medic.instances().iter().map(|i| i["pid"].as_u64().unwrap()).collect();
    medic.kill();
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    medic.start();
    medic.until_running();
    let after: Vec<u64> = medic.instances().iter().map(|i| i["pid"].as_u64().unwrap()).collect();
    assert_eq!(after, pids, "taken over, not restarted");
    assert_eq!(medic.shop("/").status, 200);
    assert_eq!(medic.crashes(), 0);
}

#[test]
fn what_happens_while_no_server_runs_is_told_to_the_next_one() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let (pid, port) =
        (medic.instances()[0]["pid"].as_u64().unwrap(), medic.instances()[0]["port"].as_u64().unwrap());
    medic.kill();
    let worker = format!("127.0.0.1:{port}").parse().unwrap();
    let _cut_off = support::request(worker, "GET", "/crash/panic", &[], "");
    wait_until("the end of the worker", move || !is_alive(pid));
    medic.start();
    medic.until("the crash recorded", || (medic.crashes() == 1).then_some(()));
    let crash = medic.json("/api/v1/apps/shop/crashes")[0].clone();
    assert_eq!(crash["pid"].as_u64(), Some(pid));
    assert_ne!(crash["exception_type"], "", "its standard error was kept");
    medic.until_running();
}

#[test]
fn a_crash_of_an_app_that_is_not_configured_any_more_is_recorded() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let pid = medic.instances()[0]["pid"].as_u64().unwrap();
    medic.kill();
    support::kill(pid, "ABRT");
    wait_until("the end of the worker", move || !is_alive(pid));
    medic.edit(|config| config.replace("name = \"shop\"", "name = \"till\""));
    medic.start();
    medic.until("the crash recorded", || {
        let incidents = medic.json("/api/v1/incidents");
        incidents.as_array().unwrap().iter().any(|incident| incident["app"] == "shop").then_some(())
    });
    let run = medic.data_dir().join("run/shop");
    wait_until("the end of its shim", move || std::fs::read_dir(&run).map_or(0, Iterator::count) == 0);
}

#[test]
fn a_stop_ends_everything_in_order() {
    let mut medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    let pids: Vec<u64> = medic.instances().iter().map(|i| i["pid"].as_u64().unwrap()).collect();
    assert!(medic.stop());
    assert!(pids.iter().all(|pid| !is_alive(*pid)));
    let run = medic.data_dir().join("run/shop");
    // A shim goes a moment after it was told that it may.
    let data_dir = medic.data_dir();
    wait_until("the end of the shims", move || processes_below(&data_dir).is_empty());
    assert_eq!(std::fs::read_dir(run).map_or(0, Iterator::count), 0, "no run folder is left");
    medic.start();
    medic.until_running();
    assert_eq!(medic.crashes(), 0, "a stop that was asked for is no crash");
}

#[test]
fn what_the_front_door_counted_is_kept() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    for (path, status) in [("/", 200), ("/orders/7", 200), ("/status/404", 404), ("/status/500", 500)] {
        assert_eq!(medic.shop(path).status, status, "{path}");
    }
    assert!(medic.stop());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut by_class, mut latencies) = ([0; 5], 0);
    runtime.block_on(async {
        let store = Store::open(&Database::Sqlite(medic.data_dir().join("medic.db"))).await.unwrap();
        let always = TimeRange { start: Timestamp::from_ms(0), end: Timestamp::from_ms(i64::MAX / 2) };
        let each = |minute: &RequestMinute| {
            by_class = std::array::from_fn(|class| by_class[class] + minute.by_class[class]);
            latencies += minute.latency.count();
        };
        store.each_minute(&"shop".parse().unwrap(), always, true, each).await.unwrap();
    });
    assert_eq!((by_class, latencies), ([0, 2, 0, 1, 1], 4));
}

#[test]
fn a_second_signal_does_not_wait_for_the_grace() {
    let mut medic = Medic::with_shop("", "stop_grace = \"10m\"");
    medic.until_running();
    let front_door = medic.front_door;
    let slow = std::thread::spawn(move || support::request(front_door, "GET", "/slow?ms=600000", &[], ""));
    while !medic.shop("/in-flight").body.trim().parse::<u64>().is_ok_and(|n| n >= 2) {
        std::thread::yield_now();
    }
    assert!(medic.hasten());
    slow.join().unwrap();
}

/// An action that never ends by itself, started by the first requests.
#[test]
fn a_second_signal_reaches_a_custom_action_too() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let rules = serde_json::json!({"autoHealEnabled": true, "autoHealRules": {
        "triggers": {"requests": {"count": 2, "timeInterval": "00:05:00"}},
        "actions": {
            "actionType": "CustomAction", "minProcessExecutionTime": "00:00:00",
            "customAction": {"exe": "/bin/sh", "parameters": "-c 'sleep 600 & echo $!; wait'"}
        }
    }});
    let headers = [("Content-Type", "application/json")];
    let path = "/api/v1/apps/shop/auto-heal";
    assert_eq!(support::request(medic.address, "PUT", path, &headers, &rules.to_string()).status, 200);
    let log = medic.data_dir().join("apps/shop/logfiles/application/custom-action-0.log");
    let front_door = medic.front_door;
    let started = log.clone();
    wait_until("the action's start", move || {
        support::request(front_door, "GET", "/", &[], "");
        std::fs::read_to_string(&started).is_ok_and(|output| output.ends_with('\n'))
    });
    let sleeping: u64 = std::fs::read_to_string(log).unwrap().trim().parse().unwrap();
    assert!(is_alive(sleeping));
    assert!(medic.hasten());
    wait_until("the end of the action", move || !is_alive(sleeping));
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let medic = Medic::with_shop("", "");
    let second = medic.command().stderr(Stdio::piped()).output().unwrap();
    assert!(!second.status.success());
    let words = String::from_utf8_lossy(&second.stderr);
    assert!(words.contains("another Medic is running with the data folder"), "{words}");
    medic.until_running();
}

#[test]
fn a_command_that_is_not_there_is_said_and_the_dashboard_stays() {
    let medic = Medic::with_shop("", "");
    let config = std::fs::read_to_string(medic.data_dir().join("../medic.toml")).unwrap();
    drop(medic);
    let broken = config.replace(&format!("{:?}", lab::shop()), "\"no-such-program-4711\"");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("medic.toml"), broken).unwrap();
    let medic = Medic::at(folder);
    let message = medic.until("the reason", || medic.instances()[0]["message"].as_str().map(str::to_owned));
    assert!(message.contains("no-such-program-4711"), "{message}");
}

#[test]
fn a_killed_shim_takes_its_worker_with_it_and_both_are_replaced() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let pid = medic.instances()[0]["pid"].as_u64().unwrap();
    let shims = processes_below(&medic.data_dir().join("run"));
    assert_eq!(shims.len(), 1);
    assert!(
        std::process::Command::new("kill").args(["-9", &shims[0].to_string()]).status().unwrap().success()
    );
    medic.until("another worker", || {
        let instance = medic.instances()[0].clone();
        (instance["state"] == "running" && instance["pid"].as_u64() != Some(pid)).then_some(())
    });
    wait_until("the end of the first worker", move || !is_alive(pid));
    assert_eq!(
        std::fs::read_dir(medic.data_dir().join("run/shop")).unwrap().count(),
        1,
        "nothing is left of the first"
    );
}

#[test]
fn a_program_that_was_deleted_or_replaced_goes_on_starting_workers_and_explaining_crashes() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("medic");
    copy_program(env!("CARGO_BIN_EXE_medic").as_ref(), &program);
    let medic = Medic::with_program(
        &program,
        "[crash_monitoring]\ncrashes = 0\npause = \"0s\"\n",
        "back_off = \"0s\"",
    );
    std::fs::remove_file(&program).unwrap();
    for crash in 1..=2 {
        // a replacement starts before the dump is analyzed, and is attached to after that
        let is_armed = || medic.instances()[0]["monitoring"]["state"] == "armed";
        medic.until("capture armed", || is_armed().then_some(()));
        assert_eq!(medic.crash("null"), crash);
        let latest = medic.json("/api/v1/apps/shop/crashes")[0].clone();
        assert_eq!(latest["audit"]["result"], "analysed", "{latest:#}");
        // now it is another program
        std::fs::copy("/bin/false", &program).unwrap();
    }
    let run_dirs = medic.data_dir().join("run");
    let left = run_dirs.clone();
    wait_until("the end of the crashed workers' shims", move || processes_below(&left).len() == 1);
    let shims = processes_below(&run_dirs);
    let line = std::fs::read(format!("/proc/{}/cmdline", shims[0])).unwrap();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    assert!(line.starts_with(&format!("{} shim ", program.display())), "{line}");
    let name = std::fs::read_to_string(format!("/proc/{}/comm", shims[0])).unwrap();
    assert_eq!(name.trim_end(), "medic");
}

#[test]
fn a_server_whose_parent_ignored_the_ends_of_children_hears_of_its_workers_ends() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("medic");
    let script = format!("#!/bin/sh\ntrap '' CHLD TERM\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_medic"));
    write_script(&program, &script);
    let mut medic = Medic::with_program(&program, "", "back_off = \"0s\"");
    assert_eq!(medic.crash("null"), 1);
    assert_eq!(medic.crash("panic"), 2);
    assert!(medic.stop());
}

#[test]
fn what_a_worker_leaves_is_ended_by_the_server_where_shim_and_reaper_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("child");
    let script = format!("setsid sleep 1000 & echo $! > {}; exec {}", told.display(), lab::shop().display());
    let command = ["/bin/sh".into(), "-c".into(), script.into()];
    let medic = Medic::with_command(&command, "", "back_off = \"0s\"");
    medic.until_running();
    let child: u64 = std::fs::read_to_string(&told).unwrap().trim().parse().unwrap();
    let groups = std::fs::read_to_string(format!("/proc/{child}/cgroup")).unwrap();
    let shim = processes_below(&medic.data_dir().join("run"))[0];
    let status = std::fs::read_to_string(format!("/proc/{shim}/status")).unwrap();
    let reaper = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
    if !groups.contains("/worker.shop.") {
        eprintln!("skipped: workers have no control groups of their own here (root, or Delegate=memory)");
        return;
    }
    // the reaper first, so that it has no time to do what it is for
    let killed = std::process::Command::new("kill").args(["-9", reaper, &shim.to_string()]).status().unwrap();
    assert!(killed.success());
    wait_until("the end of the child", move || !is_alive(child));
    medic.until_running();
}
